package fec_test

import (
	"math/big"
	"math/rand/v2"

	"github.com/starling-fuota/starling/lorawan"
)

// Slow and plain second implementations, written from the specification's words, to hold
// the fast ones against. Columns are kept in big integers.

// slowRow is row k of m: TS004, with the remainder taken by division.
func slowRow(v lorawan.Version, k, m int) *big.Int {
	row := new(big.Int)
	modulus := m
	for p := 1; p <= m; p *= 2 {
		if p == m {
			modulus = m + 1
		}
	}
	x := 1 + 1001*k
	for count := 0; count < m/2; {
		r := m
		for r >= m {
			bit0, bit5 := x%2, x/32%2
			x /= 2
			if bit0 != bit5 {
				x += 1 << 22
			}
			r = x % modulus
		}
		if v == lorawan.V1 || row.Bit(r) == 0 {
			count++
		}
		row.SetBit(row, r, 1)
	}
	return row
}

// slowFragment is fragment n of the zero-padded block.
func slowFragment(v lorawan.Version, block []byte, m, size, n int) []byte {
	row := new(big.Int).SetBit(new(big.Int), n-1, 1)
	if n > m {
		row = slowRow(v, n-m, m)
	}
	out := make([]byte, size)
	for i := range m {
		for j := range size {
			if row.Bit(i) == 1 && i*size+j < len(block) {
				out[j] ^= block[i*size+j]
			}
		}
	}
	return out
}

// slowRank is the rank of the received rows over all m columns: Gaussian elimination
// that knows nothing of uncoded fragments, holes or order.
type slowRank struct {
	v      lorawan.Version
	m      int
	pivots map[int]*big.Int
}

func newSlowRank(v lorawan.Version, m int) *slowRank {
	return &slowRank{v: v, m: m, pivots: map[int]*big.Int{}}
}

func (s *slowRank) add(n int) (rank int) {
	row := new(big.Int).SetBit(new(big.Int), n-1, 1)
	if n > s.m {
		row = slowRow(s.v, n-s.m, s.m)
	}
	for row.Sign() != 0 {
		top := row.BitLen() - 1
		pivot, ok := s.pivots[top]
		if !ok {
			s.pivots[top] = row
			break
		}
		row = new(big.Int).Xor(row, pivot)
	}
	return len(s.pivots)
}

func randomBlock(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

var versions = []lorawan.Version{lorawan.V1, lorawan.V2}
