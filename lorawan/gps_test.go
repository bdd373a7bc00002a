package lorawan_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

func TestGPSTimeVectors(t *testing.T) {
	var f struct {
		Cases []struct {
			UTC   time.Time
			GPS   int64 `json:"gps_seconds"`
			Mod   int64 `json:"gps_mod_2_32"`
			Floor int64 `json:"class_b_floor_128"`
			Ceil  int64 `json:"class_b_ceil_128"`
		}
	}
	readJSON(t, "gps_time.json", &f)
	if len(f.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range f.Cases {
		if got := lorawan.GPSSeconds(c.UTC); got != c.GPS {
			t.Errorf("%s: %d GPS seconds, want %d", c.UTC, got, c.GPS)
		}
		if got := lorawan.GPSSeconds32(c.UTC); int64(got) != c.Mod {
			t.Errorf("%s: %d modulo 2^32, want %d", c.UTC, got, c.Mod)
		}
		if got := lorawan.TimeFromGPS(c.GPS); !got.Equal(c.UTC) {
			t.Errorf("%d: %s, want %s", c.GPS, got, c.UTC)
		}
		for _, off := range []time.Duration{0, time.Hour, -time.Hour, 60 * 365 * 24 * time.Hour, -60 * 365 * 24 * time.Hour} {
			if got := lorawan.TimeFromGPS32(uint32(c.GPS), c.UTC.Add(off)); !got.Equal(c.UTC) {
				t.Errorf("%d near %s: %s, want %s", uint32(c.GPS), c.UTC.Add(off), got, c.UTC)
			}
		}
		// The class B columns are modulo 2^32 like the wire, and so is the beacon period.
		if got := int64(lorawan.GPSSeconds32(lorawan.CeilBeacon(c.UTC))); got != c.Ceil {
			t.Errorf("%s: beacon at %d, want %d", c.UTC, got, c.Ceil)
		}
		if floor := lorawan.TimeFromGPS(c.GPS - c.Mod + c.Floor); !lorawan.CeilBeacon(floor).Equal(floor) {
			t.Errorf("%s is a beacon time, moved to %s", floor, lorawan.CeilBeacon(floor))
		}
	}
}

func TestBeaconIsNeverBeforeTheTimeAsked(t *testing.T) {
	beacon := lorawan.TimeFromGPS(128 * 11_000_000)
	for _, c := range []struct {
		after, want time.Duration
	}{
		{0, 0},
		{1, 128 * time.Second},
		{time.Second, 128 * time.Second},
		{127*time.Second + 999*time.Millisecond, 128 * time.Second},
		{128 * time.Second, 128 * time.Second},
		{128*time.Second + 1, 256 * time.Second},
	} {
		if got := lorawan.CeilBeacon(beacon.Add(c.after)).Sub(beacon); got != c.want {
			t.Errorf("%s after a beacon: next at %s, want %s", c.after, got, c.want)
		}
	}
}
