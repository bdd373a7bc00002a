package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Beginnings of token secrets. They say the kind, and let scanners of repositories and
// logs find a token that got where it should not be: see SecretPattern.
const (
	apiPrefix     = "stl_"
	sessionPrefix = "sts_"
)

// SecretPattern is a regular expression (RE2) that finds token secrets in text.
const SecretPattern = `\bst[ls]_[A-Za-z0-9_-]{43}`

// secretSize is the number of random bytes in a token: nobody guesses 256 bits.
const secretSize = 32

const digestSize = sha256.Size

// NewSecret makes the secret of a token out of 32 bytes of rand, as "stl_" (api) or "sts_"
// (session) and 43 base64url characters, and its digest. The secret is shown once and not kept.
func NewSecret(rand io.Reader, kind TokenKind) (secret, digest string, err error) {
	if kind > KindSession {
		return "", "", fmt.Errorf("secret of a token of kind %s: there is no such kind", kind)
	}
	var raw [secretSize]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return "", "", fmt.Errorf("secret of a token: random numbers: %w", err)
	}
	prefix := apiPrefix
	if kind == KindSession {
		prefix = sessionPrefix
	}
	secret = prefix + base64.RawURLEncoding.EncodeToString(raw[:])
	return secret, Digest(secret), nil
}

// Digest returns the SHA-256 of secret in 64 lower-case hexadecimal digits: what is stored
// and looked up.
//
// A slow hash would protect nothing: there is no dictionary of 256 random bits. Nor does a
// comparison need constant time: the database compares digests, and how far a digest agrees
// with a stored one tells an attacker nothing that leads to a secret with that digest.
func Digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// SecretKind returns the kind of a text that has the form of a token secret, and false for
// any other text. It saves a look into the database for what can be no token.
func SecretKind(secret string) (TokenKind, bool) {
	kind, rest, ok := KindAPI, "", false
	if rest, ok = strings.CutPrefix(secret, apiPrefix); !ok {
		kind = KindSession
		if rest, ok = strings.CutPrefix(secret, sessionPrefix); !ok {
			return 0, false
		}
	}
	// Strict: a last character with other than zero padding bits would be a second spelling.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(raw) != secretSize || strings.ContainsAny(rest, "\r\n") {
		return 0, false
	}
	return kind, true
}
