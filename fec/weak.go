package fec

import (
	"math/bits"

	"github.com/starling-fuota/starling/lorawan"
)

// FirstDistinctRow returns after how many coded fragments, 1..limit, no two of m uncoded
// fragments are in exactly the same ones. As long as two are, a device that lost both
// cannot tell them apart, however many coded fragments it hears. It returns limit+1 if
// limit rows do not separate all columns; for some tiny m no number does.
//
// The answer is measured on the generator: m/2 draws a row, and no more rows than needed.
// It panics if v is unknown or m is outside 1..MaxFragments.
func FirstDistinctRow(v lorawan.Version, m, limit int) int {
	// Columns that are equal so far share a class. A row splits each class into those
	// that are in it, which get a new class, and those that are not, which keep theirs.
	class := make([]int32, m)
	split := make([]int32, 0, m) // class -> class of its members in this row, -1 if none
	size := make([]int32, 1, m)  // class -> members
	size[0] = int32(m)
	live := 1 // classes that have members
	var row Row
	for k := 1; k <= limit; k++ {
		row = ParityRow(v, k, m, row)
		split = split[:0]
		for range size {
			split = append(split, -1)
		}
		for i, c := range class {
			// Nobody left this class in this row yet and it has one member: nothing to split.
			if !row.Has(i) || split[c] < 0 && size[c] == 1 {
				continue
			}
			if split[c] < 0 {
				split[c] = int32(len(size))
				size = append(size, 0)
				live++
			}
			class[i] = split[c]
			size[split[c]]++
			if size[c]--; size[c] == 0 {
				live--
			}
		}
		if live == m {
			return k
		}
	}
	return limit + 1
}

// WeakCount reports whether m is a weak number of uncoded fragments: one whose columns stay
// equal for so many rows that redundancy explodes (at 10 % loss, m = 384 needs 54 % for
// what m = 385 does with 16 %, version 1).
//
// Columns drawn at random are distinct after about 2*log2(m) rows, and each row more halves
// the chance that they are not; the rule is 8 rows of grace. So 2 to 4 in 100 counts are
// weak, in both versions among them the multiples of 64 below 2048 that are not powers of
// two. Which others, and how weak, differs: 40 is weak in version 1 only, 640 is far worse
// in version 2. Numbers below 8 are always weak: their rows repeat.
//
// It costs 0.2 ms at m = 1000 and 4 ms at m = 16383, so there is no table to keep.
func WeakCount(v lorawan.Version, m int) bool {
	if m < minNbFrag {
		return true
	}
	limit := 2*bits.Len(uint(m)) + 8
	return FirstDistinctRow(v, m, limit) > limit
}

// minNbFrag is the fewest fragments that coding is of use for: with 1 the coded fragments
// are all zero, with 2 and 3 they are copies, and up to 7 few different ones exist.
const minNbFrag = 8
