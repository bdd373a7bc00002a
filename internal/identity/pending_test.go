package identity

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOnlyPathsOfThisServerAreReturnedTo(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"/", "/"}, {"/campaigns/1?tab=devices#top", "/campaigns/1?tab=devices#top"}, {"/a//b", "/a//b"},
		{"", "/"}, {"campaigns", "/"}, {"https://evil.example/", "/"}, {"//evil.example/", "/"}, {`/\evil.example`, "/"},
		{`\\evil.example`, "/"}, {"/\t/evil.example", "/"}, {"/\n/evil.example", "/"}, {"javascript:alert(1)", "/"}, {" /", "/"},
		{"/" + strings.Repeat("a", 1024), "/"}, {"/\x7f", "/"},
	} {
		if got := localPath(tc.in); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestACookieIsOpenedByItsKeyAndPurposeOnly(t *testing.T) {
	key := bytes.Repeat([]byte{1}, CookieKeySize)
	sealer := func(key []byte, purpose string) cookieSealer {
		s, err := newCookieSealer(key, purpose)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := sealer(key, "a")
	login, err := newPending(rand.Reader, "/x", morning)
	if err != nil {
		t.Fatal(err)
	}
	value, err := s.seal(rand.Reader, login)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.open(value); err != nil || got != login {
		t.Errorf("%+v, %v", got, err)
	}
	if len(value) > 3800 {
		t.Errorf("a cookie of %d bytes", len(value))
	}
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || bytes.Contains(raw, []byte(login.Verifier)) {
		t.Errorf("the verifier can be read (%v)", err)
	}
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		if _, err := s.open(base64.RawURLEncoding.EncodeToString(changed)); err == nil {
			t.Errorf("byte %d can be changed", i)
		}
		if _, err := s.open(base64.RawURLEncoding.EncodeToString(raw[:i])); err == nil {
			t.Errorf("the first %d bytes are opened", i)
		}
	}
	if _, err := sealer(key, "b").open(value); err == nil {
		t.Error("opened for another purpose")
	}
	if _, err := sealer(bytes.Repeat([]byte{2}, CookieKeySize), "a").open(value); err == nil {
		t.Error("opened under another key")
	}
	if _, err := newCookieSealer(key[:16], "a"); err == nil {
		t.Error("a short key is taken")
	}
}

func TestUsedStatesAreBoundedAndForgottenInTime(t *testing.T) {
	u := usedStates{}
	if !u.use("s", morning.Add(time.Minute), morning) || u.use("s", morning.Add(time.Minute), morning) {
		t.Error("a state is not used exactly once")
	}
	for i := range maxUsed {
		u[fmt.Sprint(i)] = morning.Add(time.Minute)
	}
	if !u.use("one more", morning.Add(time.Minute), morning) || len(u) != maxUsed || u["one more"].IsZero() {
		t.Errorf("%d states", len(u))
	}
	if u.use("last", morning.Add(2*time.Minute), morning.Add(time.Minute)); len(u) != 1 {
		t.Errorf("%d states after all have expired", len(u))
	}
}
