package device

import (
	"fmt"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// decoder is what a fragmentation session does with its fragments: *fec.Decoder has their bytes,
// *rankDecoder counts on the crowd for them.
type decoder interface {
	// Add takes fragment n and reports whether the decoder is done.
	Add(n int, data []byte) (done bool, err error)
	// Bytes returns the image, padding included, nil if it is not known.
	Bytes() []byte

	NbFrag() int
	Needed() int
	Failed() error
	Report() fec.Report
}

// newDecoder makes the decoder of a session, or returns an error if the stack would refuse it.
func (c *Config) newDecoder(req fragmentation.FragSessionSetupReq) (decoder, error) {
	v, limits := c.Packages.Fragmentation, c.Stack.Decoder
	if c.Crowd == nil {
		return fec.NewDecoder(v, int(req.NbFrag), int(req.FragSize), limits)
	}
	if req.FragSize < 1 {
		return nil, fmt.Errorf("device: FragSize 0: %w", fec.ErrFragment) // which ranks do not mind
	}
	if err := limits.Check(int(req.NbFrag), int(req.FragSize)); err != nil {
		return nil, err
	}
	ranks, err := fec.NewRankDecoder(v, int(req.NbFrag), limits)
	if err != nil {
		return nil, err
	}
	return &rankDecoder{RankDecoder: ranks, crowd: c.Crowd, version: v, fragSize: int(req.FragSize), blocks: ^blockSet(0)}, nil
}

// rankDecoder is the decoder of a device in a crowd.
type rankDecoder struct {
	*fec.RankDecoder
	crowd    *Crowd
	version  lorawan.Version
	fragSize int
	blocks   blockSet // that all fragments so far can come from
}

// Add finishes on the same fragment as the Add of a fec.Decoder. Only what raises the rank gets
// into an image, so only that must come from the right block.
func (d *rankDecoder) Add(n int, data []byte) (done bool, err error) {
	if len(data) != d.fragSize {
		return d.Done(), fmt.Errorf("device: fragment N=%d of %d bytes, the session has %d: %w", n, len(data), d.fragSize, fec.ErrFragment)
	}
	needed := d.Needed()
	done, err = d.AddRow(n, d.crowd.row(rowsOf{d.version, d.NbFrag()}, n))
	if d.Needed() == needed {
		return done, err
	}
	d.blocks &= d.crowd.originOf(d.version, d.NbFrag(), n, data)
	return done, err
}

// Bytes returns the block of the crowd that the fragments come from, once it is complete.
func (d *rankDecoder) Bytes() []byte {
	if !d.Done() || d.Failed() != nil {
		return nil
	}
	return d.crowd.image(d.blocks, d.version, d.fragSize)
}
