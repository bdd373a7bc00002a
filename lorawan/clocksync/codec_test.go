package clocksync_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/codectest"
)

var versions = []lorawan.Version{lorawan.V1, lorawan.V2}

// downlinks and uplinks hold one command of each kind and the same bytes with every RFU
// bit set. The layout is that of both versions.
var downlinks = codectest.Direction{
	Versions: versions,
	Parse:    clocksync.ParseDownlink, Next: clocksync.NextDownlink,
	Wires: []codectest.Wire{
		{Command: lorawan.PackageVersionReq{}, Hex: "00", RFU: "00"},
		{Command: clocksync.AppTimeAns{TimeCorrection: -2, TokenAns: 9}, Hex: "01feffffff09", RFU: "01fefffffff9"},
		{Command: clocksync.DeviceAppTimePeriodicityReq{Period: 5}, Hex: "0205", RFU: "02f5"},
		{Command: clocksync.ForceDeviceResyncReq{NbTransmissions: 3}, Hex: "0303", RFU: "03fb"},
	},
}

var uplinks = codectest.Direction{
	Versions: versions,
	Parse:    clocksync.ParseUplink, Next: clocksync.NextUplink,
	Wires: []codectest.Wire{
		{Command: lorawan.PackageVersionAns{PackageIdentifier: 1, PackageVersion: 2}, Hex: "000102", RFU: "000102"},
		{Command: clocksync.AppTimeReq{DeviceTime: 0x01020304, TokenReq: 6, AnsRequired: true}, Hex: "010403020116", RFU: "0104030201f6"},
		{Command: clocksync.DeviceAppTimePeriodicityAns{NotSupported: true, Time: 0x01020304}, Hex: "020104030201", RFU: "02ff04030201"},
	},
}

func TestRFUBitsAreSentAsZeroAndIgnored(t *testing.T) { codectest.RoundTrip(t, downlinks, uplinks) }

func TestFieldsBeyondTheirBitsAreRefused(t *testing.T) {
	codectest.Refuses(t, lorawan.ErrRange, versions,
		clocksync.AppTimeReq{TokenReq: 16},
		clocksync.AppTimeAns{TokenAns: 16},
		clocksync.DeviceAppTimePeriodicityReq{Period: 16},
		clocksync.ForceDeviceResyncReq{NbTransmissions: 8},
	)
}

func TestWhatCameBeforeAnErrorIsKept(t *testing.T) {
	for _, c := range []struct {
		hex  string
		want error
	}{
		{"000101" + "07", lorawan.ErrUnknownCID},
		{"000101" + "0100", lorawan.ErrShort},
	} {
		b, _ := hex.DecodeString(c.hex)
		got, err := clocksync.ParseUplink(lorawan.V1, b)
		if len(got) != 1 || got[0].CID() != 0 || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v; want one command and %v", c.hex, got, err, c.want)
		}
	}
	if got, err := clocksync.ParseDownlink(lorawan.V1, nil); got != nil || err != nil {
		t.Errorf("nothing: %v, %v; want nothing", got, err)
	}
}

func TestTexts(t *testing.T) {
	codectest.Text(t, clocksync.AppTimeReq{DeviceTime: 12, TokenReq: 3}, "AppTimeReq time=12 token=3")
	codectest.Text(t, clocksync.AppTimeReq{AnsRequired: true}, "AppTimeReq time=0 token=0 AnsRequired")
	codectest.Text(t, clocksync.AppTimeAns{TimeCorrection: -10, TokenAns: 3}, "AppTimeAns correction=-10 token=3")
	codectest.Text(t, clocksync.DeviceAppTimePeriodicityReq{}, "DeviceAppTimePeriodicityReq interval=2m8s")
	codectest.Text(t, clocksync.DeviceAppTimePeriodicityAns{NotSupported: true}, "DeviceAppTimePeriodicityAns time=0 NotSupported")
	codectest.Text(t, clocksync.ForceDeviceResyncReq{NbTransmissions: 1}, "ForceDeviceResyncReq nb=1")
}

func FuzzParseDownlink(f *testing.F) { codectest.Fuzz(f, downlinks) }

func FuzzParseUplink(f *testing.F) { codectest.Fuzz(f, uplinks) }
