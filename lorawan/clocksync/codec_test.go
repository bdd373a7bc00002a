package clocksync_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
)

var versions = []lorawan.Version{lorawan.V1, lorawan.V2}

// downlinks and uplinks hold one command of each kind and the same bytes with every RFU
// bit set. The layout is that of both versions.
var downlinks = []struct {
	cmd      lorawan.Command
	hex, rfu string
}{
	{lorawan.PackageVersionReq{}, "00", "00"},
	{clocksync.AppTimeAns{TimeCorrection: -2, TokenAns: 9}, "01feffffff09", "01fefffffff9"},
	{clocksync.DeviceAppTimePeriodicityReq{Period: 5}, "0205", "02f5"},
	{clocksync.ForceDeviceResyncReq{NbTransmissions: 3}, "0303", "03fb"},
}

var uplinks = []struct {
	cmd      lorawan.Command
	hex, rfu string
}{
	{lorawan.PackageVersionAns{PackageIdentifier: 1, PackageVersion: 2}, "000102", "000102"},
	{clocksync.AppTimeReq{DeviceTime: 0x01020304, TokenReq: 6, AnsRequired: true}, "010403020116", "0104030201f6"},
	{clocksync.DeviceAppTimePeriodicityAns{NotSupported: true, Time: 0x01020304}, "020104030201", "02ff04030201"},
}

func TestRFUBitsAreSentAsZeroAndIgnored(t *testing.T) {
	for _, v := range versions {
		for _, c := range downlinks {
			checkWire(t, v, clocksync.ParseDownlink, c.cmd, c.hex, c.rfu)
		}
		for _, c := range uplinks {
			checkWire(t, v, clocksync.ParseUplink, c.cmd, c.hex, c.rfu)
		}
	}
}

func checkWire(t *testing.T, v lorawan.Version, parse func(lorawan.Version, []byte) ([]lorawan.Command, error),
	cmd lorawan.Command, plain, rfu string,
) {
	t.Helper()
	if b, err := cmd.Append(nil, v); err != nil || hex.EncodeToString(b) != plain {
		t.Errorf("%v: wrote %x, %v; want %s", cmd, b, err, plain)
	}
	b, _ := hex.DecodeString(rfu)
	if got, err := parse(v, b); err != nil || !reflect.DeepEqual(got, []lorawan.Command{cmd}) {
		t.Errorf("%s: read %v, %v; want %v", rfu, got, err, cmd)
	}
}

func TestFieldsBeyondTheirBitsAreRefused(t *testing.T) {
	for _, v := range versions {
		for _, c := range []lorawan.Command{
			clocksync.AppTimeReq{TokenReq: 16},
			clocksync.AppTimeAns{TokenAns: 16},
			clocksync.DeviceAppTimePeriodicityReq{Period: 16},
			clocksync.ForceDeviceResyncReq{NbTransmissions: 8},
		} {
			if b, err := c.Append([]byte{1}, v); !errors.Is(err, lorawan.ErrRange) || len(b) != 1 {
				t.Errorf("%v: % x, %v; want ErrRange", c, b, err)
			}
		}
	}
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
	for _, c := range []struct {
		cmd  fmt.Stringer
		want string
	}{
		{clocksync.AppTimeReq{DeviceTime: 12, TokenReq: 3}, "AppTimeReq time=12 token=3"},
		{clocksync.AppTimeReq{AnsRequired: true}, "AppTimeReq time=0 token=0 AnsRequired"},
		{clocksync.AppTimeAns{TimeCorrection: -10, TokenAns: 3}, "AppTimeAns correction=-10 token=3"},
		{clocksync.DeviceAppTimePeriodicityReq{}, "DeviceAppTimePeriodicityReq interval=2m8s"},
		{clocksync.DeviceAppTimePeriodicityAns{NotSupported: true}, "DeviceAppTimePeriodicityAns time=0 NotSupported"},
		{clocksync.ForceDeviceResyncReq{NbTransmissions: 1}, "ForceDeviceResyncReq nb=1"},
	} {
		if got := c.cmd.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func FuzzParseDownlink(f *testing.F) {
	for _, c := range downlinks {
		b, _ := hex.DecodeString(c.hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range versions {
			checkStable(t, v, b, clocksync.ParseDownlink)
		}
	})
}

func FuzzParseUplink(f *testing.F) {
	for _, c := range uplinks {
		b, _ := hex.DecodeString(c.hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range versions {
			checkStable(t, v, b, clocksync.ParseUplink)
		}
	})
}

// checkStable requires that what was read can be written, and reads the same again.
func checkStable(t *testing.T, v lorawan.Version, b []byte, parse func(lorawan.Version, []byte) ([]lorawan.Command, error)) {
	t.Helper()
	cmds, _ := parse(v, b)
	out, err := lorawan.AppendAll(nil, v, cmds...)
	if err != nil {
		t.Fatalf("% x: %v", b, err)
	}
	again, err := parse(v, out)
	if err != nil || !reflect.DeepEqual(again, cmds) {
		t.Fatalf("% x: %v, then %v, %v", b, cmds, again, err)
	}
}
