package detools

import (
	"slices"
	"sort"

	"github.com/starling-fuota/starling/delta/cover"
)

// last returns the last of covers that begins before at, -1 for none.
func last(covers []cover.Cover, at int) int {
	return sort.Search(len(covers), func(k int) bool { return covers[k].New >= at }) - 1
}

// replaced returns covers with those of middle between the bytes at and end of the new image.
func replaced(covers, middle []cover.Cover, at, end, size int) []cover.Cover {
	return cover.Join(slices.Concat(clip(covers, 0, at), middle, clip(covers, end, size)))
}

// try weighs other covers for target[at:end] and keeps the ones that cost the least. It reports whether
// that changed anything. All of it is weighed with what is around: copies reach back into it, and what
// follows may be copied from it.
func (s *search) try(at, end int, middles ...[]cover.Cover) bool {
	from, to := max(0, at-s.context), min(len(s.target), end+s.context/2)
	if next := last(s.covers, end) + 1; next < len(s.covers) {
		to = min(len(s.target), max(to, min(s.covers[next].New+8, end+2*s.context)))
	}
	// Work on the covers around only: lists are long.
	first := max(0, last(s.covers, from))
	after := last(s.covers, to) + 1
	near := s.covers[first:after]
	best, least := -1, s.part(near, from, to)
	for k, middle := range middles {
		if !s.admits(middle) {
			continue
		}
		if bits := s.part(replaced(near, middle, at, end, len(s.target)), from, to); bits < least {
			best, least = k, bits
		}
	}
	if best < 0 {
		return false
	}
	s.covers = slices.Replace(s.covers, first, after, replaced(near, middles[best], at, end, len(s.target))...)
	return true
}

// admits reports whether covers stay inside the old image, as it is when they are needed.
func (s *search) admits(covers []cover.Cover) bool {
	for _, c := range covers {
		if c.Length <= 0 || c.Old < 0 || c.OldEnd() > len(s.old) {
			return false
		}
		if s.info.Type == InPlace && s.info.admits(c) != nil {
			return false
		}
	}
	return true
}

// splice takes the covers of another list where they are better, one place after the other at which the
// two differ.
func (s *search) splice(other []cover.Cover) {
	for _, d := range differences(s.covers, other, len(s.target)) {
		if s.budget <= 0 {
			return
		}
		s.try(d[0], d[1], clip(other, d[0], d[1]))
	}
}

// differences returns the ranges of the new image in which two lists of covers are not the same. Ranges
// that are close to each other are one.
func differences(a, b []cover.Cover, size int) [][2]int {
	const apart = 16
	var ranges [][2]int
	for at := 0; at < size; {
		ka, ea := alignment(a, at, size)
		kb, eb := alignment(b, at, size)
		end := min(ea, eb)
		if ka != kb {
			if n := len(ranges); n > 0 && ranges[n-1][1] >= at-apart {
				ranges[n-1][1] = end
			} else {
				ranges = append(ranges, [2]int{at, end})
			}
		}
		at = end
	}
	return ranges
}

// alignment is that of the byte at, or none for a literal, and the end of what has it.
func alignment(covers []cover.Cover, at, size int) (diagonal, end int) {
	const none = -1 << 62
	k := last(covers, at+1)
	if k >= 0 && at < covers[k].NewEnd() {
		return covers[k].Diagonal(), covers[k].NewEnd()
	}
	if k+1 < len(covers) {
		return none, covers[k+1].New
	}
	return none, size
}

// polish moves the ends of covers, and drops covers, once from the first to the last. It reports whether
// anything became smaller.
func (s *search) polish() bool {
	better := false
	for k := -1; k < len(s.covers) && s.budget > 0; k++ {
		if s.ends(k) {
			better = true
		}
		if k+1 < len(s.covers) && s.drop(k+1) {
			better = true
			k--
		}
	}
	return better
}

// reach is how far the end of a cover is moved at a time, in bytes.
const reach = 40

// ends tries other places for the end of cover k and the beginning of the one after it; before the first
// and after the last there is none.
func (s *search) ends(k int) bool {
	left, right := s.neighbour(k), s.neighbour(k+1)
	at, end := max(left.New+1, left.NewEnd()-reach), min(right.New+reach, right.NewEnd()-1)
	if k < 0 {
		at = 0
	}
	if k+1 >= len(s.covers) {
		end = len(s.target)
	}
	if at >= end {
		return false
	}
	var middles [][]cover.Cover
	add := func(p, q int) { // left up to p, right from q on
		var middle []cover.Cover
		if p > at {
			middle = append(middle, cover.Cover{Old: at + left.Diagonal(), New: at, Length: p - at})
		}
		if q < end {
			middle = append(middle, cover.Cover{Old: q + right.Diagonal(), New: q, Length: end - q})
		}
		middles = append(middles, middle)
	}
	if k >= 0 {
		for _, p := range s.changes(left, at, min(end, right.New+reach), left.NewEnd()) {
			add(p, max(p, right.New))
		}
		add(right.New, right.New)
	}
	if k+1 < len(s.covers) {
		for _, q := range s.changes(right, max(at, left.NewEnd()-reach), end, right.New) {
			add(min(q, left.NewEnd()), q)
		}
		add(left.NewEnd(), left.NewEnd())
	}
	return s.try(at, end, middles...)
}

// neighbour returns cover k, or an empty one at the end of the images.
func (s *search) neighbour(k int) cover.Cover {
	switch {
	case k < 0:
		return cover.Cover{}
	case k >= len(s.covers):
		return cover.Cover{Old: len(s.old), New: len(s.target)}
	}
	return s.covers[k]
}

// changes returns places in at..end where a run of equal bytes on the alignment of c begins or ends, the
// eight that are nearest to the byte near.
func (s *search) changes(c cover.Cover, at, end, near int) []int {
	same := func(n int) bool {
		o := n + c.Diagonal()
		return n >= at && n < end && o >= 0 && o < len(s.old) && s.old[o] == s.target[n]
	}
	const most = 8
	var places []int
	for d := 0; len(places) < most && (near-d > at || near+d < end); d++ {
		if n := near + d; n <= end && same(n-1) != same(n) {
			places = append(places, n)
		}
		if n := near - d; d > 0 && n >= at && same(n-1) != same(n) {
			places = append(places, n)
		}
	}
	return places
}

// drop tries to do without cover k: its bytes go to the covers beside it, or become literal.
func (s *search) drop(k int) bool {
	left, c, right := s.neighbour(k-1), s.covers[k], s.neighbour(k+1)
	const worth = 512
	if c.Length > worth {
		return false
	}
	at, end := left.NewEnd(), right.New
	middles := [][]cover.Cover{nil}
	whole := func(l cover.Cover, at, end int) cover.Cover {
		return cover.Cover{Old: at + l.Diagonal(), New: at, Length: end - at}
	}
	if k > 0 {
		middles = append(middles, []cover.Cover{whole(left, at, end)}, []cover.Cover{whole(left, at, c.NewEnd())})
	}
	if k+1 < len(s.covers) {
		middles = append(middles, []cover.Cover{whole(right, at, end)}, []cover.Cover{whole(right, c.New, end)})
	}
	if k > 0 && k+1 < len(s.covers) {
		if p := s.meet(left, right, at, end); p > at && p < end {
			middles = append(middles, []cover.Cover{whole(left, at, p), whole(right, p, end)})
		}
	}
	return s.try(at, end, middles...)
}

// meet returns the byte in at..end up to which left and from which on right has the most equal bytes.
func (s *search) meet(left, right cover.Cover, at, end int) int {
	equal := func(c cover.Cover, n int) int {
		if o := n + c.Diagonal(); o >= 0 && o < len(s.old) && s.old[o] == s.target[n] {
			return 1
		}
		return 0
	}
	best, place, sum := 0, at, 0
	for n := at; n < end; n++ {
		if sum += equal(left, n) - equal(right, n); sum > best {
			best, place = sum, n+1
		}
	}
	return place
}
