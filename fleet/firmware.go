package fleet

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Firmware is a version as a device reports it in DevVersionAns (TS006): 32 bits,
// and how to read them. It is comparable with ==; the zero value means "unknown".
//
// The dotted form X.Y.Z.P (major, minor, maintenance, patch, one byte each) is
// ordered, so that an upgrade can be told from a downgrade. The free form, 8
// hexadecimal digits, only says "the same" or "different".
type Firmware struct {
	value  uint32
	format firmwareFormat
}

type firmwareFormat uint8

const (
	unknownFormat firmwareFormat = iota
	dottedFormat
	freeFormat
)

// DottedFirmware returns the version whose 32 bits are v, read as X.Y.Z.P. X is the
// lowest byte, so that it comes first where the packages carry v in little endian.
func DottedFirmware(v uint32) Firmware { return Firmware{v, dottedFormat} }

// FreeFirmware returns the version whose 32 bits are v, without an order.
func FreeFirmware(v uint32) Firmware { return Firmware{v, freeFormat} }

// ParseFirmware reads "1.2.3.4", or 8 hexadecimal digits, or "" for unknown. It
// returns ErrText for anything else.
func ParseFirmware(s string) (Firmware, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Firmware{}, nil
	}
	bad := fmt.Errorf("firmware version %q: %w (use X.Y.Z.P with 0..255 each, or 8 hexadecimal digits)", s, ErrText)
	if len(s) == 8 && !strings.Contains(s, ".") {
		v, err := strconv.ParseUint(s, 16, 32)
		if err != nil {
			return Firmware{}, bad
		}
		return FreeFirmware(uint32(v)), nil
	}
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return Firmware{}, bad
	}
	var v uint32
	for i, p := range parts {
		b, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return Firmware{}, bad
		}
		v |= uint32(b) << (8 * i)
	}
	return DottedFirmware(v), nil
}

// MustParseFirmware is ParseFirmware for constants in programs and tests; it panics on bad text.
func MustParseFirmware(s string) Firmware {
	f, err := ParseFirmware(s)
	if err != nil {
		panic(err)
	}
	return f
}

// IsZero reports whether the version is unknown.
func (f Firmware) IsZero() bool { return f == Firmware{} }

// With returns the version whose 32 bits are v, in the form of f; of an unknown f, dotted.
func (f Firmware) With(v uint32) Firmware {
	if f.format == freeFormat {
		return FreeFirmware(v)
	}
	return DottedFirmware(v)
}

// Ordered reports whether f has the dotted form.
func (f Firmware) Ordered() bool { return f.format == dottedFormat }

// Uint32 returns the 32 bits that a device reports; 0 when unknown.
func (f Firmware) Uint32() uint32 { return f.value }

// Like returns what a device reported, v, in the form in which f is written. An
// unknown f gives the free form: nothing promises an order then.
func (f Firmware) Like(v uint32) Firmware {
	if f.format == dottedFormat {
		return DottedFirmware(v)
	}
	return FreeFirmware(v)
}

// Compare returns -1, 0 or +1 as f is older than, the same as or newer than o.
// ordered is false when that cannot be told: one is unknown or has the free form. Order is
// then 0 if their bits are the same and both are known, and +1 ("different") otherwise.
func (f Firmware) Compare(o Firmware) (order int, ordered bool) {
	if f.format == dottedFormat && o.format == dottedFormat {
		for i := range 4 {
			if d := cmp.Compare(byte(f.value>>(8*i)), byte(o.value>>(8*i))); d != 0 {
				return d, true
			}
		}
		return 0, true
	}
	if f.IsZero() || o.IsZero() || f.value != o.value {
		return 1, false
	}
	return 0, false
}

// String returns the form that ParseFirmware reads; "" when unknown.
func (f Firmware) String() string {
	switch f.format {
	case dottedFormat:
		return fmt.Sprintf("%d.%d.%d.%d", byte(f.value), byte(f.value>>8), byte(f.value>>16), byte(f.value>>24))
	case freeFormat:
		return fmt.Sprintf("%08x", f.value)
	}
	return ""
}

// MarshalText returns what String returns. It never fails.
func (f Firmware) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what ParseFirmware reads.
func (f *Firmware) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFirmware(string(b))
	return err
}
