package identity

import (
	"container/heap"
	"net/netip"
	"sync"
	"time"
)

// How long Limiter makes people wait. Five wrong passwords happen to honest people; after
// them each attempt doubles the wait:
//
//	failures  0..4   5    6    7   ...   14       15 and more
//	wait      none   1 s  2 s  4 s ...   8.5 min  15 min
//
// One failure is forgiven every 15 minutes. So whoever is patient has 5 attempts, some ten
// more within half an hour, and 4 an hour from then on.
const (
	freeFailures = 5
	maxFailures  = 16
	firstWait    = time.Second
	maxWait      = 15 * time.Minute
	forgiveOne   = 15 * time.Minute
)

// maxTracked is how many logins, and how many addresses, are remembered: some 10 MB each.
const maxTracked = 1 << 16

// Limiter makes guessing passwords slow: for each login, from wherever it comes, and for each
// network address, for whatever login. It is safe for concurrent use.
//
// Its memory is bounded. When it is full, what has the fewest failures is forgotten first. So
// an attacker cannot wash away a login with many failures: that takes 65,536 others with as many
// each, and each of those attempts counts for the address that it comes from.
//
// It counts in one process: with several replicas, each lets its own attempts through. What
// it costs: somebody who knows a login can keep its owner from logging in anew. Sessions and
// API tokens that exist go on.
type Limiter struct {
	now func() time.Time

	mu        sync.Mutex // guards what follows
	logins    tracker
	addresses tracker
}

// NewLimiter returns a Limiter that takes the time from now.
func NewLimiter(now func() time.Time) *Limiter {
	return &Limiter{now: now, logins: newTracker(maxTracked), addresses: newTracker(maxTracked)}
}

// Try is asked before a password is checked. It returns 0 if that may be done now, else how
// long to wait. An attempt that may be done counts as failed from here on, until Succeeded
// says otherwise: if it counted at its end, a thousand at the same time would all be free.
// An attempt that may not be done does not count: asking again does not make the wait longer.
//
// login is as typed; one that no user can have counts for the address only. address is an IP
// address, with or without a port. Of IPv6 addresses the first 64 bits count, because one
// customer has them all.
func (l *Limiter) Try(login, address string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	login, address = loginKey(login), addressKey(address)
	if wait = max(l.logins.wait(login, now), l.addresses.wait(address, now)); wait > 0 {
		return wait
	}
	l.logins.fail(login, now)
	l.addresses.fail(address, now)
	return 0
}

// Succeeded says that the attempt for which Try returned 0 had the right password. The login
// starts anew. The address gets back that one attempt and no more: else an attacker with an
// account of his own would log in now and then and guess all day.
func (l *Limiter) Succeeded(login, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logins.forget(loginKey(login))
	l.addresses.forgive(addressKey(address), l.now())
}

// loginKey returns the login in its stored form, "" for what is none.
func loginKey(s string) string {
	login, err := ParseLogin(s)
	if err != nil {
		return ""
	}
	return login
}

// addressKey returns what stands for the owner of an address. Whatever is no address, such as
// the name of a socket, stands for one owner together.
func addressKey(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return "?"
		}
		a = ap.Addr()
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

// attempts is what is known of one login or address. Failures are kept as a debt of time, so
// that forgiving needs no timer: they are (clear - now) / forgiveOne, rounded up.
type attempts struct {
	key   string
	clear time.Time // when all is forgiven
	next  time.Time // no attempt before
	at    int       // index in the heap
}

func (a *attempts) failures(now time.Time) int {
	debt := a.clear.Sub(now)
	if debt <= 0 {
		return 0
	}
	return int(min((debt+forgiveOne-1)/forgiveOne, maxFailures))
}

// tracker holds attempts by key and by when they are clear.
type tracker struct {
	size  int
	byKey map[string]*attempts
	heap  byClear
}

func newTracker(size int) tracker { return tracker{size: size, byKey: make(map[string]*attempts)} }

// wait returns how long key has to wait at now. More than maxWait was never asked for: then the
// clock has been set back since, which must not lock anybody out, and the next failure sets it right.
func (t *tracker) wait(key string, now time.Time) time.Duration {
	a, ok := t.byKey[key]
	if !ok {
		return 0
	}
	if wait := a.next.Sub(now); wait > 0 && wait <= maxWait {
		return wait
	}
	return 0
}

// fail counts one failure of key. The key "" stands for nobody.
func (t *tracker) fail(key string, now time.Time) {
	if key == "" {
		return
	}
	a, ok := t.byKey[key]
	if !ok {
		t.makeRoom(now)
		a = &attempts{key: key, clear: now}
		t.byKey[key] = a
		heap.Push(&t.heap, a)
	}
	if a.clear.Before(now) {
		a.clear = now
	}
	a.clear = a.clear.Add(forgiveOne)
	if limit := now.Add(maxFailures * forgiveOne); a.clear.After(limit) {
		a.clear = limit
	}
	if n := a.failures(now); n >= freeFailures {
		a.next = now.Add(min(firstWait<<(n-freeFailures), maxWait))
	}
	heap.Fix(&t.heap, a.at)
}

// forgive takes back one failure of key. The wait that stands is left: it may be that of
// another attempt.
func (t *tracker) forgive(key string, now time.Time) {
	a, ok := t.byKey[key]
	if !ok {
		return
	}
	a.clear = a.clear.Add(-forgiveOne)
	if !a.clear.After(now) && !a.next.After(now) {
		t.forget(key)
		return
	}
	heap.Fix(&t.heap, a.at)
}

func (t *tracker) forget(key string) {
	if a, ok := t.byKey[key]; ok {
		heap.Remove(&t.heap, a.at)
		delete(t.byKey, key)
	}
}

// makeRoom forgets what is clear, and one more if there is no room for another.
func (t *tracker) makeRoom(now time.Time) {
	for len(t.heap) > 0 && (len(t.heap) >= t.size || !t.heap[0].clear.After(now)) {
		t.forget(t.heap[0].key)
	}
}

// byClear is a heap with what is clear first at its top.
type byClear []*attempts

func (h byClear) Len() int           { return len(h) }
func (h byClear) Less(i, j int) bool { return h[i].clear.Before(h[j].clear) }
func (h byClear) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push is for package heap.
func (h *byClear) Push(x any) {
	a := x.(*attempts)
	a.at = len(*h)
	*h = append(*h, a)
}

// Pop is for package heap.
func (h *byClear) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return a
}
