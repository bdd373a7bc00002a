package sim

import "time"

// moment is virtual time as it is kept inside: since Config.Start.
type moment = time.Duration

// order ranks what happens at one instant. A transmission ends before another can
// begin, and devices act before the network transmits, so that a device that
// begins to talk at that instant is not asked whether it listens.
type order uint8

const (
	transmissionEnds order = iota
	deviceActs
	windowOpens
	groupIsServed
)

// happening is something that will happen at a moment.
type happening struct {
	at    moment
	order order
	seq   uint64 // first planned, first done
	run   func()
}

// agenda is a binary heap of happenings, earliest first. It is written out instead
// of using container/heap because it is the innermost loop of large simulations.
type agenda struct {
	heap []happening
	seq  uint64
}

func (a *happening) before(b *happening) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	if a.order != b.order {
		return a.order < b.order
	}
	return a.seq < b.seq
}

// plan adds a happening.
func (q *agenda) plan(at moment, o order, run func()) {
	q.seq++
	q.heap = append(q.heap, happening{at, o, q.seq, run})
	h := q.heap
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// next returns the moment of the earliest happening.
func (q *agenda) next() (moment, bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].at, true
}

// take removes the earliest happening, of which there must be one.
func (q *agenda) take() happening {
	h := q.heap
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], happening{}
	h = h[:last]
	q.heap = h
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return first
		}
		if child+1 < len(h) && h[child+1].before(&h[child]) {
			child++
		}
		if !h[child].before(&h[i]) {
			return first
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
