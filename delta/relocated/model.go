package relocated

import (
	"cmp"
	"slices"
)

// model knows what a list of segments is worth: what the sites cost that it leaves wrong, and
// what it costs itself.
type model struct {
	pairs    []pair
	byTarget []int32 // indexes of pairs in the order of their target
	bySite   []int32 // indexes of pairs that are local, in the order of their site
	toll     int     // bits that a segment has to earn at least
}

// newModel makes the model of F, of pairs in flash, or that of R, of pairs in RAM.
func newModel(pairs []pair, toll int) *model {
	m := &model{pairs: pairs, toll: toll}
	for i := range pairs {
		m.byTarget = append(m.byTarget, int32(i))
		if pairs[i].local() {
			m.bySite = append(m.bySite, int32(i))
		}
	}
	slices.SortStableFunc(m.byTarget, func(a, b int32) int { return cmp.Compare(pairs[a].target, pairs[b].target) })
	slices.SortStableFunc(m.bySite, func(a, b int32) int { return cmp.Compare(pairs[a].site, pairs[b].site) })
	return m
}

// price is what a site of which n bytes are wrong costs in bits: the run of zeros in the
// difference ends and begins again, and the further bytes are often those of another site.
func price(n int) int {
	if n == 0 {
		return 0
	}
	return 16 + 6*n
}

// votes asks the pairs where things have moved.
func (m *model) votes() []vote {
	var votes []vote
	for i := range m.pairs {
		p := &m.pairs[i]
		d, ok := p.moved()
		if !ok {
			continue
		}
		n := 2
		if p.kind == shortSite {
			n = 1
		}
		votes = append(votes, vote{p.target, d, price(n)})
		if p.local() {
			// It gets right if both of its ends do, so both are asked.
			votes = append(votes, vote{p.site, p.shift, price(n)})
		}
	}
	return votes
}

// cost returns what a pair costs in bits.
func (m *model) cost(p *pair, moved func(uint32) int32) int {
	var ds int32
	if p.local() {
		ds = moved(p.site)
	}
	return price(p.wrong(ds, moved(p.target)))
}

// within visits the pairs whose cost depends on what moved from lo up to hi.
func (m *model) within(lo, hi uint32, visit func(*pair)) {
	from, _ := slices.BinarySearchFunc(m.byTarget, lo, func(i int32, at uint32) int { return cmp.Compare(m.pairs[i].target, at) })
	for _, i := range m.byTarget[from:] {
		p := &m.pairs[i]
		if p.target >= hi {
			break
		}
		visit(p)
	}
	from, _ = slices.BinarySearchFunc(m.bySite, lo, func(i int32, at uint32) int { return cmp.Compare(m.pairs[i].site, at) })
	for _, i := range m.bySite[from:] {
		p := &m.pairs[i]
		if p.site >= hi {
			break
		}
		if p.target < lo || p.target >= hi { // else it was visited above
			visit(p)
		}
	}
}

// maxSegments bounds the work on a list and the size of a map. Real images of a megabyte have a
// third of that.
const maxSegments = 4096

// segments returns the list that costs least, as far as the votes and taking segments out again
// lead to it.
func (m *model) segments() []Segment {
	votes := gather(m.votes())
	segments := fit(votes, m.toll)
	for len(segments) > maxSegments {
		m.toll = max(1, 2*m.toll)
		segments = fit(votes, m.toll)
	}
	for before := -1; before != len(segments); {
		before = len(segments)
		u := unitsOf(segments)
		for i := 0; i < len(segments); i++ {
			if fewer, ok := m.without(segments, i, u); ok {
				segments = fewer
				i--
			}
		}
	}
	return m.settle(segments)
}

// settle moves the starts of segments to rounder numbers, as far as no pair is there to notice, in
// place: rounder numbers have larger units, and take fewer bytes.
func (m *model) settle(segments []Segment) []Segment {
	free := uint32(0) // addresses from here on up to the start are nobody's
	for i := range segments {
		start := segments[i].Start
		free = max(free, endBefore(m.pairs, m.byTarget, start, func(p *pair) uint32 { return p.target }))
		free = max(free, endBefore(m.pairs, m.bySite, start, func(p *pair) uint32 { return p.site }))
		for shift := 31; shift > 0; shift-- {
			if round := start >> shift << shift; round >= free {
				segments[i].Start = round
				break
			}
		}
		free = segments[i].Start + 1
	}
	return segments
}

// endBefore returns the address after the last one of the pairs, which are in its order, before limit.
func endBefore(pairs []pair, order []int32, limit uint32, address func(*pair) uint32) uint32 {
	n, _ := slices.BinarySearchFunc(order, limit, func(i int32, limit uint32) int { return cmp.Compare(address(&pairs[i]), limit) })
	if n == 0 {
		return 0
	}
	return address(&pairs[order[n-1]]) + 1
}

// without takes segment i out, in place: what it covers moves like what is before it, or like what
// is after it. It returns false, and the list unchanged, if both cost more than they save.
func (m *model) without(segments []Segment, i int, u units) ([]Segment, bool) {
	var before Segment
	if i > 0 {
		before = segments[i-1]
	}
	lo, hi := segments[i].Start, ^uint32(0)
	end := i + 1 // of what is replaced
	candidates := [][]Segment{{}}
	if i+1 < len(segments) {
		next := segments[i+1]
		hi = next.Start
		end++
		if next.Delta != before.Delta { // else both are superfluous
			candidates = [][]Segment{{next}, {{lo, next.Delta}}}
		}
	}
	var best []Segment
	bestGain := -1
	for _, c := range candidates {
		gain := max(8*(u.size(segments, i, end, segments[i:end])-u.size(segments, i, end, c)), m.toll*(end-i-len(c)))
		delta := before.Delta
		if len(c) > 0 && c[0].Start == lo {
			delta = c[0].Delta
		}
		is := func(address uint32) int32 { return at(segments, address) }
		would := func(address uint32) int32 {
			if address >= lo && address < hi {
				return delta
			}
			return at(segments, address)
		}
		m.within(lo, hi, func(p *pair) { gain += m.cost(p, is) - m.cost(p, would) })
		if gain > bestGain {
			best, bestGain = c, gain
		}
	}
	if best == nil {
		return segments, false
	}
	return slices.Replace(segments, i, end, best...), true
}
