package relocated_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/starling-fuota/starling/delta/relocated"
)

func TestMapsAreWrittenAsDocumented(t *testing.T) {
	for _, c := range []struct {
		name string
		m    relocated.Map
		want string
	}{
		{"nothing moves", relocated.Map{}, "10" + "0000" + "00"},
		{"one insertion", relocated.Map{FlashBase: 0x08000000, F: []relocated.Segment{{Start: 0x4e20, Delta: 12}}},
			"10" + "1b01" + "01" + "25" + "f104" + "06"},
		{"back again", relocated.Map{FlashBase: 0x08004000, F: []relocated.Segment{{Start: 6, Delta: -2}, {Start: 8, Delta: 0}}},
			"10" + "0e8140" + "02" + "11" + "03" + "01" + "01" + "02"},
		{"variables", relocated.Map{FlashBase: 0x80000, RAMBase: 0x20070000, RAMSize: 0x200, R: []relocated.Segment{{Start: 0, Delta: 4}}},
			"11" + "1301" + "00" + "108740" + "02" + "01" + "2f" + "00" + "02"},
	} {
		got, err := c.m.AppendBinary([]byte("in front "))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got = got[len("in front "):]; hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x, want %s", c.name, got, c.want)
		}
		m, rest, err := relocated.Parse(append(got, "patch"...))
		if err != nil || !reflect.DeepEqual(m, c.m) || string(rest) != "patch" {
			t.Errorf("%s: %+v, %q, %v", c.name, m, rest, err)
		}
		for n := range got {
			if _, _, err := relocated.Parse(got[:n]); !errors.Is(err, relocated.ErrShort) {
				t.Errorf("%s: first %d bytes: %v", c.name, n, err)
			}
		}
	}
}

func TestMapsThatAreNotInOrderHaveNoEncoding(t *testing.T) {
	f := func(s ...relocated.Segment) relocated.Map { return relocated.Map{F: s} }
	for name, m := range map[string]relocated.Map{
		"flash base not aligned":  {FlashBase: 2},
		"RAM without segments":    {RAMSize: 256},
		"RAM base without RAM":    {RAMBase: 4},
		"segments without RAM":    {R: []relocated.Segment{{Start: 1, Delta: 1}}},
		"RAM size not a multiple": {RAMSize: 100, R: []relocated.Segment{{Start: 1, Delta: 1}}},
		"RAM beyond the last":     {RAMBase: 0xffffff00, RAMSize: 512, R: []relocated.Segment{{Start: 1, Delta: 1}}},
		"descending":              f(relocated.Segment{Start: 8, Delta: 1}, relocated.Segment{Start: 4, Delta: 2}),
		"twice the same start":    f(relocated.Segment{Start: 8, Delta: 1}, relocated.Segment{Start: 8, Delta: 2}),
		"the same delta again":    f(relocated.Segment{Start: 8, Delta: 1}, relocated.Segment{Start: 9, Delta: 1}),
		"nothing to begin with":   f(relocated.Segment{Start: 8}),
	} {
		if b, err := m.AppendBinary([]byte("x")); !errors.Is(err, relocated.ErrRange) || string(b) != "x" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if _, err := relocated.Apply(nil, m); !errors.Is(err, relocated.ErrRange) {
			t.Errorf("%s: applied: %v", name, err)
		}
		if _, err := relocated.NewView(bytes.NewReader(nil), 0, m); !errors.Is(err, relocated.ErrRange) {
			t.Errorf("%s: viewed: %v", name, err)
		}
	}
}

func TestOtherEncodingsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, b string
		want    error
	}{
		{"version", "20" + "0000" + "00", relocated.ErrUnknown},
		{"part", "12" + "0000" + "00", relocated.ErrUnknown},
		{"even base", "10" + "0202" + "00", relocated.ErrRange},
		{"shifted nothing", "10" + "0100" + "00", relocated.ErrRange},
		{"base beyond 32 bits", "10" + "1f03" + "00", relocated.ErrRange},
		{"base not aligned", "10" + "0001" + "00", relocated.ErrRange},
		{"long varint", "10" + "028100" + "00", relocated.ErrRange},
		{"varint of 35 bits", "10" + "02ffffffff7f" + "00", relocated.ErrRange},
		{"varint of six bytes", "10" + "02ffffffffff01" + "00", relocated.ErrRange},
		{"more segments than bytes", "10" + "0000" + "7f" + "00" + "0102", relocated.ErrShort},
		{"unit too small", "10" + "0000" + "01" + "00" + "0202", relocated.ErrRange},
		{"no step", "10" + "0000" + "02" + "00" + "0102" + "0002", relocated.ErrRange},
		{"no change", "10" + "0000" + "02" + "00" + "0102" + "0100", relocated.ErrRange},
		{"start beyond 32 bits", "10" + "0000" + "02" + "00" + "ffffffff0f02" + "0102", relocated.ErrRange},
		{"shifted start", "10" + "0000" + "01" + "01" + "ffffffff0f02", relocated.ErrRange},
		{"shifted delta", "10" + "0000" + "01" + "10" + "01" + "ffffffff0f", relocated.ErrRange},
		{"R without segments", "11" + "0000" + "00" + "0201" + "01" + "00", relocated.ErrRange},
		{"RAM size beyond 32 bits", "11" + "0000" + "00" + "0201" + "80808008" + "01000102", relocated.ErrRange},
	} {
		b, err := hex.DecodeString(c.b)
		if err != nil {
			t.Fatal(err)
		}
		if m, _, err := relocated.Parse(b); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", c.name, m, err, c.want)
		}
	}
}

// randomMap is a map that is in order, with addresses and steps of all sizes.
func randomMap(r *rand.Rand, size int) relocated.Map {
	list := func(limit uint32) []relocated.Segment {
		var s []relocated.Segment
		var start uint64
		var delta int32
		for range r.IntN(8) {
			start += uint64(r.Uint32()>>r.IntN(32)) % uint64(limit)
			if len(s) > 0 && uint32(start) == s[len(s)-1].Start {
				start++
			}
			d := int32(r.Uint32()) >> r.IntN(32) &^ 1
			if d == delta || start > math.MaxUint32 {
				continue
			}
			delta = d
			s = append(s, relocated.Segment{Start: uint32(start), Delta: delta})
		}
		return s
	}
	m := relocated.Map{FlashBase: r.Uint32() >> r.IntN(32) &^ 3, F: list(uint32(size) + 1)}
	if m.R = list(1 << 16); len(m.R) > 0 {
		m.RAMBase, m.RAMSize = 0x20000000, 256*uint32(1+r.IntN(256))
	}
	return m
}

func TestParseUndoesAppend(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		m := randomMap(r, 1<<r.IntN(32))
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		got, rest, err := relocated.Parse(b)
		if err != nil || !reflect.DeepEqual(got, m) || len(rest) != 0 {
			t.Fatalf("%+v became %+v, %x, %v", m, got, rest, err)
		}
	}
}
