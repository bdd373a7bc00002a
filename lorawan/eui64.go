package lorawan

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// EUI64 is a device identifier (DevEUI), most significant byte first as people
// write it. On the air it is sent in reverse.
type EUI64 [8]byte

// ParseEUI64 reads 16 hexadecimal digits. Case does not matter; the separators
// '-' and ':' between bytes are accepted because labels and other tools use them.
// It returns ErrText for anything else.
func ParseEUI64(s string) (EUI64, error) {
	var e EUI64
	if err := parseHex(e[:], s); err != nil {
		return EUI64{}, fmt.Errorf("DevEUI %q: %w", s, err)
	}
	return e, nil
}

// MustParseEUI64 is ParseEUI64 for constants in programs and tests; it panics on bad text.
func MustParseEUI64(s string) EUI64 {
	e, err := ParseEUI64(s)
	if err != nil {
		panic(err)
	}
	return e
}

// String returns 16 lower-case hexadecimal digits.
func (e EUI64) String() string { return hex.EncodeToString(e[:]) }

// IsZero reports whether e is the zero value, which stands for "none".
func (e EUI64) IsZero() bool { return e == EUI64{} }

// Compare orders EUIs by their written form; it is -1, 0 or +1.
func (e EUI64) Compare(o EUI64) int { return bytes.Compare(e[:], o[:]) }

// AppendText appends the written form to b. It never fails.
func (e EUI64) AppendText(b []byte) ([]byte, error) { return hex.AppendEncode(b, e[:]), nil }

// MarshalText returns the written form. It never fails.
func (e EUI64) MarshalText() ([]byte, error) { return e.AppendText(nil) }

// UnmarshalText reads what ParseEUI64 reads.
func (e *EUI64) UnmarshalText(b []byte) (err error) {
	*e, err = ParseEUI64(string(b))
	return err
}

// separators are what people write between the bytes of an identifier.
var separators = strings.NewReplacer("-", "", ":", "")

// parseHex fills dst from s, which must hold exactly len(dst) bytes.
func parseHex(dst []byte, s string) error {
	clean := strings.TrimSpace(s)
	if len(clean) != 2*len(dst) { // as it is written nearly always: nothing to take out
		clean = separators.Replace(clean)
	}
	if len(clean) != 2*len(dst) {
		return fmt.Errorf("%d hexadecimal digits, want %d: %w", len(clean), 2*len(dst), ErrText)
	}
	if _, err := hex.Decode(dst, []byte(clean)); err != nil {
		return fmt.Errorf("%w: %w", ErrText, err)
	}
	return nil
}
