package fec

import (
	"fmt"
	"math/bits"

	"github.com/starling-fuota/starling/lorawan"
)

// MaxFragments is the highest fragment number N: the field has 14 bits
// (TS004, DataFragment). Uncoded and coded fragments share it.
const MaxFragments = 16383

// MaxFragSize is the largest FragSize, one byte in FragSessionSetupReq (TS004).
const MaxFragSize = 255

const rowWords = (MaxFragments + 63) / 64

// Row is the set of uncoded fragments that are XORed into a coded one: a bitset, bit
// i%64 of word i/64 for fragment i+1, in ceil(M/64) words. A bitset and not a list of
// columns because half of all columns are set, and because decoders eliminate on it.
type Row []uint64

// Has reports whether column i, 0-based, is set.
func (r Row) Has(i int) bool { return r[i>>6]>>(i&63)&1 != 0 }

// Weight returns how many columns are set.
func (r Row) Weight() int {
	n := 0
	for _, w := range r {
		n += bits.OnesCount64(w)
	}
	return n
}

// ParityRow returns the columns of coded fragment k of a block of m uncoded fragments,
// as TS004 of version v generates them. It overwrites dst and returns it, grown if it
// was too short, so a loop allocates once; dst may be nil.
//
// k counts from 1 and the fragment travels as N = m+k. ParityRow panics if v is unknown
// or k or m is outside 1..MaxFragments: Encoder and Decoder refuse those with an error.
func ParityRow(v lorawan.Version, k, m int, dst Row) Row {
	if err := checkVersion(v); err != nil {
		panic(err)
	}
	if k < 1 || k > MaxFragments || m < 1 || m > MaxFragments {
		panic(fmt.Sprintf("fec: no row k=%d of m=%d", k, m))
	}
	words := (m + 63) / 64
	if cap(dst) < words {
		dst = make(Row, words)
	}
	dst = dst[:words]
	clear(dst)

	g := newGenerator(k, m)
	// V1 counts every draw, V2 only those that set a new column (TS004-2.0.0): the one
	// difference between the versions, and the reason that they cannot be mixed.
	if v == lorawan.V1 {
		for range m / 2 {
			r := g.next()
			dst[r>>6] |= 1 << (r & 63)
		}
		return dst
	}
	for left := m / 2; left > 0; {
		r := g.next()
		bit := uint64(1) << (r & 63)
		if dst[r>>6]&bit == 0 {
			dst[r>>6] |= bit
			left--
		}
	}
	return dst
}

// generator draws the columns of one row from a 23-bit shift register.
type generator struct {
	x, m, q uint32
	inverse uint64 // ceil(2^64/q): x mod q by two multiplications instead of a division
}

func newGenerator(k, m int) generator {
	q := uint32(m)
	// A power of two as modulus would only ever see the low bits of the register.
	if m&(m-1) == 0 {
		q++
	}
	return generator{x: 1 + 1001*uint32(k), m: uint32(m), q: q, inverse: ^uint64(0)/uint64(q) + 1}
}

// next returns the next column, 0..m-1. It ends because the register runs through
// all its states but 0, which it never enters.
func (g *generator) next() uint32 {
	for {
		g.x = g.x>>1 + ((g.x^g.x>>5)&1)<<22
		r, _ := bits.Mul64(g.inverse*uint64(g.x), uint64(g.q))
		if uint32(r) < g.m {
			return uint32(r)
		}
	}
}

func checkVersion(v lorawan.Version) error {
	if v != lorawan.V1 && v != lorawan.V2 {
		return fmt.Errorf("fec: TS004 version %d: %w", uint8(v), ErrVersion)
	}
	return nil
}
