package fec

import (
	"crypto/subtle"
	"fmt"
	"math/bits"

	"github.com/starling-fuota/starling/lorawan"
)

// Decoder rebuilds a block from the fragments that arrive, as a device does. It holds the
// image and, once a coded fragment came, a triangular matrix over the lost fragments:
// NbFrag*FragSize + lost^2/16 bytes. It is not safe for concurrent use.
type Decoder struct {
	elimination
	fragSize int
	image    []byte
	sum      []byte // scratch: one fragment
}

// NewDecoder returns a decoder for a session of nbFrag fragments of fragSize bytes.
// It returns ErrIndex or ErrFragment if they are not possible in TS004, and ErrLimit if a
// device with limits lim would refuse the session.
func NewDecoder(v lorawan.Version, nbFrag, fragSize int, lim Limits) (*Decoder, error) {
	s, err := newElimination(v, nbFrag, lim)
	if err != nil {
		return nil, err
	}
	if fragSize < 1 || fragSize > MaxFragSize {
		return nil, fmt.Errorf("fec: FragSize %d, have 1..%d: %w", fragSize, MaxFragSize, ErrFragment)
	}
	if err := lim.Check(nbFrag, fragSize); err != nil {
		return nil, err
	}
	return &Decoder{
		elimination: s,
		fragSize:    fragSize,
		image:       make([]byte, nbFrag*fragSize),
		sum:         make([]byte, fragSize),
	}, nil
}

// Add takes fragment n and reports whether the decoder is done. It does not keep data.
//
// Duplicates and fragments that bring nothing new change no byte; after the end or a
// failure everything is ignored. A wrong size is ErrFragment, a number outside
// 1..MaxFragments ErrIndex: both change nothing at all. A failure of the decoder itself is
// no error of Add; see Failed.
func (d *Decoder) Add(n int, data []byte) (done bool, err error) {
	if len(data) != d.fragSize {
		return d.done, fmt.Errorf("fec: fragment N=%d of %d bytes, the session has %d: %w", n, len(data), d.fragSize, ErrFragment)
	}
	st, err := d.add(n, nil)
	if err != nil {
		return d.done, err
	}
	switch st.action {
	case store:
		copy(d.fragment(st.column), data)
	case combine:
		d.combine(st, data)
		if d.done {
			d.substitute()
		}
	}
	return d.done, nil
}

// combine puts the sum of data, the known fragments of the row and the sums of the used
// pivots at the place of the new pivot.
func (d *Decoder) combine(st step, data []byte) {
	copy(d.sum, data)
	for w, set := range st.row {
		for set &= d.known[w]; set != 0; set &= set - 1 {
			subtle.XORBytes(d.sum, d.sum, d.fragment(w<<6+bits.TrailingZeros64(set)))
		}
	}
	for _, p := range d.used {
		subtle.XORBytes(d.sum, d.sum, d.fragment(d.holes[p]))
	}
	copy(d.fragment(st.column), d.sum)
}

// substitute solves the full triangle from the last hole to the first and lets the matrix go.
func (d *Decoder) substitute() {
	for p := len(d.rows) - 1; p >= 0; p-- {
		place := d.fragment(d.holes[p])
		for i, set := range d.rows[p] {
			for ; set != 0; set &= set - 1 {
				if q := (p>>6+i)<<6 + bits.TrailingZeros64(set); q != p {
					subtle.XORBytes(place, place, d.fragment(d.holes[q]))
				}
			}
		}
	}
	d.release()
}

func (d *Decoder) fragment(i int) []byte { return d.image[i*d.fragSize : (i+1)*d.fragSize] }

// Bytes returns the image, NbFrag*FragSize bytes: the block and its padding, which the
// caller cuts. It is the decoder's own memory. Before Done, the places of lost fragments
// hold zeros or intermediate sums; after a failure the image of a real device is wrong
// there too.
func (d *Decoder) Bytes() []byte { return d.image }

// FragSize returns the size of a fragment in bytes.
func (d *Decoder) FragSize() int { return d.fragSize }
