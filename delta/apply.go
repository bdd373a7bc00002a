package delta

import (
	"fmt"
	"math/bits"

	"github.com/starling-fuota/starling/delta/detools"
	"github.com/starling-fuota/starling/delta/hpatchlite"
	"github.com/starling-fuota/starling/delta/relocated"
)

// Limits bound what is done for a patch that somebody else made.
type Limits struct {
	Image     int // bytes of the new image; 0 means MaxImage
	Window    int // bytes of RAM for the decompressor; 0: no more than the image has
	Extra     int // bytes of output that are held back in place; 0: no more than the image has
	DictField int // bytes of the dictionary size of tinyuz, 1..4; 0 means 4
}

// Info is what the first bytes of a patch say.
type Info struct {
	Format     Format
	Compressor string // None, Tinyuz, CRLE or Heatshrink
	From       int    // bytes of the old image; 0 if the patch does not say
	To         int    // bytes of the new image
	Window     int    // bytes that the decompressor keeps, 0 if it keeps none
	Lookahead  int    // of heatshrink, exponent of two
	Extra      int    // of HPatchLiteInPlace: bytes of output held back in RAM

	// Of DetoolsInPlace, in bytes.
	Memory, Segment, Shift int

	// Of HPatchLiteRelocated.
	Map     relocated.Map
	MapSize int // bytes ahead of the patch
}

// RAM is how many bytes the decoder keeps beside its fixed state.
func (i Info) RAM() int { return i.Window + i.Extra }

// WindowLog is n where the window has at most 2^n bytes; 0 without one.
func (i Info) WindowLog() uint8 {
	if i.Window == 0 {
		return 0
	}
	return uint8(bits.Len(uint(i.Window - 1)))
}

// Inspect says what a bare patch is, of whichever format. It returns ErrFormat for bytes that
// are none, and reads the header only: what follows may be damaged all the same. The
// dictionary size of tinyuz is taken to have four bytes.
func Inspect(patch []byte) (Info, error) {
	info, _, err := split(patch, 0)
	return info, err
}

// Apply returns the image that a bare patch of any format makes of old, and what the patch
// says. The format is known by the first bytes. It returns ErrFormat, ErrTooLarge, or
// ErrApply, which wraps the error of the format's package.
//
// A bare patch does not know its base: that Apply succeeds for another old image is unlikely
// and possible. Open is for patches that know.
func Apply(old, patch []byte, l Limits) ([]byte, Info, error) {
	if l.Image == 0 {
		l.Image = MaxImage
	}
	info, rest, err := split(patch, l.DictField)
	if err != nil {
		return nil, info, err
	}
	switch {
	case len(old) > MaxImage:
		return nil, info, fmt.Errorf("old image of %d bytes, at most %d: %w", len(old), MaxImage, ErrTooLarge)
	case info.To > l.Image || info.Memory > 2*l.Image:
		return nil, info, fmt.Errorf("new image of %d bytes, at most %d: %w", max(info.To, info.Memory), l.Image, ErrTooLarge)
	case l.Window != 0 && info.Window > l.Window:
		return nil, info, fmt.Errorf("window of %d bytes, at most %d: %w", info.Window, l.Window, ErrTooLarge)
	case l.Extra != 0 && info.Extra > l.Extra:
		return nil, info, fmt.Errorf("%d bytes held back, at most %d: %w", info.Extra, l.Extra, ErrTooLarge)
	}
	var made []byte
	switch info.Format {
	case HPatchLite:
		made, err = hpatchlite.Decode(old, rest, l.hpatchlite())
	case HPatchLiteInPlace:
		made, err = applyInPlace(old, rest, info, l)
	case HPatchLiteRelocated:
		var view []byte
		if view, err = relocated.Apply(old, info.Map); err == nil {
			made, err = hpatchlite.Decode(view, rest, l.hpatchlite())
		}
	case Detools, DetoolsInPlace:
		made, err = detools.Decode(old, rest, detools.Limits{Image: max(info.To, info.Memory), Window: maxHeatshrink})
	}
	if err != nil {
		return nil, info, fmt.Errorf("%w: %w", ErrApply, err)
	}
	return made, info, nil
}

func (l Limits) hpatchlite() hpatchlite.Limits {
	return hpatchlite.Limits{Size: l.Image, DictField: l.DictField}
}

// applyInPlace overwrites a copy of the old image, as a device does.
func applyInPlace(old, patch []byte, info Info, l Limits) ([]byte, error) {
	memory := make([]byte, max(len(old), info.To))
	copy(memory, old)
	n, err := hpatchlite.ApplyInPlace(memory, len(old), patch, l.hpatchlite())
	return memory[:n], err
}

// split tells formats apart by their first bytes, and returns what follows the map.
//
//	'h' 'I'        HPatchLite
//	0x10 or 0x11   a map, if it can be read and is followed by HPatchLite
//	0x00..0x1f     detools: type in the high digit, compression in the low one
func split(patch []byte, dictField int) (Info, []byte, error) {
	if isHPatchLite(patch) {
		info, err := inspectHPatchLite(patch, dictField)
		return info, patch, err
	}
	if m, rest, err := relocated.Parse(patch); err == nil && isHPatchLite(rest) {
		info, err := inspectHPatchLite(rest, dictField)
		if err == nil && info.Format != HPatchLite {
			err = fmt.Errorf("a map ahead of a patch in place: %w", ErrFormat)
		}
		info.Format, info.Map, info.MapSize = HPatchLiteRelocated, m, len(patch)-len(rest)
		return info, rest, err
	}
	d, err := detools.Inspect(patch)
	if err != nil {
		return Info{}, nil, fmt.Errorf("%d bytes, neither HPatchLite nor detools: %w: %w", len(patch), ErrFormat, err)
	}
	info := Info{
		Format: Detools, Compressor: d.Compression.String(), From: d.FromSize, To: d.ToSize,
		Window: d.RAM(), Lookahead: d.Heatshrink.Lookahead, Memory: d.Memory, Segment: d.Segment, Shift: d.Shift,
	}
	if d.Type == detools.InPlace {
		info.Format = DetoolsInPlace
	}
	if d.Type != detools.Sequential && d.Type != detools.InPlace ||
		d.Compression != detools.None && d.Compression != detools.CRLE && d.Compression != detools.Heatshrink {
		return Info{}, nil, fmt.Errorf("detools patch, %v with %v, which devices do not decode: %w", d.Type, d.Compression, ErrFormat)
	}
	return info, patch, nil
}

func isHPatchLite(b []byte) bool { return len(b) >= 2 && b[0] == 'h' && b[1] == 'I' }

func inspectHPatchLite(patch []byte, dictField int) (Info, error) {
	h, err := hpatchlite.InspectField(patch, dictField)
	if err != nil {
		return Info{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	info := Info{Format: HPatchLite, Compressor: h.Compression.String(), To: h.NewSize, Window: h.Window, Extra: h.Extra}
	if h.InPlace {
		info.Format = HPatchLiteInPlace
	}
	return info, nil
}
