package tinyuz

import (
	"errors"
	"math/bits"
)

// Errors that callers test with errors.Is. They come wrapped with the place.
var (
	// ErrFormat says that a stream breaks the rules of the format.
	ErrFormat = errors.New("malformed tinyuz stream")

	// ErrShort says that a stream ends before its end marker.
	ErrShort = errors.New("tinyuz stream too short")

	// ErrLimit says that a stream wants more memory or output than the limits allow.
	ErrLimit = errors.New("tinyuz stream beyond the limits")

	// ErrRange says that an option is out of range.
	ErrRange = errors.New("tinyuz option out of range")
)

const (
	// MaxWindow is the largest dictionary, in bytes.
	MaxWindow = 1 << 30

	// maxLength is the most bytes that one match or literal line of the encoder has.
	// The format has no limit, but devices may count in 16 bits.
	maxLength = 65535

	minMatch = 2

	// farDistance is the largest distance at which a match of two bytes can be coded:
	// beyond it, lengths begin at three.
	farDistance = 2687

	// nearDistance is the first distance that one plain byte cannot hold.
	nearDistance = 128

	// minLine is the shortest literal line.
	minLine = 15
)

// Codes in the place of the length of a match at distance 0.
const (
	controlLine = 1
	controlClip = 2
	controlEnd  = 3
)

// groups is the number of groups of U(k) that hold v: groups of k bits, where each
// further group goes on where the shorter forms end.
func groups(v, k int) int {
	n := 1
	for v >= 1<<k {
		v = v>>k - 1
		n++
	}
	return n
}

// lengthBits is the size of U(1) for v: g groups hold the values from 2^g-2 to
// 2^(g+1)-3, so g is the length of v+2 in bits, less one.
func lengthBits(v int) int32 { return int32(bits.Len(uint(v+2))-1) * 2 }

// distanceBits is the size of a distance: one plain byte, and U(2) beyond 127.
func distanceBits(distance int) int32 {
	if distance < nearDistance {
		return 8
	}
	return 8 + int32(groups((distance-nearDistance)>>7, 2))*3
}
