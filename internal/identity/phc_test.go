package identity

import (
	"context"
	"errors"
	"strings"
	"testing"
)

const usual = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func TestOnlyTheExactFormIsAHash(t *testing.T) {
	if h, err := parseHash(usual); err != nil || h.String() != usual || h.outdated() || h.params != current {
		t.Fatalf("the usual form: %v, %v", h.params, err)
	}
	for _, r := range []struct{ old, other string }{
		{"$argon2id", "argon2id"}, {"argon2id", "argon2i"}, {"argon2id", "argon2d"}, {"argon2id", "ARGON2ID"},
		{"v=19", "v=16"}, {"v=19$", ""}, {"v=19", "v=019"},
		{"m=19456", "m=65537"}, {"m=19456", "m=4294967295"}, {"m=19456", "m=4294967296"}, {"m=19456", "m=18446744073709551616"},
		{"m=19456", "m=7"}, {"m=19456", "m=0"}, {"m=19456", "m=-1"}, {"m=19456", "m=019456"}, {"m=19456", "m=+19456"}, {"m=19456", "m= 19456"}, {"m=19456", "m=0x10"}, {"m=19456", "m="},
		{"t=2", "t=0"}, {"t=2", "t=17"}, {"t=2", "t=4294967295"}, {"t=2", "t=2,t=2"},
		{"p=1", "p=0"}, {"p=1", "p=5"}, {"p=1", "p=255"}, {"p=1", "p=257"}, {"m=19456,t=2,p=1", "m=8,t=2,p=2"},
		{"m=19456,t=2", "t=2,m=19456"}, {",p=1", ""}, {"p=1", "p=1,keyid=x"},
		{"$AAAAAAAAAAAAAAAAAAAAAA$", "$$"}, {"$AAAAAAAAAAAAAAAAAAAAAA$", "$AAAAAAAAAA$"}, {"$AAAAAAAAAAAAAAAAAAAAAA$", "$AAAAAAAAAAAAAAAAAAAAAB$"},
		{"$AAAAAAAAAAAAAAAAAAAAAA$", "$AAAAAAAAAAAAAAAAAAAAAA==$"}, {"$AAAAAAAAAAAAAAAAAAAAAA$", "$AAAAAAAAAAAAAAAAAAAA\nAA$"}, {"$AAAAAAAAAAAAAAAAAAAAAA$", "$________________AAAAAA$"},
		{"$AAAAAAAAAAAAAAAAAAAAAA$", "$" + strings.Repeat("AAAA", 22) + "$"},
		{"$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "$AAAAAAAAAAAAAAAAAAAA"}, {"$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "$" + strings.Repeat("AAAA", 22)},
		{"$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""}, {"$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$"},
	} {
		text := strings.Replace(usual, r.old, r.other, 1)
		if text == usual {
			t.Fatalf("%q changes nothing", r.other)
		}
		if _, err := parseHash(text); !errors.Is(err, ErrHash) {
			t.Errorf("%s is read: %v", text, err)
		}
	}
	for n := range len(usual) - 30 { // a shorter hash than 43 characters may be whole
		if _, err := parseHash(usual[:n]); !errors.Is(err, ErrHash) {
			t.Errorf("the first %d characters are read: %v", n, err)
		}
	}
}

func TestLessWorkIsOutdatedAndMoreIsNot(t *testing.T) {
	for _, tc := range []struct {
		cost string
		want bool
	}{
		{"m=19456,t=2,p=1", false}, {"m=65536,t=3,p=4", false}, {"m=19455,t=2,p=1", true}, {"m=19456,t=1,p=1", true}, {"m=65536,t=1,p=1", true},
	} {
		h, err := parseHash(strings.Replace(usual, "m=19456,t=2,p=1", tc.cost, 1))
		if err != nil || h.outdated() != tc.want {
			t.Errorf("%s: outdated %t, %v", tc.cost, h.outdated(), err)
		}
	}
}

// A hash of the empty password, as only an import could bring it, is that of no other.
func TestAPasswordThatIsTooLongIsNotCutToAnother(t *testing.T) {
	h := passwordHash{params: params{memory: 8, passes: 1, lanes: 1}, salt: make([]byte, saltSize)}
	var err error
	if h.sum, err = h.compute(t.Context(), "", hashSize); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]bool{0: true, 1: false, 1024: false, 1025: false, 100000: false} {
		if ok, _, err := CheckPassword(t.Context(), h.String(), strings.Repeat("x", n)); ok != want || err != nil {
			t.Errorf("%d characters: %t, %v", n, ok, err)
		}
	}
}

// Whatever is read is written in the same way, and takes bounded work.
func FuzzParseHash(f *testing.F) {
	for _, s := range []string{
		usual, "", "$", "$$$$$", "$argon2id$v=19$m=4294967295,t=4294967295,p=255$$",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
		"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHash(text)
		if err != nil {
			if !errors.Is(err, ErrHash) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if h.String() != text {
			t.Errorf("%q is written as %q", text, h)
		}
		if h.memory > maxMemory || h.memory < 8*uint32(h.lanes) || h.passes < 1 || h.passes > maxPasses || h.lanes < 1 || h.lanes > maxLanes ||
			len(h.salt) < minSaltSize || len(h.salt) > maxField || len(h.sum) < minHashSize || len(h.sum) > maxField {
			t.Errorf("%q takes %+v", text, h.params)
		}
	})
}

// All places are taken by this test: who comes now waits until its context ends.
func TestPasswordsWaitForAProcessor(t *testing.T) {
	for range cap(slots) {
		slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, _, err := CheckPassword(ctx, "", "x")
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for range cap(slots) {
		<-slots
	}
	if _, _, err := CheckPassword(ctx, usual, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("work for a request that has ended: %v", err)
	}
	if _, _, err := CheckPassword(t.Context(), usual, "x"); err != nil || len(slots) != 0 {
		t.Errorf("afterwards: %v, %d places taken", err, len(slots))
	}
}
