package smartdelta

import (
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
)

// job is a block that has passed all checks that come before flash is touched.
type job struct {
	name    [nameSize]byte // of the block
	payload []byte
	codec   envelope.Codec // Full: payload is the image
	header  envelope.Header
	sealed  bool // header is there: the block is an envelope
	info    delta.Info
}

// check makes the checks of docs/delta.md up to the base digest, in its order, and the rehearsal of a
// patch in place. Nothing is decoded before the signature is known to be right.
func (c *Config) check(u device.Update) (job, error) {
	j := job{payload: u.Block}
	var err error
	switch _, err = envelope.Parse(u.Block); {
	case errors.Is(err, envelope.ErrMagic):
		return c.bare(u)
	case err != nil:
		return j, err
	case c.Key == nil:
		return j, fmt.Errorf("envelope, and no key to verify it with: %w", ErrUnsigned)
	}
	j.sealed = true
	if j.header, j.payload, err = envelope.Open(u.Block, c.Key, c.device(u.Version), u.Running); err != nil {
		if errors.Is(err, envelope.ErrProfile) {
			err = fmt.Errorf("%w: %w", device.ErrForeign, err)
		}
		return j, err
	}
	if j.codec = j.header.Codec; j.codec == envelope.Full {
		return j, j.header.CheckTarget(j.payload)
	}
	if j.info, err = delta.Inspect(j.payload); err != nil {
		return j, fmt.Errorf("%w: %w", ErrPatch, err)
	}
	if j.info.Format.Codec() != j.codec {
		return j, fmt.Errorf("patch is %s, the envelope says %s: %w", j.info.Format, j.codec, ErrPatch)
	}
	return j, c.fits(j, u.Running)
}

// bare looks at a block without an envelope: a patch, if it can be nothing else, or an image.
func (c *Config) bare(u device.Update) (job, error) {
	j := job{payload: u.Block}
	info, patch := c.barePatch(u.Block, u.Running)
	if c.Bare && len(u.Block) > envelope.SignatureSize {
		if signed, err := envelope.VerifyBare(u.Block, c.Key); err == nil {
			j.payload = signed
			if j.info, err = delta.Inspect(signed); err != nil {
				return j, fmt.Errorf("%w: %w", ErrPatch, err)
			}
			return c.takeBare(j, u.Running)
		}
		if _, signed := c.barePatch(u.Block[:len(u.Block)-envelope.SignatureSize], u.Running); signed {
			return j, fmt.Errorf("bare patch: %w", envelope.ErrSignature)
		}
	}
	switch {
	case !patch && len(u.Block) > c.Slot:
		return j, fmt.Errorf("image of %d bytes, the slot has %d: %w", len(u.Block), c.Slot, envelope.ErrTooLarge)
	case !patch:
		return j, nil // as images came before there were patches
	case !c.Unsigned:
		return j, fmt.Errorf("%s patch without an envelope: %w", info.Format, ErrUnsigned)
	}
	j.info = info
	return c.takeBare(j, u.Running)
}

// takeBare checks a patch without an envelope against what the device has.
func (c *Config) takeBare(j job, running []byte) (job, error) {
	j.codec = j.info.Format.Codec()
	if err := c.device(0).Room(envelope.Header{Codec: j.codec, TargetSize: uint32(j.info.To)}); err != nil {
		return j, err
	}
	return j, c.fits(j, running)
}

// barePatch reports whether a block is a patch. HPatchLite is known by its first bytes. Vector tables can
// begin like a detools patch, but only patches lead to their own end; a device would know by its boot
// loader, to which a patch is no image.
func (c *Config) barePatch(block, running []byte) (delta.Info, bool) {
	info, err := delta.Inspect(block)
	if err == nil && (info.Format == delta.Detools || info.Format == delta.DetoolsInPlace) {
		_, _, err = delta.Apply(running, block, delta.Limits{Image: 4 * c.Slot, DictField: c.DictField})
	}
	return info, err == nil
}

// fits checks a patch against flash and RAM. One in place is rehearsed: decoded without writing, so that
// what is begun later can be ended.
func (c *Config) fits(j job, running []byte) error {
	i := j.info
	switch {
	case len(running) > c.Slot:
		return fmt.Errorf("running image of %d bytes, the slot has %d: %w", len(running), c.Slot, envelope.ErrTooLarge)
	case i.Window > c.Window:
		return fmt.Errorf("window of %d bytes, RAM for %d: %w", i.Window, c.Window, envelope.ErrTooLarge)
	case i.Extra > c.Extra:
		return fmt.Errorf("%d bytes held back, RAM for %d: %w", i.Extra, c.Extra, envelope.ErrTooLarge)
	case i.Format == delta.DetoolsInPlace && i.Memory > c.Slot:
		return fmt.Errorf("memory of %d bytes, the slot has %d: %w", i.Memory, c.Slot, envelope.ErrTooLarge)
	case i.Format == delta.DetoolsInPlace && (i.Segment < c.Page || i.Segment%c.Page != 0):
		return fmt.Errorf("segments of %d bytes, pages of %d: %w", i.Segment, c.Page, ErrPages)
	case i.Format == delta.HPatchLiteInPlace && c.Scratch < 2*c.recordSize(i.Extra):
		return fmt.Errorf("%d bytes of scratch flash, %d are needed to keep what is held back: %w", c.Scratch, 2*c.recordSize(i.Extra), ErrUnsafe)
	case c.Layout == TwoSlots:
		return nil
	}
	made, _, err := delta.Apply(running, j.payload, c.limits())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPatch, err)
	}
	if !j.sealed {
		return nil // and nothing to compare with
	}
	return j.header.CheckTarget(made)
}
