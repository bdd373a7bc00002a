package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const (
	clientID     = "starling"
	clientSecret = "s3cr3t-of-the-client"
)

// signer makes a compact JWS out of a payload.
type signer func(payload []byte) string

// provider is an OpenID provider in this process: it lets everybody in as one user, and
// checks what a provider has to check (client, redirect URL, PKCE, each code once).
type provider struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	sign    signer
	keys    []jose.JSONWebKey                // public, in the JWKS
	methods []string                         // how clients authenticate; nil: not said
	algs    []string                         // announced
	change  func(claims map[string]any)      // what a bad provider puts into the ID token
	doc     func(document map[string]any)    // what it puts into the discovery document
	answer  func(w http.ResponseWriter) bool // what it answers at the token endpoint; nil: the truth
	codes   map[string]url.Values            // authorization requests by code
	raw     []string                         // every secret text that was given out
	down    bool
	asked   map[string]int // requests by path
}

// newProvider starts a provider that signs with RS256.
func newProvider(t *testing.T) *provider {
	t.Helper()
	p := bareProvider(t)
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// direct carries requests to a handler without a network, as package synctest needs it.
type direct struct{ http.Handler }

// RoundTrip asks the handler.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// bareProvider returns a provider that listens nowhere and has no URL yet.
func bareProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t, codes: map[string]url.Values{}, asked: map[string]int{}, algs: []string{"RS256", "ES256"}}
	sign, public := rs256(t, "key 1")
	p.sign, p.keys = sign, []jose.JSONWebKey{public}
	return p
}

var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func rs256(t *testing.T, kid string) (signer, jose.JSONWebKey) {
	t.Helper()
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	return jws(t, jose.RS256, key, kid), jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: "RS256", Use: "sig"}
}

func es256(t *testing.T, kid string) (signer, jose.JSONWebKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jws(t, jose.ES256, key, kid), jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

// hs256 signs with a text that the client knows, or with the public key taken for a secret.
func hs256(t *testing.T, secret []byte) signer { return jws(t, jose.HS256, secret, "key 1") }

func jws(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string) signer {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(payload []byte) string {
		object, err := s.Sign(payload)
		if err != nil {
			t.Error(err)
			return ""
		}
		text, err := object.CompactSerialize()
		if err != nil {
			t.Error(err)
		}
		return text
	}
}

// unsigned is the algorithm "none", as RFC 7519 writes it.
func unsigned(payload []byte) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"none"}`)) + "." + b64(payload) + "."
}

func publicBytes(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// ServeHTTP is the provider.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[r.URL.Path]++
	if p.down {
		http.Error(w, "out for lunch", http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		document := map[string]any{
			"issuer":                                p.URL,
			"authorization_endpoint":                p.URL + "/authorize",
			"token_endpoint":                        p.URL + "/token",
			"jwks_uri":                              p.URL + "/keys",
			"id_token_signing_alg_values_supported": p.algs,
		}
		if p.methods != nil {
			document["token_endpoint_auth_methods_supported"] = p.methods
		}
		if p.doc != nil {
			p.doc(document)
		}
		p.json(w, http.StatusOK, document)
	case "/keys":
		p.json(w, http.StatusOK, jose.JSONWebKeySet{Keys: p.keys})
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *provider) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case q.Get("client_id") != clientID, q.Get("redirect_uri") != redirectURL, q.Get("response_type") != "code",
		!strings.Contains(" "+q.Get("scope")+" ", " openid "), q.Get("code_challenge_method") != "S256",
		len(q.Get("code_challenge")) != 43, len(q.Get("state")) < 43, len(q.Get("nonce")) < 43:
		p.t.Errorf("bad authorization request %s", r.URL.RawQuery)
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	code := "code-" + rand.Text()
	p.codes[code] = q
	p.raw = append(p.raw, code)
	answer := url.Values{"code": {code}, "state": {q.Get("state")}}
	http.Redirect(w, r, redirectURL+"?"+answer.Encode(), http.StatusFound)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	if p.answer != nil && p.answer(w) {
		return
	}
	refuse := func(status int, code string) {
		// A careless provider: it repeats what it was sent.
		p.json(w, status, map[string]string{"error": code, "error_description": r.PostForm.Encode()})
	}
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.PostForm.Get("grant_type") != "authorization_code" {
		refuse(http.StatusBadRequest, "invalid_request")
		return
	}
	if !p.authentic(r) {
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	code, verifier := r.PostForm.Get("code"), r.PostForm.Get("code_verifier")
	p.raw = append(p.raw, verifier)
	request, ok := p.codes[code]
	delete(p.codes, code)
	challenge := sha256.Sum256([]byte(verifier))
	if !ok || r.PostForm.Get("redirect_uri") != redirectURL || base64.RawURLEncoding.EncodeToString(challenge[:]) != request.Get("code_challenge") {
		refuse(http.StatusBadRequest, "invalid_grant")
		return
	}
	claims := map[string]any{
		"iss": p.URL, "aud": clientID, "sub": "248289761001", "nonce": request.Get("nonce"),
		"iat": noon.Unix(), "exp": noon.Unix() + 300,
		"email": "ada@example.org", "email_verified": true, "preferred_username": "ada", "groups": []string{"fota", "staff"},
	}
	if p.change != nil {
		p.change(claims)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	access, id := "access-"+rand.Text(), p.sign(payload)
	p.raw = append(p.raw, access, id)
	p.json(w, http.StatusOK, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": id})
}

// authentic checks the client in the one way that the provider announced.
func (p *provider) authentic(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	method := "client_secret_basic"
	if p.methods != nil {
		method = p.methods[0]
	}
	switch method {
	case "client_secret_basic":
		return basic && id == clientID && secret == clientSecret && r.PostForm.Get("client_secret") == ""
	case "client_secret_post":
		return !basic && r.PostForm.Get("client_id") == clientID && r.PostForm.Get("client_secret") == clientSecret
	case "none":
		return !basic && r.PostForm.Get("client_id") == clientID && !r.PostForm.Has("client_secret")
	}
	panic(fmt.Sprintf("no method %q", method))
}
