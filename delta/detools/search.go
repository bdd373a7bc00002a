package detools

import (
	"slices"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/crle"
	"github.com/starling-fuota/starling/delta/heatshrink"
)

// search looks for the covers that make one patch small.
type search struct {
	pair        *cover.Pair
	old, target []byte
	info        Info
	packer      heatshrink.Params // by which streams are weighed
	context     int               // bytes around a change that are weighed with it
	budget      int               // bytes that may still be weighed
	covers      []cover.Cover
}

// weighed bounds the work of a search: so many bytes are packed to compare covers. That is about a
// second, and what images of 300 kB with few changes need. Large images have had all that pays with half of it.
const (
	weighed      = 8 << 20
	weighedLarge = 4 << 20
)

// workMost bounds the work of searches after which another one is made, as cover.Pair counts it.
const workMost = 24 << 20

func newSearch(pair *cover.Pair, info Info, o Options) *search {
	s := &search{pair: pair, old: pair.Old(), target: pair.Target(), info: info, budget: weighed}
	if len(s.target) > largeSize {
		s.budget = weighedLarge
	}
	s.packer = heatshrink.Params{Window: o.Window, Lookahead: o.Lookahead}
	s.context = 64
	if info.Compression == Heatshrink {
		s.context = min(1<<o.Window, 1<<11)
	}
	return s
}

// best returns the covers of the smallest patch that was found.
func (s *search) best() []cover.Cover {
	if len(s.target) == 0 || len(s.old) == 0 {
		return nil
	}
	lists := s.candidates()
	bits := make([]int, len(lists))
	for k, covers := range lists {
		bits[k] = s.whole(covers)
		if bits[k] < bits[0] {
			lists[0], lists[k] = lists[k], lists[0]
			bits[0], bits[k] = bits[k], bits[0]
		}
	}
	s.covers = slices.Clone(lists[0])
	for _, other := range lists[1:] {
		s.splice(other)
	}
	for s.budget > 0 && s.polish() {
	}
	// What was weighed piece by piece must be smaller as a whole.
	if s.whole(s.covers) > bits[0] {
		return lists[0]
	}
	return s.covers
}

// candidates returns the covers of several searches. Large images get fewer.
func (s *search) candidates() [][]cover.Cover {
	var floor func(int) int
	if s.info.Type == InPlace {
		floor = s.info.Floor
	}
	grid := []cover.Params{
		{},
		{Switch: 448, FirstMismatch: 160},
		{Switch: 256, FirstMismatch: 64},
		{Switch: 640, FirstMismatch: 128},
		{FirstMismatch: 128, Literal: 72},
		{Switch: 320, FirstMismatch: 192, Mismatch: 72},
	}
	if s.info.Compression != Heatshrink {
		const never = 1 << 20
		grid = []cover.Params{
			{Repeat: never, FirstMismatch: 256},
			{Repeat: never, FirstMismatch: 400, Switch: 256},
			{Repeat: never, FirstMismatch: 160, Switch: 320},
			{Repeat: never, FirstMismatch: 320, Switch: 400, Literal: 64},
		}
	}
	switch size := len(s.old) + len(s.target); {
	case len(s.target) > largeSize && s.info.Compression != Heatshrink:
		grid = grid[:1]
	case len(s.target) > largeSize:
		grid = []cover.Params{cover.Brisk()}
	case size > 1<<18:
		grid = grid[:4]
	}
	lists := [][]cover.Cover{s.pair.Greedy(cover.Params{Floor: floor})}
	work := 0
	for _, p := range grid {
		if work > workMost {
			break
		}
		p.Floor = floor
		covers, w := s.pair.FindWork(p)
		lists = append(lists, covers)
		work += w
	}
	return lists
}

// whole returns the bits of the whole patch with these covers, and settles the lookahead when it is free.
func (s *search) whole(covers []cover.Cover) int {
	plain := appendRange(nil, s.old, s.target, covers, s.info, 0, len(s.target), 0)
	if s.info.Compression != Heatshrink {
		return s.weigh(plain)
	}
	matches := heatshrink.QuickMatches(plain, s.info.Heatshrink.Window)
	if s.info.Heatshrink.Lookahead != 0 {
		return must(matches.Bits(s.info.Heatshrink.Lookahead))
	}
	lookahead, bits, err := matches.Best()
	s.packer.Lookahead = lookahead
	return must(bits, err)
}

// part returns the bits of target[at:end] with these covers.
func (s *search) part(covers []cover.Cover, at, end int) int {
	s.budget -= end - at
	from := 0
	if k := last(covers, at); k >= 0 {
		from = min(at, covers[k].NewEnd()) + covers[k].Diagonal()
	}
	return s.weigh(appendRange(nil, s.old, s.target, covers, s.info, at, end, from))
}

// weigh returns the bits of a packed stream.
func (s *search) weigh(plain []byte) int {
	switch s.info.Compression {
	case CRLE:
		return 8 * crle.Size(plain)
	case Heatshrink:
		return must(heatshrink.Estimate(plain, s.packer))
	}
	return 8 * len(plain)
}

// must unwraps what Layout has checked.
func must(bits int, err error) int {
	if err != nil {
		panic(err)
	}
	return bits
}
