package device

import "errors"

// Errors of an Installer that mean something to the device; any other makes an image corrupt (UpImageStatus 1).
var (
	// ErrForeign says that an image is authentic and for other hardware (UpImageStatus 2).
	ErrForeign = errors.New("device: image for other hardware")
	// ErrPowerLost says that power went away while flash changed. The image that runs is as it was.
	ErrPowerLost = errors.New("device: power was lost while flash changed")
)

// Update is a block that is firmware, with what the device knows when it has it. Nobody
// changes the bytes of its slices.
type Update struct {
	Block   []byte // as it came, without its padding
	Running []byte // the image that runs; nil: unknown
	Version uint32 // that runs, as DevVersionAns carries it

	// PowerLosses are the changes of flash during which power goes away, ascending, counted
	// from 1 from Prepare to the end of Boot: a change is a write or an erasure.
	PowerLosses []int
}

// Prepared is an update that waits for the reboot.
type Prepared struct {
	// Version is what the update says that it leads to; 0: what the session's Descriptor says.
	Version uint32

	// Boot is what the boot loader does. It returns the image that runs from then on and how often
	// power was lost on the way; after an error the old image runs.
	Boot func() (image []byte, losses int, err error)
}

// An Installer stands between a received block and the image that runs: it knows signatures,
// delta patches and the layout of flash. Package smartdelta has one. Devices of one
// simulation share it, and so it may remember what it did for the first of them.
type Installer interface {
	// Prepare looks at a complete block while the old image runs, and does what can be done
	// before the reboot. An error refuses the block; see ErrForeign. After ErrPowerLost the
	// device restarts, and prepares the block again if it still has it.
	Prepare(u Update) (Prepared, error)
}

// InstallerFunc is an Installer that makes the image at once and knows no loss of power.
type InstallerFunc func(block, running []byte) (image []byte, err error)

// Prepare calls f.
func (f InstallerFunc) Prepare(u Update) (Prepared, error) {
	image, err := f(u.Block, u.Running)
	if err != nil {
		return Prepared{}, err
	}
	return Prepared{Boot: func() ([]byte, int, error) { return image, 0, nil }}, nil
}
