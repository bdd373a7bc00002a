package detools

import (
	"fmt"
	"io"
)

// Memory is the flash of a device with one slot, as much as an in-place patch names. Addresses count from
// the first byte of the image.
type Memory interface {
	// Read fills p from address at on.
	Read(p []byte, at int) error
	// Write programs bytes that are erased.
	Write(p []byte, at int) error
	// Erase erases n bytes, at least. It begins with a segment and never asks for more than one;
	// at the end of the image for less: the memory erases what it must, up to the end of the segment.
	Erase(at, n int) error

	// Step returns how many steps of the update under way are done; 0: none.
	Step() (int, error)
	// SetStep stores it, so that a reset leaves the old value or the new one.
	SetStep(n int) error
}

// Applier applies an in-place patch to a memory, one step at a time: first segments are moved up, the
// last one first, then the segments of the new image are made from the first to the last.
//
// A step that was cut by a reset is done again: it erases before it writes, and reads nothing that it
// erases. Steps are counted in the memory once they are done. After a reset a new Applier with the same
// patch reads it from the beginning, leaves out what is done, and goes on.
//
// The count stays at Info.Steps when the update is complete; whoever starts the image, or another update,
// sets it back to 0.
type Applier struct {
	s     *stream
	mem   Memory
	done  int // steps, as counted in the memory
	step  int // steps that this Applier has done or left out
	total int
	err   error
}

// NewApplier reads the header of the patch. Errors are those of Decode.
func NewApplier(mem Memory, patch io.Reader, limits Limits) (*Applier, error) {
	s, err := openStream(patch, limits)
	if err != nil {
		return nil, err
	}
	if s.Type != InPlace {
		return nil, fmt.Errorf("patch is %v, want in-place: %w", s.Type, ErrUnsupported)
	}
	a := &Applier{s: s, mem: mem, total: s.Steps()}
	if a.done, err = mem.Step(); err != nil {
		return nil, err
	}
	if a.done < 0 || a.done > a.total {
		return nil, fmt.Errorf("memory counts %d steps, the patch has %d: %w", a.done, a.total, ErrBase)
	}
	return a, nil
}

// Info is what the patch says of itself.
func (a *Applier) Info() Info { return a.s.Info }

// Progress returns how many steps are done, in the memory, and how many there are.
func (a *Applier) Progress() (done, total int) { return a.done, a.total }

// Run takes all steps that are left.
func (a *Applier) Run() error {
	for {
		more, err := a.Next()
		if err != nil || !more {
			return err
		}
	}
}

// Next takes one step, or reads past one that is done; false when the image is whole and the patch at its
// end. After an error it returns that error and does nothing more.
func (a *Applier) Next() (bool, error) {
	if a.err != nil {
		return false, a.err
	}
	var more bool
	more, a.err = a.next()
	return more, a.err
}

func (a *Applier) next() (bool, error) {
	shifts := a.s.shifts()
	switch {
	case a.step == a.total:
		return false, a.s.end()
	case a.step < shifts:
		if a.step >= a.done {
			if err := a.shift(shifts - 1 - a.step); err != nil {
				return false, fmt.Errorf("moving segment %d of %d: %w", shifts-1-a.step, shifts, err)
			}
		}
	default:
		if err := a.segment(a.step - shifts); err != nil {
			return false, fmt.Errorf("segment %d: %w", a.step-shifts, err)
		}
	}
	if a.step++; a.step > a.done {
		if err := a.mem.SetStep(a.step); err != nil {
			return false, err
		}
		a.done = a.step
	}
	return true, nil
}

// shift moves segment k of the old image up.
func (a *Applier) shift(k int) error {
	from := k * a.s.Segment
	to := from + a.s.Shift
	if err := a.mem.Erase(to, a.s.Segment); err != nil {
		return err
	}
	for n := 0; n < a.s.Segment; {
		b := a.s.buf[:min(len(a.s.buf), a.s.Segment-n)]
		if err := a.mem.Read(b, from+n); err != nil {
			return err
		}
		if err := a.mem.Write(b, to+n); err != nil {
			return err
		}
		n += len(b)
	}
	return nil
}

// segment makes segment k of the new image, or reads past it when it is made.
func (a *Applier) segment(k int) error {
	at := k * a.s.Segment
	m := image{
		size:  min(a.s.Segment, a.s.ToSize-at),
		from:  a.s.Floor(at),
		floor: a.s.Floor(at),
		ceil:  a.s.Survives(),
		read:  func(old []byte, from int) error { return a.mem.Read(old, from+a.s.Shift) },
		write: func(made []byte, to int) error { return a.mem.Write(made, at+to) },
	}
	if a.step < a.done {
		m.read = func([]byte, int) error { return nil } // may be overwritten by now, and is not needed
		m.write = m.read
		return a.s.build(m)
	}
	if err := a.mem.Erase(at, m.size); err != nil {
		return err
	}
	return a.s.build(m)
}
