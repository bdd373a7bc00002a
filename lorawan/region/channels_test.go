package region_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// One row per line of the table of defaults in RP002.
func TestDefaultFrequencies(t *testing.T) {
	for _, c := range []struct {
		band                    region.Band
		rx2, ping, beacon       uint32
		rx2DR, pingDR, beaconDR uint8
	}{
		{region.EU868, 869525000, 869525000, 869525000, 0, 3, 3},
		{region.US915, 923300000, 0, 0, 8, 8, 8},
		{region.AU915, 923300000, 0, 0, 8, 8, 8},
		{region.AS923, 923200000, 923400000, 923400000, 2, 3, 3},
		{region.AS923_2, 921400000, 921600000, 921600000, 2, 3, 3},
		{region.AS923_3, 916600000, 916800000, 916800000, 2, 3, 3},
		{region.AS923_4, 917300000, 917500000, 917500000, 2, 3, 3},
		{region.IN865, 866550000, 866550000, 866550000, 2, 4, 4},
		{region.KR920, 921900000, 923100000, 923100000, 0, 3, 3},
		{region.CN470, 0, 0, 0, 1, 2, 2},
		{region.RU864, 869100000, 868900000, 869100000, 0, 3, 3},
		{region.EU433, 434665000, 434665000, 434665000, 0, 3, 3},
	} {
		if f, dr := c.band.RX2(); f != c.rx2 || dr != c.rx2DR {
			t.Errorf("%v RX2: %d DR %d, want %d DR %d", c.band, f, dr, c.rx2, c.rx2DR)
		}
		if f, dr := c.band.PingSlot(); f != c.ping || dr != c.pingDR {
			t.Errorf("%v ping slot: %d DR %d, want %d DR %d", c.band, f, dr, c.ping, c.pingDR)
		}
		if f, dr := c.band.Beacon(); f != c.beacon || dr != c.beaconDR {
			t.Errorf("%v beacon: %d DR %d, want %d DR %d", c.band, f, dr, c.beacon, c.beaconDR)
		}
	}
}

func TestDefaultsLieInTheBandAndCarryPayload(t *testing.T) {
	for _, b := range region.Bands() {
		for name, slot := range map[string]func() (uint32, uint8){"RX2": b.RX2, "ping slot": b.PingSlot, "beacon": b.Beacon} {
			f, dr := slot()
			if !b.Usable(dr, lorawan.Downlink) {
				t.Errorf("%v %s: DR %d is no downlink rate", b, name, dr)
			}
			if _, ok := b.MaxFragSize(dr, region.Options{}); !ok {
				t.Errorf("%v %s: DR %d holds no fragment", b, name, dr)
			}
			if _, ok := b.SubBand(f); f != 0 && !ok {
				t.Errorf("%v %s: %d Hz is outside of the band", b, name, f)
			}
		}
		for _, c := range b.UplinkChannels() {
			if _, ok := b.SubBand(c.Frequency); !ok {
				t.Errorf("%v: channel %d Hz is outside of the band", b, c.Frequency)
			}
			for dr := c.MinDR; dr <= c.MaxDR; dr++ {
				f, down, ok := b.RX1(c.Frequency, dr, region.Options{})
				if !ok || !b.Usable(down, lorawan.Downlink) {
					t.Errorf("%v: channel %d Hz DR %d is answered at DR %d, %v", b, c.Frequency, dr, down, ok)
				}
				if _, ok := b.SubBand(f); !ok {
					t.Errorf("%v: RX1 %d Hz is outside of the band", b, f)
				}
			}
		}
	}
}

func TestRX1AnswersWhereAndHowTheUplinkWasSent(t *testing.T) {
	dwell := region.Options{DwellTime400ms: true}
	for _, c := range []struct {
		band     region.Band
		up       uint32
		upDR     uint8
		options  region.Options
		down     uint32
		downDR   uint8
		answered bool
	}{
		{region.EU868, 868100000, 0, region.Options{}, 868100000, 0, true},
		{region.EU868, 867100000, 5, region.Options{}, 867100000, 5, true}, // a channel the network added
		{region.EU868, 868100000, 0, dwell, 868100000, 0, true},            // no dwell time in Europe
		{region.AS923, 923200000, 0, region.Options{}, 923200000, 0, true},
		{region.AS923, 923200000, 0, dwell, 923200000, 2, true},
		{region.AS923, 923200000, 5, dwell, 923200000, 5, true},
		{region.US915, 902300000, 0, region.Options{}, 923300000, 10, true},
		{region.US915, 902500000, 3, region.Options{}, 923900000, 13, true},
		{region.US915, 914900000, 2, region.Options{}, 927500000, 12, true}, // channel 63
		{region.US915, 903000000, 4, region.Options{}, 923300000, 13, true}, // channel 64
		{region.US915, 914200000, 4, region.Options{}, 927500000, 13, true}, // channel 71
		{region.AU915, 915200000, 0, region.Options{}, 923300000, 8, true},
		{region.AU915, 915400000, 5, region.Options{}, 923900000, 13, true},
		{region.AU915, 915900000, 6, region.Options{}, 923300000, 13, true}, // channel 64

		{region.US915, 902400000, 0, region.Options{}, 0, 0, false}, // between two channels
		{region.US915, 902300000, 4, region.Options{}, 0, 0, false}, // 500 kHz on a 125 kHz channel
		{region.US915, 902300000, 8, region.Options{}, 0, 0, false}, // a downlink rate
		{region.EU868, 868100000, 8, region.Options{}, 0, 0, false}, // LR-FHSS
		{region.EU868, 870000000, 0, region.Options{}, 0, 0, false}, // just outside
		{region.CN470, 470300000, 2, region.Options{}, 0, 0, false}, // the sub-plan decides
	} {
		f, dr, ok := c.band.RX1(c.up, c.upDR, c.options)
		if f != c.down || dr != c.downDR || ok != c.answered {
			t.Errorf("%v, uplink %d DR %d %+v: %d DR %d %v, want %d DR %d %v",
				c.band, c.up, c.upDR, c.options, f, dr, ok, c.down, c.downDR, c.answered)
		}
	}
}

func TestUplinkChannelsBelongToTheCaller(t *testing.T) {
	region.EU868.UplinkChannels()[0].Frequency = 1
	if f := region.EU868.UplinkChannels()[0].Frequency; f != 868100000 {
		t.Errorf("the table was changed through a result: %d Hz", f)
	}
}

func TestPingSlotsHopWithAddressAndBeaconPeriod(t *testing.T) {
	for _, c := range []struct {
		addr string
		gps  int64
		want uint32
	}{
		{"00000000", 0, 923300000},
		{"00000001", 0, 923900000},
		{"00000000", 127, 923300000}, // the same beacon period
		{"00000000", 128, 923900000}, // the next one
		{"00000007", 128, 923300000}, // 7 + 1 wraps
		{"01020304", 7 * 128, 925100000},
		{"ffffffff", 1400000000, 925100000}, // 10937500 periods are 4 mod 8, the address is 7
		{"00000000", -1, 927500000},         // before the epoch the period is -1
	} {
		for _, b := range []region.Band{region.US915, region.AU915} {
			got := b.PingSlotFrequency(lorawan.MustParseDevAddr(c.addr), lorawan.TimeFromGPS(c.gps))
			if got != c.want {
				t.Errorf("%v %s at GPS %d: %d Hz, want %d Hz", b, c.addr, c.gps, got, c.want)
			}
		}
	}
}

func TestBeaconsHopAndFixedBandsDoNot(t *testing.T) {
	at := lorawan.TimeFromGPS(3 * 128).Add(100 * time.Second)
	addr := lorawan.MustParseDevAddr("00000005")
	for _, c := range []struct {
		band         region.Band
		ping, beacon uint32
	}{
		{region.US915, 923300000, 925100000},
		{region.EU868, 869525000, 869525000},
		{region.RU864, 868900000, 869100000},
		{region.CN470, 0, 0},
	} {
		if got := c.band.PingSlotFrequency(addr, at); got != c.ping {
			t.Errorf("%v ping slot: %d Hz, want %d Hz", c.band, got, c.ping)
		}
		if got := c.band.BeaconFrequency(at); got != c.beacon {
			t.Errorf("%v beacon: %d Hz, want %d Hz", c.band, got, c.beacon)
		}
	}
}
