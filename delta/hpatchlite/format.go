package hpatchlite

import (
	"errors"
	"fmt"
	"math/bits"
)

// Errors that callers test with errors.Is. They come wrapped with the place.
var (
	// ErrFormat says that a patch breaks the rules of the format.
	ErrFormat = errors.New("malformed HPatchLite patch")

	// ErrShort says that a patch ends too early.
	ErrShort = errors.New("HPatchLite patch too short")

	// ErrUnsupported says that a patch has a version or a compression that is not
	// implemented.
	ErrUnsupported = errors.New("HPatchLite patch of an unsupported kind")

	// ErrLimit says that a patch wants more memory or output than the limits allow.
	ErrLimit = errors.New("HPatchLite patch beyond the limits")

	// ErrBase says that a patch reads outside of the old image: it was made for another one.
	ErrBase = errors.New("HPatchLite patch is not for this old image")

	// ErrInPlace says that a cover reads old bytes that are overwritten by then.
	ErrInPlace = errors.New("HPatchLite patch cannot be applied in place")

	// ErrRange says that an option is out of range.
	ErrRange = errors.New("HPatchLite option out of range")
)

// Compression is the compression id of the header (delta.md, section 2.1). The other
// ids, deflate, lzma and lzma2, are not for devices of this class.
type Compression uint8

// The compressions that are implemented.
const (
	None   Compression = 0
	Tinyuz Compression = 1
)

func (c Compression) String() string {
	switch c {
	case None:
		return "none"
	case Tinyuz:
		return "tinyuz"
	}
	return fmt.Sprintf("compression %d", uint8(c))
}

// Versions of the header: in two bits.
const (
	versionPlain   = 1
	versionInPlace = 2
)

// Bits of the tag of a cover.
const (
	tagSame     = 1 << 7 // no difference follows
	tagNegative = 1 << 6
	tagMore     = 1 << 5
	tagBits     = 5
)

// maxNumber is the largest number that a 32-bit decoder holds.
const maxNumber = 1<<32 - 1

// maxImage is the largest image, in bytes: half of maxNumber, as differences of
// positions have a sign.
const maxImage = 1<<31 - 1

// appendVarint appends v in groups of seven bits, the most significant first.
func appendVarint(b []byte, v int) []byte {
	for n := (bits.Len(uint(v)|1) + 6) / 7; n > 1; n-- {
		b = append(b, byte(v>>(7*(n-1)))|0x80)
	}
	return append(b, byte(v&0x7f))
}

// appendTag appends the tag with the distance of a cover in the old image, of which it
// has the most significant bits.
func appendTag(b []byte, distance int, same bool) []byte {
	tag := byte(0)
	if same {
		tag |= tagSame
	}
	if distance < 0 {
		tag |= tagNegative
		distance = -distance
	}
	n := max(0, bits.Len(uint(distance))-tagBits+6) / 7
	if n > 0 {
		tag |= tagMore
	}
	b = append(b, tag|byte(distance>>(7*n)))
	for ; n > 0; n-- {
		more := byte(0x80)
		if n == 1 {
			more = 0
		}
		b = append(b, byte(distance>>(7*(n-1)))&0x7f|more)
	}
	return b
}

// width is the least number of bytes that hold v, 0 for 0.
func width(v int) int { return (bits.Len(uint(v)) + 7) / 8 }

// appendSize appends v in width(v) bytes, the least significant first.
func appendSize(b []byte, v int) []byte {
	for ; v > 0; v >>= 8 {
		b = append(b, byte(v))
	}
	return b
}
