package identity_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/starling-fuota/starling/internal/identity"
)

const redirectURL = "https://starling.example/api/v1/session/oidc/callback"

// logIn is Starling and a browser with one provider.
type logIn struct {
	t *testing.T
	*identity.OIDC
	clock *clock
	net   http.RoundTripper // of the browser; nil: the real one
}

func newLogIn(t *testing.T, p *provider, change ...func(*identity.OIDCConfig)) *logIn {
	t.Helper()
	config := identity.OIDCConfig{
		Issuer: p.URL, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: redirectURL,
		CookieKey: bytes.Repeat([]byte{7}, identity.CookieKeySize),
	}
	for _, f := range change {
		f(&config)
	}
	c := &clock{noon}
	o, err := identity.NewOIDC(config, rand.Reader, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return &logIn{t: t, OIDC: o, clock: c}
}

// visit begins a log-in and goes to the provider. It returns what the browser comes back with.
func (l *logIn) visit(returnTo string) (cookie string, answer url.Values) {
	l.t.Helper()
	to, cookie, err := l.Begin(l.t.Context(), returnTo)
	if err != nil {
		l.t.Fatal(err)
	}
	browser := http.Client{Transport: l.net, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(to)
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := resp.Location()
	if err != nil || !strings.HasPrefix(back.String(), redirectURL+"?") {
		l.t.Fatalf("sent to %v: %v", back, err)
	}
	return cookie, back.Query()
}

func TestAGoodLogInSaysWhoItIs(t *testing.T) {
	want := identity.Claims{Subject: "248289761001", Email: "ada@example.org", EmailVerified: true, PreferredUsername: "ada", Groups: []string{"fota", "staff"}}
	public := func(c *identity.OIDCConfig) { c.ClientSecret = "" }
	for _, tc := range []struct {
		name   string
		bend   func(*provider)
		config func(*identity.OIDCConfig)
		want   func(*identity.Claims)
	}{
		{name: "RS256"},
		{name: "ES256", bend: func(p *provider) {
			sign, key := es256(t, "key 2")
			p.sign, p.keys = sign, append(p.keys, key)
		}},
		{name: "secret in the body", bend: func(p *provider) { p.methods = []string{"client_secret_post"} }},
		{name: "public client", bend: func(p *provider) { p.methods = []string{"none"} }, config: public},
		{name: "own HTTP client", config: func(c *identity.OIDCConfig) { c.Client = http.DefaultClient }},
		{name: "several audiences, issued to us", bend: func(p *provider) {
			p.change = func(c map[string]any) { c["aud"], c["azp"] = []string{"other", clientID}, clientID }
		}},
		{name: "verified as text", bend: func(p *provider) { p.change = func(c map[string]any) { c["email_verified"] = "true" } }},
		{name: "not verified", bend: func(p *provider) { p.change = func(c map[string]any) { c["email_verified"] = "false" } },
			want: func(c *identity.Claims) { c.EmailVerified = false }},
		{name: "verified is nonsense", bend: func(p *provider) { p.change = func(c map[string]any) { c["email_verified"] = 1 } },
			want: func(c *identity.Claims) { c.EmailVerified = false }},
		{name: "subject only", bend: func(p *provider) {
			p.change = func(c map[string]any) {
				c["email"], c["email_verified"], c["preferred_username"], c["groups"] = nil, nil, nil, nil
			}
		}, want: func(c *identity.Claims) { *c = identity.Claims{Subject: c.Subject} }},
		{name: "groups of another shape", bend: func(p *provider) {
			p.change = func(c map[string]any) { c["groups"] = []any{"fota", map[string]int{"id": 1}} }
		}, want: func(c *identity.Claims) { c.Groups = nil }},
		{name: "valid to the last second", bend: func(p *provider) { p.change = func(c map[string]any) { c["exp"] = noon.Unix() } }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newProvider(t)
			if tc.bend != nil {
				tc.bend(p)
			}
			l := newLogIn(t, p)
			if tc.config != nil {
				l = newLogIn(t, p, tc.config)
			}
			want := want
			if tc.want != nil {
				tc.want(&want)
			}
			cookie, answer := l.visit("/campaigns")
			got, to, err := l.Exchange(t.Context(), cookie, answer)
			if err != nil || !reflect.DeepEqual(got, want) || to != "/campaigns" {
				t.Errorf("%+v to %q, %v", got, to, err)
			}
		})
	}
}

func TestABadIDTokenIsRefused(t *testing.T) {
	claim := func(name string, v any) func(*provider) {
		return func(p *provider) { p.change = func(c map[string]any) { c[name] = v } }
	}
	for _, tc := range []struct {
		name string
		bend func(*provider)
	}{
		{"wrong nonce", claim("nonce", strings.Repeat("x", 43))},
		{"no nonce", claim("nonce", nil)},
		{"empty nonce", claim("nonce", "")},
		{"expired", claim("exp", noon.Unix()-1)},
		{"no expiry", claim("exp", nil)},
		{"not yet valid", claim("nbf", noon.Unix()+3600)},
		{"wrong audience", claim("aud", "another client")},
		{"no audience", claim("aud", nil)},
		{"several audiences and nobody issued to", claim("aud", []string{clientID, "other"})},
		{"issued to another", claim("azp", "other")},
		{"wrong issuer", claim("iss", "https://evil.example")},
		{"no issuer", claim("iss", nil)},
		{"no subject", claim("sub", nil)},
		{"long subject", claim("sub", strings.Repeat("x", 256))},
		{"subject is a number", claim("sub", 1)},
		{"other signing key", func(p *provider) { p.sign, _ = es256(t, "key 1") }},
		{"other signing key of the same kind and name", func(p *provider) {
			_, key := es256(t, "key 2")
			p.sign, _ = es256(t, "key 2")
			p.keys = []jose.JSONWebKey{key}
		}},
		{"unknown signing key", func(p *provider) { p.sign, _ = es256(t, "key 9") }},
		{"not signed", func(p *provider) { p.sign = unsigned }},
		{"not signed, and announced", func(p *provider) { p.sign, p.algs = unsigned, []string{"none"} }},
		{"signed with the client secret", func(p *provider) {
			p.sign, p.algs = hs256(t, bytes.Repeat([]byte(clientSecret), 2)), []string{"HS256"}
		}},
		{"signed with the public key as a secret", func(p *provider) {
			p.sign, p.algs = hs256(t, publicBytes(t, p.keys[0].Key)), []string{"HS256", "RS256"}
		}},
		{"an algorithm that was not announced", func(p *provider) { p.algs = []string{"ES256"} }},
		{"payload changed after signing", func(p *provider) {
			good := p.sign
			p.sign = func(payload []byte) string {
				part := strings.Split(good(payload), ".")
				other := strings.Split(unsigned(bytes.Replace(payload, []byte("248289761001"), []byte("248289761002"), 1)), ".")
				return part[0] + "." + other[1] + "." + part[2]
			}
		}},
		{"no JWT", func(p *provider) { p.sign = func([]byte) string { return "hello" } }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newProvider(t)
			tc.bend(p)
			l := newLogIn(t, p)
			cookie, answer := l.visit("/")
			got, to, err := l.Exchange(t.Context(), cookie, answer)
			if !errors.Is(err, identity.ErrOIDCToken) || !reflect.DeepEqual(got, identity.Claims{}) || to != "" {
				t.Errorf("%+v to %q, %v", got, to, err)
			}
			p.hides(err)
		})
	}
}

// hides checks that err holds nothing that is secret.
func (p *provider) hides(err error) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, secret := range append(p.raw, clientSecret) {
		if secret != "" && err != nil && strings.Contains(err.Error(), secret) {
			p.t.Errorf("%q is in the error %v", secret, err)
		}
	}
}

func TestAnAnswerIsGoodOnceAndInItsBrowser(t *testing.T) {
	p := newProvider(t)
	l := newLogIn(t, p)
	changed := func(v url.Values, name, value string) url.Values {
		out := url.Values{}
		for k := range v {
			out.Set(k, v.Get(k))
		}
		out.Set(name, value)
		return out
	}
	for _, tc := range []struct {
		name string
		try  func() (string, url.Values)
		want error
	}{
		{"replayed", func() (string, url.Values) {
			cookie, answer := l.visit("/")
			if _, _, err := l.Exchange(t.Context(), cookie, answer); err != nil {
				t.Fatal(err)
			}
			return cookie, answer
		}, identity.ErrOIDCState},
		{"replayed with a fresh code", func() (string, url.Values) {
			cookie, answer := l.visit("/")
			if _, _, err := l.Exchange(t.Context(), cookie, answer); err != nil {
				t.Fatal(err)
			}
			_, other := l.visit("/")
			return cookie, changed(answer, "code", other.Get("code"))
		}, identity.ErrOIDCState},
		{"answer of another browser", func() (string, url.Values) {
			cookie, _ := l.visit("/")
			_, answer := l.visit("/")
			return cookie, answer
		}, identity.ErrOIDCState},
		{"code of another browser: PKCE", func() (string, url.Values) {
			_, stolen := l.visit("/")
			cookie, answer := l.visit("/")
			return cookie, changed(answer, "code", stolen.Get("code"))
		}, identity.ErrOIDCProvider},
		{"no state", func() (string, url.Values) {
			cookie, answer := l.visit("/")
			return cookie, changed(answer, "state", "")
		}, identity.ErrOIDCState},
		{"no cookie", func() (string, url.Values) {
			_, answer := l.visit("/")
			return "", answer
		}, identity.ErrOIDCState},
		{"cookie of another server", func() (string, url.Values) {
			other := newLogIn(t, p, func(c *identity.OIDCConfig) { c.CookieKey = make([]byte, identity.CookieKeySize) })
			return other.visit("/")
		}, identity.ErrOIDCState},
		{"cookie of another client", func() (string, url.Values) {
			_, answer := l.visit("/")
			other := newLogIn(t, p, func(c *identity.OIDCConfig) { c.ClientID = "other" })
			_, cookie, err := other.Begin(t.Context(), "/")
			if err != nil {
				t.Fatal(err)
			}
			return cookie, answer
		}, identity.ErrOIDCState},
		{"no code", func() (string, url.Values) {
			cookie, answer := l.visit("/")
			return cookie, changed(answer, "code", "")
		}, identity.ErrOIDCProvider},
		{"denied", func() (string, url.Values) {
			cookie, answer := l.visit("/")
			return cookie, changed(answer, "error", "access_denied")
		}, identity.ErrOIDCDenied},
		{"answer of another provider", func() (string, url.Values) {
			cookie, answer := l.visit("/")
			return cookie, changed(answer, "iss", "https://evil.example")
		}, identity.ErrOIDCState},
		{"answer that names the provider", func() (string, url.Values) {
			cookie, answer := l.visit("/")
			return cookie, changed(answer, "iss", p.URL)
		}, nil},
		{"too late", func() (string, url.Values) {
			cookie, answer := l.visit("/")
			l.clock.advance(identity.OIDCCookieLife)
			return cookie, answer
		}, identity.ErrOIDCState},
	} {
		l.clock.at = noon
		cookie, answer := tc.try()
		got, _, err := l.Exchange(t.Context(), cookie, answer)
		if !errors.Is(err, tc.want) || (err != nil) != (got.Subject == "") {
			t.Errorf("%s: %+v, %v; want %v", tc.name, got, err, tc.want)
		}
		p.hides(err)
	}
}

func TestAProviderThatDoesNotDoItsPart(t *testing.T) {
	document := func(name string, v any) func(*provider) {
		return func(p *provider) { p.doc = func(d map[string]any) { d[name] = v } }
	}
	for _, tc := range []struct {
		name string
		bend func(*provider)
	}{
		{"other issuer", document("issuer", "https://evil.example")},
		{"no token endpoint", document("token_endpoint", "")},
		{"no keys", document("jwks_uri", nil)},
		{"endpoint in clear", document("authorization_endpoint", "http://login.example/authorize")},
		{"script as an endpoint", document("authorization_endpoint", "javascript:alert(1)")},
		{"down", func(p *provider) { p.down = true }},
		{"a document of more than 1 MiB", document("padding", strings.Repeat("x", 1<<20))},
	} {
		p := newProvider(t)
		tc.bend(p)
		l := newLogIn(t, p)
		if err := l.Discover(t.Context()); !errors.Is(err, identity.ErrOIDCProvider) {
			t.Errorf("discovery, %s: %v", tc.name, err)
		}
		if to, cookie, err := l.Begin(t.Context(), "/"); !errors.Is(err, identity.ErrOIDCProvider) || to != "" || cookie != "" {
			t.Errorf("begin, %s: %q, %q, %v", tc.name, to, cookie, err)
		}
	}
	for _, tc := range []struct {
		name string
		bend func(*provider)
	}{
		{"no ID token", func(p *provider) {
			p.answer = func(w http.ResponseWriter) bool {
				p.json(w, http.StatusOK, map[string]string{"access_token": "a", "token_type": "Bearer"})
				return true
			}
		}},
		{"no JSON", func(p *provider) {
			p.answer = func(w http.ResponseWriter) bool { _, err := io.WriteString(w, "<html>"); return err == nil }
		}},
		{"answer without end", func(p *provider) {
			p.answer = func(w http.ResponseWriter) bool {
				w.Header().Set("Content-Type", "application/json")
				for block := bytes.Repeat([]byte(" "), 1<<16); ; {
					if _, err := w.Write(block); err != nil {
						return true
					}
				}
			}
		}},
		{"does not know the client", func(p *provider) { p.methods = []string{"none"} }},
	} {
		p := newProvider(t)
		l := newLogIn(t, p)
		cookie, answer := l.visit("/")
		p.mu.Lock()
		tc.bend(p)
		p.mu.Unlock()
		_, _, err := l.Exchange(t.Context(), cookie, answer)
		if !errors.Is(err, identity.ErrOIDCProvider) {
			t.Errorf("exchange, %s: %v", tc.name, err)
		}
		p.hides(err)
	}
}

func TestTheProviderIsFoundOnceAndLaterIfItWasDown(t *testing.T) {
	p := newProvider(t)
	p.down = true
	l := newLogIn(t, p)
	if err := l.Discover(t.Context()); !errors.Is(err, identity.ErrOIDCProvider) {
		t.Errorf("down: %v", err)
	}
	p.mu.Lock()
	p.down = false
	p.mu.Unlock()
	for range 3 {
		if err := l.Discover(t.Context()); err != nil {
			t.Errorf("up again: %v", err)
		}
	}
	l.visit("/")
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.asked["/.well-known/openid-configuration"]; n != 2 {
		t.Errorf("discovered %d times", n)
	}
}

func TestNewKeysOfTheProviderAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bareProvider(t)
		p.Server = &httptest.Server{URL: "https://login.example"}
		l := newLogIn(t, p, func(c *identity.OIDCConfig) { c.Client = &http.Client{Transport: direct{p}} })
		l.net = direct{p}
		for _, kid := range []string{"key 2", "key 3"} {
			sign, key := es256(t, kid)
			p.sign, p.keys = sign, []jose.JSONWebKey{key}
			for range 2 {
				cookie, answer := l.visit("/")
				if _, _, err := l.Exchange(t.Context(), cookie, answer); err != nil {
					t.Errorf("%s: %v", kid, err)
				}
				// go-oidc answers before it notes that the keys have come; who asks in between
				// gets the old ones. A provider does not change its keys twice in that moment.
				synctest.Wait()
			}
		}
		if n := p.asked["/keys"]; n != 2 {
			t.Errorf("the keys were read %d times, want once for each change", n)
		}
	})
}

func TestTheProviderIsAskedUntilTheContextEnds(t *testing.T) {
	p := newProvider(t)
	l := newLogIn(t, p)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Discover(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("discovery: %v", err)
	}
	cookie, answer := l.visit("/")
	if _, _, err := l.Exchange(ended, cookie, answer); !errors.Is(err, context.Canceled) {
		t.Errorf("exchange: %v", err)
	}
}

func TestAConfigurationThatWouldLeakIsRefused(t *testing.T) {
	good := identity.OIDCConfig{Issuer: "https://login.example", ClientID: clientID, ClientSecret: clientSecret, RedirectURL: redirectURL, CookieKey: make([]byte, identity.CookieKeySize)}
	with := func(change func(*identity.OIDCConfig)) identity.OIDCConfig {
		c := good
		change(&c)
		return c
	}
	for _, tc := range []struct {
		name   string
		config identity.OIDCConfig
		ok     bool
	}{
		{"good", good, true},
		{"http on this machine", with(func(c *identity.OIDCConfig) { c.Issuer = "http://[::1]:8080/realms/x" }), true},
		{"http by name", with(func(c *identity.OIDCConfig) { c.RedirectURL = "http://localhost:8080/callback" }), true},
		{"http", with(func(c *identity.OIDCConfig) { c.Issuer = "http://login.example" }), false},
		{"redirect by http", with(func(c *identity.OIDCConfig) { c.RedirectURL = "http://starling.example/" }), false},
		{"redirect is a path", with(func(c *identity.OIDCConfig) { c.RedirectURL = "/callback" }), false},
		{"no issuer", with(func(c *identity.OIDCConfig) { c.Issuer = "" }), false},
		{"no URL", with(func(c *identity.OIDCConfig) { c.Issuer = "https://%" }), false},
		{"user in the URL", with(func(c *identity.OIDCConfig) { c.Issuer = "https://a:b@login.example" }), false},
		{"no client", with(func(c *identity.OIDCConfig) { c.ClientID = "" }), false},
		{"no cookie key", with(func(c *identity.OIDCConfig) { c.CookieKey = nil }), false},
	} {
		_, err := identity.NewOIDC(tc.config, rand.Reader, time.Now)
		if (err == nil) != tc.ok || err != nil && !errors.Is(err, identity.ErrOIDCConfig) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
