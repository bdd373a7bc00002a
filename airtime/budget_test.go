package airtime

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestBudgetIsExact sends at random times, as early as the budget says. No window is ever above
// the limit, and whenever the budget made a frame wait, a nanosecond less would have been too early.
func TestBudgetIsExact(t *testing.T) {
	for seed := range uint64(40) {
		luck := rand.New(rand.NewPCG(seed, 2))
		b := NewBudget(time.Minute)
		// The limit is about as much as is asked for, or far less. Whole seconds make things coincide.
		pause := []time.Duration{20 * time.Second, 10 * time.Minute}[seed%2]
		unit := []time.Duration{1, time.Second}[seed/2%2]
		var sent []interval
		used := func(end time.Duration) (sum time.Duration) {
			for _, i := range sent {
				sum += max(0, min(i.end, end)-max(i.start, end-Window))
			}
			return sum
		}
		var now time.Duration
		waits := 0
		for range 1000 {
			if luck.IntN(2) == 0 {
				now += time.Duration(luck.Int64N(int64(pause))).Truncate(unit)
			}
			airtime := unit
			if luck.IntN(2) == 0 {
				airtime += time.Duration(luck.Int64N(int64(10 * time.Second))).Truncate(unit)
			}
			at, ok := b.Earliest(now, airtime)
			if !ok || at < now {
				t.Fatalf("seed %d: earliest %s, %v at %s", seed, at, ok, now)
			}
			if at > now {
				waits++
				if end := at - 1 + airtime; used(end)+airtime <= b.limit {
					t.Fatalf("seed %d: %s would have been early enough", seed, at-1)
				}
			}
			b.Spend(at, airtime)
			sent = append(sent, interval{at, at + airtime})
			if got := used(at + airtime); got > b.limit {
				t.Fatalf("seed %d: %s in the hour up to %s, limit %s", seed, got, at+airtime, b.limit)
			}
			now = at + airtime
		}
		if waits < 30 {
			t.Errorf("seed %d: only %d waits", seed, waits)
		}
	}
	if _, ok := NewBudget(time.Second).Earliest(0, time.Second+1); ok {
		t.Error("a frame longer than the limit may go some time")
	}
}
