package heatshrink

import (
	"encoding/binary"
	"math/bits"
)

// Input made of patches is mostly zeros, where chains of equal beginnings would be as long as the window
// at every byte. So bytes inside a run are searched by what ends the run:
//
//	          i
//	... 0 0 0 0 0 0 0 7 1 ...      the rest of the run from i on is 4
//	    0 0 0 0 0 0 0 7 2          another place with the same rest can match beyond the run;
//	0 0 0 0 0 0 0 0 0 0 0          one with a longer rest matches four bytes and no more,
//	    0 0 3                      one with a shorter rest as many as that rest.
//
// Places with the same byte, the same rest and the same byte after it share a chain, which has one entry
// for each run. The byte before i has a longer rest unless i starts its run; then the runs of that byte
// in the window are walked for the longest.

// minRun is the rest of a run from which on it is searched as a run. Shorter ones go by their first bytes.
const minRun = 4

// effort bounds the search at each byte.
type effort struct {
	most   int // longer matches are as good as this one; runs are found in full length all the same
	places int // that are compared
}

// all finds every match that some lookahead of a window can use.
func all(window int) effort { return effort{most: 1 << (window - 1), places: 1 << window} }

// few is for weighing one input against another.
var few = effort{most: 256, places: 32}

// search fills length and distance.
func (m *Matches) search(e effort) {
	n := len(m.src)
	m.length, m.distance = make([]int32, n), make([]uint16, n)
	// The zeros before the start are a run like any other: positions are counted from their first.
	window := 1 << m.window
	hashBits := max(8, min(bits.Len(uint(n)), 16)) // as many chains as bytes: small inputs are searched very often
	s := searcher{
		src:     make([]byte, window+n),
		window:  window,
		effort:  e,
		keyLen:  Params{Window: m.window, Lookahead: 3}.tokenBits()/literalBits + 1,
		rest:    make([]int32, window+n),
		head:    make([]int32, 1<<hashBits),
		shift:   32 - hashBits,
		prev:    make([]int32, window+n),
		prevRun: make([]int32, window+n),
	}
	copy(s.src[window:], m.src)
	for i := len(s.src) - 1; i >= 0; i-- {
		s.rest[i] = 1
		if i+1 < len(s.src) && s.src[i+1] == s.src[i] {
			s.rest[i] = s.rest[i+1] + 1
		}
	}
	length, from := 0, 0
	for i := range s.src {
		if i >= window {
			length, from = s.longest(i, length-1, from+1)
			if length >= s.keyLen {
				m.length[i-window], m.distance[i-window] = int32(length), uint16(i-from-1)
			}
		}
		s.insert(i)
	}
}

// searcher finds longest matches in one pass.
type searcher struct {
	src    []byte // with a window of zeros ahead of it
	window int
	effort
	keyLen int     // shortest match that can be cheaper than literals, 1..3; chains have so many bytes in common
	rest   []int32 // of the run at each position
	head   []int32 // of each chain, the last position in it, plus one
	shift  int     // of a hash, to the number of a chain
	prev   []int32 // the position before it in the same chain, plus one
	runs   [256]int32
	// prevRun leads from the start of a run to the start of the run of the same byte before it, plus one.
	prevRun []int32
}

// hash tells which chain position i belongs to; false: too near to the end for one.
func (s *searcher) hash(i int) (uint32, bool) {
	var key uint32
	if rest := int(s.rest[i]); rest >= minRun {
		if i+rest >= len(s.src) {
			return 0, false // nothing follows the run that could match
		}
		key = uint32(s.src[i])<<24 ^ uint32(s.src[i+rest])<<16 ^ uint32(rest) ^ 0x9e3779b9
	} else {
		if i+s.keyLen > len(s.src) {
			return 0, false
		}
		for _, b := range s.src[i : i+s.keyLen] {
			key = key<<8 | uint32(b)
		}
	}
	return key * 2654435761 >> s.shift, true
}

func (s *searcher) insert(i int) {
	if int(s.rest[i]) >= s.keyLen && (i == 0 || s.src[i-1] != s.src[i]) {
		b := s.src[i]
		s.prevRun[i] = s.runs[b]
		s.runs[b] = int32(i) + 1
	}
	if h, ok := s.hash(i); ok {
		s.prev[i] = s.head[h]
		s.head[h] = int32(i) + 1
	}
}

// longest returns the longest match at i and where it is. The match of the byte before, less that byte,
// is known to be at known bytes long, at from: without it, periodic input would be compared over and over.
func (s *searcher) longest(i, known, from int) (length, at int) {
	if known > 0 && from >= i-s.window {
		length, at = s.extend(i, from, known), from
	}
	if n, j := s.longestRun(i); n > length {
		length, at = n, j
	}
	h, ok := s.hash(i)
	if !ok {
		return length, at
	}
	places := 0
	for j := int(s.head[h]) - 1; j >= i-s.window && j >= 0; j = int(s.prev[j]) - 1 {
		if places++; places > s.places {
			break
		}
		if length >= s.most || i+length >= len(s.src) {
			break // as long as can be
		}
		if !s.longer(i, j, length) {
			continue
		}
		same := 0
		if s.src[j] == s.src[i] {
			same = int(min(s.rest[i], s.rest[j]))
		}
		if n := s.extend(i, j, same); n > length {
			length, at = n, j
		}
	}
	return length, at
}

// extend returns how many bytes at i and j < i are the same; the first n are known to be.
func (s *searcher) extend(i, j, n int) int {
	end := min(len(s.src)-i, s.most)
	for ; n+8 <= end; n += 8 {
		if d := binary.LittleEndian.Uint64(s.src[i+n:]) ^ binary.LittleEndian.Uint64(s.src[j+n:]); d != 0 {
			return n + bits.TrailingZeros64(d)/8
		}
	}
	for n < end && s.src[j+n] == s.src[i+n] {
		n++
	}
	return n
}

// longer reports whether the match at j can be longer than length: the last bytes of such a match differ
// sooner than the first ones, which are zeros as a rule.
func (s *searcher) longer(i, j, length int) bool {
	if length < 7 {
		return s.src[j+length] == s.src[i+length]
	}
	return binary.LittleEndian.Uint64(s.src[j+length-7:]) == binary.LittleEndian.Uint64(s.src[i+length-7:])
}

// longestRun returns the longest match that ends with the run at i: what runs of its byte give.
func (s *searcher) longestRun(i int) (length, at int) {
	rest := int(s.rest[i])
	if s.src[i-1] == s.src[i] { // there is a whole window before the first byte
		return rest, i - 1
	}
	for j := int(s.runs[s.src[i]]) - 1; j >= 0 && length < rest; j = int(s.prevRun[j]) - 1 {
		start := max(j, i-s.window) // of a run that began before the window, the part inside it is left
		left := int(s.rest[j]) - (start - j)
		if left <= 0 {
			break
		}
		if n := min(left, rest); n > length {
			length, at = n, start
		}
	}
	return length, at
}
