package region_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// readCases reads a vector file made from other implementations; want guards against a cut file.
func readCases[T any](t *testing.T, name string, want int) []T {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []T }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != want {
		t.Fatalf("%s: %d cases, want %d", name, len(file.Cases), want)
	}
	return file.Cases
}

func TestPayloadSizesAgreeWithOtherImplementations(t *testing.T) {
	type sizeCase struct {
		Region             string
		DR                 uint8
		Phy                string
		RepeaterCompatible bool `json:"repeater_compatible"`
		Dwell400ms         bool `json:"dwell_400ms"`
		N                  int
		FragSizeMax        int  `json:"frag_size_max"`
		DownlinkUsable     bool `json:"downlink_usable"`
	}
	for _, c := range readCases[sizeCase](t, "payload_sizes.json", 310) {
		b, err := region.ParseBand(c.Region)
		if err != nil {
			t.Fatal(err)
		}
		o := region.Options{Repeater: c.RepeaterCompatible, DwellTime400ms: c.Dwell400ms}
		rate, defined := b.DataRate(c.DR)
		n, ok := b.MaxPayload(c.DR, o)

		// IN865 DR 6 has a size in every table and a modulation in none: the rate is
		// not defined, so there is nothing that could carry the bytes.
		if c.Phy == "LR-FHSS None" {
			if defined || ok {
				t.Errorf("%v DR %d: defined, though no source knows its modulation", b, c.DR)
			}
			continue
		}

		if n != c.N || ok != (c.N > 0) {
			t.Errorf("%v DR %d %+v: MaxPayload = %d, %v, want %d", b, c.DR, o, n, ok, c.N)
		}
		if !strings.HasPrefix(c.Phy, rate.String()) {
			t.Errorf("%v DR %d: %v, want %s", b, c.DR, rate, c.Phy)
		}
		if got := b.Usable(c.DR, lorawan.Downlink); got != c.DownlinkUsable {
			t.Errorf("%v DR %d: usable for downlinks = %v, want %v", b, c.DR, got, c.DownlinkUsable)
		}
		size, ok := b.MaxFragSize(c.DR, o)
		switch wantOK := c.DownlinkUsable && c.N > 0; {
		case ok != wantOK:
			t.Errorf("%v DR %d %+v: MaxFragSize ok = %v, want %v", b, c.DR, o, ok, wantOK)
		case ok && size != c.FragSizeMax:
			t.Errorf("%v DR %d %+v: MaxFragSize = %d, want %d", b, c.DR, o, size, c.FragSizeMax)
		}
	}
}

func TestTimeOnAirAgreesWithOtherImplementations(t *testing.T) {
	type timeCase struct {
		PHYPayloadLen int     `json:"phy_payload_len"`
		SF            uint8   `json:"sf"`
		BandwidthKHz  uint32  `json:"bw_khz"`
		CRC           bool    `json:"crc"`
		Milliseconds  float64 `json:"toa_ms"`
	}
	for _, c := range readCases[timeCase](t, "time_on_air.json", 32) {
		d := region.DataRate{Modulation: region.LoRa, SF: c.SF, Bandwidth: c.BandwidthKHz * 1000}
		want := time.Duration(math.Round(c.Milliseconds*1000)) * time.Microsecond
		if got := d.TimeOnAir(c.PHYPayloadLen, c.CRC); got != want {
			t.Errorf("%v, %d bytes, uplink %v: %v, want %v", d, c.PHYPayloadLen, c.CRC, got, want)
		}
	}
}
