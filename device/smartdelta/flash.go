package smartdelta

import (
	"fmt"

	"github.com/starling-fuota/starling/device"
)

// flash is the flash of a microcontroller: pages are erased to ff, and what is erased can be
// written once. As on parts with error correction, zeros can be written over anything.
//
// Every erasure of a page and every write counts as a change. Power can go away during one: then half of it
// has happened, what stands at the edge is neither, and nothing works until power is back.
type flash struct {
	b       []byte
	written []bool
	page    int

	changes int
	losses  []int // changes during which power goes, ascending
	lost    int   // losses so far
	dead    bool
}

// newFlash returns flash that begins with an image and is erased behind it.
func newFlash(size, page int, image []byte) *flash {
	f := &flash{b: make([]byte, size), written: make([]bool, size), page: page}
	for i := range f.b {
		f.b[i] = 0xff
	}
	copy(f.b, image)
	for i := range image {
		f.written[i] = true
	}
	return f
}

// check returns ErrPowerLost or ErrFlash if n bytes cannot be reached.
func (f *flash) check(at, n int) error {
	switch {
	case f.dead:
		return device.ErrPowerLost
	case at < 0 || n < 0 || at+n > len(f.b):
		return fmt.Errorf("%d bytes from %d, flash has %d: %w", n, at, len(f.b), ErrFlash)
	}
	return nil
}

// change counts a change of n bytes, and returns how many of them happen.
func (f *flash) change(n int) (int, error) {
	f.changes++
	if f.lost < len(f.losses) && f.changes >= f.losses[f.lost] {
		f.lost++
		f.dead = true
		return n / 2, fmt.Errorf("change %d: %w", f.changes, device.ErrPowerLost)
	}
	return n, nil
}

// powerUp makes flash work again.
func (f *flash) powerUp() { f.dead = false }

// read fills p from address at on.
func (f *flash) read(p []byte, at int) error {
	if err := f.check(at, len(p)); err != nil {
		return err
	}
	copy(p, f.b[at:])
	return nil
}

// write programs p at an address.
func (f *flash) write(p []byte, at int) error {
	if err := f.check(at, len(p)); err != nil {
		return err
	}
	for i, b := range p {
		if b != 0 && f.written[at+i] {
			return fmt.Errorf("byte %d is written and was not erased: %w", at+i, ErrFlash)
		}
	}
	n, err := f.change(len(p))
	copy(f.b[at:], p[:n])
	for i := range n {
		f.written[at+i] = true
	}
	if err != nil && n < len(p) {
		f.b[at+n] &= p[n] | 0x55 // neither
		f.written[at+n] = true
	}
	return err
}

// erase erases the pages that n bytes from at on are in; at begins one of them.
func (f *flash) erase(at, n int) error {
	end := (at + n + f.page - 1) / f.page * f.page
	if at%f.page != 0 {
		return fmt.Errorf("erasure at %d, inside a page of %d: %w", at, f.page, ErrFlash)
	}
	if err := f.check(at, end-at); err != nil {
		return err
	}
	for ; at < end; at += f.page {
		n, err := f.change(f.page)
		for i := at; i < at+n; i++ {
			f.b[i], f.written[i] = 0xff, false
		}
		if err != nil {
			f.b[at+n] |= 0x55
			return err
		}
	}
	return nil
}

// slot is an image in flash, as decoders read it.
type slot struct {
	f        *flash
	at, size int
}

// ReadAt implements io.ReaderAt.
func (s slot) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(s.size) || len(p) > s.size-int(off) {
		return 0, fmt.Errorf("%d bytes from %d of an image of %d: %w", len(p), off, s.size, ErrFlash)
	}
	if err := s.f.read(p, s.at+int(off)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// image returns the bytes, read back.
func (s slot) image() ([]byte, error) {
	b := make([]byte, s.size)
	return b, s.f.read(b, s.at)
}

// pages writes one page after the other, each as it is full.
type pages struct {
	f    *flash
	at   int // of the next page
	end  int // of the slot
	page []byte
}

// Write implements io.Writer.
func (w *pages) Write(p []byte) (int, error) {
	w.page = append(w.page, p...)
	for len(w.page) >= w.f.page {
		if err := w.put(w.f.page); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// flush writes what does not fill a page.
func (w *pages) flush() error {
	if len(w.page) == 0 {
		return nil
	}
	return w.put(len(w.page))
}

func (w *pages) put(n int) error {
	if w.at+n > w.end {
		return fmt.Errorf("page at %d, the slot ends at %d: %w", w.at, w.end, ErrFlash)
	}
	if err := w.f.erase(w.at, n); err != nil {
		return err
	}
	if err := w.f.write(w.page[:n], w.at); err != nil {
		return err
	}
	w.at += n
	w.page = append(w.page[:0], w.page[n:]...)
	return nil
}
