package envelope

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrImage is returned for bytes that are not the kind of image that was named.
var ErrImage = errors.New("envelope: not such an image")

// Digest is the first half of a SHA-256: 128 bits tell images apart that nobody
// chose to collide, and the signature says that nobody did.
type Digest [16]byte

// DigestOf returns the digest of a whole image.
func DigestOf(image []byte) Digest {
	sum := sha256.Sum256(image)
	return Digest(sum[:16])
}

// String returns 32 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// The header of an MCUboot image: struct image_header of its image.h, all little endian.
const (
	mcubootMagic      = 0x96f3b83d
	mcubootHeaderSize = 32 // the structure; ih_hdr_size may pad it
)

// MCUbootDigest returns the digest of an MCUboot image as its boot loader computes it:
// over header, image and protected TLVs, without the other TLVs and the padding of the
// slot. A device that boots with MCUboot has this SHA-256 in its own image and need
// not hash the slot. It returns ErrImage if there is no such image in b.
func MCUbootDigest(b []byte) (Digest, error) {
	if len(b) < mcubootHeaderSize || binary.LittleEndian.Uint32(b) != mcubootMagic {
		return Digest{}, fmt.Errorf("no MCUboot header at the beginning: %w", ErrImage)
	}
	header := uint64(binary.LittleEndian.Uint16(b[8:]))
	protected := uint64(binary.LittleEndian.Uint16(b[10:]))
	image := uint64(binary.LittleEndian.Uint32(b[12:]))
	size := header + image + protected
	if header < mcubootHeaderSize || size > uint64(len(b)) {
		return Digest{}, fmt.Errorf("MCUboot header of %d bytes, image of %d, protected TLVs of %d in %d bytes: %w", header, image, protected, len(b), ErrImage)
	}
	return DigestOf(b[:size]), nil
}

// of returns the digest of image in the way that h has digests.
func (h Header) of(image []byte) (Digest, error) {
	if h.MCUbootDigests {
		return MCUbootDigest(image)
	}
	return DigestOf(image), nil
}
