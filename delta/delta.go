package delta

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/starling-fuota/starling/delta/envelope"
)

// Errors that callers test with errors.Is. They come wrapped with the numbers.
var (
	// ErrSame: there is nothing to send, the images are equal.
	ErrSame = errors.New("delta: the images are the same")
	// ErrEmpty: one of the images has no bytes.
	ErrEmpty = errors.New("delta: empty image")
	// ErrTooLarge: an image, or what a patch asks for, is beyond MaxImage or the limits.
	ErrTooLarge = errors.New("delta: too large")
	// ErrOptions: no patch can be made so, the text says which option must change.
	ErrOptions = errors.New("delta: options do not go together")
	// ErrFormat: no such format, or bytes that are no patch of any.
	ErrFormat = errors.New("delta: not a patch of a known format")
	// ErrApply: the patch is damaged, or it is for another old image.
	ErrApply = errors.New("delta: the patch cannot be applied")
)

// MaxImage is the largest image, in bytes, that a patch is made for or applied to.
const MaxImage = 16 << 20

// Bounds and defaults of Options.
const (
	MinCompression     = 4
	MaxCompression     = 31
	DefaultCompression = 11

	// DefaultSegment is the flash page that in-place detools patches are made for, in bytes.
	DefaultSegment = 4096

	// maxHeatshrink is the largest window of heatshrink, as the exponent of two.
	maxHeatshrink = 15
	// maxTinyuz is that of tinyuz: 31 is taken as 30.
	maxTinyuz = 30
)

// Options say what the device can do. The zero value asks for the smallest patch that a
// device with two slots and 2 KiB to spare decodes, by whichever of the libraries.
type Options struct {
	// Format of the patch; "" means Auto.
	Format Format

	// Compression is n where the decompressor may keep 2^n bytes in RAM: 4..31, 0 means 11.
	// A window that is longer than what it has to keep is made shorter. tinyuz takes up to
	// 30, heatshrink up to 15: more is refused if a detools format was asked for.
	Compression int

	// Window and Lookahead are the pair that a heatshrink decoder with static memory was
	// built for, as exponents of two: 4..15 and 3..Window-1. 0: the pair goes with the patch,
	// and the best within Compression is taken.
	Window, Lookahead int

	// LiteralLine says that the tinyuz decoder knows literal lines: a build option of its
	// library, on unless it was turned off.
	LiteralLine bool

	// DictField is how many bytes the tinyuz decoder reads of the dictionary size: 1..4, a
	// build option of its library. 0 means 4.
	DictField int

	// Extra is how many bytes of output a device can hold back in RAM for
	// HPatchLiteInPlace. 0 means 2^Compression.
	Extra int

	// Memory and Segment are those of DetoolsInPlace: the bytes of flash that the images
	// share, and how many are erased at a time. Segment 0 means 4096, Memory 0 the larger image
	// and two segments.
	Memory, Segment int

	// FlashBase is the address that the old image was linked for, for HPatchLiteRelocated.
	// 0: what its pointers say.
	FlashBase uint32

	// Compressors are those that the decoder was built with, by name; nil: all that the
	// format has. Sending the patch as it is, "none", needs no decompressor and is among them.
	Compressors []string

	// Allowed are the formats for Auto: those that the device has decoders for. nil:
	// HPatchLite and Detools, which need nothing but two slots.
	Allowed []Format
}

// check returns the options with the defaults filled in, or ErrOptions.
func (o Options) check() (Options, error) {
	if o.Format == "" {
		o.Format = Auto
	}
	if o.Compression == 0 {
		o.Compression = DefaultCompression
	}
	if o.Segment == 0 {
		o.Segment = DefaultSegment
	}
	if o.Allowed == nil {
		o.Allowed = []Format{HPatchLite, Detools}
	}
	if o.Format != Auto {
		o.Allowed = []Format{o.Format}
	}
	for _, f := range o.Allowed {
		if f.Codec() == envelope.Full {
			return o, fmt.Errorf("format %q: %w", f, ErrOptions)
		}
	}
	for _, c := range o.Compressors {
		if c != None && c != Tinyuz && c != CRLE && c != Heatshrink {
			return o, fmt.Errorf("compressor %q, want none, tinyuz, crle or heatshrink: %w", c, ErrOptions)
		}
	}
	detools := o.Format == Detools || o.Format == DetoolsInPlace
	switch {
	case len(o.Allowed) == 0:
		return o, fmt.Errorf("no format is allowed: %w", ErrOptions)
	case o.Compression < MinCompression || o.Compression > MaxCompression:
		return o, fmt.Errorf("compression %d, want %d to %d: %w", o.Compression, MinCompression, MaxCompression, ErrOptions)
	case detools && o.Compression > maxHeatshrink:
		return o, fmt.Errorf("compression %d, heatshrink knows windows of up to 2^%d bytes: %w", o.Compression, maxHeatshrink, ErrOptions)
	case (o.Window == 0) != (o.Lookahead == 0):
		return o, fmt.Errorf("window %d and lookahead %d of a static decoder, want both or none: %w", o.Window, o.Lookahead, ErrOptions)
	case o.Window != 0 && (o.Window < 4 || o.Window > maxHeatshrink || o.Lookahead < 3 || o.Lookahead >= o.Window):
		return o, fmt.Errorf("window %d and lookahead %d, want 4 to %d and 3 to one less than the window: %w", o.Window, o.Lookahead, maxHeatshrink, ErrOptions)
	case o.DictField < 0 || o.DictField > 4:
		return o, fmt.Errorf("dictionary size of %d bytes, want 1 to 4: %w", o.DictField, ErrOptions)
	case o.Extra < 0 || o.Memory < 0 || o.Segment < 0:
		return o, fmt.Errorf("extra %d, memory %d, segment %d: a size below zero: %w", o.Extra, o.Memory, o.Segment, ErrOptions)
	}
	return o, nil
}

// takes reports whether the device has a compressor.
func (o Options) takes(compressor string) bool {
	return o.Compressors == nil || slices.Contains(o.Compressors, compressor)
}

// Patch is a patch with what a device must know and have to apply it.
type Patch struct {
	Format     Format
	Compressor string // None, Tinyuz, CRLE or Heatshrink
	Bytes      []byte
	From, To   int // bytes of the images

	// RAM is how many bytes the decoder keeps beside its fixed state: the window of the
	// decompressor, and the output that is held back in place.
	RAM int

	// WindowLog is n where the window has at most 2^n bytes; 0 without one.
	WindowLog uint8

	// Codec is what an envelope calls Format.
	Codec envelope.Codec
}

// checkImages returns ErrEmpty, ErrTooLarge or ErrSame for images that have no patch.
func checkImages(old, target []byte) error {
	switch {
	case len(old) == 0 || len(target) == 0:
		return fmt.Errorf("images of %d and %d bytes: %w", len(old), len(target), ErrEmpty)
	case len(old) > MaxImage || len(target) > MaxImage:
		return fmt.Errorf("images of %d and %d bytes, at most %d: %w", len(old), len(target), MaxImage, ErrTooLarge)
	case bytes.Equal(old, target):
		return fmt.Errorf("%d bytes: %w", len(old), ErrSame)
	}
	return nil
}
