package cover

import (
	"math"
	"math/bits"
)

// Find returns the covers with the least cost under p; see Params. It looks at a
// bounded number of alignments, so the result is the cheapest way among those.
func Find(old, target []byte, p Params) []Cover { return NewIndex(old).Find(target, p) }

// Find is the function of that name with an index that exists already.
func (x *Index) Find(target []byte, p Params) []Cover {
	covers, _ := x.find(target, p)
	return covers
}

// find is Find, and says how many lanes were followed, over all bytes.
func (x *Index) find(target []byte, p Params) (covers []Cover, work int) {
	if len(target) == 0 || len(x.old) == 0 {
		return nil, 0
	}
	f := newFinder(x, target, p.costs())
	f.follow(0)
	f.follow(len(x.old) - len(target))
	for i := -lead; i < len(target); i++ {
		if at := i + lead; at+seedLength <= len(target) {
			f.seed(at)
		}
		if i >= 0 {
			f.step(i)
		}
	}
	return f.covers(), f.work
}

const (
	// lead is how far ahead of the search seeds are looked for: an alignment may be
	// taken up this many bytes before its first seed, through bytes that differ.
	lead = 48

	// linger is how many bytes after its last seed an alignment is kept that has
	// nothing to offer at the moment.
	linger = 32

	// candidates is the number of places that are looked at for one seed.
	candidates = 24

	// maxLanes is the number of alignments that are followed at a time.
	maxLanes = 96

	// crowd is the number of lanes that an image may have on average. Beyond it, only half of that
	// are followed: an image that is like itself everywhere gives as good covers with few. Of new
	// images above largeSize bytes it is crowdLarge, and only few candidates are looked at beyond it.
	crowd         = 48
	crowdLarge    = 24
	largeSize     = 320 << 10
	fewCandidates = 8

	// lookLimit bounds the comparison of a new seed.
	lookLimit = 64

	// longRun is the length of a match within which no other seeds are looked for,
	// except in its last bytes.
	longRun = 64

	// searchEvery is the distance of the searches for the longest match anywhere.
	searchEvery = 2
)

// none marks a step of the way that is literal, and the beginning of all ways.
const none = math.MinInt32

// lane is one alignment that is being followed.
type lane struct {
	diagonal int
	cost     int // of the cheapest way that ends on this lane at the last byte
	start    int // where that way got on the lane
	previous int // the stretch before, index into finder.stretches
	lastSeed int // end of the last seed
	matched  int // the lane's bytes are equal up to here, as far as is known
	unequal  bool
}

// stretch is a part of a way: new[start:end] on one alignment, or literal.
type stretch struct {
	diagonal   int32
	start, end int32
	previous   int32
}

// finder is one search.
type finder struct {
	index *Index
	old   []byte
	new   []byte
	*costs

	lanes     []lane
	laneOf    []uint8 // by diagonal + len(new): 1 + index into lanes, 0 for none
	stretches []stretch
	work      int // lanes that were followed, over all bytes
	crowd     int // lanes on average that are not too many
	fullAt    int // position of the last seed that no room was found for
	longUntil int // new[..longUntil] is inside of a long match of some lane

	// The way that ends with literal bytes.
	literalCost     int
	literalStart    int
	literalPrevious int
	literalOldEnd   int // where the last cover before it ended in the old image

	// The cheapest way at the last byte.
	best         int
	bestLane     int // index into lanes, -1 for literal
	bestDiagonal int
}

func newFinder(x *Index, target []byte, c *costs) *finder {
	most := crowd
	if len(target) > largeSize {
		most = crowdLarge
	}
	return &finder{
		index: x, old: x.old, new: target, costs: c, crowd: most,
		laneOf:          make([]uint8, len(target)+len(x.old)+1),
		literalPrevious: -1,
		bestLane:        -1,
	}
}

// follow keeps an alignment to the end without a seed. Images begin with a table of addresses that may
// all have moved, and end alike: there is not always a place with seedLength equal bytes.
func (f *finder) follow(diagonal int) {
	if f.laneOf[diagonal+len(f.new)] > 0 {
		return
	}
	f.lanes = append(f.lanes, lane{diagonal: diagonal, cost: math.MaxInt / 2, previous: -1, lastSeed: len(f.new)})
	f.laneOf[diagonal+len(f.new)] = uint8(len(f.lanes))
}

// seed looks for alignments on which new[at:] matches and makes lanes of them.
func (f *finder) seed(at int) {
	if f.longUntil-at >= longRun {
		return
	}
	places := candidates
	if f.crowd < crowd && f.crowded(at) {
		places = fewCandidates
	}
	f.index.near(f.new[at:], at+f.bestDiagonal, places, func(pos int) { f.consider(pos, at) })
	if at%searchEvery == 0 {
		if pos, length := f.index.longest(f.new[at:], lookLimit); length >= 2*f.minimum {
			f.consider(pos, at)
		}
	}
}

// consider takes up the alignment of old[pos:] and new[at:], or prolongs its life.
func (f *finder) consider(pos, at int) {
	diagonal := pos - at
	if k := f.laneOf[diagonal+len(f.new)]; k > 0 {
		f.prolong(&f.lanes[k-1], at)
		return
	}
	same := equalBytes(f.old[pos:min(len(f.old), pos+lookLimit)], f.new[at:])
	if same < seedLength {
		return
	}
	before := 0
	if same < 2*f.minimum {
		before = equalBytesBefore(f.old[:pos], f.new[:at], f.minimum)
	}
	if same+before < f.minimum {
		return
	}
	if len(f.lanes) >= f.mostLanes(at) && (f.fullAt == at || !f.makeRoom(same, at-lead)) {
		f.fullAt = at
		return
	}
	f.lanes = append(f.lanes, lane{diagonal: diagonal, cost: math.MaxInt / 2, previous: -1, matched: at})
	f.laneOf[diagonal+len(f.new)] = uint8(len(f.lanes))
	f.prolong(&f.lanes[len(f.lanes)-1], at)
}

// mostLanes is the number of lanes that may be followed at a position.
func (f *finder) mostLanes(at int) int {
	if f.crowded(at) {
		return f.crowd / 2
	}
	return maxLanes
}

// crowded reports whether more lanes were followed up to a position than the image may have.
func (f *finder) crowded(at int) bool { return f.work > f.crowd*(at+1<<13) }

// prolong notes a seed of a lane that exists.
func (f *finder) prolong(l *lane, at int) {
	if l.matched <= at {
		pos := at + l.diagonal
		if pos >= len(f.old) {
			return
		}
		l.matched = at + equalBytes(f.old[pos:], f.new[at:])
	}
	if l.matched-at >= seedLength {
		l.lastSeed = max(l.lastSeed, l.matched)
		f.longUntil = max(f.longUntil, l.matched)
	}
}

// makeRoom drops the lane that is the least use, if one is less use than a new lane
// with a match of same bytes. The search is at position i.
func (f *finder) makeRoom(same, i int) bool {
	worst := -1
	for k := range f.lanes {
		if k == f.bestLane || f.lanes[k].cost < f.best+f.change {
			continue
		}
		if worst < 0 || f.lanes[k].lastSeed < f.lanes[worst].lastSeed {
			worst = k
		}
	}
	if worst < 0 {
		return false
	}
	if same < 2*f.minimum && f.lanes[worst].lastSeed >= i {
		return false
	}
	f.drop(worst)
	return true
}

// drop forgets a lane.
func (f *finder) drop(k int) {
	last := len(f.lanes) - 1
	f.laneOf[f.lanes[k].diagonal+len(f.new)] = 0
	if k != last {
		f.lanes[k] = f.lanes[last]
		f.laneOf[f.lanes[k].diagonal+len(f.new)] = uint8(k + 1)
		if f.bestLane == last {
			f.bestLane = k
		}
	}
	f.lanes = f.lanes[:last]
}

// step carries all ways over the byte i of the new image.
func (f *finder) step(i int) {
	b := f.new[i]
	before, ended := f.best, -1
	oldEnd := f.literalOldEnd
	if f.bestLane >= 0 {
		oldEnd = i + f.bestDiagonal
	}
	floor := 0
	if f.floor != nil {
		floor = max(0, f.floor(i))
	}
	end := func() int {
		if ended < 0 && i > 0 {
			ended = f.endBest(i)
		}
		return ended
	}

	// From the cheapest way to literal bytes is no charge: the next cover pays.
	if f.bestLane >= 0 && before < f.literalCost {
		f.literalPrevious = end()
		f.literalCost, f.literalStart, f.literalOldEnd = before, i, oldEnd
	}
	f.literalCost += f.literal[b]
	best, bestLane := f.literalCost, -1

	for k := 0; k < len(f.lanes); k++ {
		l := &f.lanes[k]
		o := i + l.diagonal
		if o < floor || o >= len(f.old) {
			l.cost = math.MaxInt / 2
			l.unequal = false
			continue
		}
		if enter := before + f.change; enter < l.cost {
			enter += farther(o - oldEnd)
			if enter < l.cost {
				l.cost, l.start, l.previous = enter, i, end()
			}
		}
		if d := b - f.old[o]; d == 0 {
			l.cost += f.equal
			l.unequal = false
		} else if f.repeat < f.further[d] && l.cost < before+f.change && f.repeats(i, o) {
			l.cost += f.repeat
			l.unequal = false
		} else if l.unequal {
			l.cost += f.further[d]
		} else {
			l.cost += f.first[d]
			l.unequal = true
		}
		if l.cost <= best {
			best, bestLane = l.cost, k
		}
	}
	f.best, f.bestLane = best, bestLane
	if bestLane >= 0 {
		f.bestDiagonal = f.lanes[bestLane].diagonal
	}

	// A lane that costs as much as getting on it again, and has no seed ahead, can go.
	f.work += len(f.lanes)
	idle := i - linger
	if len(f.lanes) > f.mostLanes(i) {
		idle = i
	}
	for k := len(f.lanes) - 1; k >= 0; k-- {
		l := &f.lanes[k]
		if l.lastSeed < idle && k != f.bestLane && l.cost >= best+f.change || i+l.diagonal >= len(f.old) && k != f.bestLane {
			f.drop(k)
		}
	}
}

// repeats reports whether the last bytes of an alignment, up to old[o] and new[i], differ as those a few
// bytes before did: in a table of addresses that moved, the differences are the same in each entry.
func (f *finder) repeats(i, o int) bool {
	for period := 4; period <= 16; period += 4 {
		if i < period+repeated || o < period+repeated {
			return false
		}
		k := 0
		for k < repeated && f.new[i-k]-f.old[o-k] == f.new[i-k-period]-f.old[o-k-period] {
			k++
		}
		if k == repeated {
			return true
		}
	}
	return false
}

// repeated is how many differences must be the same.
const repeated = 6

// farther is the cost of a distance in the old image: seven bits of it fit each byte
// after the five of the first (delta.md, section 2.2).
func farther(distance int) int {
	if distance < 0 {
		distance = -distance
	}
	const perByte = 64
	return (max(0, bits.Len(uint(distance))-5) + 6) / 7 * perByte
}

// endBest ends the cheapest way before the byte i and returns its last stretch.
func (f *finder) endBest(i int) int {
	s := stretch{diagonal: none, start: int32(f.literalStart), end: int32(i), previous: int32(f.literalPrevious)}
	if f.bestLane >= 0 {
		l := &f.lanes[f.bestLane]
		s = stretch{diagonal: int32(l.diagonal), start: int32(l.start), end: int32(i), previous: int32(l.previous)}
	}
	f.stretches = append(f.stretches, s)
	return len(f.stretches) - 1
}

// covers walks the cheapest way backwards.
func (f *finder) covers() []Cover {
	var reversed []Cover
	for k := f.endBest(len(f.new)); k >= 0; {
		s := f.stretches[k]
		if s.diagonal != none && s.end > s.start {
			reversed = append(reversed, Cover{
				Old:    int(s.start) + int(s.diagonal),
				New:    int(s.start),
				Length: int(s.end - s.start),
			})
		}
		k = int(s.previous)
	}
	covers := make([]Cover, 0, len(reversed))
	for k := len(reversed) - 1; k >= 0; k-- {
		covers = append(covers, reversed[k])
	}
	return Join(covers)
}
