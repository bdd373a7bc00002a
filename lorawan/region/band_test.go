package region_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/lorawan/region"
)

func TestBandNamesSurviveARoundTrip(t *testing.T) {
	bands := region.Bands()
	if len(bands) != 12 {
		t.Fatalf("%d bands, want 12", len(bands))
	}
	for _, b := range bands {
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var back region.Band
		if err := json.Unmarshal(raw, &back); err != nil || back != b {
			t.Errorf("%v: through %s came %v, %v", b, raw, back, err)
		}
	}
}

func TestParseBandAcceptsTheSpellingsInUse(t *testing.T) {
	for text, want := range map[string]region.Band{
		"EU868": region.EU868, "eu868": region.EU868,
		"AS923": region.AS923, "AS923-1": region.AS923, "AS923_1": region.AS923_1,
		"as923_2": region.AS923_2, "AS923-4": region.AS923_4,
	} {
		if got, err := region.ParseBand(text); err != nil || got != want {
			t.Errorf("ParseBand(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "none", "EU", "EU 868", "AS923-5", "CN779", " EU868"} {
		if got, err := region.ParseBand(text); !errors.Is(err, region.ErrBand) || got != 0 {
			t.Errorf("ParseBand(%q) = %v, %v, want ErrBand", text, got, err)
		}
	}
}

func TestZeroBandIsNoBand(t *testing.T) {
	var b region.Band
	if got := b.String(); got != "none" {
		t.Errorf("String = %q, want none", got)
	}
	raw, err := json.Marshal(b)
	if err != nil || string(raw) != `""` {
		t.Errorf("Marshal = %s, %v", raw, err)
	}
	b = region.EU868
	if err := json.Unmarshal([]byte(`""`), &b); err != nil || b != 0 {
		t.Errorf("Unmarshal = %v, %v", b, err)
	}
	assertEmpty(t, 0)
}

func TestUnknownBandNumberHasNoTables(t *testing.T) {
	const b = region.Band(200)
	if _, err := b.MarshalText(); !errors.Is(err, region.ErrBand) {
		t.Errorf("MarshalText: %v, want ErrBand", err)
	}
	if got := b.String(); got != "Band(200)" {
		t.Errorf("String = %q", got)
	}
	assertEmpty(t, b)
}

func assertEmpty(t *testing.T, b region.Band) {
	t.Helper()
	for dr := range uint8(16) {
		if _, ok := b.DataRate(dr); ok {
			t.Errorf("%v has DR %d", b, dr)
		}
		if _, ok := b.MaxPayload(dr, region.Options{}); ok {
			t.Errorf("%v has a payload at DR %d", b, dr)
		}
	}
	if _, ok := b.SubBand(868100000); ok {
		t.Errorf("%v has a sub-band", b)
	}
	if len(b.UplinkChannels()) != 0 {
		t.Errorf("%v has channels", b)
	}
	if f, _ := b.RX2(); f != 0 {
		t.Errorf("%v has RX2", b)
	}
}

func FuzzParseBand(f *testing.F) {
	for _, b := range region.Bands() {
		f.Add(b.String())
		f.Add(strings.ToLower(b.String()))
	}
	f.Add("AS923_1")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := region.ParseBand(text)
		if err != nil {
			if b != 0 || !errors.Is(err, region.ErrBand) {
				t.Fatalf("%q: %v, %v", text, b, err)
			}
			return
		}
		if again, err := region.ParseBand(b.String()); err != nil || again != b {
			t.Fatalf("%q: %v reads back as %v, %v", text, b, again, err)
		}
	})
}
