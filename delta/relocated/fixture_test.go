package relocated_test

import (
	"bytes"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/hpatchlite"
	"github.com/starling-fuota/starling/delta/relocated"
)

// dictionary is the RAM of the device.
var dictionary = hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 2048, LiteralLine: true}

func TestRealFirmwareBecomesSmallWithAMap(t *testing.T) {
	for _, c := range []struct {
		name    string
		flash   uint32
		detools int     // reference: detools with heatshrink, window 2^11
		most    float64 // share of that
	}{
		{"shell", 0x00080000, 2361, 0.25},
		{"pybv11-1f5d945af-dirty", 0x08020000, 10999, 0.25},
		{"programmer-0.8.0-0.9.0", 0x00080000, 1545, 0.65},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, target := deltatest.Pair(t, c.name)
			if flash, ok := relocated.FlashBase(old); !ok || flash != c.flash {
				t.Errorf("linked for %#x, %v, want %#x", flash, ok, c.flash)
			}
			plain := 0
			choice, err := relocated.Choose(old, target, relocated.Options{
				Flash: c.flash,
				Size: func(view []byte, covers []cover.Cover) (int, error) {
					b, err := hpatchlite.Encode(view, target, covers, dictionary)
					if plain == 0 {
						plain = len(b)
					}
					return len(b), err
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes, without a map %d, detools %d", choice.Size, plain, c.detools)
			if limit := int(c.most * float64(c.detools)); choice.Size > limit {
				t.Errorf("%d bytes, want at most %d", choice.Size, limit)
			}
			sent, err := choice.Map.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			patch, err := hpatchlite.Encode(choice.View, target, choice.Covers, dictionary)
			if err != nil {
				t.Fatal(err)
			}
			if sent = append(sent, patch...); len(sent) != choice.Size {
				t.Errorf("%d bytes, Choose said %d", len(sent), choice.Size)
			}
			if got := apply(t, old, sent); !bytes.Equal(got, target) {
				t.Error("the patch makes another image")
			}
		})
	}
}

// apply does what a device does: it reads the map, and decodes the rest over the view.
func apply(t *testing.T, old, sent []byte) []byte {
	t.Helper()
	m, patch, err := relocated.Parse(sent)
	if err != nil {
		t.Fatal(err)
	}
	view, err := relocated.NewView(bytes.NewReader(old), int64(len(old)), m)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := hpatchlite.Apply(view, view.Size(), bytes.NewReader(patch), &out, hpatchlite.Limits{}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A wrong map costs bytes, never correctness.
func TestAnyMapGivesAPatchThatIsRight(t *testing.T) {
	old, target := deltatest.Pair(t, "programmer-0.8.0-0.9.0")
	for name, m := range map[string]relocated.Map{
		"none":        {},
		"wrong base":  {FlashBase: 0x08000000, F: []relocated.Segment{{Start: 100, Delta: 4}}},
		"odd and far": {FlashBase: 0x80000, F: []relocated.Segment{{Start: 0, Delta: 12345}, {Start: 9999, Delta: -77777}}},
		"RAM as well": {FlashBase: 0x80000, RAMBase: 0x20070000, RAMSize: 0x10000, R: []relocated.Segment{{Start: 1, Delta: -1}}},
	} {
		sent, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		view, err := relocated.Apply(old, m)
		if err != nil {
			t.Fatal(err)
		}
		patch, err := hpatchlite.Encode(view, target, cover.Find(view, target, cover.Params{}), dictionary)
		if err != nil {
			t.Fatal(err)
		}
		if got := apply(t, old, append(sent, patch...)); !bytes.Equal(got, target) {
			t.Errorf("%s: the patch makes another image", name)
		}
	}
}
