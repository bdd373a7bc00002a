package smartdelta

import (
	"crypto/sha256"
	"errors"

	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
)

// Installer installs full images and delta patches on devices of one kind. It is a device.Installer.
// Devices that share it belong to one goroutine at a time, like those of a device.Crowd.
type Installer struct {
	cfg      Config
	byBytes  map[[sha256.Size]byte]*shared
	byPlace  map[place]*shared
	outcomes map[question]outcome
}

// maxShared is how many images and blocks are remembered. A fleet has a few of each; one that has
// more pays with work and memory, not with correctness.
const maxShared = 64

// shared are bytes that many devices have.
type shared struct {
	bytes []byte
	sum   [sha256.Size]byte
}

// place tells slices apart without looking into them.
type place struct {
	first *byte
	size  int
}

// question is what the outcome depends on.
type question struct {
	block, running *shared
	version        uint32
}

// outcome is the answer, the same for all devices that have no loss of power.
type outcome struct {
	image   []byte
	version uint32
	err     error
}

// New returns the installer of devices of a kind, or ErrConfig.
func New(cfg Config) (*Installer, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	in := &Installer{cfg: cfg}
	in.forget()
	return in, nil
}

func (in *Installer) forget() {
	in.byBytes, in.byPlace, in.outcomes = map[[sha256.Size]byte]*shared{}, map[place]*shared{}, map[question]outcome{}
}

// share returns bytes that are equal to b, the same for all who ask.
func (in *Installer) share(b []byte) *shared {
	var at place
	if len(b) > 0 {
		at = place{&b[0], len(b)}
		if s := in.byPlace[at]; s != nil {
			return s
		}
	}
	sum := sha256.Sum256(b)
	s := in.byBytes[sum]
	if s == nil {
		s = &shared{bytes: b, sum: sum}
		in.byBytes[sum], in.byPlace[at] = s, s
	}
	return s
}

// Prepare makes all checks and, with two slots, the new image. It returns the errors of this
// package and of package envelope, device.ErrForeign together with envelope.ErrProfile, and
// device.ErrPowerLost; with each of them the running image is as it was.
func (in *Installer) Prepare(u device.Update) (device.Prepared, error) {
	if len(in.byBytes) > maxShared {
		in.forget()
	}
	block, running := in.share(u.Block), in.share(u.Running)
	u.Block, u.Running = block.bytes, running.bytes
	if len(u.PowerLosses) > 0 {
		return in.perform(u)
	}
	q := question{block, running, u.Version}
	o, known := in.outcomes[q]
	if !known {
		o = in.answer(u)
		in.outcomes[q] = o
	}
	if o.err != nil {
		return device.Prepared{}, o.err
	}
	return device.Prepared{Version: o.version, Boot: func() ([]byte, int, error) { return o.image, 0, nil }}, nil
}

// answer performs an update to its end.
func (in *Installer) answer(u device.Update) outcome {
	p, err := in.perform(u)
	if err != nil {
		return outcome{err: err}
	}
	image, _, err := p.Boot()
	return outcome{image: image, version: p.Version, err: err}
}

// perform prepares one update on the flash of one device.
func (in *Installer) perform(u device.Update) (device.Prepared, error) {
	j, err := in.cfg.check(u)
	if err != nil {
		return device.Prepared{}, err
	}
	p := device.Prepared{Version: uint32(j.header.TargetVersion)}
	if !j.sealed && j.codec == envelope.Full {
		p.Boot = func() ([]byte, int, error) { return u.Block, 0, nil }
		return p, nil
	}
	j.name = [nameSize]byte(in.share(u.Block).sum[:nameSize])
	if in.cfg.Layout == TwoSlots {
		image, err := in.cfg.inOtherSlot(j, u)
		if err != nil {
			return p, err
		}
		image = in.share(image).bytes
		p.Boot = func() ([]byte, int, error) { return image, 0, nil }
		return p, nil
	}
	// Flash is large, and the reboot may be far away: until then it is remembered by what made it.
	if _, err := in.cfg.pending(j, u); err != nil {
		return p, err
	}
	p.Boot = func() ([]byte, int, error) {
		f, err := in.cfg.pending(j, u)
		if err != nil {
			return nil, 0, err
		}
		image, err := in.cfg.boot(f, j)
		for errors.Is(err, device.ErrPowerLost) {
			f.powerUp()
			image, err = in.cfg.boot(f, j)
		}
		if err != nil {
			return nil, f.lost, err
		}
		return in.share(image).bytes, f.lost, nil
	}
	return p, nil
}
