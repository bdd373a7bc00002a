package identity

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var morning = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func TestAFloodDoesNotWashAwayManyFailures(t *testing.T) {
	const size = 16
	tr := newTracker(size)
	for range 10 {
		tr.fail("victim", morning)
	}
	for i := range 100 * size {
		// Some of the flood returns, so that it has more than one failure itself.
		tr.fail(fmt.Sprint("flood", i), morning.Add(time.Duration(i)*time.Millisecond))
		tr.fail(fmt.Sprint("flood", i/2), morning.Add(time.Duration(i)*time.Millisecond))
		if len(tr.heap) > size || len(tr.byKey) > size {
			t.Fatalf("%d and %d remembered, at most %d", len(tr.heap), len(tr.byKey), size)
		}
	}
	if got := tr.byKey["victim"]; got == nil || got.failures(morning) != 10 {
		t.Errorf("the victim's failures are %+v", got)
	}
	if wait := tr.wait("victim", morning); wait != 32*time.Second {
		t.Errorf("wait %s", wait)
	}
}

func TestWhatIsForgivenTakesNoRoom(t *testing.T) {
	tr := newTracker(1000)
	for i := range 500 {
		tr.fail(fmt.Sprint("a", i), morning)
	}
	tr.fail("b", morning.Add(forgiveOne))
	if len(tr.heap) != 1 || len(tr.byKey) != 1 {
		t.Errorf("%d and %d remembered", len(tr.heap), len(tr.byKey))
	}
}

// Whatever happens in whatever order, map and heap agree and the waits are in bounds.
func TestTrackerStaysInOrder(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		tr, now := newTracker(8), morning
		for step := range 2000 {
			key := fmt.Sprint("k", r.IntN(20))
			switch r.IntN(5) {
			case 0:
				tr.forget(key)
			case 1:
				tr.forgive(key, now)
			case 2:
				now = now.Add(time.Duration(r.Int64N(int64(10 * time.Minute))))
			default:
				tr.fail(key, now)
			}
			if len(tr.heap) != len(tr.byKey) || len(tr.heap) > 8 {
				t.Fatalf("seed %d step %d: %d in the heap, %d in the map", seed, step, len(tr.heap), len(tr.byKey))
			}
			for i, a := range tr.heap {
				if a.at != i || tr.byKey[a.key] != a || i > 0 && tr.heap.Less(i, (i-1)/2) {
					t.Fatalf("seed %d step %d: place %d holds %+v", seed, step, i, a)
				}
				if n, wait := a.failures(now), tr.wait(a.key, now); n > maxFailures || wait < 0 || wait > maxWait {
					t.Fatalf("seed %d step %d: %d failures, wait %s", seed, step, n, wait)
				}
			}
		}
		last := time.Time{}
		for len(tr.heap) > 0 {
			a := heap.Pop(&tr.heap).(*attempts)
			if a.clear.Before(last) {
				t.Fatalf("seed %d: %s comes after %s", seed, a.clear, last)
			}
			last = a.clear
		}
	}
}
