package smartdelta

import (
	"bytes"

	"github.com/starling-fuota/starling/delta/detools"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
)

// Flash in place:
//
//	| slot, with the image that runs | scratch | journal |
func (c *Config) journal(f *flash) *journal {
	return &journal{f: f, at: c.Slot + c.Scratch, size: journalSize(c.Slot, c.Page)}
}

// pending returns the flash of a device that has written down that j is to be installed, as the
// application does before it asks for the reboot.
func (c *Config) pending(j job, u device.Update) (*flash, error) {
	f := newFlash(c.Slot+c.Scratch+journalSize(c.Slot, c.Page), c.Page, u.Running)
	f.losses = u.PowerLosses
	return f, c.journal(f).begin(j.name)
}

// boot is what the boot loader does when it starts: it begins or goes on with what is written down in the
// journal, and returns the image that is in the slot then. After device.ErrPowerLost it is called again.
func (c *Config) boot(f *flash, j job) ([]byte, error) {
	log := c.journal(f)
	busy, err := log.names(j.name)
	if err != nil {
		return nil, err
	}
	size := j.info.To
	if j.codec == envelope.Full {
		size = len(j.payload)
	}
	if busy {
		err = c.apply(f, log, j)
	}
	if err != nil {
		return nil, err
	}
	image, err := slot{f, 0, size}.image()
	if err == nil && j.sealed {
		err = j.header.CheckTarget(image)
	}
	if err == nil && busy {
		err = log.end()
	}
	return image, err
}

// apply takes all steps that are left.
func (c *Config) apply(f *flash, log *journal, j job) error {
	switch j.codec {
	case envelope.Full:
		// Nothing of the old image is needed, so copying can begin anew as often as it must.
		out := &pages{f: f, end: c.Slot}
		if _, err := out.Write(j.payload); err != nil {
			return err
		}
		return out.flush()
	case envelope.HPatchLiteInPlace:
		return c.applyHeldBack(f, log, j)
	}
	a, err := detools.NewApplier(segments{f, log}, bytes.NewReader(j.payload), c.detools())
	if err == nil {
		err = a.Run()
	}
	if err != nil {
		return patchError(err)
	}
	return nil
}

// segments is flash with its journal as package detools wants it.
type segments struct {
	f   *flash
	log *journal
}

var _ detools.Memory = segments{}

func (s segments) Read(p []byte, at int) error  { return s.f.read(p, at) }
func (s segments) Write(p []byte, at int) error { return s.f.write(p, at) }
func (s segments) Erase(at, n int) error        { return s.f.erase(at, n) }
func (s segments) Step() (int, error)           { return s.log.steps() }
func (s segments) SetStep(n int) error          { return s.log.mark(n) }
