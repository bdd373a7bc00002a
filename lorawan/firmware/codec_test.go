package firmware_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
)

// downlinks and uplinks hold one command of each kind and the same bytes with every RFU
// bit set.
type wire struct {
	cmd      lorawan.Command
	hex, rfu string
}

var downlinks = []wire{
	{firmware.DevVersionReq{}, "01", "01"},
	{firmware.DevRebootTimeReq{RebootTime: 0x01020304}, "0204030201", "0204030201"},
	{firmware.DevRebootCountdownReq{Countdown: 0x010203}, "03030201", "03030201"},
	{firmware.DevUpgradeImageReq{}, "04", "04"},
	{firmware.DevDeleteImageReq{FirmwareToDeleteVersion: 0x01020304}, "0504030201", "0504030201"},
}

var uplinks = []wire{
	{firmware.DevVersionAns{FWVersion: 0x01020304, HWVersion: 0x05060708}, "010403020108070605", "010403020108070605"},
	{firmware.DevRebootTimeAns{RebootTime: firmware.RebootCancel}, "02ffffffff", "02ffffffff"},
	{firmware.DevRebootCountdownAns{Countdown: firmware.CountdownCancel}, "03ffffff", "03ffffff"},
	{firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageForeign}, "0402", "04fe"},
	{firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageValid, NextFirmwareVersion: 5}, "040305000000", "04ff05000000"},
	{firmware.DevDeleteImageAns{ErrorInvalidVersion: true}, "0502", "05fe"},
}

func TestRFUBitsAreSentAsZeroAndIgnored(t *testing.T) {
	check := func(c wire, parse func(lorawan.Version, []byte) ([]lorawan.Command, error)) {
		t.Helper()
		if b, err := c.cmd.Append(nil, lorawan.V1); err != nil || hex.EncodeToString(b) != c.hex {
			t.Errorf("%v: wrote %x, %v; want %s", c.cmd, b, err, c.hex)
		}
		b, _ := hex.DecodeString(c.rfu)
		if got, err := parse(lorawan.V1, b); err != nil || !reflect.DeepEqual(got, []lorawan.Command{c.cmd}) {
			t.Errorf("%s: read %v, %v; want %v", c.rfu, got, err, c.cmd)
		}
	}
	for _, c := range downlinks {
		check(c, firmware.ParseDownlink)
	}
	for _, c := range uplinks {
		check(c, firmware.ParseUplink)
	}
}

func TestFieldsBeyondTheirBitsAreRefused(t *testing.T) {
	for _, c := range []lorawan.Command{
		firmware.DevRebootCountdownReq{Countdown: 1 << 24},
		firmware.DevRebootCountdownAns{Countdown: 1 << 24},
		firmware.DevUpgradeImageAns{UpImageStatus: 4},
		firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageCorrupt, NextFirmwareVersion: 1},
	} {
		if b, err := c.Append([]byte{1}, lorawan.V1); !errors.Is(err, lorawan.ErrRange) || len(b) != 1 {
			t.Errorf("%v: % x, %v; want ErrRange", c, b, err)
		}
	}
}

func TestThereIsNoVersion2(t *testing.T) {
	for _, c := range append(downlinks, uplinks...) {
		if _, err := c.cmd.Append(nil, lorawan.V2); !errors.Is(err, lorawan.ErrVersion) {
			t.Errorf("%v: %v, want ErrVersion", c.cmd, err)
		}
	}
	if _, err := firmware.ParseUplink(lorawan.V2, []byte{0x04, 0x00}); !errors.Is(err, lorawan.ErrVersion) {
		t.Errorf("read: %v, want ErrVersion", err)
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		cmd  fmt.Stringer
		want string
	}{
		{firmware.DevVersionReq{}, "DevVersionReq"},
		{firmware.DevVersionAns{FWVersion: 0x01020304, HWVersion: 0x11223344}, "DevVersionAns fw=01020304 hw=11223344"},
		{firmware.DevVersionAns{FWVersion: 1}, "DevVersionAns fw=00000001"},
		{firmware.DevRebootTimeReq{RebootTime: 1468238400}, "DevRebootTimeReq at=1468238400"},
		{firmware.DevRebootTimeReq{}, "DevRebootTimeReq now"},
		{firmware.DevRebootTimeReq{RebootTime: firmware.RebootCancel}, "DevRebootTimeReq cancel"},
		{firmware.DevRebootTimeAns{RebootTime: 3600}, "DevRebootTimeAns time=3600"},
		{firmware.DevRebootTimeAns{RebootTime: firmware.RebootCancel}, "DevRebootTimeAns cancelled"},
		{firmware.DevRebootCountdownReq{Countdown: 60}, "DevRebootCountdownReq in=60"},
		{firmware.DevRebootCountdownReq{}, "DevRebootCountdownReq now"},
		{firmware.DevRebootCountdownReq{Countdown: firmware.CountdownCancel}, "DevRebootCountdownReq cancel"},
		{firmware.DevRebootCountdownAns{Countdown: 60}, "DevRebootCountdownAns in=60"},
		{firmware.DevRebootCountdownAns{Countdown: firmware.CountdownCancel}, "DevRebootCountdownAns cancelled"},
		{firmware.DevUpgradeImageReq{}, "DevUpgradeImageReq"},
		{firmware.DevUpgradeImageAns{}, "DevUpgradeImageAns none"},
		{firmware.DevUpgradeImageAns{UpImageStatus: 1}, "DevUpgradeImageAns corrupt"},
		{firmware.DevUpgradeImageAns{UpImageStatus: 2}, "DevUpgradeImageAns foreign"},
		{firmware.DevUpgradeImageAns{UpImageStatus: 3, NextFirmwareVersion: 0x02030405}, "DevUpgradeImageAns valid next=02030405"},
		{firmware.DevUpgradeImageAns{UpImageStatus: 4}, "DevUpgradeImageAns status 4"},
		{firmware.DevDeleteImageReq{FirmwareToDeleteVersion: 0x01020304}, "DevDeleteImageReq version=01020304"},
		{firmware.DevDeleteImageAns{ErrorNoValidImage: true, ErrorInvalidVersion: true}, "DevDeleteImageAns ErrorNoValidImage ErrorInvalidVersion"},
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
	f.Fuzz(func(t *testing.T, b []byte) { checkStable(t, b, firmware.ParseDownlink) })
}

func FuzzParseUplink(f *testing.F) {
	for _, c := range uplinks {
		b, _ := hex.DecodeString(c.hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkStable(t, b, firmware.ParseUplink) })
}

// checkStable requires that what was read can be written, and reads the same again.
func checkStable(t *testing.T, b []byte, parse func(lorawan.Version, []byte) ([]lorawan.Command, error)) {
	t.Helper()
	cmds, _ := parse(lorawan.V1, b)
	out, err := lorawan.AppendAll(nil, lorawan.V1, cmds...)
	if err != nil {
		t.Fatalf("% x: %v", b, err)
	}
	again, err := parse(lorawan.V1, out)
	if err != nil || !reflect.DeepEqual(again, cmds) {
		t.Fatalf("% x: %v, then %v, %v", b, cmds, again, err)
	}
}
