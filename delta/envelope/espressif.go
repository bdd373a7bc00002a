package envelope

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// EspressifHeaderSize is the length of the header in front of a patch for Espressif's
// delta updates.
const EspressifHeaderSize = 64

// espressifMagic begins that header, little endian.
const espressifMagic = 0xfccdde10

// The application image of an ESP32: header, extended header, segments, a checksum that
// ends on a multiple of 16, and the SHA-256 of all before it.
const (
	espImageMagic   = 0xe9
	espHeaderSize   = 24
	espSegmentSize  = 8  // address and length, in front of the data
	espMaxSegments  = 16 // as the boot loader has it
	espHashAppended = 23 // offset of the flag
)

// EspressifDigest returns the SHA-256 that an ESP32 application image ends with, which is
// what the boot loader and the delta header call the digest of the image. A signature
// block or padding may follow it. It returns ErrImage if base is no such image, has no digest,
// or one that is wrong.
func EspressifDigest(base []byte) ([32]byte, error) {
	if len(base) < espHeaderSize || base[0] != espImageMagic {
		return [32]byte{}, fmt.Errorf("no ESP32 image header at the beginning: %w", ErrImage)
	}
	if base[1] > espMaxSegments {
		return [32]byte{}, fmt.Errorf("ESP32 image of %d segments, at most %d: %w", base[1], espMaxSegments, ErrImage)
	}
	if base[espHashAppended] != 1 {
		return [32]byte{}, fmt.Errorf("ESP32 image without an appended digest: %w", ErrImage)
	}
	end := uint64(espHeaderSize)
	for i := range base[1] {
		if end+espSegmentSize > uint64(len(base)) {
			return [32]byte{}, fmt.Errorf("ESP32 image: segment %d at %d of %d bytes: %w", i, end, len(base), ErrImage)
		}
		end += espSegmentSize + uint64(binary.LittleEndian.Uint32(base[end+4:]))
	}
	end = end/16*16 + 16 // the checksum is the last byte of a block of 16
	if end+sha256.Size > uint64(len(base)) {
		return [32]byte{}, fmt.Errorf("ESP32 image: digest at %d of %d bytes: %w", end, len(base), ErrImage)
	}
	digest := [32]byte(base[end : end+sha256.Size])
	if sha256.Sum256(base[:end]) != digest {
		return [32]byte{}, fmt.Errorf("ESP32 image: the appended digest is that of other bytes: %w", ErrImage)
	}
	return digest, nil
}

// AppendEspressif appends the header that Espressif's delta updates expect in front of a
// detools patch (sequential, heatshrink with window 8 and lookahead 7): magic, digest of
// the base image, 28 bytes of zeros. It returns the error of EspressifDigest, and b
// unchanged. There is no signature in it: the image that results carries its own.
func AppendEspressif(b, base []byte) ([]byte, error) {
	digest, err := EspressifDigest(base)
	if err != nil {
		return b, err
	}
	b = binary.LittleEndian.AppendUint32(b, espressifMagic)
	b = append(b, digest[:]...)
	return append(b, make([]byte, EspressifHeaderSize-4-sha256.Size)...), nil
}

// ParseEspressif returns the digest of the base image and the patch. It returns
// ErrShort, ErrMagic, or ErrUnknown when the reserved bytes are not zero.
func ParseEspressif(b []byte) (base [32]byte, patch []byte, err error) {
	if len(b) < EspressifHeaderSize {
		return base, nil, fmt.Errorf("delta header: %d of %d bytes: %w", len(b), EspressifHeaderSize, ErrShort)
	}
	if binary.LittleEndian.Uint32(b) != espressifMagic {
		return base, nil, fmt.Errorf("no delta header of Espressif: %w", ErrMagic)
	}
	if reserved := b[4+sha256.Size : EspressifHeaderSize]; !bytes.Equal(reserved, make([]byte, len(reserved))) {
		return base, nil, fmt.Errorf("delta header: reserved bytes %x: %w", reserved, ErrUnknown)
	}
	return [32]byte(b[4:]), b[EspressifHeaderSize:], nil
}
