package fec

import "github.com/starling-fuota/starling/lorawan"

// RankDecoder finishes on the same fragment as a Decoder and reports the same, but keeps
// no bytes: for simulations of fleets that would not fit in memory. It needs NbFrag/8 bytes
// and, once a coded fragment came, lost^2/16. It is not safe for concurrent use.
type RankDecoder struct {
	elimination
}

// NewRankDecoder returns a decoder for a session of nbFrag fragments. Limits on bytes
// (FragSize, BlockSize) are not its business: Limits.Check has them.
func NewRankDecoder(v lorawan.Version, nbFrag int, lim Limits) (*RankDecoder, error) {
	if lim.NbFrag > 0 && nbFrag > lim.NbFrag {
		return nil, lim.Check(nbFrag, lim.MinFragSize)
	}
	s, err := newElimination(v, nbFrag, lim)
	if err != nil {
		return nil, err
	}
	return &RankDecoder{s}, nil
}

// Add takes the arrival of fragment n and reports whether the decoder is done. The only
// error is ErrIndex, for n outside 1..MaxFragments.
func (d *RankDecoder) Add(n int) (done bool, err error) { return d.AddRow(n, nil) }

// AddRow is Add with the row of coded fragment n at hand, ParityRow(v, n-NbFrag, NbFrag,
// nil), so that a simulation makes it once for the whole fleet. It only reads row, and
// returns ErrIndex if its length belongs to another NbFrag.
func (d *RankDecoder) AddRow(n int, row Row) (done bool, err error) {
	if _, err := d.add(n, row); err != nil {
		return d.done, err
	}
	if d.done {
		d.release()
	}
	return d.done, nil
}
