package hpatchlite

import (
	"fmt"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/tinyuz"
)

// Options say what the device can do.
type Options struct {
	// Compression of the payload.
	Compression Compression

	// Window is the dictionary in bytes, 1..2^30: RAM of the device. It has no meaning
	// without compression.
	Window int

	// LiteralLine says that the decompressor of the device knows literal lines.
	LiteralLine bool

	// DictField is the number of bytes of the dictionary size, 1..4; 0 means 4.
	DictField int

	// InPlace asks for version 2: the new image overwrites the old one.
	InPlace bool

	// Extra is the most bytes of output that the device holds back in place.
	Extra int

	// Margin is how many bytes before and after a cover the device reads as well, in
	// place: 4 if it presents a relocated view (delta.md, section 9). It is added to
	// what a cover needs of Extra.
	Margin int
}

func (o Options) check() error {
	switch {
	case o.Compression > Tinyuz:
		return fmt.Errorf("%v: %w", o.Compression, ErrUnsupported)
	case o.Compression == Tinyuz && (o.Window < 1 || o.Window > tinyuz.MaxWindow):
		return fmt.Errorf("dictionary of %d bytes, not 1..%d: %w", o.Window, tinyuz.MaxWindow, ErrRange)
	case o.DictField < 0 || o.DictField > 4:
		return fmt.Errorf("dictionary size of %d bytes, not 1..4: %w", o.DictField, ErrRange)
	case o.Extra < 0 || o.Extra > maxImage:
		return fmt.Errorf("%d bytes held back, not 0..%d: %w", o.Extra, maxImage, ErrRange)
	case o.Margin < 0 || o.Margin > 64:
		return fmt.Errorf("margin of %d bytes, not 0..64: %w", o.Margin, ErrRange)
	case !o.InPlace && (o.Extra > 0 || o.Margin > 0):
		return fmt.Errorf("bytes are held back in place only: %w", ErrRange)
	}
	return nil
}

// checkSizes is check with the sizes of the images.
func (o Options) checkSizes(old, target int) error {
	if err := o.check(); err != nil {
		return err
	}
	if old > maxImage || target > maxImage {
		return fmt.Errorf("images of %d and %d bytes, at most %d: %w", old, target, maxImage, ErrRange)
	}
	return nil
}

// tinyuz gives the options of the compressor.
func (o Options) tinyuz() tinyuz.Options {
	return tinyuz.Options{Window: o.Window, LiteralLine: o.LiteralLine, DictField: o.DictField}
}

// need is what a list of covers needs of Extra.
func (o Options) need(covers []cover.Cover) int {
	need := 0
	for _, c := range covers {
		need = max(need, c.New-c.Old+o.Margin)
	}
	return need
}

// Encode returns the patch that makes target of old by way of covers. Covers that do not
// fit the images are cover.ErrCovers, those that need more than Extra are ErrInPlace.
func Encode(old, target []byte, covers []cover.Cover, o Options) ([]byte, error) {
	return encode(old, target, covers, o, tinyuz.Encode)
}

// Size returns how many bytes Encode takes; of images above 128 KiB an estimate that is some
// per cent larger, for a tenth of the time.
func Size(old, target []byte, covers []cover.Cover, o Options) (int, error) {
	compress := tinyuz.Encode
	switch {
	case len(target) > largeSize:
		compress = tinyuz.EncodeRough
	case len(target) > wholeSize:
		compress = tinyuz.EncodeQuick
	}
	b, err := encode(old, target, covers, o, compress)
	return len(b), err
}

func encode(old, target []byte, covers []cover.Cover, o Options, compress func([]byte, tinyuz.Options) ([]byte, error)) ([]byte, error) {
	if err := o.checkSizes(len(old), len(target)); err != nil {
		return nil, err
	}
	if err := cover.Check(covers, len(old), len(target)); err != nil {
		return nil, err
	}
	h := Info{Compression: o.Compression, InPlace: o.InPlace, NewSize: len(target)}
	if o.InPlace {
		if h.Extra = o.need(covers); h.Extra > o.Extra {
			return nil, fmt.Errorf("covers need %d bytes held back, %d are allowed: %w", h.Extra, o.Extra, ErrInPlace)
		}
	}
	payload := appendPayload(nil, old, target, covers)
	if o.Compression == None {
		return append(h.append(nil), payload...), nil
	}
	h.PayloadSize = len(payload)
	stream, err := compress(payload, o.tinyuz())
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return append(h.append(nil), stream...), nil
}

// appendPayload appends the covers, and an empty one if they leave the end uncovered.
func appendPayload(b, old, target []byte, covers []cover.Cover) []byte {
	count := len(covers)
	tail := tailOf(covers, len(target))
	if tail > 0 {
		count++
	}
	b = appendVarint(b, count)
	oldEnd, newEnd := 0, 0
	for _, c := range covers {
		b = appendCover(b, old, target, oldEnd, newEnd, c)
		oldEnd, newEnd = c.OldEnd(), c.NewEnd()
	}
	if tail > 0 {
		b = appendCover(b, old, target, oldEnd, newEnd, cover.Cover{Old: oldEnd, New: len(target)})
	}
	return b
}

// tailOf is the number of bytes after the last cover.
func tailOf(covers []cover.Cover, size int) int {
	if len(covers) == 0 {
		return size
	}
	return size - covers[len(covers)-1].NewEnd()
}

// appendCover appends one cover after another one that ended at oldEnd and newEnd.
func appendCover(b, old, target []byte, oldEnd, newEnd int, c cover.Cover) []byte {
	same := string(old[c.Old:c.OldEnd()]) == string(target[c.New:c.NewEnd()])
	b = appendVarint(b, c.Length)
	b = appendTag(b, c.Old-oldEnd, same)
	b = appendVarint(b, c.New-newEnd)
	b = append(b, target[newEnd:c.New]...)
	if !same {
		for i := range c.Length {
			b = append(b, target[c.New+i]-old[c.Old+i])
		}
	}
	return b
}
