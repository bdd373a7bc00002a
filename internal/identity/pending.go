package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// pending is a log-in that has begun and is now at the provider. The browser keeps it, sealed:
// so any replica can end what another one began, and nothing is stored for people who never
// come back.
type pending struct {
	State    string    `json:"state"`    // ties the answer to this browser (RFC 6749)
	Nonce    string    `json:"nonce"`    // ties the ID token to this log-in (OpenID Connect Core 1.0)
	Verifier string    `json:"verifier"` // ties the code to this client (PKCE, RFC 7636)
	ReturnTo string    `json:"return_to,omitempty"`
	Expires  time.Time `json:"expires"`
}

// newPending begins a log-in that may take until expires.
func newPending(rand io.Reader, returnTo string, expires time.Time) (pending, error) {
	p := pending{ReturnTo: returnTo, Expires: expires}
	for _, s := range []*string{&p.State, &p.Nonce, &p.Verifier} {
		var raw [32]byte
		if _, err := io.ReadFull(rand, raw[:]); err != nil {
			return pending{}, fmt.Errorf("log-in: random numbers: %w", err)
		}
		*s = base64.RawURLEncoding.EncodeToString(raw[:])
	}
	return p, nil
}

// localPath returns s if it is a path of this server, else "/": a log-in that ends on somebody
// else's page is how passwords are phished. Browsers read \ as / and skip tabs and line breaks.
func localPath(s string) string {
	const limit = 1024 // a cookie has 4096 bytes for everything
	outside := !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.Contains(s, `\`)
	if outside || len(s) > limit || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "/"
	}
	return s
}

// CookieKeySize is the size of the key that seals the cookie of a log-in, in bytes.
const CookieKeySize = 32

// cookieSealer turns pending log-ins into cookie values and back, under AES-256-GCM. A signature
// would do against changes; sealing also keeps the PKCE verifier from whoever sees the cookie.
type cookieSealer struct {
	aead cipher.AEAD
	aad  []byte // what the cookie is for: another provider's or client's is refused
}

func newCookieSealer(key []byte, purpose string) (cookieSealer, error) {
	if len(key) != CookieKeySize {
		return cookieSealer{}, fmt.Errorf("cookie key of %d bytes: it must have %d", len(key), CookieKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return cookieSealer{}, err
	}
	aead, err := cipher.NewGCM(block)
	return cookieSealer{aead, []byte(purpose)}, err
}

func (s cookieSealer) seal(rand io.Reader, p pending) (string, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("log-in: %w", err)
	}
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return "", fmt.Errorf("log-in: random numbers: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, s.aad)), nil
}

// open returns what seal sealed. Its error says nothing of the content.
func (s cookieSealer) open(value string) (pending, error) {
	var p pending
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(sealed) < s.aead.NonceSize() {
		return p, errors.New("the cookie is not one of this server")
	}
	n := s.aead.NonceSize()
	plain, err := s.aead.Open(nil, sealed[:n], sealed[n:], s.aad)
	if err != nil {
		return p, errors.New("the cookie was changed or sealed under another key")
	}
	if err := json.Unmarshal(plain, &p); err != nil {
		return pending{}, errors.New("the cookie is of another version")
	}
	return p, nil
}

// maxUsed bounds usedStates: more log-ins than this in ten minutes are no people.
const maxUsed = 4096

// usedStates remembers which log-ins have ended, until their cookies expire: a cookie is good
// for one exchange. The provider refuses a used code too; this does not rely on it.
type usedStates map[string]time.Time // state: expiry of its cookie

// use reports whether state is used for the first time.
func (u usedStates) use(state string, expires, now time.Time) bool {
	for s, e := range u {
		if !e.After(now) {
			delete(u, s)
		}
	}
	if _, again := u[state]; again {
		return false
	}
	for s := range u {
		if len(u) < maxUsed {
			break
		}
		delete(u, s) // any: the provider still refuses its code
	}
	u[state] = expires
	return true
}
