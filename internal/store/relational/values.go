package relational

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"math/bits"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// Micros is a time.Time in the database: microseconds since 1970, 0 for the zero time.
type Micros struct{ *time.Time }

// At returns the number to store for a time.
func At(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Value returns the number to store.
func (m Micros) Value() (driver.Value, error) { return At(*m.Time), nil }

// Scan sets the time from the stored number.
func (m Micros) Scan(v any) error {
	us, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time is %T", v)
	}
	*m.Time = time.Time{}
	if us != 0 {
		*m.Time = time.UnixMicro(us).UTC()
	}
	return nil
}

// EUI is an EUI64 in the database: its 8 bytes as written.
type EUI struct{ *lorawan.EUI64 }

// ID returns the bytes to store for an EUI64.
func ID(e lorawan.EUI64) []byte { return e[:] }

// Value returns the bytes to store.
func (e EUI) Value() (driver.Value, error) { return e.EUI64[:], nil }

// Scan sets the EUI from the stored bytes.
func (e EUI) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != len(e.EUI64) {
		return fmt.Errorf("EUI is %T of %d bytes", v, len(b))
	}
	copy(e.EUI64[:], b)
	return nil
}

// Text is a value in the database in its text form.
type Text struct {
	Of interface {
		encoding.TextMarshaler
		encoding.TextUnmarshaler
	}
}

// Value returns the text to store, or the error of a value that has none.
func (t Text) Value() (driver.Value, error) {
	b, err := t.Of.MarshalText()
	return string(b), err
}

// Scan sets the value from the stored text.
func (t Text) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("text is %T", v)
	}
	return t.Of.UnmarshalText([]byte(s))
}

// FirmwareOrder returns a number that orders versions as people do: unknown, then X.Y.Z.P by its
// parts, then the free form by its bits.
func FirmwareOrder(f fleet.Firmware) int64 {
	v := f.Uint32()
	switch {
	case f.IsZero():
		return -1
	case f.Ordered():
		return int64(bits.ReverseBytes32(v)) // X is the lowest byte
	}
	return 1<<32 + int64(v)
}

// Blob returns the bytes to store; nil becomes no bytes, because no column is nullable.
func Blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// document is an object's JSON form, read into the object.
type document struct{ into any }

// Scan reads the stored document.
func (d document) Scan(v any) error {
	switch v := v.(type) {
	case string:
		return json.Unmarshal([]byte(v), d.into)
	case []byte:
		return json.Unmarshal(v, d.into)
	}
	return fmt.Errorf("document is %T", v)
}

// plain turns what Kind.fields gives for scanning into values to bind.
func plain(fields []any) ([]any, error) {
	for i, f := range fields {
		switch p := f.(type) {
		case *string:
			fields[i] = *p
		case *bool:
			fields[i] = *p
		case *uint8:
			fields[i] = int64(*p)
		case *uint32:
			fields[i] = int64(*p)
		case *[]byte:
			fields[i] = Blob(*p)
		case driver.Valuer:
			v, err := p.Value()
			if err != nil {
				return nil, err
			}
			fields[i] = v
		}
		if s, ok := fields[i].(string); ok {
			if err := checkText(s); err != nil {
				return nil, err
			}
		}
	}
	return fields, nil
}
