package cover

// Greedy finds covers the way bsdiff does: it follows an alignment until the longest
// match elsewhere beats it by more than eight bytes, and then extends both covers
// towards each other. Of p it uses Floor and MinLength only.
func Greedy(old, target []byte, p Params) []Cover { return NewIndex(old).Greedy(target, p) }

// Greedy is the function of that name with an index that exists already.
func (x *Index) Greedy(target []byte, p Params) []Cover {
	c := p.costs()
	g := &greedy{old: x.old, new: target, costs: c}
	for scan := 0; scan < len(target); {
		pos, length := x.longest(target[scan:], greedyLimit)
		if length < c.minimum {
			scan++
			g.advance(scan)
			continue
		}
		// A match that reached the limit is longer than that on one of the two alignments,
		// and the next round sees the rest.
		switch score := g.score(scan, length); {
		case score == length:
			scan += length
			g.advance(scan)
		case length > score+greedyMargin && g.admits(pos, scan, length):
			g.begin(pos, scan)
			scan += length
			g.advance(scan)
		default:
			scan++
			g.advance(scan)
		}
	}
	g.finish(len(target))
	return Join(g.covers)
}

const (
	// greedyMargin is how many bytes more another alignment must match to be taken.
	greedyMargin = 8

	// greedyLimit bounds the comparison at each position.
	greedyLimit = 512
)

// greedy is a list of covers in the making. The last one is open: its end is settled
// when the next one begins.
type greedy struct {
	old, new []byte
	costs    *costs
	covers   []Cover
	open     Cover // Length is 0 until it is settled
	started  bool

	// Equal bytes of the open alignment in new[from:to].
	from, to, equal int
}

// same reports whether the byte n of the new image is equal on the open alignment.
func (g *greedy) same(n int) bool {
	o := n + g.open.Diagonal()
	return g.started && o >= 0 && o < len(g.old) && g.old[o] == g.new[n]
}

// score counts the equal bytes of the open alignment in the length bytes from scan on.
func (g *greedy) score(scan, length int) int {
	for ; g.to < scan+length; g.to++ {
		if g.same(g.to) {
			g.equal++
		}
	}
	score := g.equal
	for n := scan + length; n < g.to; n++ {
		if g.same(n) {
			score--
		}
	}
	return score
}

// advance moves the beginning of the counted range to scan.
func (g *greedy) advance(scan int) {
	for ; g.from < scan && g.from < g.to; g.from++ {
		if g.same(g.from) {
			g.equal--
		}
	}
	if g.from < scan {
		g.from, g.to, g.equal = scan, scan, 0
	}
}

// admits reports whether the old bytes are still there when they are needed.
func (g *greedy) admits(pos, scan, length int) bool {
	if g.costs.floor == nil {
		return true
	}
	for i := range length {
		if pos+i < g.costs.floor(scan+i) {
			return false
		}
	}
	return true
}

// begin settles the open cover and opens one that matches from scan on.
func (g *greedy) begin(pos, scan int) {
	next := Cover{Old: pos, New: scan}
	back := g.backward(next)
	forward := g.forward(scan)
	if overlap := g.open.New + forward - (scan - back); g.started && overlap > 0 {
		keep := g.split(scan-back, overlap, next.Diagonal())
		forward -= overlap - keep
		back -= keep
	}
	g.settle(forward)
	g.open = Cover{Old: pos - back, New: scan - back}
	g.started = true
	g.from, g.to, g.equal = scan, scan, 0
}

func (g *greedy) finish(end int) { g.settle(g.forward(end)) }

func (g *greedy) settle(length int) {
	if g.started && length > 0 {
		g.open.Length = length
		g.covers = append(g.covers, g.open)
	}
}

// forward returns the length up to end at which the open cover has the most equal
// bytes, weighed against those that are not.
func (g *greedy) forward(end int) int {
	if !g.started {
		return 0
	}
	best, length, sum := 0, 0, 0
	d := g.open.Diagonal()
	for n := g.open.New; n < end && n+d < len(g.old); n++ {
		if g.costs.floor != nil && n+d < g.costs.floor(n) {
			break
		}
		if g.old[n+d] == g.new[n] {
			sum++
		} else {
			sum--
		}
		if sum > best {
			best, length = sum, n+1-g.open.New
		}
	}
	return length
}

// backward is forward for the beginning of a cover, down to the end of the last settled
// cover or the beginning of the open one.
func (g *greedy) backward(c Cover) int {
	stop := 0
	if g.started {
		stop = g.open.New
	}
	best, length, sum := 0, 0, 0
	for k := 1; c.New-k >= stop && c.Old-k >= 0; k++ {
		if g.costs.floor != nil && c.Old-k < g.costs.floor(c.New-k) {
			break
		}
		if g.old[c.Old-k] == g.new[c.New-k] {
			sum++
		} else {
			sum--
		}
		if sum > best {
			best, length = sum, k
		}
	}
	return length
}

// split returns how many of the overlapping bytes from start on the open cover keeps.
func (g *greedy) split(start, overlap, diagonal int) int {
	best, keep, sum := 0, 0, 0
	for k := range overlap {
		n := start + k
		if g.same(n) {
			sum++
		}
		if g.old[n+diagonal] == g.new[n] {
			sum--
		}
		if sum > best {
			best, keep = sum, k+1
		}
	}
	return keep
}
