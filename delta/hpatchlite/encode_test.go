package hpatchlite_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/hpatchlite"
)

// The patches were written down from delta.md, section 2.
func TestPatchesByHand(t *testing.T) {
	old := []byte("0123456789")
	for _, row := range []struct {
		name    string
		target  []byte
		covers  []cover.Cover
		options hpatchlite.Options
		patch   []byte
	}{
		{"empty", nil, nil, hpatchlite.Options{}, []byte{'h', 'I', 0, 0x40, 0}},
		{"literal", []byte("xyz"), nil, hpatchlite.Options{},
			[]byte{'h', 'I', 0, 0x41, 3, 1, 0, 0x80, 3, 'x', 'y', 'z'}},
		{"same bytes", []byte("234"), []cover.Cover{{Old: 2, New: 0, Length: 3}}, hpatchlite.Options{},
			[]byte{'h', 'I', 0, 0x41, 3, 1, 3, 0x82, 0}},
		{"literal, difference, back, rest", []byte("ab678x123z"), []cover.Cover{{Old: 6, New: 2, Length: 4}, {Old: 1, New: 6, Length: 3}}, hpatchlite.Options{},
			[]byte{'h', 'I', 0, 0x41, 10, 3, 4, 0x06, 2, 'a', 'b', 0, 0, 0, 'x' - '9', 3, 0xc9, 0, 0, 0x80, 1, 'z'}},
		{"in place", []byte("xx012"), []cover.Cover{{Old: 0, New: 2, Length: 3}}, hpatchlite.Options{InPlace: true, Extra: 5},
			[]byte{'h', 'I', 0, 0x81, 1, 5, 2, 1, 3, 0x80, 2, 'x', 'x'}},
	} {
		patch, err := hpatchlite.Encode(old, row.target, row.covers, row.options)
		if err != nil || !bytes.Equal(patch, row.patch) {
			t.Errorf("%s: %x, %v, want %x", row.name, patch, err, row.patch)
		}
		got, err := hpatchlite.Decode(old, patch, hpatchlite.Limits{})
		if err != nil || !bytes.Equal(got, row.target) {
			t.Errorf("%s: %q, %v", row.name, got, err)
		}
	}
}

// Distances in the old image around the sizes of their groups.
func TestDistancesOfEverySizeSurvive(t *testing.T) {
	old := deltatest.Random(1, 600_000, 256)
	for _, distance := range []int{0, 1, 31, 32, 33, 4095, 4096, 4097, 524_287, 524_288, 599_000} {
		covers := []cover.Cover{{Old: distance, New: 0, Length: 100}, {Old: 0, New: 100, Length: 50}, {Old: 50 + distance, New: 150, Length: 10}}
		var target []byte
		for _, c := range covers {
			target = append(target, old[c.Old:c.OldEnd()]...)
		}
		patch, err := hpatchlite.Encode(old, target, covers, hpatchlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := hpatchlite.Decode(old, patch, hpatchlite.Limits{}); err != nil || !bytes.Equal(got, target) {
			t.Errorf("distance %d: %v", distance, err)
		}
	}
}

func TestMalformedPatchesAreRefused(t *testing.T) {
	old := []byte("0123456789")
	head := func(size byte, payload ...byte) []byte { return append([]byte{'h', 'I', 0, 0x41, size}, payload...) }
	for _, row := range []struct {
		name  string
		patch []byte
		want  error
	}{
		{"empty", nil, hpatchlite.ErrShort},
		{"magic", []byte("hi00"), hpatchlite.ErrFormat},
		{"compression", []byte{'h', 'I', 2, 0x41, 1}, hpatchlite.ErrUnsupported},
		{"version", []byte{'h', 'I', 0, 0xc1, 1}, hpatchlite.ErrUnsupported},
		{"size of five bytes", []byte{'h', 'I', 0, 0x45, 1, 1, 1, 1, 1}, hpatchlite.ErrFormat},
		{"size with an empty byte", []byte{'h', 'I', 0, 0x42, 1, 0, 1, 0, 0, 1, 'x'}, hpatchlite.ErrFormat},
		{"payload size without compression", []byte{'h', 'I', 0, 0x49, 1, 1, 1, 0, 0, 1, 'x'}, hpatchlite.ErrFormat},
		{"no payload size with compression", []byte{'h', 'I', 1, 0x41, 1, 1, 0, 0, 0, 0x0c, 0}, hpatchlite.ErrFormat},
		{"huge image", []byte{'h', 'I', 0, 0x44, 0, 0, 0, 0x80}, hpatchlite.ErrFormat},
		{"no covers", head(1, 0), hpatchlite.ErrFormat},
		{"covers too short", head(3, 1, 2, 0x80, 0), hpatchlite.ErrFormat},
		{"covers too long", head(3, 1, 4, 0x80, 0), hpatchlite.ErrFormat},
		{"gap too long", head(3, 1, 0, 0, 4, 1, 2, 3, 4), hpatchlite.ErrFormat},
		{"empty cover inside", head(3, 2, 0, 0, 1, 'x', 2, 0x80, 0), hpatchlite.ErrFormat},
		{"old position negative", head(3, 1, 3, 0xc1, 0), hpatchlite.ErrBase},
		{"old position beyond", head(3, 1, 3, 0x88, 0), hpatchlite.ErrBase},
		{"number of 33 bits", head(3, 0x90, 0x80, 0x80, 0x80, 0, 3, 0x80, 0), hpatchlite.ErrFormat},
		{"number with an empty group", head(3, 1, 0x80, 3, 0x80, 0), hpatchlite.ErrFormat},
		{"more than the payload", head(3, 1, 3, 0x80, 0, 0), hpatchlite.ErrFormat},
		{"overwritten in place", []byte{'h', 'I', 0, 0x81, 1, 5, 1, 1, 3, 0x80, 2, 'x', 'x'}, hpatchlite.ErrInPlace},
	} {
		if got, err := hpatchlite.Decode(old, row.patch, hpatchlite.Limits{}); !errors.Is(err, row.want) {
			t.Errorf("%s: %q, %v, want %v", row.name, got, err, row.want)
		}
	}
}

func TestCoversAndOptionsThatDoNotFitAreRefused(t *testing.T) {
	old := []byte("0123456789")
	covers := []cover.Cover{{Old: 0, New: 2, Length: 3}}
	for _, row := range []struct {
		name    string
		covers  []cover.Cover
		options hpatchlite.Options
		want    error
	}{
		{"covers", []cover.Cover{{Old: 8, New: 0, Length: 3}}, hpatchlite.Options{}, cover.ErrCovers},
		{"in place", covers, hpatchlite.Options{InPlace: true, Extra: 1}, hpatchlite.ErrInPlace},
		{"in place with a margin", covers, hpatchlite.Options{InPlace: true, Extra: 2, Margin: 4}, hpatchlite.ErrInPlace},
		{"extra, not in place", covers, hpatchlite.Options{Extra: 2}, hpatchlite.ErrRange},
		{"negative extra", covers, hpatchlite.Options{InPlace: true, Extra: -1}, hpatchlite.ErrRange},
		{"no window", covers, hpatchlite.Options{Compression: hpatchlite.Tinyuz}, hpatchlite.ErrRange},
		{"field", covers, hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 1, DictField: 5}, hpatchlite.ErrRange},
		{"compression", covers, hpatchlite.Options{Compression: 2}, hpatchlite.ErrUnsupported},
	} {
		if _, err := hpatchlite.Encode(old, []byte("xx012"), row.covers, row.options); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	if _, err := hpatchlite.Encode(old, []byte("xx012"), covers, hpatchlite.Options{InPlace: true, Extra: 2}); err != nil {
		t.Errorf("in place with what it needs: %v", err)
	}
}
