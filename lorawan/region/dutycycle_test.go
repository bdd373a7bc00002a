package region_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan/region"
)

func TestSubBandsAtTheirEdges(t *testing.T) {
	for _, c := range []struct {
		band      region.Band
		frequency uint32
		duty      float64 // 0: outside
	}{
		{region.EU868, 862999999, 0},
		{region.EU868, 863000000, 0.001},
		{region.EU868, 865000000, 0.01},
		{region.EU868, 868100000, 0.01},
		{region.EU868, 868699999, 0.01},
		{region.EU868, 868700000, 0.001},
		{region.EU868, 869199999, 0.001},
		{region.EU868, 869200000, 0.01},
		{region.EU868, 869399999, 0.01},
		{region.EU868, 869400000, 0.1},
		{region.EU868, 869525000, 0.1},
		{region.EU868, 869649999, 0.1},
		{region.EU868, 869650000, 0.01},
		{region.EU868, 869999999, 0.01},
		{region.EU868, 870000000, 0},
		{region.US915, 923300000, 1},
		{region.US915, 869525000, 0},
		{region.AU915, 923300000, 1},
		{region.IN865, 866550000, 1},
		{region.KR920, 921900000, 1},
		{region.AS923_4, 917300000, 0.01},
		{region.RU864, 869100000, 0.01},
		{region.EU433, 434665000, 0.01},
	} {
		s, ok := c.band.SubBand(c.frequency)
		if ok != (c.duty > 0) || s.DutyCycle != c.duty {
			t.Errorf("%v %d Hz: %v, %v, want %v", c.band, c.frequency, s.DutyCycle, ok, c.duty)
		}
		if ok && s.Limited() != (c.duty < 1) {
			t.Errorf("%v %d Hz: Limited = %v", c.band, c.frequency, s.Limited())
		}
	}
}

func TestSubBandsCoverTheirBandWithoutOverlap(t *testing.T) {
	for _, b := range region.Bands() {
		f, dr := b.RX2()
		s, ok := b.SubBand(f)
		if f == 0 {
			continue
		}
		if !ok || s.MaxEIRPdBm <= 0 {
			t.Fatalf("%v RX2 %d Hz DR %d: %+v, %v", b, f, dr, s, ok)
		}
		// Walk to the upper end: each sub-band begins where the one before ended.
		for {
			next, ok := b.SubBand(s.High)
			if !ok {
				break
			}
			if next.Low != s.High || next.High <= next.Low {
				t.Fatalf("%v: %+v follows %+v", b, next, s)
			}
			s = next
		}
	}
}

func TestAirtimeOfAnHour(t *testing.T) {
	for f, want := range map[uint32]time.Duration{
		868100000: 36 * time.Second,
		868800000: 3600 * time.Millisecond,
		869525000: 360 * time.Second,
	} {
		s, _ := region.EU868.SubBand(f)
		if got := s.Airtime(time.Hour); got != want {
			t.Errorf("%d Hz: %v, want %v", f, got, want)
		}
	}
	s, _ := region.US915.SubBand(923300000)
	if got := s.Airtime(time.Hour); got != time.Hour {
		t.Errorf("US915: %v, want all of it", got)
	}
}

func TestDwellTimeMattersOnlyWhereTheBandHasOne(t *testing.T) {
	dwell := region.Options{DwellTime400ms: true}
	for _, b := range region.Bands() {
		for dr := range uint8(16) {
			free, _ := b.MaxPayload(dr, region.Options{})
			tight, _ := b.MaxPayload(dr, dwell)
			switch b {
			case region.AU915, region.AS923, region.AS923_2, region.AS923_3, region.AS923_4:
				if tight > free || tight < free && dr > 4 {
					t.Errorf("%v DR %d: %d bytes with dwell time, %d without", b, dr, tight, free)
				}
			default:
				if tight != free {
					t.Errorf("%v DR %d: %d bytes with dwell time, %d without", b, dr, tight, free)
				}
			}
		}
	}
}

// The payload table and the air-time formula come from different sources; where a dwell
// time limits the payload, the longest downlink must indeed end within 400 ms.
func TestFramesUnderDwellTimeEndWithin400Milliseconds(t *testing.T) {
	for dr := range uint8(6) {
		n, ok := region.AS923.MaxPayload(dr, region.Options{DwellTime400ms: true})
		if !ok {
			continue
		}
		if toa, _ := region.AS923.UplinkAirtime(dr, n); toa > 400*time.Millisecond {
			t.Errorf("DR %d, %d bytes: %v", dr, n, toa)
		}
	}
}
