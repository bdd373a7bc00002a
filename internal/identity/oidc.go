package identity

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Errors of OIDC. What they say is for the log; people are told to try again.
var (
	ErrOIDCConfig   = errors.New("oidc: configuration")
	ErrOIDCProvider = errors.New("oidc: the provider cannot be reached or does not do its part")
	ErrOIDCState    = errors.New("oidc: this log-in was not begun here, took too long or has ended already")
	ErrOIDCDenied   = errors.New("oidc: the provider did not let the user in")
	ErrOIDCToken    = errors.New("oidc: the ID token is not good")
)

// OIDCCookie is the name for the cookie of a log-in. It needs HttpOnly, Secure and SameSite=Lax:
// with Strict the browser does not send it when it comes back from the provider.
const OIDCCookie = "starling_oidc"

// OIDCCookieLife is how long a log-in may take at the provider, and so the life of the cookie.
const OIDCCookieLife = 10 * time.Minute

// OIDCConfig says which OpenID provider is used, and as which client of it.
type OIDCConfig struct {
	Issuer       string       `json:"issuer"`           // as in its discovery document: https, or http on this machine
	ClientID     string       `json:"client_id"`        //
	ClientSecret string       `json:"-"`                // "": a public client
	RedirectURL  string       `json:"redirect_url"`     // where the provider sends people back to, with code and state
	Scopes       []string     `json:"scopes,omitempty"` // besides "openid"; none: profile and email
	CookieKey    []byte       `json:"-"`                // CookieKeySize bytes, the same in all replicas
	Client       *http.Client `json:"-"`                // nil: one that gives up after 10 seconds
}

// String returns issuer and client: the secret has no text form.
func (c OIDCConfig) String() string { return c.ClientID + " at " + c.Issuer }

// GoString keeps the secrets out of %#v too.
func (c OIDCConfig) GoString() string { return fmt.Sprintf("identity.OIDCConfig{%s}", c) }

// LogValue returns what a log may know of c.
func (c OIDCConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Claims is what a provider says about who logged in. Subject alone identifies somebody: names
// and addresses change hands. Email proves nothing unless EmailVerified.
type Claims struct {
	Subject           string   `json:"sub"` // 1 to 255 bytes, unique at the issuer, never given to another
	Email             string   `json:"email"`
	EmailVerified     bool     `json:"email_verified"`
	PreferredUsername string   `json:"preferred_username"`
	Groups            []string `json:"groups"` // as far as the provider lists them in this way
}

// OIDC lets people log in through an OpenID provider (OpenID Connect Core 1.0, authorization
// code flow with PKCE S256):
//
//	browser            Starling                       provider
//	   │── log in ───────>│ Begin: state, nonce,           │
//	   │<─ cookie ────────│ verifier sealed in a cookie    │
//	   │── state, nonce, SHA-256 of the verifier ────────>│ password, second factor ...
//	   │<──────────────────────────────── code, state ────│
//	   │── cookie, ──────>│ Exchange: state is that of     │
//	   │   code, state    │ the cookie ── code, verifier ─>│
//	   │                  │<──────────────── ID token ─────│
//	   │                  │ signature, issuer, audience, expiry, nonce
//	   │<─ session ───────│ Claims: whose Subject is it?
//
// It is safe for concurrent use. The provider is asked for its configuration when it is first
// needed: that it is down keeps nobody from logging in by password.
type OIDC struct {
	config OIDCConfig
	sealer cookieSealer
	rand   io.Reader
	now    func() time.Time

	finding chan struct{} // holds one place: who finds the provider
	mu      sync.Mutex    // guards what follows
	found   *provider     // nil: not yet
	used    usedStates
}

// provider is what the discovery document said.
type provider struct {
	oauth2   oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// NewOIDC returns the log-in that c describes. rand makes secrets and must be safe for
// concurrent use, as crypto/rand.Reader is; now is the time. It asks nobody: see Discover.
func NewOIDC(c OIDCConfig, rand io.Reader, now func() time.Time) (*OIDC, error) {
	if err := secureURL("issuer", c.Issuer); err != nil {
		return nil, err
	}
	if err := secureURL("redirect URL", c.RedirectURL); err != nil {
		return nil, err
	}
	if c.ClientID == "" {
		return nil, fmt.Errorf("%w: client ID is missing (register Starling with the provider and give the ID that it assigns)", ErrOIDCConfig)
	}
	sealer, err := newCookieSealer(c.CookieKey, "starling log-in of "+c.ClientID+" at "+c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOIDCConfig, err)
	}
	client := http.Client{Timeout: 10 * time.Second}
	if c.Client != nil {
		client = *c.Client
	}
	client.Transport = shortAnswers{client.Transport}
	c.Client, c.CookieKey = &client, nil
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"profile", "email"}
	}
	return &OIDC{config: c, sealer: sealer, rand: rand, now: now, finding: make(chan struct{}, 1), used: usedStates{}}, nil
}

// String returns issuer and client.
func (o *OIDC) String() string { return o.config.String() }

// GoString keeps the secrets out of %#v too.
func (o *OIDC) GoString() string { return fmt.Sprintf("&identity.OIDC{%s}", o) }

// LogValue returns what a log may know of o.
func (o *OIDC) LogValue() slog.Value { return o.config.LogValue() }

// secureURL checks that what is sent to s cannot be read on the way.
func secureURL(what, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("%w: %s is not a URL with a host and without a user", ErrOIDCConfig, what)
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return fmt.Errorf("%w: %s %q is not https (http is for this machine only)", ErrOIDCConfig, what, s)
	}
	return nil
}

// Discover reads the configuration of the provider unless it is known already. A server calls it
// when it starts, to log a mistake early. It returns ErrOIDCProvider or the error of ctx.
func (o *OIDC) Discover(ctx context.Context) error {
	_, err := o.provider(ctx)
	return err
}

func (o *OIDC) provider(ctx context.Context) (*provider, error) {
	// A channel and not the mutex: whoever waits for another's discovery can give up.
	select {
	case o.finding <- struct{}{}:
		defer func() { <-o.finding }()
	case <-ctx.Done():
		return nil, fmt.Errorf("oidc: waiting for discovery: %w", ctx.Err())
	}
	o.mu.Lock()
	found := o.found
	o.mu.Unlock()
	if found != nil {
		return found, nil
	}
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, o.config.Client), o.config.Issuer)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("oidc: discovery at %s: %w", o.config.Issuer, ctx.Err())
	case err != nil:
		return nil, fmt.Errorf("%w: discovery at %s: %s", ErrOIDCProvider, o.config.Issuer, brief(err))
	}
	var doc struct {
		JWKS    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&doc); err != nil {
		return nil, fmt.Errorf("%w: discovery document: %w", ErrOIDCProvider, err)
	}
	endpoint := p.Endpoint()
	for _, e := range []struct{ name, url string }{
		{"authorization_endpoint", endpoint.AuthURL}, {"token_endpoint", endpoint.TokenURL}, {"jwks_uri", doc.JWKS},
	} {
		if err := secureURL(e.name, e.url); err != nil {
			return nil, fmt.Errorf("%w: discovery document: %w", ErrOIDCProvider, err)
		}
	}
	// Trying both, as oauth2 does when not told, uses up the code with the first.
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	basic := len(doc.Methods) == 0 || slices.Contains(doc.Methods, "client_secret_basic") // the default of OpenID Connect Discovery 1.0
	if o.config.ClientSecret == "" || !basic {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	found = &provider{
		oauth2: oauth2.Config{
			ClientID:     o.config.ClientID,
			ClientSecret: o.config.ClientSecret,
			Endpoint:     endpoint,
			RedirectURL:  o.config.RedirectURL,
			Scopes:       append([]string{oidc.ScopeOpenID}, o.config.Scopes...),
		},
		verifier: p.Verifier(&oidc.Config{ClientID: o.config.ClientID, Now: o.now}),
	}
	o.mu.Lock()
	o.found = found
	o.mu.Unlock()
	return found, nil
}

// Begin starts a log-in. It returns where to send the browser, and the value of the cookie
// OIDCCookie that the browser keeps meanwhile. returnTo is the path to go to afterwards;
// anything but a path of this server becomes "/".
func (o *OIDC) Begin(ctx context.Context, returnTo string) (redirect, cookie string, err error) {
	p, err := o.provider(ctx)
	if err != nil {
		return "", "", err
	}
	login, err := newPending(o.rand, localPath(returnTo), o.now().UTC().Add(OIDCCookieLife))
	if err != nil {
		return "", "", err
	}
	if cookie, err = o.sealer.seal(o.rand, login); err != nil {
		return "", "", err
	}
	return p.oauth2.AuthCodeURL(login.State, oidc.Nonce(login.Nonce), oauth2.S256ChallengeOption(login.Verifier)), cookie, nil
}

// Exchange ends a log-in: cookie is what Begin returned, answer the query with which the
// provider sent the browser back. It returns who it is and the path to go to. After it, good or
// not, the cookie is of no use and should be deleted.
//
// Errors: ErrOIDCState (begin again), ErrOIDCDenied, ErrOIDCToken, ErrOIDCProvider, or that of
// ctx. None holds the code, a token or a secret.
func (o *OIDC) Exchange(ctx context.Context, cookie string, answer url.Values) (c Claims, returnTo string, err error) {
	login, err := o.sealer.open(cookie)
	if err != nil {
		return Claims{}, "", fmt.Errorf("%w: %w", ErrOIDCState, err)
	}
	now := o.now()
	if !now.Before(login.Expires) {
		return Claims{}, "", fmt.Errorf("%w: begun more than %s ago", ErrOIDCState, OIDCCookieLife)
	}
	if !same(answer.Get("state"), login.State) {
		return Claims{}, "", fmt.Errorf("%w: the state is not that of the cookie", ErrOIDCState)
	}
	o.mu.Lock()
	first := o.used.use(login.State, login.Expires, now)
	o.mu.Unlock()
	if !first {
		return Claims{}, "", fmt.Errorf("%w: the answer was used before", ErrOIDCState)
	}
	// Providers that name themselves in the answer (RFC 9207) must be the one that was asked.
	if iss := answer.Get("iss"); iss != "" && iss != o.config.Issuer {
		return Claims{}, "", fmt.Errorf("%w: the answer is from another provider", ErrOIDCState)
	}
	if code := answer.Get("error"); code != "" {
		return Claims{}, "", fmt.Errorf("%w: error %.64q", ErrOIDCDenied, code)
	}
	if answer.Get("code") == "" {
		return Claims{}, "", fmt.Errorf("%w: the answer has no code", ErrOIDCProvider)
	}
	p, err := o.provider(ctx)
	if err != nil {
		return Claims{}, "", err
	}
	raw, err := o.redeem(ctx, p, answer.Get("code"), login.Verifier)
	if err != nil {
		return Claims{}, "", err
	}
	if c, err = o.verify(ctx, p, raw, login.Nonce); err != nil {
		return Claims{}, "", err
	}
	return c, login.ReturnTo, nil
}

// redeem returns the ID token for a code.
func (o *OIDC) redeem(ctx context.Context, p *provider, code, verifier string) (string, error) {
	tokens, err := p.oauth2.Exchange(oidc.ClientContext(ctx, o.config.Client), code, oauth2.VerifierOption(verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		// Its text holds the whole answer of the provider, which may repeat what was sent.
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		return "", fmt.Errorf("%w: token endpoint: status %d, error %.64q", ErrOIDCProvider, status, refused.ErrorCode)
	case err != nil && ctx.Err() != nil:
		return "", fmt.Errorf("oidc: token endpoint: %w", ctx.Err())
	case err != nil:
		return "", fmt.Errorf("%w: token endpoint: %s", ErrOIDCProvider, brief(err))
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok || raw == "" {
		return "", fmt.Errorf("%w: token endpoint: no ID token (is the scope \"openid\" allowed?)", ErrOIDCProvider)
	}
	return raw, nil
}

// verify returns the claims of an ID token that is signed by the provider, for this client, not
// expired, and made for the log-in with this nonce.
func (o *OIDC) verify(ctx context.Context, p *provider, raw, nonce string) (Claims, error) {
	token, err := p.verifier.Verify(ctx, raw)
	switch {
	case err != nil && ctx.Err() != nil:
		return Claims{}, fmt.Errorf("oidc: ID token: %w", ctx.Err())
	case err != nil: // also when the keys of the provider could not be read
		return Claims{}, fmt.Errorf("%w: %s", ErrOIDCToken, brief(err))
	}
	if !same(token.Nonce, nonce) {
		return Claims{}, fmt.Errorf("%w: made for another log-in: the nonce differs", ErrOIDCToken)
	}
	var body struct {
		Claims
		EmailVerified flexibleBool    `json:"email_verified"`
		Groups        json.RawMessage `json:"groups"`
		Party         string          `json:"azp"`
	}
	if err := token.Claims(&body); err != nil {
		return Claims{}, fmt.Errorf("%w: claims: %w", ErrOIDCToken, err)
	}
	// OpenID Connect Core 1.0, ID token validation: a token for several must say who asked for it.
	if body.Party != "" && body.Party != o.config.ClientID || body.Party == "" && len(token.Audience) > 1 {
		return Claims{}, fmt.Errorf("%w: issued to another client", ErrOIDCToken)
	}
	if s := body.Subject; s == "" || len(s) > maxReference {
		return Claims{}, fmt.Errorf("%w: the subject has %d bytes, not 1 to %d", ErrOIDCToken, len(s), maxReference)
	}
	c := body.Claims
	c.EmailVerified = bool(body.EmailVerified)
	if json.Unmarshal(body.Groups, &c.Groups) != nil {
		c.Groups = nil // not a list of names: no standard says what it should be
	}
	return c, nil
}

// brief returns the beginning of the text of err: it may hold a whole web page that came in
// place of an answer. There is nothing in it that a caller could test for.
func brief(err error) string { return fmt.Sprintf("%.300s", err) }

// same compares what was answered with a secret that must not be empty.
func same(answered, secret string) bool {
	return secret != "" && subtle.ConstantTimeCompare([]byte(answered), []byte(secret)) == 1
}

// flexibleBool also reads "true" and "false": some providers send email_verified as text.
// Everything else is false.
type flexibleBool bool

// UnmarshalJSON never fails.
func (b *flexibleBool) UnmarshalJSON(text []byte) error {
	*b = strings.Trim(string(text), `"`) == "true"
	return nil
}

// shortAnswers ends answers after 1 MiB: discovery documents, keys and tokens are small, and a
// provider that sends for ever must not take all memory.
type shortAnswers struct{ next http.RoundTripper }

// RoundTrip does what the next one does.
func (s shortAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	next := s.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, 1<<20), resp.Body}
	return resp, nil
}
