package smartdelta

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
)

// Errors that callers test with errors.Is, beside those of package envelope, which are about
// envelopes. Each comes wrapped with what was found.
var (
	// ErrConfig: there can be no such device.
	ErrConfig = errors.New("smartdelta: device cannot be like this")
	// ErrUnsigned: a patch without an envelope, or any patch for a device without a key.
	ErrUnsigned = errors.New("smartdelta: the patch is not signed for this device")
	// ErrPatch: the patch cannot be decoded, or is not of the kind that its envelope says.
	ErrPatch = errors.New("smartdelta: the patch cannot be applied")
	// ErrPages: an in-place patch is for flash of other pages.
	ErrPages = errors.New("smartdelta: the patch is for flash of other pages")
	// ErrUnsafe: if power went while the patch is applied, neither image would be left.
	ErrUnsafe = errors.New("smartdelta: the patch would not survive a loss of power")
	// ErrFlash: flash was written that was not erased, or outside of what there is.
	ErrFlash = errors.New("smartdelta: flash misused")
)

// Layout is how many images flash has room for.
type Layout uint8

// The layouts.
const (
	TwoSlots Layout = iota // the new image is made in the other slot
	InPlace                // the new image overwrites the old one
)

// String returns "two-slots" or "in-place".
func (l Layout) String() string {
	if l == InPlace {
		return "in-place"
	}
	return "two-slots"
}

// Formats returns the formats that the layout has a use for.
func (l Layout) Formats() []delta.Format {
	if l == InPlace {
		return []delta.Format{delta.HPatchLiteInPlace, delta.DetoolsInPlace}
	}
	return []delta.Format{delta.HPatchLite, delta.HPatchLiteRelocated, delta.Detools}
}

// Defaults of Config.
const (
	DefaultSlot   = 1 << 20
	DefaultPage   = 2048
	DefaultWindow = 1 << 15
	DefaultExtra  = 4096
)

// Config is a kind of device: what its firmware was built with, and its flash. The zero value has
// two slots of 1 MiB and takes full images only.
type Config struct {
	// Key is the public half of the maker's Smart Delta key. A device without one takes no envelope.
	Key *ecdsa.PublicKey

	// Unsigned says that patches without envelope are taken, too. Nothing tells then which image
	// they are for, and any sender that the device listens to can have it decode anything.
	Unsigned bool

	// Bare says that patches come in bare mode, too: the patch, and the signature behind it. Whether they are for
	// this image and this hardware, and older than what runs, nobody looks at: the boot loader sees what comes of them.
	Bare bool

	Hardware   envelope.Profile // patches for other hardware, or for none in particular, are refused; zero: not looked at
	AnyVersion bool             // patches that lead to an older version, or to none that is said, are taken

	Layout Layout
	Slot   int // bytes of flash for an image, a multiple of Page; 0: DefaultSlot
	Page   int // bytes that are erased at a time, a power of two from 64 on; 0: DefaultPage

	// Scratch is flash beside the slot for what HPatchLite in place holds back, in bytes, a
	// multiple of Page. A patch takes two times a page and its own extra bytes, rounded up to pages.
	Scratch int

	// Formats are the decoders; nil: all that the layout has a use for.
	Formats []delta.Format
	// Window is the RAM for the decompressor, and Extra that for output which HPatchLite
	// holds back in place, in bytes; 0: DefaultWindow, DefaultExtra.
	Window, Extra int
	// DictField is how many bytes the tinyuz decoder reads of the dictionary size; 0: 4.
	DictField int
}

// complete returns the configuration with its defaults, or ErrConfig.
func (c Config) complete() (Config, error) {
	for _, d := range []struct {
		value *int
		or    int
	}{{&c.Slot, DefaultSlot}, {&c.Page, DefaultPage}, {&c.Window, DefaultWindow}, {&c.Extra, DefaultExtra}} {
		if *d.value == 0 {
			*d.value = d.or
		}
	}
	if c.Layout > InPlace {
		return c, fmt.Errorf("layout %d: %w", c.Layout, ErrConfig)
	}
	if c.Formats == nil {
		c.Formats = c.Layout.Formats()
	}
	for _, f := range c.Formats {
		if !slices.Contains(c.Layout.Formats(), f) {
			return c, fmt.Errorf("format %q with layout %s: %w", f, c.Layout, ErrConfig)
		}
	}
	switch {
	case c.Page < 64 || c.Page&(c.Page-1) != 0:
		return c, fmt.Errorf("pages of %d bytes, want a power of two from 64 on: %w", c.Page, ErrConfig)
	case c.Slot < c.Page || c.Slot%c.Page != 0 || c.Slot > delta.MaxImage:
		return c, fmt.Errorf("slot of %d bytes with pages of %d, want whole pages and at most %d bytes: %w", c.Slot, c.Page, delta.MaxImage, ErrConfig)
	case c.Scratch < 0 || c.Scratch%c.Page != 0 || c.Scratch > 2*delta.MaxImage:
		return c, fmt.Errorf("scratch of %d bytes with pages of %d: %w", c.Scratch, c.Page, ErrConfig)
	case c.Window < 1<<delta.MinCompression || c.Window > 1<<envelope.MaxWindowLog || c.Extra < 0 || c.DictField < 0 || c.DictField > 4:
		return c, fmt.Errorf("window of %d bytes, extra of %d, dictionary size of %d bytes: %w", c.Window, c.Extra, c.DictField, ErrConfig)
	}
	if c.Key != nil {
		if _, err := envelope.PublicKey(c.Key); err != nil {
			return c, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	} else if c.Bare {
		return c, fmt.Errorf("bare mode without a key: %w", ErrConfig)
	}
	return c, nil
}

// device is what package envelope has to know.
func (c *Config) device(version uint32) envelope.Device {
	codecs := []envelope.Codec{envelope.Full}
	for _, f := range c.Formats {
		codecs = append(codecs, f.Codec())
	}
	return envelope.Device{
		Codecs: codecs, MaxTarget: uint32(c.Slot), MaxWindowLog: uint8(bits.Len(uint(c.Window)) - 1),
		Profile: c.Hardware, Version: envelope.Version(version), OnlyNewer: !c.AnyVersion,
	}
}

// limits are those of the decoders.
func (c *Config) limits() delta.Limits {
	return delta.Limits{Image: c.Slot, Window: c.Window, Extra: max(c.Extra, 1), DictField: c.DictField}
}
