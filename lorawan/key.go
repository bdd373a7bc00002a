package lorawan

import (
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// AES128Key is a 128-bit key. It never prints itself: String, %v, %x, JSON and
// slog all give "[redacted]", so that a key cannot slip into a log or an answer
// by accident. Hex is the one door, and a caller that opens it should be seen doing so.
//
// One gap is left: package fmt calls no methods on what it reaches through an unexported
// field, and prints such a key as numbers. A struct that keeps a key behind one, at any
// depth, needs a Format of its own, as Session and device.Device have. Beyond a pointer a
// key is safe under %v, which prints an address, and under no verb that does not fit.
type AES128Key [16]byte

const redacted = "[redacted]"

// ParseAES128Key reads 32 hexadecimal digits; see ParseEUI64 for what is
// tolerated. The error never repeats the text, because it may be most of a key.
func ParseAES128Key(s string) (AES128Key, error) {
	var k AES128Key
	if err := parseHex(k[:], s); err != nil {
		return AES128Key{}, fmt.Errorf("AES key of %d characters: want 32 hexadecimal digits: %w", len(s), ErrText)
	}
	return k, nil
}

// MustParseAES128Key is ParseAES128Key for test vectors; it panics on bad text.
func MustParseAES128Key(s string) AES128Key {
	k, err := ParseAES128Key(s)
	if err != nil {
		panic(err)
	}
	return k
}

// Hex returns the key in clear. Callers are the sealed store, key exports that
// are a permission of their own, and tests.
func (k AES128Key) Hex() string { return hex.EncodeToString(k[:]) }

// Equal compares in constant time.
func (k AES128Key) Equal(o AES128Key) bool { return subtle.ConstantTimeCompare(k[:], o[:]) == 1 }

// IsZero reports whether k is the zero value, which stands for "no key".
func (k AES128Key) IsZero() bool { return k.Equal(AES128Key{}) }

// String returns "[redacted]".
func (k AES128Key) String() string { return redacted }

// Format prints "[redacted]" under every verb, %x and %d included.
func (k AES128Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns "[redacted]".
func (k AES128Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (k AES128Key) LogValue() slog.Value { return slog.StringValue(redacted) }
