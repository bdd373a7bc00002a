package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

// micros is a time.Time in the database: microseconds since 1970, 0 for the zero time.
type micros struct{ *time.Time }

// at binds a time.
func at(t time.Time) micros { return micros{&t} }

// Value returns the number to store.
func (m micros) Value() (driver.Value, error) {
	if m.IsZero() {
		return int64(0), nil
	}
	return m.UnixMicro(), nil
}

// Scan sets the time from the stored number.
func (m micros) Scan(v any) error {
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

// eui is an EUI64 in the database: its 8 bytes as written.
type eui struct{ *lorawan.EUI64 }

// id binds an EUI64.
func id(e lorawan.EUI64) eui { return eui{&e} }

// Value returns the bytes to store.
func (e eui) Value() (driver.Value, error) { return e.EUI64[:], nil }

// Scan sets the EUI from the stored bytes.
func (e eui) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != len(e.EUI64) {
		return fmt.Errorf("EUI is %T of %d bytes", v, len(b))
	}
	copy(e.EUI64[:], b)
	return nil
}

// secret is a key in the database. No bytes stand for no key.
type secret struct{ *lorawan.AES128Key }

// Value returns the bytes to store.
func (s secret) Value() (driver.Value, error) {
	if s.IsZero() {
		return []byte{}, nil
	}
	return s.AES128Key[:], nil
}

// Scan sets the key from the stored bytes.
func (s secret) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != 0 && len(b) != len(s.AES128Key) {
		return fmt.Errorf("key is %T of %d bytes", v, len(b))
	}
	*s.AES128Key = lorawan.AES128Key{}
	copy(s.AES128Key[:], b)
	return nil
}

// text is a value in the database in its text form.
type text struct {
	value interface {
		encoding.TextMarshaler
		encoding.TextUnmarshaler
	}
}

// Value returns the text to store, or the error of a value that has none.
func (t text) Value() (driver.Value, error) {
	b, err := t.value.MarshalText()
	return string(b), err
}

// Scan sets the value from the stored text.
func (t text) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("text is %T", v)
	}
	return t.value.UnmarshalText([]byte(s))
}

// blob binds bytes; nil becomes no bytes, because no column is nullable.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// each runs a query and calls f for every row.
func each(ctx context.Context, q querier, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // after the last row it is closed already
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// execAll runs one prepared statement for every item. It is as fast as one statement
// over a JSON list, and the planner cannot get it wrong.
func execAll[T any](ctx context.Context, q querier, query string, items []T, args func(T) []any) error {
	if len(items) == 0 {
		return nil
	}
	stmt, err := q.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // it holds nothing that could fail to be written
	for _, item := range items {
		if _, err := stmt.ExecContext(ctx, args(item)...); err != nil {
			return err
		}
	}
	return nil
}
