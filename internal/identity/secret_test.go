package identity_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"regexp"
	"testing"

	"github.com/starling-fuota/starling/internal/identity"
)

func TestSecretsSayTheirKindAndAreFound(t *testing.T) {
	find := regexp.MustCompile(identity.SecretPattern)
	seen := map[string]bool{}
	for _, tc := range []struct {
		kind   identity.TokenKind
		prefix string
	}{{identity.KindAPI, "stl_"}, {identity.KindSession, "sts_"}} {
		for range 100 {
			secret, digest, err := identity.NewSecret(rand.Reader, tc.kind)
			if err != nil || len(secret) != 4+43 || secret[:4] != tc.prefix || seen[secret] {
				t.Fatalf("%s: %q, %v", tc.kind, secret, err)
			}
			seen[secret] = true
			if digest != identity.Digest(secret) || len(digest) != 64 {
				t.Errorf("digest %s of %s", digest, secret)
			}
			if kind, ok := identity.SecretKind(secret); !ok || kind != tc.kind {
				t.Errorf("%s has kind %v, %t", secret, kind, ok)
			}
			if got := find.FindString("curl -H 'Authorization: Bearer " + secret + "' host"); got != secret {
				t.Errorf("a scanner finds %q in a line with %s", got, secret)
			}
		}
	}
}

func TestSecretIsTheRandomBytes(t *testing.T) {
	// 32 zero bytes are 43 times A. The digest is that of `printf stl_AAA... | sha256sum`.
	secret, digest, err := identity.NewSecret(bytes.NewReader(make([]byte, 32)), identity.KindAPI)
	const want = "stl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if err != nil || secret != want {
		t.Errorf("%q, %v", secret, err)
	}
	const sum = "25c2bb407f2989baa113a991d116cb68c9efc120a887e45647b63882810432e6"
	if digest != sum {
		t.Errorf("digest %s, want %s", digest, sum)
	}
	if _, _, err := identity.NewSecret(bytes.NewReader(make([]byte, 31)), identity.KindAPI); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("31 random bytes: %v", err)
	}
	if _, _, err := identity.NewSecret(rand.Reader, 2); err == nil {
		t.Error("a secret of no kind")
	}
}

func TestOtherTextIsNoSecret(t *testing.T) {
	const good = "stl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, text := range []string{
		"", "stl_", good[:46], good + "A", "stx_" + good[4:], "STL_" + good[4:],
		good[:46] + "B",              // padding bits that are not zero: a second spelling
		good[:46] + "=", good + "\n", // what lenient decoders skip
		good[:20] + "\n" + good[20:], //
		good[:46] + "+", "Bearer " + good,
	} {
		if kind, ok := identity.SecretKind(text); ok {
			t.Errorf("%q is taken for a secret of kind %s", text, kind)
		}
	}
}
