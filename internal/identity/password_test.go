package identity_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
)

const passphrase = "correct horse battery staple"

func TestPasswordRules(t *testing.T) {
	for _, tc := range []struct {
		name, login, password string
		problem               string // part of it; "": accepted
	}{
		{"four words", "ada", passphrase, ""},
		{"shortest", "ada", "abcdefghijkl", ""},
		{"too short", "ada", "abcdefghijk", "shorter"},
		{"empty", "ada", "", "shorter"},
		{"characters are counted, not bytes", "ada", strings.Repeat("\u00e9", 11), "shorter"},
		{"longest", "ada", strings.Repeat("ab", 128), ""},
		{"too long", "ada", strings.Repeat("ab", 128) + "c", "longer"},
		{"longest in bytes", "ada", strings.Repeat("\U0001f426x", 128), ""},
		{"the login", "ada.lovelace", "ada.lovelace", "login"},
		{"the login in capitals", "ada.lovelace", " ADA.Lovelace", "login"},
		{"one character", "ada", "aaaaaaaaaaaa", "repeated"},
		{"one long character", "ada", strings.Repeat("\u00e9", 12), "repeated"},
		{"login not known yet", "", "abcdefghijkl", ""},
		{"not UTF-8", "ada", "abcdefghijk\xff", "UTF-8"},
	} {
		err := identity.ValidatePassword(tc.login, tc.password)
		if tc.problem == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		found := fleet.FieldErrors(err)
		if !errors.Is(err, identity.ErrPassword) || len(found) != 1 || found[0].Field != "password" || !strings.Contains(found[0].Problem, tc.problem) {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if tc.password != "" && strings.Contains(err.Error(), tc.password) {
			t.Errorf("%s: the password is in %v", tc.name, err)
		}
		if _, herr := identity.HashPassword(t.Context(), rand.Reader, tc.login, tc.password); !errors.Is(herr, identity.ErrPassword) {
			t.Errorf("%s: hashed: %v", tc.name, herr)
		}
	}
}

func TestAPasswordIsKnownByItsHash(t *testing.T) {
	hash, err := identity.HashPassword(t.Context(), rand.Reader, "ada", passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`).MatchString(hash) {
		t.Errorf("hash %s", hash)
	}
	for _, tc := range []struct {
		password string
		want     bool
	}{
		{passphrase, true}, {passphrase + " ", false}, {strings.ToUpper(passphrase), false}, {"", false},
		{strings.Repeat("x", 5000), false},
	} {
		ok, outdated, err := identity.CheckPassword(t.Context(), hash, tc.password)
		if ok != tc.want || outdated || err != nil {
			t.Errorf("%.40q: %t, outdated %t, %v", tc.password, ok, outdated, err)
		}
	}
	again, err := identity.HashPassword(t.Context(), rand.Reader, "ada", passphrase)
	if err != nil || again == hash {
		t.Errorf("the same hash twice: the salt is not random (%v)", err)
	}
	if _, err := identity.HashPassword(t.Context(), bytes.NewReader(make([]byte, 15)), "ada", passphrase); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("15 random bytes: %v", err)
	}
}

// Hashes of the password "password" from the tests of the reference implementation of
// Argon2 (P-H-C/phc-winner-argon2, src/test.c).
func TestHashesMadeByOthersAreUnderstood(t *testing.T) {
	for _, tc := range []struct {
		hash     string
		outdated bool
	}{
		{"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", true},
		{"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", true},
		{"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", true}, // its salt is short
	} {
		if ok, outdated, err := identity.CheckPassword(t.Context(), tc.hash, "password"); !ok || outdated != tc.outdated || err != nil {
			t.Errorf("%s: %t, outdated %t, %v", tc.hash, ok, outdated, err)
		}
		if ok, outdated, err := identity.CheckPassword(t.Context(), tc.hash, "Password"); ok || outdated || err != nil {
			t.Errorf("%s: %t, outdated %t, %v for a wrong password", tc.hash, ok, outdated, err)
		}
	}
}

// The work of argon2id is its memory, which can be measured where time cannot.
func TestAnUnknownUserCostsTheSameWork(t *testing.T) {
	hash, err := identity.HashPassword(t.Context(), rand.Reader, "ada", passphrase)
	if err != nil {
		t.Fatal(err)
	}
	work := func(hash, password string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ok, _, err := identity.CheckPassword(context.Background(), hash, password)
		runtime.ReadMemStats(&after)
		if ok || (err != nil && !errors.Is(err, identity.ErrHash)) {
			t.Errorf("%q: %t, %v", hash, ok, err)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	wrong := work(hash, "wrong password")
	for name, got := range map[string]uint64{
		"unknown user":       work("", "wrong password"),
		"malformed hash":     work("correct horse", "wrong password"),
		"impossible length":  work(hash, strings.Repeat("x", 1<<20)),
		"unknown, too long":  work("", strings.Repeat("x", 1<<20)),
		"unknown, no letter": work("", ""),
	} {
		if got < wrong*99/100 || got > wrong*101/100 || wrong < 19<<20 {
			t.Errorf("%s: %d bytes of work, a wrong password takes %d", name, got, wrong)
		}
	}
}

func TestAMalformedHashIsAnError(t *testing.T) {
	const text = "not a hash, maybe a password"
	ok, outdated, err := identity.CheckPassword(t.Context(), text, text)
	if ok || outdated || !errors.Is(err, identity.ErrHash) || strings.Contains(err.Error(), text) {
		t.Errorf("%t, %t, %v", ok, outdated, err)
	}
}

func TestNewPasswordsAreReadableAndAccepted(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){5}$`) // 24 characters of 5 bits
	seen := map[string]bool{}
	for range 1000 {
		p, err := identity.NewPassword(rand.Reader)
		if err != nil || !form.MatchString(p) || seen[p] {
			t.Fatalf("%q, %v", p, err)
		}
		seen[p] = true
		if err := identity.ValidatePassword("admin", p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, err := identity.NewPassword(bytes.NewReader(make([]byte, 14))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("14 random bytes: %v", err)
	}
}
