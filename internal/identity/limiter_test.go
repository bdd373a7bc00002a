package identity_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/identity"
)

// clock is a time that stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

// address returns the i-th of many network addresses with nothing in common.
func address(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }

func TestWaitsDoubleAfterFiveFailures(t *testing.T) {
	for name, attempt := range map[string]func(l *identity.Limiter, i int) time.Duration{
		"one login from many addresses": func(l *identity.Limiter, i int) time.Duration { return l.Try("ada", address(i)) },
		"many logins from one address":  func(l *identity.Limiter, i int) time.Duration { return l.Try(fmt.Sprint("user", i), "192.0.2.1") },
	} {
		c := &clock{noon}
		l := identity.NewLimiter(c.now)
		i := 0
		for ; i < 5; i++ {
			if wait := attempt(l, i); wait != 0 {
				t.Fatalf("%s: attempt %d has to wait %s", name, i, wait)
			}
		}
		// The first ten waits last 17 minutes together. One failure is forgiven meanwhile, so
		// the wait of 512 seconds comes twice.
		for n, seconds := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 900, 900, 900} {
			want := time.Duration(seconds) * time.Second
			if wait := attempt(l, i); wait != want {
				t.Errorf("%s: wait %d is %s, want %s", name, n, wait, want)
			}
			c.advance(want - 1)
			if wait := attempt(l, i); wait != 1 {
				t.Errorf("%s: wait %d: %s left, want 1 ns", name, n, wait)
			}
			c.advance(1)
			if wait := attempt(l, i); wait != 0 {
				t.Fatalf("%s: wait %d: %s left at its end", name, n, wait)
			}
			i++
		}
	}
}

func TestARefusedAttemptDoesNotCount(t *testing.T) {
	c := &clock{noon}
	l := identity.NewLimiter(c.now)
	for range 5 {
		l.Try("ada", "192.0.2.1")
	}
	for range 1000 {
		if wait := l.Try("ada", "192.0.2.1"); wait != time.Second {
			t.Fatalf("wait %s", wait)
		}
	}
	c.advance(time.Second)
	if wait := l.Try("ada", "192.0.2.1"); wait != 0 {
		t.Errorf("wait %s after the wait", wait)
	}
}

func TestALoginAndAnAddressDoNotHinderOthers(t *testing.T) {
	l := identity.NewLimiter((&clock{noon}).now)
	for i := range 5 {
		l.Try("ada", address(i))
		l.Try(fmt.Sprint("user", i), "192.0.2.1")
	}
	for _, tc := range []struct {
		login, from string
		refused     bool
	}{
		{"ada", "198.51.100.1", true}, {"grace", "192.0.2.1", true}, {" ADA ", "198.51.100.1", true},
		{"grace", "198.51.100.1", false}, {"user1", "198.51.100.2", false},
	} {
		if wait := l.Try(tc.login, tc.from); (wait > 0) != tc.refused {
			t.Errorf("%q from %s: wait %s", tc.login, tc.from, wait)
		}
	}
}

func TestSuccessResetsTheLoginNotTheAddress(t *testing.T) {
	c := &clock{noon}
	l := identity.NewLimiter(c.now)
	for range 4 {
		l.Try("ada", "192.0.2.1")
	}
	// The fifth is right. The address has four failures left, so the next is its fifth.
	l.Try("ada", "192.0.2.1")
	l.Succeeded("ada", "192.0.2.1")
	for i := range 4 {
		if wait := l.Try("ada", address(i)); wait != 0 {
			t.Errorf("the login was not reset: wait %s", wait)
		}
	}
	c.advance(time.Second)
	if wait := l.Try("grace", "192.0.2.1"); wait != 0 {
		t.Errorf("wait %s", wait)
	}
	if wait := l.Try("linus", "192.0.2.1"); wait != time.Second {
		t.Errorf("the address was reset: wait %s", wait)
	}
}

func TestManyWhoLogInRightFromOneAddressAreFree(t *testing.T) {
	l := identity.NewLimiter((&clock{noon}).now)
	for i := range 1000 {
		login := fmt.Sprint("user", i)
		if wait := l.Try(login, "192.0.2.1"); wait != 0 {
			t.Fatalf("user %d has to wait %s", i, wait)
		}
		l.Succeeded(login, "192.0.2.1")
	}
}

// Somebody with an account of his own guesses another's password and logs in between, to be
// forgiven.
func TestLoggingInBetweenBuysNoGuesses(t *testing.T) {
	c := &clock{noon}
	l := identity.NewLimiter(c.now)
	guesses := 0
	for end := noon.Add(24 * time.Hour); c.at.Before(end); c.advance(5 * time.Second) {
		if l.Try("mallory", "192.0.2.1") == 0 {
			l.Succeeded("mallory", "192.0.2.1")
		}
		if l.Try(fmt.Sprint("victim", guesses), "192.0.2.1") == 0 {
			guesses++
		}
	}
	if guesses < 5 || guesses > 16+24*4 {
		t.Errorf("%d guesses in a day", guesses)
	}
}

func TestPatienceBuysFourGuessesAnHour(t *testing.T) {
	c := &clock{noon}
	l := identity.NewLimiter(c.now)
	guesses := 0
	for end := noon.Add(7 * 24 * time.Hour); c.at.Before(end); guesses++ {
		c.advance(l.Try("ada", address(guesses)))
		if wait := l.Try("ada", address(guesses)); wait > 0 {
			c.advance(wait)
		}
	}
	if guesses > 2*(16+7*24*4) {
		t.Errorf("%d guesses in a week", guesses)
	}
	c.advance(4 * time.Hour)
	for i := range 5 {
		if wait := l.Try("ada", address(i)); wait != 0 {
			t.Errorf("after four quiet hours attempt %d has to wait %s", i, wait)
		}
	}
}

func TestAttemptsAtTheSameTimeAreNotFree(t *testing.T) {
	l := identity.NewLimiter((&clock{noon}).now)
	var let atomic.Int32
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if l.Try("ada", address(i)) == 0 {
				let.Add(1)
			}
		})
	}
	wg.Wait()
	if let.Load() != 5 {
		t.Errorf("%d of 200 attempts at the same time were let through", let.Load())
	}
}

func TestSpellingsOfOneAddressAreOne(t *testing.T) {
	for _, tc := range []struct {
		name  string
		froms []string
		one   bool
	}{
		{"ports", []string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:9"}, true},
		{"one network of IPv6", []string{"2001:db8::1", "2001:db8::2", "[2001:db8::3]:443", "2001:db8:0:0:ffff::", "2001:db8::1%eth0"}, true},
		{"no addresses", []string{"", "@", "unix", "host.example:1", "\x00"}, true},
		{"networks of IPv6", []string{"2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:0:4::1"}, false},
	} {
		l := identity.NewLimiter((&clock{noon}).now)
		for i, from := range tc.froms {
			l.Try(fmt.Sprint("user", i), from)
		}
		if refused := l.Try("last", tc.froms[0]) > 0; refused != tc.one {
			t.Errorf("%s: refused %t", tc.name, refused)
		}
	}
}

func TestAClockSetBackLocksNobodyOut(t *testing.T) {
	c := &clock{noon}
	l := identity.NewLimiter(c.now)
	for range 5 {
		l.Try("ada", "192.0.2.1")
	}
	c.advance(-365 * 24 * time.Hour)
	if wait := l.Try("ada", "192.0.2.1"); wait != 0 {
		t.Errorf("wait %s", wait)
	}
	if wait := l.Try("ada", "192.0.2.1"); wait == 0 || wait > 15*time.Minute {
		t.Errorf("the limit is gone: wait %s", wait)
	}
	c.advance(4 * time.Hour)
	for i := range 5 {
		if wait := l.Try("ada", "192.0.2.1"); wait != 0 {
			t.Errorf("after four quiet hours attempt %d has to wait %s", i, wait)
		}
	}
}

func TestFailuresOfLongAgoDoNotHideNewOnes(t *testing.T) {
	c := &clock{noon}
	l := identity.NewLimiter(c.now)
	l.Try("ada", "192.0.2.1")
	c.advance(30 * 24 * time.Hour)
	for range 5 {
		l.Try("ada", "192.0.2.1")
	}
	if wait := l.Try("ada", "192.0.2.1"); wait != time.Second {
		t.Errorf("wait %s", wait)
	}
}
