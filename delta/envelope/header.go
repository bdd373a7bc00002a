package envelope

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Magic is what every envelope begins with.
const Magic = "FDP1"

// MaxWindowLog is the largest window that a header may ask for: 2^30 bytes.
const MaxWindowLog = 30

// Words in a header, by what it says.
const (
	wordsPlain    = 13
	wordsVersions = 15
	wordsProfile  = 17
)

// Errors about the form of an envelope.
var (
	ErrShort   = errors.New("envelope: cut off")
	ErrMagic   = errors.New("envelope: not an envelope")
	ErrUnknown = errors.New("envelope: not known to this version")
	ErrSize    = errors.New("envelope: sizes do not fit")
	ErrRange   = errors.New("envelope: value out of range")
)

// Codec says how the payload is decoded. The bit 0x80 stands for an old image
// that the decoder sees through a relocated view: the payload begins with its map.
type Codec uint8

// Codecs.
const (
	Full                       Codec = 0    // the target image itself
	HPatchLite                 Codec = 1    // HPatchLite version 1
	HPatchLiteInPlace          Codec = 2    // HPatchLite version 2
	Detools                    Codec = 3    // detools, sequential
	DetoolsInPlace             Codec = 4    // detools, in-place
	HPatchLiteRelocated        Codec = 0x81 // map, then HPatchLite version 1
	HPatchLiteInPlaceRelocated Codec = 0x82 // map, then HPatchLite version 2
	DetoolsRelocated           Codec = 0x83 // map, then detools, sequential
)

// String returns the name that the command line and the API use.
func (c Codec) String() string {
	switch c {
	case Full:
		return "full"
	case HPatchLite:
		return "hpatchlite"
	case HPatchLiteInPlace:
		return "hpatchlite-inplace"
	case Detools:
		return "detools"
	case DetoolsInPlace:
		return "detools-inplace"
	case HPatchLiteRelocated:
		return "hpatchlite-relocated"
	case HPatchLiteInPlaceRelocated:
		return "hpatchlite-inplace-relocated"
	case DetoolsRelocated:
		return "detools-relocated"
	}
	return fmt.Sprintf("codec 0x%02x", uint8(c))
}

// known reports whether c is one of the codecs above.
func (c Codec) known() bool {
	return c <= DetoolsInPlace || c >= HPatchLiteRelocated && c <= DetoolsRelocated
}

// Version is a firmware version as devices report it (DevVersionAns of TS006): the
// four bytes of the answer in little endian. 0 stands for "not said".
type Version uint32

// Newer reports whether v comes after w when both are read as X.Y.Z.P, X the
// first byte on the wire. For versions of another form the answer means nothing.
func (v Version) Newer(w Version) bool {
	return bits.ReverseBytes32(uint32(v)) > bits.ReverseBytes32(uint32(w))
}

// String returns X.Y.Z.P.
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

// Profile identifies the hardware that a patch is for. The zero value stands for
// "not said".
type Profile [8]byte

// ProfileOf returns the first 8 bytes of SHA-256 over producer and
// module, each behind its length in bytes (4 bytes, little endian), and the hardware
// revision. A device has the 8 bytes as a constant and compares them; the lengths
// keep "ab", "c" and "a", "bc" apart.
func ProfileOf(producer, module string, hwRevision uint8) Profile {
	var b []byte
	for _, s := range []string{producer, module} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(append(b, hwRevision))
	return Profile(sum[:8])
}

// Header says what a payload is, what it needs and what it is for.
type Header struct {
	Codec          Codec
	MCUbootDigests bool   // Base and Target are MCUbootDigest, not Digest
	WindowLog      uint8  // the decoder needs a window of 2^WindowLog bytes, 0..30
	BaseSize       uint32 // bytes; 0 for Full
	TargetSize     uint32 // bytes
	PayloadSize    uint32 // bytes; Sign sets it
	Base, Target   Digest
	BaseVersion    Version // 0: not said
	TargetVersion  Version // 0: not said
	Profile        Profile // zero: not said
}

// words returns the length of the header: no longer than what it says.
func (h Header) words() int {
	switch {
	case h.Profile != Profile{}:
		return wordsProfile
	case h.BaseVersion != 0 || h.TargetVersion != 0:
		return wordsVersions
	}
	return wordsPlain
}

// Size returns the length of the header in bytes: 52, 60 or 68.
func (h Header) Size() int { return 4 * h.words() }

// check returns ErrUnknown or ErrRange for a header that no device could follow.
func (h Header) check() error {
	switch {
	case !h.Codec.known():
		return fmt.Errorf("%s: %w", h.Codec, ErrUnknown)
	case h.WindowLog > MaxWindowLog:
		return fmt.Errorf("window 2^%d, at most 2^%d: %w", h.WindowLog, MaxWindowLog, ErrRange)
	case h.Codec == Full && (h.BaseSize != 0 || h.Base != Digest{} || h.BaseVersion != 0):
		return fmt.Errorf("a full image has no base: %w", ErrRange)
	case h.Codec == Full && h.PayloadSize != h.TargetSize:
		return fmt.Errorf("payload of %d bytes is a full image of %d: %w", h.PayloadSize, h.TargetSize, ErrSize)
	}
	return nil
}

// AppendBinary appends the header to b. It returns ErrUnknown, ErrRange or ErrSize,
// and b unchanged, for a header that Parse would refuse.
func (h Header) AppendBinary(b []byte) ([]byte, error) {
	if err := h.check(); err != nil {
		return b, err
	}
	words := h.words()
	var flags byte
	if h.MCUbootDigests {
		flags = 1
	}
	b = append(b, Magic...)
	b = append(b, byte(words), byte(h.Codec), flags, h.WindowLog)
	b = binary.LittleEndian.AppendUint32(b, h.BaseSize)
	b = binary.LittleEndian.AppendUint32(b, h.TargetSize)
	b = binary.LittleEndian.AppendUint32(b, h.PayloadSize)
	b = append(b, h.Base[:]...)
	b = append(b, h.Target[:]...)
	if words >= wordsVersions {
		b = binary.LittleEndian.AppendUint32(b, uint32(h.BaseVersion))
		b = binary.LittleEndian.AppendUint32(b, uint32(h.TargetVersion))
	}
	if words >= wordsProfile {
		b = append(b, h.Profile[:]...)
	}
	return b, nil
}

// parseHeader reads a header and returns what follows it. It returns ErrShort,
// ErrMagic, ErrUnknown, ErrRange or ErrSize.
func parseHeader(b []byte) (Header, []byte, error) {
	if len(b) < len(Magic) || string(b[:len(Magic)]) != Magic {
		return Header{}, nil, fmt.Errorf("no %s at the beginning: %w", Magic, ErrMagic)
	}
	if len(b) < 4*wordsPlain {
		return Header{}, nil, fmt.Errorf("header: %d bytes, at least %d: %w", len(b), 4*wordsPlain, ErrShort)
	}
	words := int(b[4])
	if words != wordsPlain && words != wordsVersions && words != wordsProfile {
		return Header{}, nil, fmt.Errorf("header of %d words: %w", words, ErrUnknown)
	}
	if len(b) < 4*words {
		return Header{}, nil, fmt.Errorf("header: %d of %d bytes: %w", len(b), 4*words, ErrShort)
	}
	if b[6] > 1 {
		return Header{}, nil, fmt.Errorf("flags 0x%02x: %w", b[6], ErrUnknown)
	}
	h := Header{
		Codec:          Codec(b[5]),
		MCUbootDigests: b[6] == 1,
		WindowLog:      b[7],
		BaseSize:       binary.LittleEndian.Uint32(b[8:]),
		TargetSize:     binary.LittleEndian.Uint32(b[12:]),
		PayloadSize:    binary.LittleEndian.Uint32(b[16:]),
		Base:           Digest(b[20:36]),
		Target:         Digest(b[36:52]),
	}
	if words >= wordsVersions {
		h.BaseVersion = Version(binary.LittleEndian.Uint32(b[52:]))
		h.TargetVersion = Version(binary.LittleEndian.Uint32(b[56:]))
	}
	if words >= wordsProfile {
		h.Profile = Profile(b[60:68])
	}
	if h.words() != words {
		// One meaning has one form: a device may then compare headers as bytes.
		return Header{}, nil, fmt.Errorf("header of %d words says what fits %d: %w", words, h.words(), ErrRange)
	}
	if err := h.check(); err != nil {
		return Header{}, nil, err
	}
	return h, b[4*words:], nil
}
