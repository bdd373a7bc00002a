package detools

import (
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/delta/heatshrink"
)

// Errors of the package. They are wrapped with the place and the numbers.
var (
	// ErrOptions: no patch can be made so, the text says which option must change.
	ErrOptions = errors.New("detools: options do not go together")
	// ErrFormat: the patch is not one, or is damaged.
	ErrFormat = errors.New("detools: not a valid patch")
	// ErrTruncated: the patch ends before the image is whole.
	ErrTruncated = errors.New("detools: patch is too short")
	// ErrUnsupported: a patch of a kind that small devices do not know.
	ErrUnsupported = errors.New("detools: patch type or compression is not supported")
	// ErrBase: the patch reads what the old image does not have: it was made for another one.
	ErrBase = errors.New("detools: patch does not fit the old image")
	// ErrLimit: the patch asks for more than the limits allow.
	ErrLimit = errors.New("detools: patch is beyond the limits")
)

// Type is how a patch is applied.
type Type uint8

// The types of the format. Devices know the first two.
const (
	Sequential Type = 0
	InPlace    Type = 1
	HDiffPatch Type = 2
)

// String returns the name that the format's tools use.
func (t Type) String() string {
	switch t {
	case Sequential:
		return "sequential"
	case InPlace:
		return "in-place"
	case HDiffPatch:
		return "hdiffpatch"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Compression is how the stream of a patch is packed.
type Compression uint8

// The compressions of the format. The C library for devices knows the first three listed here and lzma,
// this package all but lzma, bz2, zstd and lz4.
const (
	None       Compression = 0
	CRLE       Compression = 2
	Heatshrink Compression = 4

	LZMA Compression = 1
	BZ2  Compression = 3
	Zstd Compression = 5
	LZ4  Compression = 6
)

// String returns the name that the format's tools use.
func (c Compression) String() string {
	names := [...]string{"none", "lzma", "crle", "bz2", "heatshrink", "zstd", "lz4"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("compression %d", uint8(c))
}

// supported returns an error that names what a device cannot do.
func supported(t Type, c Compression) error {
	if t != Sequential && t != InPlace {
		return fmt.Errorf("patch of %v, want sequential or in-place: %w", t, ErrUnsupported)
	}
	if c != None && c != CRLE && c != Heatshrink {
		return fmt.Errorf("packed with %v, want none, crle or heatshrink: %w", c, ErrUnsupported)
	}
	return nil
}

// Info is what the beginning of a patch tells.
type Info struct {
	Type        Type
	Compression Compression
	ToSize      int // bytes of the new image

	// Of in-place patches.
	Memory   int // bytes that the device has for the image, from its first byte on
	Segment  int // bytes that are erased and written at a time
	Shift    int // how far the old image is moved up first
	FromSize int // bytes of the old image

	// Of heatshrink: the pair that the decoder must be built for. Zero for others.
	Heatshrink heatshrink.Params
}

// RAM returns how many bytes the decompressor needs to remember on the device, beside its fixed state.
func (i Info) RAM() int {
	if i.Compression != Heatshrink {
		return 0
	}
	return 1 << i.Heatshrink.Window
}

// Survives returns how many bytes of the old image are still there after the shift of an in-place patch.
func (i Info) Survives() int { return min(i.FromSize, i.Memory-i.Shift) }

// Floor returns the first byte of the old image that may be read while the byte newPos of the new image
// is made: 0 for sequential patches.
func (i Info) Floor(newPos int) int {
	if i.Type != InPlace {
		return 0
	}
	return max(i.Segment*(newPos/i.Segment+1)-i.Shift, 0)
}

// Steps returns how many steps a device takes for an in-place patch: shifted and finished segments.
func (i Info) Steps() int {
	if i.Type != InPlace || i.ToSize == 0 {
		return 0
	}
	return i.shifts() + ceil(i.ToSize, i.Segment)
}

// shifts returns how many segments are moved.
func (i Info) shifts() int { return ceil(i.Survives(), i.Segment) }

// check returns an error when no device could follow the numbers of an in-place patch.
func (i Info) check() error {
	switch {
	case i.Type != InPlace:
		return nil
	case i.Segment <= 0:
		return fmt.Errorf("segments of %d bytes: %w", i.Segment, ErrFormat)
	case i.Memory%i.Segment != 0 || i.Shift%i.Segment != 0:
		return fmt.Errorf("memory %d and shift %d are not multiples of the segment %d: %w", i.Memory, i.Shift, i.Segment, ErrFormat)
	case i.Shift > i.Memory:
		return fmt.Errorf("shift %d is larger than the memory %d: %w", i.Shift, i.Memory, ErrFormat)
	case i.Shift == 0 && i.ToSize > 0 && i.FromSize > 0:
		return fmt.Errorf("no shift: a segment would be erased before it is moved: %w", ErrFormat)
	case i.FromSize > i.Memory || i.ToSize > i.Memory:
		return fmt.Errorf("images of %d and %d bytes in a memory of %d: %w", i.FromSize, i.ToSize, i.Memory, ErrFormat)
	}
	return nil
}

// ceil divides, upwards.
func ceil(a, b int) int { return (a + b - 1) / b }
