package airtime

import (
	"slices"
	"time"
)

// Window is the time over which a duty cycle is counted. The limit holds for every hour,
// wherever it begins: a gateway may use its 360 s of 869.525 MHz in one go and is then
// silent until the first of them are an hour old. Spacing every frame by its time off air
// would be gentler than what gateways in the field do.
const Window = time.Hour

// Budget is the air time of one transmitter in one sub-band. Moments are durations since any
// fixed instant. The zero value has no limit.
type Budget struct {
	limit   time.Duration // per Window; 0: none
	total   time.Duration // ever used
	recent  []interval    // that may still count, oldest first; apart from one another as far as one transmitter sent them
	used    time.Duration // sum of recent
	busiest time.Duration // the most that any window held, as far as it was spent
}

type interval struct{ start, end time.Duration }

// NewBudget returns a budget of so much air time per Window; 0: no limit.
func NewBudget(limit time.Duration) *Budget { return &Budget{limit: limit} }

// Total returns all air time that was ever spent.
func (b *Budget) Total() time.Duration { return b.total }

// Earliest returns the first moment, from now on, at which a transmission of airtime
// keeps every window within the limit; false: it never does.
//
// Only windows that end with a transmission need a look: moving a window that ends
// anywhere else to the right, up to the end of a transmission, loses no more on its left than
// it gains on its right.
func (b *Budget) Earliest(now, airtime time.Duration) (time.Duration, bool) {
	if b.limit == 0 {
		return now, true
	}
	if airtime > b.limit {
		return 0, false
	}
	excess := b.used + airtime - b.limit
	for _, i := range b.recent {
		if excess <= 0 {
			break
		}
		if length := i.end - i.start; length < excess {
			excess -= length
			continue
		}
		// The window may begin when the excess, part of this transmission, is over.
		return max(now, i.start+excess+Window-airtime), true
	}
	return now, true
}

// Spend books a transmission that begins at now. Transmissions come in their order, mostly: one that is heard of
// late is put where it belongs, and counts from then on.
func (b *Budget) Spend(now, airtime time.Duration) {
	b.total += airtime
	if b.limit == 0 {
		return
	}
	latest := now
	if n := len(b.recent); n > 0 {
		latest = max(latest, b.recent[n-1].start)
	}
	if now+airtime <= latest-Window {
		return // it does not count any more
	}
	at := len(b.recent)
	for at > 0 && b.recent[at-1].start > now {
		at--
	}
	b.recent = slices.Insert(b.recent, at, interval{now, now + airtime})
	b.used += airtime
	old := 0
	for old < len(b.recent) && b.recent[old].end <= latest-Window {
		b.used -= b.recent[old].end - b.recent[old].start
		old++
	}
	b.recent = b.recent[old:]
	b.busiest = max(b.busiest, b.inWindow(now+airtime))
}

// Busiest returns the most air time that any hour has held so far; 0 without a limit.
func (b *Budget) Busiest() time.Duration { return b.busiest }

// inWindow returns the air time of the window that ends at end.
func (b *Budget) inWindow(end time.Duration) time.Duration {
	used, begin := b.used, end-Window
	for _, i := range b.recent {
		if i.start >= begin {
			break
		}
		used -= min(begin, i.end) - i.start
	}
	for _, i := range slices.Backward(b.recent) {
		if i.end <= end {
			break
		}
		used -= i.end - max(end, i.start)
	}
	return used
}
