package relational

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/starling-fuota/starling/internal/store"
)

// A cursor says after which row a page begins. Base64url without padding of:
//
//	+---------+----------+------------------------------+
//	| version | list (8) | value of each term, id last  |
//	+---------+----------+------------------------------+
//	list:   which kind, filters and order it belongs to: the beginning of a SHA-256
//	value:  number: varint; boolean: 1 byte; text, bytes: length (uvarint) and bytes
//
// It is not secret and not authenticated: it holds values that its holder has just been shown, and a
// forged one begins somewhere else in a list that the holder may see anyway.
const (
	cursorVersion = 1
	listSize      = 8
	maxCursor     = 8 << 10 // characters; texts that are ordered by are far shorter
)

// valueType is how a value is bound, and written in a cursor.
type valueType uint8

const (
	textValue valueType = iota
	numberValue
	boolValue
	bytesValue
)

var typeOf = map[store.FieldType]valueType{store.TextField: textValue, store.NumberField: numberValue, store.TimeField: numberValue,
	store.BoolField: boolValue, store.EUIField: bytesValue}

// place is a value of a row by which it is ordered, as a target of Scan.
type place struct {
	of    valueType
	value any // string, int64, bool or []byte
}

// Scan keeps the value.
func (p *place) Scan(v any) error {
	switch v := v.(type) {
	case string:
		p.value = v
	case []byte:
		p.value = bytes.Clone(v)
	case bool:
		p.value = v
	case int64:
		if p.value = v; p.of == boolValue { // SQLite has no other
			p.value = v != 0
		}
	default:
		return fmt.Errorf("value to order by is %T", v)
	}
	return nil
}

// listOf identifies what a cursor belongs to. The limit may change between pages.
func listOf(kind store.Kind, subscriber string, q store.Query) (list [listSize]byte) {
	h := sha256.New()
	add := func(s string) {
		h.Write(binary.AppendUvarint(nil, uint64(len(s)))) // never fails
		h.Write([]byte(s))
	}
	for _, s := range []string{string(kind), subscriber, strconv.FormatBool(q.Archived), q.Text, strconv.Itoa(len(q.Where))} {
		add(s)
	}
	for _, field := range slices.Sorted(maps.Keys(q.Where)) {
		add(string(field))
		add(q.Where[field])
	}
	for _, s := range q.Sort {
		add(string(s.Field))
		add(strconv.FormatBool(s.Desc))
	}
	copy(list[:], h.Sum(nil))
	return list
}

// cursorOf writes the cursor of the page after a row.
func cursorOf(list [listSize]byte, row []place) string {
	b := append([]byte{cursorVersion}, list[:]...)
	for _, p := range row {
		switch v := p.value.(type) {
		case string:
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		case int64:
			b = binary.AppendVarint(b, v)
		case bool:
			b = append(b, map[bool]byte{true: 1}[v])
		}
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

var errCursor = errors.New("the cursor is not one that this server gave")

// parseCursor reads what cursorOf writes, for a list and its terms. It returns ErrQuery for anything else.
func parseCursor(text string, list [listSize]byte, terms []term) ([]any, error) {
	values, err := readCursor(text, list, terms)
	if err != nil {
		return nil, fmt.Errorf("page after %.40q: %w: %w", text, store.ErrQuery, err)
	}
	return values, nil
}

func readCursor(text string, list [listSize]byte, terms []term) ([]any, error) {
	if len(text) > maxCursor {
		return nil, errCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+listSize {
		return nil, errCursor
	}
	if b[0] != cursorVersion {
		return nil, fmt.Errorf("the cursor is of version %d: begin again with the first page", b[0])
	}
	if !bytes.Equal(b[1:1+listSize], list[:]) {
		return nil, errors.New("the cursor is of another list: keep filters and order, or begin again with the first page")
	}
	b = b[1+listSize:]
	values := make([]any, len(terms))
	for i, t := range terms {
		switch t.of {
		case numberValue:
			v, n := binary.Varint(b)
			if n <= 0 {
				return nil, errCursor
			}
			values[i], b = v, b[n:]
		case boolValue:
			if len(b) == 0 || b[0] > 1 {
				return nil, errCursor
			}
			values[i], b = b[0] == 1, b[1:]
		default:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return nil, errCursor
			}
			raw := b[n : n+int(size)]
			b = b[n+int(size):]
			if t.of == bytesValue {
				values[i] = raw
			} else if values[i] = string(raw); !keepable(string(raw)) {
				return nil, errCursor
			}
		}
	}
	if len(b) != 0 {
		return nil, errCursor
	}
	return values, nil
}
