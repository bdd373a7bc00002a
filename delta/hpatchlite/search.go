package hpatchlite

import (
	"math/bits"
	"slices"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/tinyuz"
)

// search holds what the search for covers needs to know.
type search struct {
	old, target []byte
	options     Options
	pair        *cover.Pair
	floor       func(int) int

	budget int // bytes of payload that may still be weighed
	tried  map[change]bool
}

// Bytes of payload that are weighed at most, context included: so many for each byte of
// the new image, and so many in all.
const (
	budgetPerByte = 200
	budgetMost    = 6 << 20
	budgetLarge   = 3 << 20 // of large images, in all
)

// workMost bounds the work of searches after which another one is made, as cover.Pair counts it:
// all that are asked for are made for firmware, and two for a text of two letters.
const workMost = 24 << 20

func newSearch(pair *cover.Pair, o Options) *search {
	s := &search{
		old: pair.Old(), target: pair.Target(), options: o, pair: pair,
		budget: min(budgetMost, budgetPerByte*len(pair.Target())),
		tried:  make(map[change]bool),
	}
	if s.large() {
		s.budget = budgetLarge
	}
	if o.InPlace {
		s.floor = func(n int) int { return n + o.Margin - o.Extra }
	}
	return s
}

// never is a cost that is not paid if there is any other way.
const never = 1 << 24

// lists returns lists of covers by different costs. The first one is the most likely to
// be good.
func (s *search) lists() [][]cover.Cover {
	if s.options.Compression == None {
		// What differs takes a byte, wherever it is; what does not is free in a cover that
		// is the same all through, the header of which takes three to eight bytes.
		var lists [][]cover.Cover
		for _, header := range []int{36, 28, 44} {
			lists = append(lists, s.find(cover.Params{
				Switch: 8 * header, FirstMismatch: never, Mismatch: never, Repeat: never, Literal: 64, MinLength: 4,
			}))
		}
		return lists
	}
	params := []cover.Params{
		{Switch: 240, FirstMismatch: 80},
		{Switch: 360, FirstMismatch: 96},
		cover.Brisk(),
	}
	if s.large() {
		params = params[2:] // with one search this is the best of them
	}
	if len(s.target) <= 256<<10 {
		params = append(params,
			cover.Params{Switch: 200, FirstMismatch: 128},
			cover.Params{Switch: 560, FirstMismatch: 96, MinLength: 8},
			cover.Params{Switch: 240, FirstMismatch: 110, Mismatch: 72, Repeat: 40},
			cover.Params{Switch: 120, FirstMismatch: 96, Literal: 64},
		)
	}
	lists := make([][]cover.Cover, 0, len(params)+2)
	work := 0
	for _, p := range params {
		if work > workMost {
			break
		}
		covers, w := s.findWork(p)
		lists = append(lists, covers)
		work += w
	}
	if !s.large() && work <= workMost {
		second := params[0]
		second.Difference = s.frequent(lists[0])
		lists = append(lists, s.find(second))
	}
	return append(lists, s.pair.Greedy(cover.Params{Floor: s.floor}))
}

func (s *search) find(p cover.Params) []cover.Cover {
	covers, _ := s.findWork(p)
	return covers
}

func (s *search) findWork(p cover.Params) (covers []cover.Cover, work int) {
	p.Floor = s.floor
	return s.pair.FindWork(p)
}

// frequent returns what differences cost less for having been seen often: an address
// that moves does so in many places.
func (s *search) frequent(covers []cover.Cover) *[256]int {
	var counts [256]int
	total := 1
	for _, c := range covers {
		for i := range c.Length {
			if d := s.target[c.New+i] - s.old[c.Old+i]; d != 0 {
				counts[d]++
				total++
			}
		}
	}
	var less [256]int
	for v := range less {
		less[v] = -4 * bits.Len(uint(counts[v]*256/total))
	}
	return &less
}

func (s *search) seen(lists [][]cover.Cover, list []cover.Cover) bool {
	return slices.ContainsFunc(lists, func(l []cover.Cover) bool { return slices.Equal(l, list) })
}

// refine starts with the first list and takes over from the others what is better, and
// then changes what can be changed for the better.
func (s *search) refine(lists [][]cover.Cover) []cover.Cover {
	best := slices.Clone(lists[0])
	for _, other := range lists[1:] {
		best = s.combine(best, other)
	}
	for range 3 {
		before := best
		best = s.polish(best)
		if slices.Equal(before, best) {
			break
		}
	}
	return best
}

// combine goes through the parts in which the alignments of two lists differ, and takes
// that of other where it makes a smaller patch.
func (s *search) combine(best, other []cover.Cover) []cover.Cover {
	for _, part := range differing(best, other, len(s.target)) {
		best = s.try(best, part[0], part[1], clip(other, part[0], part[1]))
	}
	return best
}

// polish tries small changes at each cover.
func (s *search) polish(covers []cover.Cover) []cover.Cover {
	// Ends are taken from a copy, as covers change on the way. A change that does not fit
	// any more costs a look.
	for _, c := range slices.Clone(covers) {
		if s.budget <= 0 {
			break
		}
		for _, step := range []int{1, 2, 3, 4, 6, 8, 12} {
			covers = s.move(covers, c.New, step)
			covers = s.move(covers, c.NewEnd(), step)
		}
		covers = s.fill(covers, c)
	}
	return covers
}

// move tries to let an end at position n go step bytes back and forth.
func (s *search) move(covers []cover.Cover, n, step int) []cover.Cover {
	left, right := alignmentAt(covers, n-1), alignmentAt(covers, n)
	if left == right {
		return covers // an earlier change has removed this end
	}
	covers = s.try(covers, n-step, n, s.piece(right, n-step, n))
	covers = s.try(covers, n, n+step, s.piece(left, n, n+step))
	if left != literal && right != literal {
		covers = s.try(covers, n-step, n, nil)
		covers = s.try(covers, n, n+step, nil)
	}
	return covers
}

// fill tries to do without a cover: as literal, and as part of its neighbours.
func (s *search) fill(covers []cover.Cover, c cover.Cover) []cover.Cover {
	const largest = 400 // longer covers are worth their header
	if c.Length <= largest {
		covers = s.try(covers, c.New, c.NewEnd(), nil)
		before, after := alignmentBefore(covers, c.New), alignmentAfter(covers, c.NewEnd())
		covers = s.try(covers, c.New, c.NewEnd(), s.piece(before, c.New, c.NewEnd()))
		covers = s.try(covers, c.New, c.NewEnd(), s.piece(after, c.New, c.NewEnd()))
	}
	// The literal bytes behind the cover, on either alignment.
	k, ok := slices.BinarySearchFunc(covers, c.NewEnd(), func(a cover.Cover, n int) int { return a.New - n })
	end := len(s.target)
	if k < len(covers) {
		end = covers[k].New
	}
	if n := end - c.NewEnd(); !ok && n > 0 && n <= largest {
		covers = s.try(covers, c.NewEnd(), end, s.piece(c.Diagonal(), c.NewEnd(), end))
		if k < len(covers) {
			covers = s.try(covers, c.NewEnd(), end, s.piece(covers[k].Diagonal(), c.NewEnd(), end))
		}
	}
	return covers
}

// piece is the part from..to of the new image on one alignment, as a list.
func (s *search) piece(diagonal, from, to int) []cover.Cover {
	if diagonal == literal {
		return nil
	}
	return []cover.Cover{{Old: from + diagonal, New: from, Length: to - from}}
}

// fits reports whether the covers are inside the images and admissible.
func (s *search) fits(covers []cover.Cover) bool {
	for _, c := range covers {
		if c.New < 0 || c.NewEnd() > len(s.target) || c.Old < 0 || c.OldEnd() > len(s.old) {
			return false
		}
		if s.floor != nil && c.Old < s.floor(c.New) {
			return false
		}
	}
	return true
}

// change identifies what was tried.
type change struct {
	from, to int
	was, is  uint64
}

// try replaces the part from..to of covers by others and keeps that if the patch gets
// smaller.
func (s *search) try(covers []cover.Cover, from, to int, others []cover.Cover) []cover.Cover {
	if from < 0 || to > len(s.target) || from >= to || s.budget <= 0 || !s.fits(others) {
		return covers
	}
	was := clip(covers, from, to)
	if slices.Equal(was, others) {
		return covers
	}
	id := change{from, to, fingerprint(was), fingerprint(others)}
	if s.tried[id] {
		return covers
	}
	s.tried[id] = true
	next := replace(covers, from, to, others)
	if s.weigh(next, covers, from, to) < s.weigh(covers, next, from, to) {
		return next
	}
	return covers
}

const (
	// context is how much of the payload before a change is given to the compressor, and
	// trail how much behind it is weighed as well: what follows may copy from the change.
	context = 2048
	trail   = 300

	// lead is how far before a change weighing begins.
	lead = 24
)

// weigh returns the size in bits of the payload around from..to. The place where it
// ends is the same for both lists.
func (s *search) weigh(covers, alternative []cover.Cover, from, to int) int {
	until := min(len(s.target), max(settled(covers, to), settled(alternative, to))+trail)
	start := max(0, from-lead)
	before := s.excerpt(nil, covers, max(0, start-min(context, max(16, s.options.Window))), start)
	payload := s.excerpt(before, covers, start, until)
	if s.options.Compression == None {
		s.budget -= 64
		return 8 * (len(payload) - len(before))
	}
	s.budget -= 300 + len(payload) + 2*(len(payload)-len(before))
	o := s.options.tinyuz()
	o.DictField = 4
	cost, err := tinyuz.Cost(payload, len(before), o)
	if err != nil {
		// The options have been checked, so this cannot be; a change without a price is not made.
		return never
	}
	return cost
}

// settled is the beginning of the first cover at or behind n, or n if that is inside of one.
func settled(covers []cover.Cover, n int) int {
	k := firstEnding(covers, n)
	if k == len(covers) || covers[k].New <= n {
		return n
	}
	return covers[k].New + 1
}

// excerpt appends the payload of the part from..until of the new image: of each cover
// that begins there the header with its literal bytes, and the differences that lie in it.
func (s *search) excerpt(b []byte, covers []cover.Cover, from, until int) []byte {
	k := firstEnding(covers, from)
	oldEnd, newEnd := 0, 0
	if k > 0 {
		oldEnd, newEnd = covers[k-1].OldEnd(), covers[k-1].NewEnd()
	}
	for ; k < len(covers) && covers[k].New < until; k++ {
		c := covers[k]
		same := string(s.old[c.Old:c.OldEnd()]) == string(s.target[c.New:c.NewEnd()])
		if c.New >= from {
			b = appendVarint(b, c.Length)
			b = appendTag(b, c.Old-oldEnd, same)
			b = appendVarint(b, c.New-newEnd)
			b = append(b, s.target[max(newEnd, from):c.New]...)
		}
		if !same {
			for n := max(c.New, from); n < min(c.NewEnd(), until); n++ {
				b = append(b, s.target[n]-s.old[n+c.Diagonal()])
			}
		}
		oldEnd, newEnd = c.OldEnd(), c.NewEnd()
	}
	if k == len(covers) && newEnd < until && until == len(s.target) {
		b = append(b, 0, tagSame)
		b = appendVarint(b, until-newEnd)
		b = append(b, s.target[max(newEnd, from):until]...)
	}
	return b
}
