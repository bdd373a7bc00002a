package firmware_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/codectest"
	"github.com/starling-fuota/starling/lorawan/firmware"
)

var versions = []lorawan.Version{lorawan.V1}

// downlinks and uplinks hold one command of each kind.
var downlinks = codectest.Direction{
	Versions: versions,
	Parse:    firmware.ParseDownlink, Next: firmware.NextDownlink,
	Wires: []codectest.Wire{
		{Command: firmware.DevVersionReq{}, Hex: "01", RFU: "01"},
		{Command: firmware.DevRebootTimeReq{RebootTime: 0x01020304}, Hex: "0204030201", RFU: "0204030201"},
		{Command: firmware.DevRebootCountdownReq{Countdown: 0x010203}, Hex: "03030201", RFU: "03030201"},
		{Command: firmware.DevUpgradeImageReq{}, Hex: "04", RFU: "04"},
		{Command: firmware.DevDeleteImageReq{FirmwareToDeleteVersion: 0x01020304}, Hex: "0504030201", RFU: "0504030201"},
	},
}

var uplinks = codectest.Direction{
	Versions: versions,
	Parse:    firmware.ParseUplink, Next: firmware.NextUplink,
	Wires: []codectest.Wire{
		{Command: firmware.DevVersionAns{FWVersion: 0x01020304, HWVersion: 0x05060708}, Hex: "010403020108070605", RFU: "010403020108070605"},
		{Command: firmware.DevRebootTimeAns{RebootTime: firmware.RebootCancel}, Hex: "02ffffffff", RFU: "02ffffffff"},
		{Command: firmware.DevRebootCountdownAns{Countdown: firmware.CountdownCancel}, Hex: "03ffffff", RFU: "03ffffff"},
		{Command: firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageForeign}, Hex: "0402", RFU: "04fe"},
		{Command: firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageValid, NextFirmwareVersion: 5}, Hex: "040305000000", RFU: "04ff05000000"},
		{Command: firmware.DevDeleteImageAns{ErrorInvalidVersion: true}, Hex: "0502", RFU: "05fe"},
	},
}

func TestRFUBitsAreSentAsZeroAndIgnored(t *testing.T) { codectest.RoundTrip(t, downlinks, uplinks) }

func TestFieldsBeyondTheirBitsAreRefused(t *testing.T) {
	codectest.Refuses(t, lorawan.ErrRange, versions,
		firmware.DevRebootCountdownReq{Countdown: 1 << 24},
		firmware.DevRebootCountdownAns{Countdown: 1 << 24},
		firmware.DevUpgradeImageAns{UpImageStatus: 4},
		firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageCorrupt, NextFirmwareVersion: 1},
	)
}

func TestThereIsNoVersion2(t *testing.T) {
	for _, w := range slices.Concat(downlinks.Wires, uplinks.Wires) {
		codectest.Refuses(t, lorawan.ErrVersion, []lorawan.Version{lorawan.V2}, w.Command)
	}
	if _, err := firmware.ParseUplink(lorawan.V2, []byte{0x04, 0x00}); !errors.Is(err, lorawan.ErrVersion) {
		t.Errorf("read: %v, want ErrVersion", err)
	}
}

func TestTexts(t *testing.T) {
	codectest.Text(t, firmware.DevVersionReq{}, "DevVersionReq")
	codectest.Text(t, firmware.DevVersionAns{FWVersion: 0x01020304, HWVersion: 0x11223344}, "DevVersionAns fw=01020304 hw=11223344")
	codectest.Text(t, firmware.DevVersionAns{FWVersion: 1}, "DevVersionAns fw=00000001")
	codectest.Text(t, firmware.DevRebootTimeReq{RebootTime: 1468238400}, "DevRebootTimeReq at=1468238400")
	codectest.Text(t, firmware.DevRebootTimeReq{}, "DevRebootTimeReq now")
	codectest.Text(t, firmware.DevRebootTimeReq{RebootTime: firmware.RebootCancel}, "DevRebootTimeReq cancel")
	codectest.Text(t, firmware.DevRebootTimeAns{RebootTime: 3600}, "DevRebootTimeAns time=3600")
	codectest.Text(t, firmware.DevRebootTimeAns{RebootTime: firmware.RebootCancel}, "DevRebootTimeAns cancelled")
	codectest.Text(t, firmware.DevRebootCountdownReq{Countdown: 60}, "DevRebootCountdownReq in=60")
	codectest.Text(t, firmware.DevRebootCountdownReq{}, "DevRebootCountdownReq now")
	codectest.Text(t, firmware.DevRebootCountdownReq{Countdown: firmware.CountdownCancel}, "DevRebootCountdownReq cancel")
	codectest.Text(t, firmware.DevRebootCountdownAns{Countdown: 60}, "DevRebootCountdownAns in=60")
	codectest.Text(t, firmware.DevRebootCountdownAns{Countdown: firmware.CountdownCancel}, "DevRebootCountdownAns cancelled")
	codectest.Text(t, firmware.DevUpgradeImageReq{}, "DevUpgradeImageReq")
	codectest.Text(t, firmware.DevUpgradeImageAns{}, "DevUpgradeImageAns none")
	codectest.Text(t, firmware.DevUpgradeImageAns{UpImageStatus: 1}, "DevUpgradeImageAns corrupt")
	codectest.Text(t, firmware.DevUpgradeImageAns{UpImageStatus: 2}, "DevUpgradeImageAns foreign")
	codectest.Text(t, firmware.DevUpgradeImageAns{UpImageStatus: 3, NextFirmwareVersion: 0x02030405}, "DevUpgradeImageAns valid next=02030405")
	codectest.Text(t, firmware.DevUpgradeImageAns{UpImageStatus: 4}, "DevUpgradeImageAns status 4")
	codectest.Text(t, firmware.DevDeleteImageReq{FirmwareToDeleteVersion: 0x01020304}, "DevDeleteImageReq version=01020304")
	codectest.Text(t, firmware.DevDeleteImageAns{ErrorNoValidImage: true, ErrorInvalidVersion: true}, "DevDeleteImageAns ErrorNoValidImage ErrorInvalidVersion")
}

func FuzzParseDownlink(f *testing.F) { codectest.Fuzz(f, downlinks) }

func FuzzParseUplink(f *testing.F) { codectest.Fuzz(f, uplinks) }
