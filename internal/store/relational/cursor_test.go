package relational

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/starling-fuota/starling/internal/store"
)

var cursorTerms = []term{{"name", textValue, false}, {"archived", boolValue, false}, {"size", numberValue, true}, {"id", bytesValue, true}}

// FuzzCursor gives cursors that nobody gave out: they are refused, or say where to go on.
func FuzzCursor(f *testing.F) {
	list := listOf(store.KindDevice, "a", store.Query{Text: "x"})
	for _, row := range [][]place{
		{{textValue, ""}, {boolValue, false}, {numberValue, int64(0)}, {bytesValue, []byte{}}},
		{{textValue, "ä\n"}, {boolValue, true}, {numberValue, int64(math.MinInt64)}, {bytesValue, bytes.Repeat([]byte{0xff}, 8)}},
		{{textValue, "z"}, {boolValue, true}, {numberValue, int64(math.MaxInt64)}, {bytesValue, []byte{0}}},
	} {
		text := cursorOf(list, row)
		values, err := parseCursor(text, list, cursorTerms)
		if err != nil {
			f.Fatal(err)
		}
		for i, p := range row {
			if !reflect.DeepEqual(values[i], p.value) {
				f.Errorf("%#v comes back as %#v", p.value, values[i])
			}
		}
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		for i := range raw {
			f.Add(raw[:i])
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := base64.RawURLEncoding.EncodeToString(raw)
		values, err := parseCursor(text, list, cursorTerms)
		if err != nil {
			if !errors.Is(err, store.ErrQuery) {
				t.Errorf("%v is no ErrQuery", err)
			}
			return
		}
		if len(values) != len(cursorTerms) {
			t.Errorf("%d values", len(values))
		}
		for i, v := range values {
			ok := false
			switch cursorTerms[i].of {
			case textValue:
				s, is := v.(string)
				ok = is && keepable(s)
			case numberValue:
				_, ok = v.(int64)
			case boolValue:
				_, ok = v.(bool)
			case bytesValue:
				_, ok = v.([]byte)
			}
			if !ok {
				t.Errorf("value %d is %#v", i, v)
			}
		}
	})
}
