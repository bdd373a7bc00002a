package wire

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
)

// TooShort is the ErrShort of a command that has fewer bytes after its CID than it wants.
func TooShort(name string, have, want int) error {
	return fmt.Errorf("%s: %d of %d bytes: %w", name, have, want, lorawan.ErrShort)
}

// CheckMax returns ErrRange for a field that needs more bits than it has.
func CheckMax[N uint8 | uint16 | uint32 | int](name, field string, value, limit N) error {
	if value > limit {
		return fmt.Errorf("%s: %s %d is above %d: %w", name, field, value, limit, lorawan.ErrRange)
	}
	return nil
}

// Bit returns b if on, and 0 otherwise.
func Bit(on bool, b byte) byte {
	if on {
		return b
	}
	return 0
}

// Flag appends " name" to the text s if on: a flag that is off is no news.
func Flag(s string, on bool, name string) string {
	if on {
		return s + " " + name
	}
	return s
}

// Uint24 reads three bytes, little endian, as encoding/binary does two and four.
func Uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// AppendUint24 appends the lower three bytes of n, little endian. The caller has checked
// that the fourth is zero.
func AppendUint24(b []byte, n uint32) []byte { return append(b, byte(n), byte(n>>8), byte(n>>16)) }
