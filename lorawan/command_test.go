package lorawan_test

import (
	"errors"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
)

func TestDefaultPorts(t *testing.T) {
	for p, want := range map[lorawan.PackageID]uint8{
		lorawan.MultiPackage: 225, lorawan.ClockSync: 202, lorawan.McSetup: 200,
		lorawan.Fragmentation: 201, lorawan.FirmwareMgmt: 203, 5: 0,
	} {
		if got := p.DefaultFPort(); got != want {
			t.Errorf("%s: FPort %d, want %d", p, got, want)
		}
	}
}

func TestNamesForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{lorawan.MultiPackage.String(), "TS007 multi-package access"},
		{lorawan.ClockSync.String(), "TS003 clock synchronisation"},
		{lorawan.McSetup.String(), "TS005 remote multicast setup"},
		{lorawan.Fragmentation.String(), "TS004 fragmentation"},
		{lorawan.FirmwareMgmt.String(), "TS006 firmware management"},
		{lorawan.PackageID(9).String(), "package 9"},
		{lorawan.V2.String(), "2.0.0"},
		{lorawan.PackageVersionReq{}.String(), "PackageVersionReq"},
		{lorawan.PackageVersionAns{PackageIdentifier: 3, PackageVersion: 2}.String(), "PackageVersionAns package=3 version=2"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestAppendAllWritesAllOrNothing(t *testing.T) {
	start := []byte{0xaa}
	good := clocksync.ForceDeviceResyncReq{NbTransmissions: 1}
	b, err := lorawan.AppendAll(start, lorawan.V1, lorawan.PackageVersionReq{}, good)
	if err != nil || string(b) != "\xaa\x00\x03\x01" {
		t.Errorf("% x, %v", b, err)
	}
	b, err = lorawan.AppendAll(start, lorawan.V1, good, clocksync.ForceDeviceResyncReq{NbTransmissions: 8})
	if !errors.Is(err, lorawan.ErrRange) || string(b) != "\xaa" {
		t.Errorf("% x, %v; want what was given and ErrRange", b, err)
	}
}
