package lorawan

import (
	"encoding/hex"
	"fmt"
)

// DevAddr is a 32-bit network address, of a device or of a multicast group
// (McAddr), most significant byte first as people write it. On the air and in
// key derivations it is little endian: use AppendBinary.
type DevAddr [4]byte

// ParseDevAddr reads 8 hexadecimal digits; see ParseEUI64 for what is tolerated.
func ParseDevAddr(s string) (DevAddr, error) {
	var a DevAddr
	if err := parseHex(a[:], s); err != nil {
		return DevAddr{}, fmt.Errorf("DevAddr %q: %w", s, err)
	}
	return a, nil
}

// MustParseDevAddr is ParseDevAddr for constants in programs and tests; it panics on bad text.
func MustParseDevAddr(s string) DevAddr {
	a, err := ParseDevAddr(s)
	if err != nil {
		panic(err)
	}
	return a
}

// String returns 8 lower-case hexadecimal digits.
func (a DevAddr) String() string { return hex.EncodeToString(a[:]) }

// IsZero reports whether a is the zero value, which stands for "none".
func (a DevAddr) IsZero() bool { return a == DevAddr{} }

// Uint32 returns the address as a number, as the class B ping-slot and hopping formulas use it.
func (a DevAddr) Uint32() uint32 {
	return uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
}

// AppendBinary appends the four bytes of the wire form, little endian. It never fails.
func (a DevAddr) AppendBinary(b []byte) ([]byte, error) {
	return append(b, a[3], a[2], a[1], a[0]), nil
}

// DevAddrFromWire reads the little-endian wire form.
func DevAddrFromWire(b [4]byte) DevAddr { return DevAddr{b[3], b[2], b[1], b[0]} }

// AppendText appends the written form to b. It never fails.
func (a DevAddr) AppendText(b []byte) ([]byte, error) { return hex.AppendEncode(b, a[:]), nil }

// MarshalText returns the written form. It never fails.
func (a DevAddr) MarshalText() ([]byte, error) { return a.AppendText(nil) }

// UnmarshalText reads what ParseDevAddr reads.
func (a *DevAddr) UnmarshalText(b []byte) (err error) {
	*a, err = ParseDevAddr(string(b))
	return err
}
