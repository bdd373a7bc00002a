package secret_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/secret"
)

// FuzzUnseal: whatever the bytes are, there is no panic, an error that callers know, and no
// plain text that was not sealed. The data keys are the same in every process that fuzzes.
func FuzzUnseal(f *testing.F) {
	s, a, b := newSealer(f)
	aad := place("a", "device", "1", "app_key")
	plains := []string{"", "p", "0123456789abcdef", strings.Repeat("long ", 20)}
	for _, plain := range plains {
		for _, dk := range []secret.DataKey{a, b} {
			f.Add(seal(f, s, dk, plain, aad), aad)
			f.Add(seal(f, s, dk, plain, nil), []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, sealed, aad []byte) {
		id, keyErr := secret.KeyOf(sealed)
		plain, err := s.Unseal(sealed, aad)
		switch {
		case err == nil:
			sealedHere := false
			for _, p := range plains {
				sealedHere = sealedHere || p == string(plain)
			}
			if !sealedHere || keyErr != nil || id != a.ID && id != b.ID {
				t.Errorf("%q under %q, %v was never sealed", plain, id, keyErr)
			}
		case plain != nil:
			t.Errorf("%q beside %v", plain, err)
		case errors.Is(err, secret.ErrNoDataKey):
			if keyErr != nil || id == a.ID || id == b.ID {
				t.Errorf("%v, but KeyOf %q, %v", err, id, keyErr)
			}
		case !errors.Is(err, secret.ErrSealed):
			t.Errorf("%v", err)
		}
		if keyErr != nil && !errors.Is(keyErr, secret.ErrSealed) {
			t.Errorf("KeyOf: %v", keyErr)
		}
	})
}

// FuzzEnvironment: no panic, and what is accepted works.
func FuzzEnvironment(f *testing.F) {
	f.Add(entry("k1", 1))
	f.Add(entry("2026-10", 1) + ", " + entry("2026-09", 2))
	f.Add(":,")
	f.Fuzz(func(t *testing.T, value string) {
		kek, err := secret.FromEnvironment(value)
		if err != nil {
			if !errors.Is(err, secret.ErrEnvironment) {
				t.Errorf("%v", err)
			}
			return
		}
		id, wrapped, err := kek.Wrap(context.Background(), []byte(value))
		if err != nil || id != primary(t, kek) {
			t.Fatalf("wrapped under %q, %v", id, err)
		}
		if plain, err := kek.Unwrap(context.Background(), id, wrapped); err != nil || !bytes.Equal(plain, []byte(value)) {
			t.Errorf("%q, %v", plain, err)
		}
	})
}
