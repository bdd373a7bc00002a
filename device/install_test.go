package device_test

import (
	"errors"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/lorawan/firmware"
)

// fragile is an installer that loses power when it is told to, while it prepares or while it boots.
type fragile struct {
	preparing bool
	asked     []device.Update
	version   uint32
	err       error // of Boot
}

func (f *fragile) Prepare(u device.Update) (device.Prepared, error) {
	f.asked = append(f.asked, u)
	if f.preparing && len(u.PowerLosses) > 0 {
		return device.Prepared{}, device.ErrPowerLost
	}
	return device.Prepared{Version: f.version, Boot: func() ([]byte, int, error) { return u.Block[:100], len(u.PowerLosses), f.err }}, nil
}

func TestDevicesPrepareAgainWhatSurvivedALossOfPower(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		in := &fragile{preparing: true}
		s := withImage(t, someBlock(600), func(c *device.Config) {
			c.Install, c.Stack.KeepsState, c.Behaviour.LosesPowerAt, c.Image = in, keeps, 5, []byte("old")
		})
		s.advance(time.Minute)
		status, got := s.dev.Status(), s.image().UpImageStatus
		want := map[bool]firmware.ImageStatus{true: firmware.ImageValid, false: firmware.ImageNone}[keeps]
		if status.Reboots != 1 || got != want || status.Refusal != nil {
			t.Errorf("keeps its state %t: %d starts, %s, want %s, %v", keeps, status.Reboots, got, want, status.Refusal)
		}
		attempts := map[bool]int{true: 2, false: 1}[keeps]
		if len(in.asked) != attempts || in.asked[0].PowerLosses[0] != 5 || len(in.asked[attempts-1].PowerLosses) != 2-attempts {
			t.Errorf("keeps its state %t: %d attempts", keeps, len(in.asked))
		}
		if string(in.asked[0].Running) != "old" || in.asked[0].Version != 0x04030201 || len(in.asked[0].Block) != 600 {
			t.Errorf("the installer is told of %+v", in.asked[0])
		}
		if s.dev.RunningImageSHA256() != hash([]byte("old")) {
			t.Error("another image runs")
		}
	}
}

func TestLossesOfPowerAtTheRebootTakeTime(t *testing.T) {
	for losses := range 2 {
		s := withImage(t, someBlock(600), func(c *device.Config) {
			c.Install, c.Behaviour.LosesPowerAt, c.Image = &fragile{}, losses, []byte("old")
		})
		s.send(fw, firmware.DevRebootTimeReq{RebootTime: firmware.RebootNow})
		s.advance(time.Minute)
		if got := s.dev.Status().Reboots; got != 1+losses {
			t.Errorf("%d losses: %d starts", losses, got)
		}
		if s.dev.RunningFirmware() != 2 || s.dev.RunningImageSHA256() != hash(someBlock(600)[:100]) {
			t.Error("not the image that the installer made")
		}
	}
}

func TestVersionOfAnImageIsThatOfItsPatch(t *testing.T) {
	s := withImage(t, someBlock(600), func(c *device.Config) { c.Install = &fragile{version: 9} })
	if got := s.image(); got.NextFirmwareVersion != 9 {
		t.Error(got)
	}
	s.send(fw, firmware.DevRebootTimeReq{RebootTime: firmware.RebootNow})
	s.advance(time.Minute)
	if got := s.dev.RunningFirmware(); got != 9 {
		t.Errorf("version %d", got)
	}
}

func TestRefusalsAreKeptForReports(t *testing.T) {
	base := errors.New("no such base")
	for _, tt := range []struct {
		err    error
		status firmware.ImageStatus
	}{
		{base, firmware.ImageCorrupt},
		{device.ErrForeign, firmware.ImageForeign},
	} {
		s := withImage(t, someBlock(600), func(c *device.Config) {
			c.Install = device.InstallerFunc(func([]byte, []byte) ([]byte, error) { return nil, tt.err })
		})
		if got := s.dev.Status(); got.ImageStatus != tt.status || !errors.Is(got.Refusal, tt.err) {
			t.Errorf("%v: %s, %v", tt.err, got.ImageStatus, got.Refusal)
		}
	}
	// The boot loader refuses, for a reason of its own or because the image does not fit its checksum.
	damaged := blinky.Image(2)
	damaged[1000]++
	for name, in := range map[string]device.Installer{
		"its own":  &fragile{err: base},
		"checksum": device.InstallerFunc(func([]byte, []byte) ([]byte, error) { return damaged, nil }),
	} {
		s := withImage(t, someBlock(600), func(c *device.Config) { c.Install, c.Image = in, []byte("old") })
		s.send(fw, firmware.DevRebootTimeReq{RebootTime: firmware.RebootNow})
		s.advance(time.Minute)
		if got := s.dev.Status(); got.Refusal == nil || s.dev.RunningFirmware() == 2 || s.dev.RunningImageSHA256() != hash([]byte("old")) {
			t.Errorf("%s: %v", name, got.Refusal)
		}
	}
}
