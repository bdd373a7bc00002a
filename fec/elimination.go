package fec

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/starling-fuota/starling/lorawan"
)

// elimination is the part of a decoder that knows which fragments came but not what is
// in them. Decoder adds the bytes, RankDecoder adds nothing: so both finish on the same
// fragment.
//
// Until the first coded fragment it marks uncoded ones as known. The first coded fragment
// freezes the holes ("lost columns"), numbered 0..lost-1 in ascending order, and from then
// on every row is reduced over the holes only:
//
//	hole     0 1 2 3 4
//	pivot 0  1 . . . .     rows[p] starts at word p/64, its lowest set bit is p
//	pivot 1    (none yet)
//	pivot 2      1 . .     the sum of bytes that belongs to pivot p is kept in the
//	pivot 3        (none)  image, in the place of the p-th lost fragment
//
// Invariants: rank = nbKnown + pivots; done if rank = nbFrag, or if it failed with
// FinishesOverLimit; a fragment that does not raise the rank changes no byte.
type elimination struct {
	version lorawan.Version
	limits  Limits
	nbFrag  int

	known   Row // uncoded fragments received before the first coded one
	nbKnown int
	highest int // highest uncoded number in known

	coded  bool  // the holes are frozen
	holes  []int // hole -> column
	rows   []Row // pivot -> reduced row, nil if there is none
	pivots int   // how many rows there are
	late   Row   // holes whose uncoded fragment came after all
	nbLate int

	row    Row   // scratch: a row over all columns
	vector Row   // scratch: a row over the holes
	used   []int // scratch: pivots that were XORed into vector

	frames     int // Add calls, those after the end too
	received   int // Add calls until the end
	lastN      int
	lost       int
	lbmMissing int
	done       bool
	failed     error
}

// action is what Add must do with the bytes of a fragment.
type action uint8

const (
	ignore  action = iota
	store          // uncoded: put it in its place, column
	combine        // XOR the known columns of row and the pivots used, keep it at column
)

// step tells a Decoder where the bytes go.
type step struct {
	action action
	column int // 0-based place in the image
	row    Row // combine: columns of the fragment, nil if there are none but holes
}

func newElimination(v lorawan.Version, nbFrag int, lim Limits) (elimination, error) {
	if err := checkVersion(v); err != nil {
		return elimination{}, err
	}
	if nbFrag < 1 || nbFrag > MaxFragments {
		return elimination{}, fmt.Errorf("fec: NbFrag %d, have 1..%d: %w", nbFrag, MaxFragments, ErrIndex)
	}
	return elimination{
		version:    v,
		limits:     lim,
		nbFrag:     nbFrag,
		known:      make(Row, (nbFrag+63)/64),
		lbmMissing: nbFrag,
	}, nil
}

// add takes fragment n. row, if not nil, is its parity row, made by the caller.
func (s *elimination) add(n int, row Row) (step, error) {
	if n < 1 || n > MaxFragments {
		return step{}, fmt.Errorf("fec: fragment N=%d, have 1..%d: %w", n, MaxFragments, ErrIndex)
	}
	if row != nil && len(row) != len(s.known) {
		return step{}, fmt.Errorf("fec: row of %d words for NbFrag %d: %w", len(row), s.nbFrag, ErrIndex)
	}
	s.frames++
	if s.done || s.failed != nil {
		return step{}, nil //nolint:nilerr // a decoder that is done or has failed drops what comes, Failed tells why
	}
	s.received++
	s.lastN = n
	if n <= s.nbFrag {
		return s.addUncoded(n), nil
	}
	if !s.coded && !s.freeze() {
		return step{}, nil
	}
	if row == nil {
		s.row = ParityRow(s.version, n-s.nbFrag, s.nbFrag, s.row)
		row = s.row
	}
	clear(s.vector)
	for i, column := range s.holes {
		s.vector[i>>6] |= (row[column>>6] >> (column & 63) & 1) << (i & 63)
	}
	if s.vector.first() < 0 {
		return step{}, nil
	}
	st := s.reduce(row)
	s.lbmMissing = s.needed()
	return st, nil
}

func (s *elimination) addUncoded(n int) step {
	column := n - 1
	switch {
	case s.limits.DropsLower && (s.coded || n < s.highest):
		return step{}
	case s.limits.SpoiledByUncoded && s.coded:
		s.failed = fmt.Errorf("fec: fragment N=%d: %w", n, ErrOrder)
		return step{}
	case s.known.Has(column):
		return step{}
	case s.coded:
		return s.addLate(column)
	}
	s.known.set(column)
	s.nbKnown++
	s.highest = max(s.highest, n)
	s.lost = s.highest - s.nbKnown
	s.done = s.nbKnown == s.nbFrag
	if !s.done {
		// A modem skips this update on completion: hence the 1 of StyleLBM.
		s.lbmMissing = s.needed()
	}
	return step{action: store, column: column}
}

// addLate takes an uncoded fragment for a hole: a row with one column. It cannot go to its
// place, where the sum of another row may be.
func (s *elimination) addLate(column int) step {
	hole, _ := slices.BinarySearch(s.holes, column)
	if !s.late.Has(hole) {
		s.late.set(hole)
		s.nbLate++
	}
	clear(s.vector)
	s.vector.set(hole)
	return s.reduce(nil)
}

// freeze numbers the holes when the first coded fragment arrives. It reports false if they
// are more than the decoder has memory for. A LoRaMac-node counts the losses at the end of
// the block one fragment late, after writing beyond its matrix; here they count at once.
func (s *elimination) freeze() bool {
	s.lost = s.nbFrag - s.nbKnown
	if room := s.limits.Lossable(s.nbFrag); s.lost > room {
		s.failed = fmt.Errorf("fec: %d of %d uncoded fragments lost, the decoder has room for %d: %w",
			s.lost, s.nbFrag, room, ErrMatrix)
		s.done = s.limits.FinishesOverLimit
		return false
	}
	s.coded = true
	s.holes = make([]int, 0, s.lost)
	for i := range s.nbFrag {
		if !s.known.Has(i) {
			s.holes = append(s.holes, i)
		}
	}
	words := (s.lost + 63) / 64
	s.rows = make([]Row, s.lost)
	s.vector = make(Row, words)
	s.late = make(Row, words)
	return true
}

// reduce eliminates vector against the rows and keeps what remains as a new row. row is
// handed on in the step.
func (s *elimination) reduce(row Row) step {
	s.used = s.used[:0]
	for {
		p := s.vector.first()
		if p < 0 {
			return step{} // nothing new: the bytes stay as they are
		}
		if s.rows[p] == nil {
			s.rows[p] = slices.Clone(s.vector[p>>6:])
			s.pivots++
			s.done = s.needed() == 0
			return step{action: combine, column: s.holes[p], row: row}
		}
		s.used = append(s.used, p)
		rest := s.vector[p>>6:]
		for i, w := range s.rows[p] {
			rest[i] ^= w
		}
	}
}

// needed returns how many independent fragments are still missing.
func (s *elimination) needed() int { return s.nbFrag - s.nbKnown - s.pivots }

// missing returns how many uncoded fragments are still unknown.
func (s *elimination) missing() int {
	if s.needed() == 0 {
		return 0
	}
	return s.nbFrag - s.nbKnown - s.nbLate
}

// first returns the lowest set column, -1 if there is none.
func (r Row) first() int {
	for i, w := range r {
		if w != 0 {
			return i<<6 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

func (r Row) set(i int) { r[i>>6] |= 1 << (i & 63) }
