package smartdelta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/detools"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/delta/hpatchlite"
	"github.com/starling-fuota/starling/delta/relocated"
	"github.com/starling-fuota/starling/device"
)

// inOtherSlot makes the new image in the slot that does not run, and returns it as flash has it.
func (c *Config) inOtherSlot(j job, u device.Update) ([]byte, error) {
	f := newFlash(2*c.Slot, c.Page, u.Running)
	f.losses = u.PowerLosses
	return c.decode(f, j, len(u.Running))
}

// decode goes through the patch once, from the old slot into the other one. A loss of power leaves the
// other slot half done; the next attempt begins with erasing it.
func (c *Config) decode(f *flash, j job, running int) ([]byte, error) {
	old := slot{f, 0, running}
	out := &pages{f: f, at: c.Slot, end: 2 * c.Slot}
	if err := c.stream(old, j, out); err != nil {
		return nil, patchError(err)
	}
	if err := out.flush(); err != nil {
		return nil, err
	}
	size := j.info.To
	if j.codec == envelope.Full {
		size = len(j.payload)
	}
	image, err := slot{f, c.Slot, size}.image()
	if err != nil || !j.sealed {
		return image, err
	}
	return image, j.header.CheckTarget(image)
}

// stream decodes a patch whose decoder reads the old image and writes the new one from the first byte to the last.
func (c *Config) stream(old slot, j job, out io.Writer) error {
	patch, size := bytes.NewReader(j.payload), int64(old.size)
	switch j.info.Format {
	case delta.HPatchLite:
		return hpatchlite.Apply(old, size, patch, out, c.hpatchlite())
	case delta.HPatchLiteRelocated:
		view, err := relocated.NewView(old, size, j.info.Map)
		if err != nil {
			return err
		}
		return hpatchlite.Apply(view, size, bytes.NewReader(j.payload[j.info.MapSize:]), out, c.hpatchlite())
	case delta.Detools:
		_, err := detools.Apply(out, old, old.size, patch, c.detools())
		return err
	}
	_, err := out.Write(j.payload) // the image itself
	return err
}

func (c *Config) hpatchlite() hpatchlite.Limits {
	return hpatchlite.Limits{Size: c.Slot, Window: c.Window, Extra: max(c.Extra, 1), DictField: c.DictField}
}

func (c *Config) detools() detools.Limits {
	return detools.Limits{Image: c.Slot, Window: min(max(bits.Len(uint(c.Window))-1, 4), 15)}
}

// patchError makes an error of a decoder one of this package. Those of flash stay what they are.
func patchError(err error) error {
	if errors.Is(err, device.ErrPowerLost) || errors.Is(err, ErrFlash) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrPatch, err)
}
