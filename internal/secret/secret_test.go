package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/secret"
)

var made = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// seeded returns the same bytes for the same seed: no key of a test is worth anything.
func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// entry is a key as the environment has it.
func entry(id string, seed byte) string {
	k := make([]byte, 32)
	_, _ = seeded(seed).Read(k)
	return id + ":" + base64.StdEncoding.EncodeToString(k)
}

func environment(t testing.TB, value string) secret.KEK {
	t.Helper()
	kek, err := secret.FromEnvironment(value)
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

func newDataKey(t testing.TB, s *secret.Sealer, subscriber string) secret.DataKey {
	t.Helper()
	dk, err := s.NewDataKey(context.Background(), subscriber, made)
	if err != nil {
		t.Fatal(err)
	}
	return dk
}

func seal(t testing.TB, s *secret.Sealer, dk secret.DataKey, plain string, aad []byte) []byte {
	t.Helper()
	sealed, err := s.Seal(dk.ID, []byte(plain), aad)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func expectPlain(t testing.TB, s *secret.Sealer, sealed []byte, want string, aad []byte) {
	t.Helper()
	plain, err := s.Unseal(sealed, aad)
	if err != nil {
		t.Fatal(err)
	}
	if plain == nil || string(plain) != want {
		t.Fatalf("unsealed %q, want %q", plain, want)
	}
}

// ringPath is where a test has its keyring.
func ringPath(t testing.TB) string { return filepath.Join(t.TempDir(), "keyring") }

func openRing(t testing.TB, path string, create bool) *secret.Keyring {
	t.Helper()
	r, err := secret.OpenKeyring(path, create)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func primary(t testing.TB, kek secret.KEK) string {
	t.Helper()
	id, err := kek.Primary(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func ids(t testing.TB, r secret.Rotator) []string {
	t.Helper()
	found, err := r.IDs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// leaks reports whether text shows any four bytes of raw, in hexadecimal, base64, decimal or as they are.
func leaks(text string, raw []byte) bool {
	b := []byte(text)
	for i := range len(raw) - 3 {
		w := raw[i : i+4]
		for _, format := range []string{"%02x%02x%02x%02x", "%02X%02X%02X%02X", "%02x %02x %02x %02x", "%d %d %d %d", "%d,%d,%d,%d", "0x%x, 0x%x, 0x%x, 0x%x"} {
			if bytes.Contains(b, fmt.Appendf(nil, format, w[0], w[1], w[2], w[3])) {
				return true
			}
		}
		if bytes.Contains(b, w) {
			return true
		}
	}
	for i := range 3 {
		text := base64.RawStdEncoding.EncodeToString(raw[i:])
		if bytes.Contains(b, []byte(text[:len(text)-4])) {
			return true
		}
	}
	return false
}
