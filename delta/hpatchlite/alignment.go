package hpatchlite

import (
	"math"
	"sort"

	"github.com/starling-fuota/starling/delta/cover"
)

// A list of covers is a function from positions of the new image to alignments, constant
// between the ends of covers. The search changes it on intervals.

// literal is the alignment of a byte outside of all covers.
const literal = math.MinInt

// firstEnding returns the index of the first cover that ends behind position n.
func firstEnding(covers []cover.Cover, n int) int {
	return sort.Search(len(covers), func(i int) bool { return covers[i].NewEnd() > n })
}

// alignmentAt returns the alignment of the byte n.
func alignmentAt(covers []cover.Cover, n int) int {
	if k := firstEnding(covers, n); k < len(covers) && covers[k].New <= n {
		return covers[k].Diagonal()
	}
	return literal
}

// alignmentBefore returns the alignment of the last cover that ends at or before n.
func alignmentBefore(covers []cover.Cover, n int) int {
	if k := firstEnding(covers, n); k > 0 {
		return covers[k-1].Diagonal()
	}
	return literal
}

// alignmentAfter returns the alignment of the first cover that begins at or behind n.
func alignmentAfter(covers []cover.Cover, n int) int {
	k := sort.Search(len(covers), func(i int) bool { return covers[i].New >= n })
	if k < len(covers) {
		return covers[k].Diagonal()
	}
	return literal
}

// clip returns the parts of covers inside of from..to.
func clip(covers []cover.Cover, from, to int) []cover.Cover {
	var out []cover.Cover
	for k := firstEnding(covers, from); k < len(covers) && covers[k].New < to; k++ {
		c := covers[k]
		start, end := max(c.New, from), min(c.NewEnd(), to)
		out = append(out, cover.Cover{Old: start + c.Diagonal(), New: start, Length: end - start})
	}
	return out
}

// replace returns covers with the part from..to replaced by others, which lie in it.
func replace(covers []cover.Cover, from, to int, others []cover.Cover) []cover.Cover {
	out := make([]cover.Cover, 0, len(covers)+len(others)+2)
	out = append(out, clip(covers, 0, from)...)
	out = append(out, others...)
	out = append(out, clip(covers, to, math.MaxInt)...)
	return cover.Join(out)
}

// differing returns the intervals of a new image of size bytes on which two lists have
// different alignments.
func differing(a, b []cover.Cover, size int) [][2]int {
	var parts [][2]int
	for n := 0; n < size; {
		x, xEnd := stretchAt(a, n, size)
		y, yEnd := stretchAt(b, n, size)
		end := min(xEnd, yEnd)
		if x != y {
			if k := len(parts) - 1; k >= 0 && parts[k][1] == n {
				parts[k][1] = end
			} else {
				parts = append(parts, [2]int{n, end})
			}
		}
		n = end
	}
	return parts
}

// stretchAt returns the alignment at n and how far it goes.
func stretchAt(covers []cover.Cover, n, size int) (alignment, end int) {
	k := firstEnding(covers, n)
	switch {
	case k == len(covers):
		return literal, size
	case covers[k].New > n:
		return literal, covers[k].New
	}
	return covers[k].Diagonal(), covers[k].NewEnd()
}

// fingerprint distinguishes lists of covers.
func fingerprint(covers []cover.Cover) uint64 {
	h := uint64(len(covers))
	for _, c := range covers {
		for _, v := range [3]int{c.Old, c.New, c.Length} {
			h = (h ^ uint64(v)) * 0x9E3779B97F4A7C15
			h ^= h >> 29
		}
	}
	return h
}
