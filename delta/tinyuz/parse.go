package tinyuz

import (
	"math"
	"math/bits"
)

// The parse is a shortest path from the beginning of the data to its end. What a token
// costs depends on the way there: on the distance of the last match, and on whether a
// literal came since. So each position keeps several arrivals, the cheapest for each of
// these states, and the path goes from arrival to arrival:
//
//	position   i            i+1           i+2    ...   i+6
//	arrivals   last=12 *--- literal ----> last=12
//	           last=1  *------------- match 40 -------> last=40
//	           last=40 *------------- repeat ---------> last=40
//
// Data is parsed in blocks that overlap: the tokens of a block that begin in its first
// part are settled, and the next block begins where the last of them ends.

// token is one element of the stream.
type token struct {
	length   int32 // bytes of output
	distance int32 // 0 literal or literal line
	repeat   bool
	line     bool
}

// arrival is a way to a position.
type arrival struct {
	cost    int32 // bits from the beginning of the block
	last    int32 // distance of the last match
	from    int32 // position of the arrival before, in the block
	parent  uint8 // its index there
	literal bool  // a literal came since the last match
	line    bool  // got here by a literal line
	repeat  bool  // got here by a repeat
	match   bool  // got here by a match at last
}

const (
	// blockSize is the number of positions that are settled at a time, and overlap how
	// far the parse looks beyond them.
	blockSize = 16 << 10
	overlap   = 4 << 10

	// margin is how many bits an arrival may be behind the best of its position: more
	// than a distance and its surroundings cost can never be made good.
	margin = 24

	// bridgeLength is the length of a match that makes the positions below it less
	// worth a look.
	bridgeLength = 64
)

// effort is how much work the parse takes.
type effort struct {
	arrivals int // states that are kept for a position
	depth    int // nodes that are visited for a match
	wide     int // arrivals from which more than the longest match at their distance is tried

	// every is the length up to which each length is tried. Beyond it, only the longest
	// of each size of U(1) is.
	every int
}

var (
	thorough = effort{arrivals: 16, depth: 4096, wide: 4, every: 40}
	fast     = effort{arrivals: 6, depth: 256, wide: 2, every: 16}
	quick    = effort{arrivals: 4, depth: 1024, wide: 1, every: 16}
	rough    = effort{arrivals: 2, depth: 64, wide: 1, every: 8}
)

// parser finds tokens for data.
type parser struct {
	data    []byte
	lines   bool // literal lines are allowed
	effort  effort
	matcher *matcher

	arrivals []arrival // effort.arrivals for each position of a block
	counts   []uint8
	limits   []int32   // by position: a way that costs as much is not worth noting
	found    [][]match // by position modulo the positions of a block: what matches there
	inserted int       // positions that the matcher knows

	lineStarts lineQueue
}

func newParser(data []byte, o Options, e effort) *parser {
	return &parser{
		data:    data,
		lines:   o.LiteralLine,
		effort:  e,
		matcher: newMatcher(data, o.Window, e.depth),
	}
}

// state is what the decoder remembers between tokens.
type state struct {
	last    int32
	literal bool
}

// parse returns the tokens of data[start:] and their size in bits, the end marker
// included.
func (p *parser) parse(start int) (tokens []token, size int) {
	s := state{last: 1}
	n := len(p.data)
	block := min(blockSize+overlap, n-start)
	p.arrivals = make([]arrival, (block+1)*p.effort.arrivals)
	p.counts = make([]uint8, block+1)
	p.limits = make([]int32, block+1)
	p.found = make([][]match, max(1, block))
	for p.inserted < start {
		p.matcher.insert(p.inserted, nil)
		p.inserted++
	}
	for at := start; at < n; {
		end := min(at+blockSize+overlap, n)
		path, cost, next := p.block(at, end, s)
		if end < n {
			// What begins in the overlap is found again, with more to look at.
			settled := 0
			for k, pos := 0, at; k < len(path) && pos < at+blockSize; k++ {
				pos += int(path[k].length)
				settled = k + 1
			}
			path = path[:settled]
			p.lengthen(path, at)
			cost = 0
			next = s
			for _, t := range path {
				cost += tokenBits(t, next)
				next = next.after(t)
			}
		}
		for _, t := range path {
			at += int(t.length)
		}
		tokens = append(tokens, path...)
		size += cost
		s = next
	}
	return tokens, size + endBits(s)
}

// lengthen gives the last match of a block that was cut its full length.
func (p *parser) lengthen(path []token, at int) {
	for k := range path {
		if k == len(path)-1 && path[k].distance > 0 {
			path[k].length = int32(max(int(path[k].length), p.matcher.length(at, int(path[k].distance))))
		}
		at += int(path[k].length)
	}
}

func (s state) after(t token) state {
	if t.distance > 0 {
		return state{last: t.distance}
	}
	return state{last: s.last, literal: true}
}

// tokenBits is the exact size of a token after the state s.
func tokenBits(t token, s state) int {
	flag := int32(0)
	if s.literal {
		flag = 1
	}
	switch {
	case t.line:
		return int(1 + lengthBits(controlLine) + flag + 8 + int32(groups(int(t.length)-minLine, 2))*3 + 8*t.length)
	case t.distance == 0:
		return 9
	case t.repeat:
		return int(1 + lengthBits(int(t.length)-minMatch) + 1)
	}
	return int(matchBits(t.distance, t.length) + flag)
}

// matchBits is the size of a match that is no repeat, without the bit that says so.
func matchBits(distance, length int32) int32 {
	coded := int(length) - minMatch
	if distance > farDistance {
		coded--
	}
	return 1 + lengthBits(coded) + distanceBits(int(distance))
}

func endBits(s state) int {
	size := 1 + int(lengthBits(controlEnd)) + 8
	if s.literal {
		size++
	}
	return size
}

// block returns the cheapest tokens for data[start:end] after the state s.
func (p *parser) block(start, end int, s state) (path []token, size int, final state) {
	k := p.effort.arrivals
	n := end - start
	clear(p.counts[:n+1])
	for i := range n + 1 {
		p.limits[i] = math.MaxInt32
	}
	p.arrivals[0] = arrival{last: s.last, literal: s.literal}
	p.counts[0] = 1
	p.lineStarts.reset()
	bridgeEnd, bridgeCost := 0, int32(0)
	for i := range n {
		at := start + i
		for p.inserted <= at {
			slot := p.inserted % len(p.found)
			p.found[slot] = p.matcher.insert(p.inserted, p.found[slot][:0])
			p.inserted++
		}
		count := int(p.counts[i])
		here := p.arrivals[i*k : i*k+count]
		if p.lines {
			p.lineTo(i, n)
			count = int(p.counts[i])
			here = p.arrivals[i*k : i*k+count]
			p.lineStarts.push(i, here)
		}
		if count == 0 || i < bridgeEnd && here[0].cost > bridgeCost+margin {
			continue
		}
		longest, cost := p.expand(i, at, n, here)
		if longest >= bridgeLength && (i+longest > bridgeEnd || cost < bridgeCost) {
			bridgeEnd, bridgeCost = i+longest, cost
		}
	}
	if p.lines {
		p.lineTo(n, n)
	}
	best, bestCost := 0, int32(math.MaxInt32)
	for j, a := range p.arrivals[n*k : n*k+int(p.counts[n])] {
		cost := a.cost
		if a.literal {
			cost++ // the next match or the end pays for it
		}
		if cost < bestCost {
			best, bestCost = j, cost
		}
	}
	a := p.arrivals[n*k+best]
	return p.walk(n, best), int(a.cost), state{last: a.last, literal: a.literal}
}

// walk returns the tokens that lead to arrival j of position i.
func (p *parser) walk(i, j int) []token {
	var path []token
	for i > 0 {
		a := p.arrivals[i*p.effort.arrivals+j]
		t := token{length: int32(i) - a.from, line: a.line, repeat: a.repeat}
		if a.match {
			t.distance = a.last
		}
		path = append(path, t)
		i, j = int(a.from), int(a.parent)
	}
	for a, b := 0, len(path)-1; a < b; a, b = a+1, b-1 {
		path[a], path[b] = path[b], path[a]
	}
	return path
}

// expand goes on from the arrivals of position i with every token that can follow. It
// returns the longest match and the cost of having taken it.
func (p *parser) expand(i, at, n int, here []arrival) (longest int, cost int32) {
	for j := range here {
		a := &here[j]
		p.arrive(i+1, &arrival{cost: a.cost + 9, last: a.last, from: int32(i), parent: uint8(j), literal: true})
	}
	if at+minMatch > len(p.data) {
		return 0, 0
	}

	// A match leads to the same state from everywhere: the cheapest way here will do.
	base, parent := int32(math.MaxInt32), 0
	for j := range here {
		c := here[j].cost
		if here[j].literal {
			c++
		}
		if c < base {
			base, parent = c, j
		}
	}
	room := n - i
	for j := range here {
		a := &here[j]
		length := min(p.matcher.length(at, int(a.last)), room)
		if length < minMatch {
			continue
		}
		if a.literal {
			c := p.repeat(i, length, j < p.effort.wide, arrival{cost: a.cost + 2, last: a.last, from: int32(i), parent: uint8(j), match: true, repeat: true})
			if length > longest {
				longest, cost = length, c
			}
		} else if p.freshLast(here[:j], a.last) {
			from := length
			if j < p.effort.wide {
				from = minMatch
			}
			p.match(i, from, length, arrival{cost: base, last: a.last, from: int32(i), parent: uint8(parent), match: true})
		}
	}
	shortest := minMatch
	for _, m := range p.found[at%len(p.found)] {
		length := min(int(m.length), room)
		if length < shortest {
			break
		}
		c := p.match(i, shortest, length, arrival{cost: base, last: m.distance, from: int32(i), parent: uint8(parent), match: true})
		if length > longest {
			longest, cost = length, c
		}
		shortest = length + 1
	}
	return longest, cost
}

// freshLast reports whether none of the arrivals before has the same last distance.
func (p *parser) freshLast(before []arrival, last int32) bool {
	for j := range before {
		if before[j].last == last {
			return false
		}
	}
	return true
}

// repeat offers the repeats of up to length bytes, or, if not each of them, the longest.
// It returns the cost of the longest.
func (p *parser) repeat(i, length int, each bool, a arrival) int32 {
	base := a.cost
	l := minMatch
	if !each {
		l = length
	}
	for {
		if a.cost = base + lengthBits(l-minMatch); a.cost < p.limits[i+l] {
			p.arrive(i+l, &a)
		}
		if l == length {
			return a.cost
		}
		l = p.longer(l, length, minMatch)
	}
}

// match offers the matches of shortest to length bytes. It returns the cost of the longest.
func (p *parser) match(i, shortest, length int, a arrival) int32 {
	least := minMatch
	if a.last > farDistance {
		least++
	}
	if length < least {
		return math.MaxInt32 / 2
	}
	base := a.cost + 1 + distanceBits(int(a.last))
	for l := max(shortest, least); ; {
		if a.cost = base + lengthBits(l-least); a.cost < p.limits[i+l] {
			p.arrive(i+l, &a)
		}
		if l == length {
			return a.cost
		}
		l = p.longer(l, length, least)
	}
}

// longer returns the next length to be tried: the next one while they are short, and
// then the longest for each number of groups.
func (p *parser) longer(l, length, least int) int {
	if l < p.effort.every {
		return l + 1
	}
	return min(1<<bits.Len(uint(l+1-least+2))-3+least, length)
}

// arrive notes a way to position i, if it is among the best for its state.
func (p *parser) arrive(i int, a *arrival) {
	if a.cost >= p.limits[i] {
		return
	}
	k := p.effort.arrivals
	count := int(p.counts[i])
	list := p.arrivals[i*k : i*k+k]
	place, end := count, count // the new arrival goes to place, list[end] goes away
	for j := range list[:count] {
		b := &list[j]
		if place == count && a.cost < b.cost {
			place = j
		}
		if b.last == a.last && b.literal == a.literal {
			if place > j {
				return // the same state was reached for no more
			}
			end = j
			break
		}
	}
	if end == count {
		if place == k {
			return
		}
		if count < k {
			p.counts[i]++
		} else {
			end--
		}
	}
	copy(list[place+1:end+1], list[place:end])
	list[place] = *a
	if place == 0 {
		p.limits[i] = a.cost + margin
	}
	if int(p.counts[i]) == k {
		p.limits[i] = min(p.limits[i], list[k-1].cost)
	}
}

// lineTo offers the literal lines that end at position i.
func (p *parser) lineTo(i, n int) {
	for class := 0; class < lineClasses; class++ {
		start, ok := p.lineStarts.best(class, i)
		if !ok {
			continue
		}
		m := i - start.at
		if m > maxLength || m > n {
			continue
		}
		cost := start.key + int32(8*i) + 1 + lengthBits(controlLine) + 8 + int32(groups(m-minLine, 2))*3
		p.arrive(i, &arrival{cost: cost, last: start.last, from: int32(start.at), parent: start.parent, literal: true, line: true})
	}
}
