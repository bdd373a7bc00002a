package device

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

// A Crowd is what many devices of one simulation have in common, kept once. A device of a
// crowd does what it would do alone, at the same times and with the same luck: it decides by
// itself what it hears, has its own counters, keys, clock and decoder. But it keeps ranks
// instead of bytes: it knows which fragments it has, and the crowd knows what was in them.
//
//	             alone                          in a crowd
//	frame        checked, decrypted, parsed     by the first device that gets it
//	group keys   expanded                       by the first device that has the group
//	parity row   generated                      by the first device that hears the fragment
//	decoder      image and matrix               matrix (fec.RankDecoder)
//	block        the decoder's image            the crowd's, one for all
//
// The blocks that fragments are cut from must be told to it, because ranks do not make bytes: see
// Add. Its devices belong to one goroutine at a time, like one device.
type Crowd struct {
	groups map[groupKeys]*lorawan.Session
	opened openedFrame
	rows   map[rowsOf][]fec.Row // by k-1; nil: not needed so far
	blocks []*crowdBlock
	origin fragmentOrigin
}

// MaxCrowdBlocks is how many different blocks a crowd can know.
const MaxCrowdBlocks = 64

// ErrCrowd means that a crowd knows MaxCrowdBlocks blocks already.
var ErrCrowd = errors.New("the crowd knows too many blocks")

// NewCrowd returns a crowd that knows no block.
func NewCrowd() *Crowd {
	return &Crowd{groups: map[groupKeys]*lorawan.Session{}, rows: map[rowsOf][]fec.Row{}}
}

// Add tells the crowd of a block before its fragments are sent, as it is before it is cut and padded. It must
// not change any more. A device that completes one that the crowd does not know, or takes fragments of
// several for one, has no block: its MIC is wrong in version 2 of TS004, its image is corrupt, and Image is nil.
// To add a block twice changes nothing. It returns ErrCrowd for one too many.
func (c *Crowd) Add(block []byte) error {
	switch {
	case slices.ContainsFunc(c.blocks, func(b *crowdBlock) bool { return bytes.Equal(b.block, block) }):
		return nil
	case len(c.blocks) == MaxCrowdBlocks:
		return fmt.Errorf("device: block of %d bytes: %w", len(block), ErrCrowd)
	}
	c.blocks = append(c.blocks, &crowdBlock{block: block})
	c.origin = fragmentOrigin{} // may come from this one
	return nil
}

// Format prints "crowd" and its size under every verb: what is inside has keys.
func (c *Crowd) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "crowd with %d multicast groups and %d blocks", len(c.groups), len(c.blocks))
}

// groupKeys is a multicast group by what its keys come from.
type groupKeys struct {
	addr lorawan.DevAddr
	key  lorawan.AES128Key
}

// session returns the keys of a group, expanded once.
func (c *Crowd) session(addr lorawan.DevAddr, key lorawan.AES128Key) *lorawan.Session {
	k := groupKeys{addr, key}
	s := c.groups[k]
	if s == nil {
		s = expandGroup(addr, key)
		c.groups[k] = s
	}
	return s
}

// openedFrame is the multicast frame that was opened last, and what came of it. Gateways send it at
// one instant, or one after the other, to all devices of the group.
type openedFrame struct {
	keys  *lorawan.Session
	upper uint64 // of FCnt: the bits that are not in the frame, as a receiver must add them
	phy   []byte
	frame lorawan.DataFrame
	err   error

	parsed   bool
	pkg      lorawan.PackageID
	version  lorawan.Version
	commands []lorawan.Command
	wrong    error // in the commands
}

// open is keys.Open, done once for all receivers that expect the same counter.
func (c *Crowd) open(keys *lorawan.Session, phy []byte, next uint32) (lorawan.DataFrame, error) {
	o := &c.opened
	upper := uint64(next >> 16)
	if len(phy) >= 8 && binary.LittleEndian.Uint16(phy[6:]) < uint16(next) {
		upper++ // as Session.Open counts
	}
	if o.keys != keys || o.upper != upper || !bytes.Equal(o.phy, phy) {
		c.opened = openedFrame{keys: keys, upper: upper, phy: append(o.phy[:0], phy...)}
		o.frame, o.err = keys.Open(phy, next)
	}
	return o.frame, o.err
}

// parse is parseDownlink for the payload of the frame that was opened last.
func (c *Crowd) parse(pkg lorawan.PackageID, v lorawan.Version) ([]lorawan.Command, error) {
	o := &c.opened
	if !o.parsed || o.pkg != pkg || o.version != v {
		o.parsed, o.pkg, o.version = true, pkg, v
		o.commands, o.wrong = parseDownlink(pkg, v, o.frame.FRMPayload)
	}
	return o.commands, o.wrong
}

// rowsOf names the parity rows of one kind of session.
type rowsOf struct {
	version lorawan.Version
	nbFrag  int
}

// row returns the parity row of fragment n, nil for one that has none.
func (c *Crowd) row(of rowsOf, n int) fec.Row {
	k := n - of.nbFrag
	if k < 1 || n > fec.MaxFragments {
		return nil
	}
	rows := c.rows[of]
	if k > len(rows) {
		rows = append(rows, make([]fec.Row, k-len(rows))...)
		c.rows[of] = rows
	}
	if rows[k-1] == nil {
		rows[k-1] = fec.ParityRow(of.version, k, of.nbFrag, nil)
	}
	return rows[k-1]
}

// crowdBlock is a block with the ways to cut it that have been met.
type crowdBlock struct {
	block []byte
	cuts  []*cut
}

// cut is a block in fragments of one size, under one version of the parity code.
type cut struct {
	encoder *fec.Encoder
	version lorawan.Version
	padded  []byte // the block with its padding, as a decoder has it
}

// as returns the block in fragments of a size, nil if it cannot be cut so.
func (b *crowdBlock) as(v lorawan.Version, fragSize int) *cut {
	for _, c := range b.cuts {
		if c.version == v && c.encoder.FragSize() == fragSize {
			return c
		}
	}
	e, err := fec.NewEncoder(v, b.block, fragSize)
	if err != nil {
		return nil
	}
	c := &cut{encoder: e, version: v, padded: append(slices.Clone(b.block), make([]byte, e.Padding())...)}
	b.cuts = append(b.cuts, c)
	return c
}

// blockSet is a set of blocks of a crowd, bit i for the one that was added as number i. Versions
// of one firmware have fragments in common, so one fragment can be of several.
type blockSet uint64

// fragmentOrigin is where the fragment can come from that was asked for last.
type fragmentOrigin struct {
	version lorawan.Version
	nbFrag  int
	n       int
	data    []byte
	blocks  blockSet
}

// originOf returns the blocks that fragment n of a session of nbFrag can come from.
func (c *Crowd) originOf(v lorawan.Version, nbFrag, n int, data []byte) blockSet {
	o := &c.origin
	if o.version == v && o.nbFrag == nbFrag && o.n == n && bytes.Equal(o.data, data) {
		return o.blocks
	}
	c.origin = fragmentOrigin{version: v, nbFrag: nbFrag, n: n, data: append(o.data[:0], data...)}
	for i, b := range c.blocks {
		as := b.as(v, len(data))
		if as == nil || as.encoder.NbFrag() != nbFrag {
			continue
		}
		if fragment, err := as.encoder.Fragment(n, nil); err == nil && bytes.Equal(fragment, data) {
			c.origin.blocks |= 1 << i
		}
	}
	return c.origin.blocks
}

// image returns a block of a set with its padding, nil if the set is empty.
func (c *Crowd) image(s blockSet, v lorawan.Version, fragSize int) []byte {
	if s == 0 {
		return nil
	}
	return c.blocks[bits.TrailingZeros64(uint64(s))].as(v, fragSize).padded
}
