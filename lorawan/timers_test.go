package lorawan_test

import (
	"errors"
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// exponent is a field that stands for a power of two, with its two functions.
type exponent struct {
	name     string
	longest  uint8
	expand   func(uint8) time.Duration
	smallest func(time.Duration) (uint8, error)
}

var exponents = map[string]exponent{
	"app_time_period": {"Period", 15, clocksync.AppTimeInterval, clocksync.AppTimePeriod},
	"block_ack_delay": {"BlockAckDelay", 7, fragmentation.AckDelay, fragmentation.BlockAckDelay},
	"class_c":         {"TimeOut class C", 15, multicast.ClassCDuration, multicast.ClassCTimeOut},
	"class_b":         {"TimeOut class B", 15, multicast.ClassBDuration, multicast.ClassBTimeOut},
}

func TestExponentsExpandAsTheVectorsSay(t *testing.T) {
	var f struct {
		Cases []struct {
			Class         string
			TimeOut       *uint8 `json:"time_out"`
			Periodicity   *uint8
			BlockAckDelay *uint8 `json:"block_ack_delay"`
			AppTimePeriod *uint8 `json:"app_time_period"`
			Seconds       int
			MaxDelay      int `json:"max_delay_s"`
			PingSlots     int `json:"ping_slots_per_beacon_period"`
			PingPeriod    int `json:"ping_period_s"`
			SlotPeriod    int `json:"slot_period_30ms_slots"`
		}
	}
	readJSON(t, "timers.json", &f)
	if len(f.Cases) == 0 {
		t.Fatal("no cases")
	}
	check := func(e exponent, exp uint8, seconds int) {
		t.Helper()
		want := time.Duration(seconds) * time.Second
		if got := e.expand(exp); got != want {
			t.Errorf("%s %d: %s, want %s", e.name, exp, got, want)
		}
		if got, err := e.smallest(want); err != nil || got != exp {
			t.Errorf("%s for %s: %d, %v; want %d", e.name, want, got, err, exp)
		}
	}
	for _, c := range f.Cases {
		switch {
		case c.AppTimePeriod != nil:
			check(exponents["app_time_period"], *c.AppTimePeriod, c.Seconds)
		case c.BlockAckDelay != nil:
			check(exponents["block_ack_delay"], *c.BlockAckDelay, c.MaxDelay)
		case c.TimeOut != nil && c.Class == "C":
			check(exponents["class_c"], *c.TimeOut, c.Seconds)
		case c.TimeOut != nil && c.Class == "B":
			check(exponents["class_b"], *c.TimeOut, c.Seconds)
		case c.Periodicity != nil:
			p := *c.Periodicity
			period := time.Duration(c.PingPeriod) * time.Second
			if multicast.PingPeriod(p) != period || multicast.PingSlots(p) != c.PingSlots || multicast.PingPeriodSlots(p) != c.SlotPeriod {
				t.Errorf("Periodicity %d: %s, %d slots, every %d", p,
					multicast.PingPeriod(p), multicast.PingSlots(p), multicast.PingPeriodSlots(p))
			}
			if got, err := multicast.PingPeriodicity(period); err != nil || got != p {
				t.Errorf("Periodicity for %s: %d, %v; want %d", period, got, err, p)
			}
		default:
			t.Fatalf("case of no known kind: %+v", c)
		}
	}
}

func TestSmallestExponentIsLongEnoughAndNoLonger(t *testing.T) {
	for _, e := range exponents {
		for exp := range e.longest + 1 {
			d := e.expand(exp)
			for _, off := range []time.Duration{-1, 0, 1} {
				got, err := e.smallest(d + off)
				if exp == e.longest && off > 0 {
					if !errors.Is(err, lorawan.ErrRange) {
						t.Errorf("%s for %s: %d, %v; want ErrRange", e.name, d+off, got, err)
					}
					continue
				}
				if err != nil || e.expand(got) < d+off || got > 0 && e.expand(got-1) >= d+off {
					t.Errorf("%s for %s: %d, %v", e.name, d+off, got, err)
				}
			}
		}
		if got := e.expand(e.longest + 1); got != 0 {
			t.Errorf("%s %d expands to %s, want 0", e.name, e.longest+1, got)
		}
		if got, err := e.smallest(-time.Hour); got != 0 || err != nil {
			t.Errorf("%s for a negative time: %d, %v; want 0", e.name, got, err)
		}
	}
}

func TestPingPeriodicityIsAsRareAsAllowed(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want uint8
	}{
		{time.Second, 0}, {2*time.Second - 1, 0}, {2 * time.Second, 1}, {127 * time.Second, 6}, {128 * time.Second, 7}, {time.Hour, 7},
	} {
		if got, err := multicast.PingPeriodicity(c.d); err != nil || got != c.want {
			t.Errorf("%s: %d, %v; want %d", c.d, got, err, c.want)
		}
	}
	if got, err := multicast.PingPeriodicity(time.Second - 1); !errors.Is(err, lorawan.ErrRange) {
		t.Errorf("below a second: %d, %v; want ErrRange", got, err)
	}
	if multicast.PingPeriod(8) != 0 || multicast.PingSlots(8) != 0 || multicast.PingPeriodSlots(8) != 0 {
		t.Error("Periodicity 8 does not exist, want 0")
	}
}
