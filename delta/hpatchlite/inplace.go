package hpatchlite

import (
	"bytes"
	"fmt"
)

// ApplyInPlace makes the new image of the old one in memory[:oldSize] and overwrites
// it, as a device does in its flash: the last bytes of output, as many as the header
// says, wait in RAM. It returns the size of the new image, which must fit memory. After
// an error memory holds neither image.
func ApplyInPlace(memory []byte, oldSize int, patch []byte, limits Limits) (int, error) {
	if oldSize < 0 || oldSize > len(memory) {
		return 0, fmt.Errorf("old image of %d bytes in memory of %d: %w", oldSize, len(memory), ErrRange)
	}
	source := &byteSlice{b: patch}
	h, err := readHeader(source)
	switch {
	case err != nil:
		return 0, err
	case !h.InPlace:
		return 0, fmt.Errorf("plain patch: %w", ErrInPlace)
	case h.NewSize > len(memory):
		return 0, fmt.Errorf("new image of %d bytes in memory of %d: %w", h.NewSize, len(memory), ErrLimit)
	}
	out := &heldBack{memory: memory, extra: h.Extra}
	if err := apply(h, bytes.NewReader(memory[:oldSize]), int64(oldSize), source, out, limits); err != nil {
		return 0, err
	}
	out.flush()
	return h.NewSize, nil
}

// heldBack writes to memory what is older than the last extra bytes.
type heldBack struct {
	memory  []byte
	written int
	extra   int
	waiting []byte // from first on
	first   int
}

// Write never fails: the decoder does not put out more than the size in the header.
func (h *heldBack) Write(p []byte) (int, error) {
	h.waiting = append(h.waiting, p...)
	// What goes to memory now was put out extra bytes ago, or before.
	if over := len(h.waiting) - h.first - h.extra; over > 0 {
		h.written += copy(h.memory[h.written:], h.waiting[h.first:h.first+over])
		h.first += over
	}
	// The rest is moved down once that is less than what has gone: a byte is moved once on average.
	if h.first > len(h.waiting)/2 {
		h.waiting = append(h.waiting[:0], h.waiting[h.first:]...)
		h.first = 0
	}
	return len(p), nil
}

func (h *heldBack) flush() {
	h.written += copy(h.memory[h.written:], h.waiting[h.first:])
}
