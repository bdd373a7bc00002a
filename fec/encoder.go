package fec

import (
	"crypto/subtle"
	"fmt"
	"math/bits"

	"github.com/starling-fuota/starling/lorawan"
)

// Encoder makes the fragments of one block. It is immutable and safe for concurrent use.
type Encoder struct {
	version  lorawan.Version
	block    []byte
	last     []byte // fragment NbFrag with its zero padding
	nbFrag   int
	fragSize int
}

// NewEncoder prepares block for fragments of fragSize bytes, 1..255. The encoder keeps
// block, which must not change, and copies no more than the last fragment.
//
// It returns ErrBlock if block is empty or needs more than MaxFragments fragments; the
// error then names the FragSize that would do. A block that takes all numbers leaves none
// for coded fragments: ChooseFragSize keeps room.
func NewEncoder(v lorawan.Version, block []byte, fragSize int) (*Encoder, error) {
	if err := checkVersion(v); err != nil {
		return nil, err
	}
	nbFrag, err := nbFragOf(len(block), fragSize)
	if err != nil {
		return nil, err
	}
	e := &Encoder{version: v, block: block, nbFrag: nbFrag, fragSize: fragSize}
	e.last = make([]byte, fragSize)
	copy(e.last, block[(nbFrag-1)*fragSize:])
	return e, nil
}

// nbFragOf returns how many fragments of fragSize bytes hold blockLen bytes.
func nbFragOf(blockLen, fragSize int) (int, error) {
	if blockLen < 1 {
		return 0, fmt.Errorf("fec: the block is empty: %w", ErrBlock)
	}
	if blockLen > MaxFragments*MaxFragSize {
		return 0, fmt.Errorf("fec: block of %d bytes, no FragSize fits more than %d bytes: %w",
			blockLen, MaxFragments*MaxFragSize, ErrBlock)
	}
	fits := (blockLen + MaxFragments - 1) / MaxFragments
	if fragSize < 1 || fragSize > MaxFragSize {
		return 0, fmt.Errorf("fec: FragSize %d, this block of %d bytes needs %d to %d: %w",
			fragSize, blockLen, fits, MaxFragSize, ErrBlock)
	}
	nbFrag := (blockLen + fragSize - 1) / fragSize
	if nbFrag > MaxFragments {
		return 0, fmt.Errorf("fec: block of %d bytes is %d fragments of %d bytes, more than %d; FragSize %d would fit: %w",
			blockLen, nbFrag, fragSize, MaxFragments, fits, ErrBlock)
	}
	return nbFrag, nil
}

// NbFrag returns M, the number of uncoded fragments, 1..MaxFragments.
func (e *Encoder) NbFrag() int { return e.nbFrag }

// FragSize returns the size of every fragment in bytes.
func (e *Encoder) FragSize() int { return e.fragSize }

// Padding returns how many zero bytes end the last uncoded fragment, 0..FragSize-1.
func (e *Encoder) Padding() int { return e.nbFrag*e.fragSize - len(e.block) }

// Fragment appends fragment n to dst: FragSize bytes, uncoded for n up to NbFrag, coded
// above. Any n can be asked for at any time. It returns ErrIndex, and dst unchanged, if n
// is outside 1..MaxFragments.
//
// A coded fragment costs NbFrag/2 XORs of FragSize bytes and no allocation but dst's.
func (e *Encoder) Fragment(n int, dst []byte) ([]byte, error) {
	if n < 1 || n > MaxFragments {
		return dst, fmt.Errorf("fec: fragment N=%d, have 1..%d: %w", n, MaxFragments, ErrIndex)
	}
	if n <= e.nbFrag {
		return append(dst, e.uncoded(n-1)...), nil
	}
	var words [rowWords]uint64
	row := ParityRow(e.version, n-e.nbFrag, e.nbFrag, words[:])
	start := len(dst)
	dst = append(dst, zeroFragment[:e.fragSize]...)
	sum := dst[start:]
	for w, set := range row {
		for ; set != 0; set &= set - 1 {
			subtle.XORBytes(sum, sum, e.uncoded(w<<6+bits.TrailingZeros64(set)))
		}
	}
	return dst, nil
}

var zeroFragment [MaxFragSize]byte

// uncoded returns fragment i, 0-based, without copying it.
func (e *Encoder) uncoded(i int) []byte {
	if i == e.nbFrag-1 {
		return e.last
	}
	return e.block[i*e.fragSize : (i+1)*e.fragSize]
}
