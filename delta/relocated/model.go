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
func (m *model) cost(p *pair, segments []Segment) int {
	var ds int32
	if p.local() {
		ds = at(segments, p.site)
	}
	return price(p.wrong(ds, at(segments, p.target)))
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

// segments returns the list that costs least, as far as the votes and taking segments out again
// lead to it.
func (m *model) segments() []Segment {
	segments := fit(m.votes(), m.toll)
	for before := -1; before != len(segments); {
		before = len(segments)
		for i := 0; i < len(segments); i++ {
			if fewer, ok := m.without(segments, i); ok {
				segments = fewer
				i--
			}
		}
	}
	return segments
}

// without takes segment i out: what it covers moves like what is before it, or like what is after
// it. It returns false if both cost more than they save.
func (m *model) without(segments []Segment, i int) ([]Segment, bool) {
	lo, hi := segments[i].Start, ^uint32(0)
	rest := slices.Delete(slices.Clone(segments), i, i+1)
	candidates := [][]Segment{tidy(slices.Clone(rest))}
	if i < len(rest) {
		hi = rest[i].Start
		rest[i].Start = lo
		candidates = append(candidates, tidy(rest))
	}
	size := 8 * len(appendSegments(nil, segments))
	var best []Segment
	bestGain := -1
	for _, c := range candidates {
		gain := max(size-8*len(appendSegments(nil, c)), m.toll*(len(segments)-len(c)))
		m.within(lo, hi, func(p *pair) { gain += m.cost(p, segments) - m.cost(p, c) })
		if gain > bestGain {
			best, bestGain = c, gain
		}
	}
	return best, best != nil
}
