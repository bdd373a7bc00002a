package region_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

var sf12 = region.DataRate{Modulation: region.LoRa, SF: 12, Bandwidth: 125000}

func TestTimeOnAirAtTheEdgesOfTheFormula(t *testing.T) {
	fsk := region.DataRate{Modulation: region.FSK, BitRate: 50000}
	for _, c := range []struct {
		name   string
		rate   region.DataRate
		phyLen int
		uplink bool
		want   time.Duration
	}{
		// 12.25 + 8 + 55 symbols of 32.768 ms.
		{"SF12 uplink of 51 bytes", sf12, 51, true, 2465792 * time.Microsecond},
		// A frame without payload has the preamble, the header block and what the header did not hold:
		// 28 - 48 bits is below zero.
		{"SF12 downlink of nothing", sf12, 0, false, 663552 * time.Microsecond},
		{"negative length counts as nothing", sf12, -5, false, 663552 * time.Microsecond},
		// 8 (10 + 8 + 3) bits are 11 bytes of framing and 10 of payload, 20 us a bit.
		{"FSK of 10 bytes", fsk, 10, false, 21 * 8 * 20 * time.Microsecond},
		{"FSK uplinks and downlinks are alike", fsk, 10, true, 21 * 8 * 20 * time.Microsecond},
		{"LR-FHSS is not computed", region.DataRate{Modulation: region.LRFHSS}, 10, true, 0},
		{"the zero rate has no time", region.DataRate{}, 10, true, 0},
	} {
		if got := c.rate.TimeOnAir(c.phyLen, c.uplink); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Optimisation starts at 16 ms a symbol: SF11 and SF12 at 125 kHz, never at 500 kHz.
func TestLowDataRateOptimisationStartsAt16MillisecondsASymbol(t *testing.T) {
	sf10 := region.DataRate{Modulation: region.LoRa, SF: 10, Bandwidth: 125000}
	sf11 := region.DataRate{Modulation: region.LoRa, SF: 11, Bandwidth: 125000}
	// 20 bytes: SF10 packs 40 bits a block, (160 - 40 + 28) / 40 -> 4 blocks.
	if got, want := sf10.TimeOnAir(20, false), time.Duration(81+4*5*4)*8192*time.Microsecond/4; got != want {
		t.Errorf("SF10: %v, want %v", got, want)
	}
	// SF11 packs 36 instead of 44 bits, (160 - 44 + 28) / 36 -> exactly 4 blocks; one bit more would be 5.
	if got, want := sf11.TimeOnAir(20, false), time.Duration(81+4*5*4)*16384*time.Microsecond/4; got != want {
		t.Errorf("SF11: %v, want %v", got, want)
	}
	if got, want := sf11.TimeOnAir(21, false), time.Duration(81+4*5*5)*16384*time.Microsecond/4; got != want {
		t.Errorf("SF11, one byte more: %v, want %v", got, want)
	}
}

func TestLongerFramesNeverTakeLessTime(t *testing.T) {
	for _, b := range region.Bands() {
		for dr := range uint8(16) {
			rate, ok := b.DataRate(dr)
			if !ok || rate.Modulation == region.LRFHSS {
				continue
			}
			last := time.Duration(0)
			for n := range 256 {
				down, up := rate.TimeOnAir(n, false), rate.TimeOnAir(n, true)
				if down < last || up < down {
					t.Fatalf("%v DR %d, %d bytes: down %v, up %v, one byte less %v", b, dr, n, down, up, last)
				}
				last = down
			}
			if last <= 0 {
				t.Fatalf("%v DR %d: no time", b, dr)
			}
		}
	}
}

func TestAirtimeCountsTheFrameAndTheDirection(t *testing.T) {
	down, ok := region.EU868.DownlinkAirtime(0, 51)
	if want := sf12.TimeOnAir(51+lorawan.FrameOverhead, false); !ok || down != want {
		t.Errorf("downlink: %v, %v, want %v", down, ok, want)
	}
	up, ok := region.EU868.UplinkAirtime(5, 0)
	if want := 46336 * time.Microsecond; !ok || up != want {
		t.Errorf("uplink: %v, %v, want %v", up, ok, want)
	}
	if _, ok := region.US915.DownlinkAirtime(0, 11); ok {
		t.Error("US915 DR 0 is no downlink rate")
	}
	if _, ok := region.US915.UplinkAirtime(8, 11); ok {
		t.Error("US915 DR 8 is no uplink rate")
	}
	if _, ok := region.EU868.UplinkAirtime(8, 11); ok {
		t.Error("LR-FHSS has no computed time")
	}
	if _, ok := region.EU868.DownlinkAirtime(12, 11); ok {
		t.Error("EU868 DR 12 is not defined")
	}
}
