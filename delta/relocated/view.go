package relocated

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Margin is how many bytes before the ones that are asked for a view looks at, at most. What is patched in
// place holds back that many bytes more.
const Margin = before + wordSize - 1

// block is how many bytes of the old image a View works on at a time.
const block = 256

// View is the old image as it would look if everything had moved already that the map
// says. It can be read at any place and in any order; each read looks at no more of
// the old image than the words that it touches, 8 bytes before and 4 bytes after them.
type View struct {
	old  io.ReaderAt
	size uint32
	m    Map
}

// NewView returns the view of an image of size bytes. It returns ErrRange for a map that is
// not in order or an image of 2^31 bytes and more.
func NewView(old io.ReaderAt, size int64, m Map) (*View, error) {
	if size < 0 || size > math.MaxInt32 {
		return nil, fmt.Errorf("image of %d bytes: %w", size, ErrRange)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &View{old: old, size: uint32(size), m: m}, nil
}

// Size returns the length of the image in bytes, which is that of the old one.
func (v *View) Size() int64 { return int64(v.size) }

// ReadAt reads from the view; see io.ReaderAt.
func (v *View) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("view at %d: %w", off, ErrRange)
	}
	n := 0
	for n < len(b) && off < int64(v.size) {
		from := uint32(off) &^ (wordSize - 1)
		whole := min(off+int64(len(b)-n), int64(v.size)) - int64(from)
		var buffer [block]byte
		words := buffer[:min((whole+wordSize-1)&^(wordSize-1), block)]
		if err := v.fill(words, from); err != nil {
			return n, err
		}
		k := copy(b[n:], words[off-int64(from):min(whole, block)])
		n, off = n+k, off+int64(k)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// fill reads the words from the offset from on.
func (v *View) fill(words []byte, from uint32) error {
	var raw [block + before + after]byte
	w := raw[:len(words)+before+after]
	first := max(0, int64(from)-before)
	end := min(int64(from)+int64(len(words))+after, int64(v.size))
	part := w[first-int64(from)+before : end-int64(from)+before]
	if n, err := v.old.ReadAt(part, first); n < len(part) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("old image at %d: %w", first, err)
	}
	v.m.rewrite(words, w, from, v.size)
	return nil
}

// Apply returns the whole view of old. It returns ErrRange as NewView does.
func Apply(old []byte, m Map) ([]byte, error) {
	if len(old) > math.MaxInt32 {
		return nil, fmt.Errorf("image of %d bytes: %w", len(old), ErrRange)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m.apply(old), nil
}

// apply is Apply for a map that is in order.
func (m *Map) apply(old []byte) []byte {
	w := windowOf(old)
	view := make([]byte, len(w)-before-after)
	m.rewrite(view, w, 0, uint32(len(old)))
	return view[:len(old)]
}
