package device_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

const fw = lorawan.FirmwareMgmt

// withImage is a device that received block as version 2.0.0.0 (0x00000002).
func withImage(t *testing.T, block []byte, change func(*device.Config)) *server {
	t.Helper()
	s := quiet(t, change)
	s.setUpGroup(0)
	x, ans := s.setUpTransfer(block, 60, nil)
	if ans.Refused() {
		t.Fatal(ans)
	}
	s.heard = nil
	s.fragments(x, 1, x.enc.NbFrag())
	return s
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (s *server) version() firmware.DevVersionAns {
	s.t.Helper()
	return answer[firmware.DevVersionAns](s, fw, firmware.NextUplink, firmware.DevVersionReq{})
}

func (s *server) image() firmware.DevUpgradeImageAns {
	s.t.Helper()
	return answer[firmware.DevUpgradeImageAns](s, fw, firmware.NextUplink, firmware.DevUpgradeImageReq{})
}

func TestImageIsInstalledAtTheReboot(t *testing.T) {
	block := someBlock(600)
	s := withImage(t, block, nil)
	if got := s.image(); got.UpImageStatus != firmware.ImageValid || got.NextFirmwareVersion != 2 {
		t.Fatal(got)
	}
	if got := s.version(); got.FWVersion != 0x04030201 || got.HWVersion != 7 {
		t.Fatal(got)
	}
	s.heard = nil
	s.send(fw, firmware.DevRebootTimeReq{RebootTime: firmware.RebootNow})
	s.advance(time.Minute)
	if len(s.heard) != 0 {
		t.Errorf("%d answers to a reboot at once", len(s.heard))
	}
	if got := s.version(); got.FWVersion != 2 {
		t.Errorf("after the reboot: %v", got)
	}
	if got := s.dev.RunningImageSHA256(); got != hash(block) {
		t.Errorf("running image %s", got)
	}
	if got := s.image(); got.UpImageStatus != firmware.ImageNone {
		t.Errorf("after the reboot: %v", got)
	}
	if st := s.dev.Status(); st.Groups != 0 || st.FragSession || st.Reboots != 1 {
		t.Errorf("RAM survived: %+v", st)
	}
}

func TestDeviceIsDeadWhileItFlashes(t *testing.T) {
	s := withImage(t, someBlock(600), func(c *device.Config) { c.UplinkPeriod = 5 * time.Second })
	s.send(fw, firmware.DevRebootTimeReq{RebootTime: firmware.RebootNow})
	s.advance(time.Second)
	s.heard = nil
	before := s.dev.Status().Downlinks
	s.send(fw, firmware.DevVersionReq{})
	s.advance(29 * time.Second)
	if len(s.heard) != 0 || s.dev.Status().Downlinks != before {
		t.Errorf("%d uplinks, %d downlinks while flashing", len(s.heard), s.dev.Status().Downlinks-before)
	}
	s.advance(20 * time.Second)
	if len(s.heard) == 0 {
		t.Error("no application uplink after boot")
	}
}

func TestRebootTimeIsKeptByTheDeviceClock(t *testing.T) {
	for _, offset := range []time.Duration{0, 25 * time.Second, -25 * time.Second} {
		s := withImage(t, someBlock(600), func(c *device.Config) { c.ClockOffset = offset })
		at := s.now.Add(time.Hour)
		s.heard = nil
		s.send(fw, firmware.DevRebootTimeReq{RebootTime: lorawan.GPSSeconds32(at)})
		s.advance(10 * time.Second)
		sent := s.heard[0].at
		ans := s.parsed(fw, firmware.NextUplink)[0].(firmware.DevRebootTimeAns)
		if d := sent.Add(time.Duration(ans.RebootTime) * time.Second).Sub(at.Add(-offset)); d.Abs() > 2*time.Second {
			t.Errorf("clock off by %s: answer is off by %s", offset, d)
		}
		if d := s.dev.Status().RebootAt.Sub(at.Add(-offset)); d.Abs() > time.Second {
			t.Errorf("clock off by %s: planned at %s", offset, s.dev.Status().RebootAt)
		}
		s.advance(2 * time.Hour)
		if s.dev.RunningFirmware() != 2 {
			t.Error("not installed")
		}
	}
}

func TestRebootInThePastIsRefused(t *testing.T) {
	s := quiet(t, nil)
	ans := answer[firmware.DevRebootTimeAns](s, fw, firmware.NextUplink,
		firmware.DevRebootTimeReq{RebootTime: lorawan.GPSSeconds32(s.now.Add(-time.Minute))})
	if ans.RebootTime != 0 || !s.dev.Status().RebootAt.IsZero() {
		t.Errorf("%v, planned at %s", ans, s.dev.Status().RebootAt)
	}
}

func TestOnlyTheLastRebootCommandCounts(t *testing.T) {
	s := quiet(t, nil)
	ask := func(c lorawan.Command) lorawan.Command {
		return s.answers(fw, firmware.NextUplink, 20*time.Second, c)[0]
	}
	ask(firmware.DevRebootTimeReq{RebootTime: lorawan.GPSSeconds32(s.now.Add(time.Hour))})
	ans := ask(firmware.DevRebootCountdownReq{Countdown: 600}).(firmware.DevRebootCountdownAns)
	if ans.Countdown < 590 || ans.Countdown > 600 {
		t.Errorf("%v", ans)
	}
	if left := s.dev.Status().RebootAt.Sub(s.now); left > 10*time.Minute {
		t.Errorf("the reboot is in %s", left)
	}
	if c := ask(firmware.DevRebootCountdownReq{Countdown: firmware.CountdownCancel}); c != (firmware.DevRebootCountdownAns{Countdown: firmware.CountdownCancel}) {
		t.Error(c)
	}
	ask(firmware.DevRebootCountdownReq{Countdown: 600})
	if c := ask(firmware.DevRebootTimeReq{RebootTime: firmware.RebootCancel}); c != (firmware.DevRebootTimeAns{RebootTime: firmware.RebootCancel}) {
		t.Error(c)
	}
	s.advance(2 * time.Hour)
	if n := s.dev.Status().Reboots; n != 0 {
		t.Errorf("%d reboots", n)
	}
}

func TestDeleteImageLooksAtTheVersionUnlessItIsReleaseCandidate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		dialect device.Dialect
		image   bool
		version uint32
		want    firmware.DevDeleteImageAns
	}{
		{"right version", device.TS006, true, 2, firmware.DevDeleteImageAns{}},
		{"wrong version", device.TS006, true, 3, firmware.DevDeleteImageAns{ErrorInvalidVersion: true}},
		{"wrong version, release candidate", device.RC1, true, 3, firmware.DevDeleteImageAns{}},
		{"no image", device.TS006, false, 2, firmware.DevDeleteImageAns{ErrorNoValidImage: true}},
	} {
		change := func(c *device.Config) { c.Stack.FirmwareDialect = tt.dialect }
		s := quiet(t, change)
		if tt.image {
			s = withImage(t, someBlock(600), change)
		}
		got := answer[firmware.DevDeleteImageAns](s, fw, firmware.NextUplink, firmware.DevDeleteImageReq{FirmwareToDeleteVersion: tt.version})
		if got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		gone := s.image().UpImageStatus == firmware.ImageNone
		if want := !tt.image || tt.want == (firmware.DevDeleteImageAns{}); gone != want {
			t.Errorf("%s: gone %t", tt.name, gone)
		}
	}
}

func TestBinaryFileIsNoFirmware(t *testing.T) {
	s := quiet(t, nil)
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(100), 10, func(c *fragmentation.FragSessionSetupReq) { c.Descriptor = [4]byte{} })
	s.fragments(x, 1, 10)
	if got := s.image(); got.UpImageStatus != firmware.ImageNone {
		t.Error(got)
	}
	if got, complete := s.dev.Image(); !complete || !bytes.Equal(got, x.block) {
		t.Error("the file is not there")
	}
}

// mcuboot wraps a body in a header and appends its hash.
func mcuboot(body []byte, protected int) []byte {
	var header [32]byte
	binary.LittleEndian.PutUint32(header[:], 0x96f3b83d)
	binary.LittleEndian.PutUint16(header[8:], 32)
	binary.LittleEndian.PutUint16(header[10:], uint16(protected))
	binary.LittleEndian.PutUint32(header[12:], uint32(len(body)))
	b := slices.Concat(header[:], body, make([]byte, protected))
	sum := sha256.Sum256(b)
	b = append(b, 0x07, 0x69, 4+4+32+4+2, 0)
	b = append(b, 0x01, 0, 2, 0, 0xaa, 0xbb) // a key hash, much too short
	b = append(b, 0x10, 0, 32, 0)
	return append(b, sum[:]...)
}

func TestImageWithAHashIsChecked(t *testing.T) {
	good := mcuboot(someBlock(500), 12)
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for _, tt := range []struct {
		name  string
		block []byte
		want  firmware.ImageStatus
	}{
		{"good", good, firmware.ImageValid},
		{"no header at all", someBlock(500), firmware.ImageValid},
		{"body", flip(100), firmware.ImageCorrupt},
		{"hash", flip(len(good) - 1), firmware.ImageCorrupt},
		{"size", flip(14), firmware.ImageCorrupt},
		{"cut off", good[:len(good)-10], firmware.ImageCorrupt},
		{"no trailer", good[:300], firmware.ImageCorrupt},
		{"no hash", append(bytes.Clone(good[:32+500+12]), 0x07, 0x69, 4, 0), firmware.ImageCorrupt},
		{"blinky", blinky.Image(2), firmware.ImageValid},
		{"blinky, cut off", blinky.Image(2)[:1000], firmware.ImageCorrupt},
		{"blinky, one bit", slices.Concat(blinky.Image(2)[:500], []byte{0x5a}, blinky.Image(2)[501:]), firmware.ImageCorrupt},
		{"length below its own", append(bytes.Clone(good[:32+500+12]), 0x07, 0x69, 1, 0), firmware.ImageCorrupt},
	} {
		s := withImage(t, tt.block, nil)
		if got := s.image().UpImageStatus; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestInstallerMakesTheImage(t *testing.T) {
	old := []byte("old image")
	s := withImage(t, someBlock(600), func(c *device.Config) {
		c.Image = old
		c.Install = device.InstallerFunc(func(block, running []byte) ([]byte, error) { return append(bytes.Clone(running), block[:3]...), nil })
	})
	if s.dev.RunningImageSHA256() != hash(old) {
		t.Error("not the old image before the reboot")
	}
	s.send(fw, firmware.DevRebootTimeReq{RebootTime: firmware.RebootNow})
	s.advance(time.Minute)
	if got, want := s.dev.RunningImageSHA256(), hash(append(bytes.Clone(old), someBlock(3)...)); got != want {
		t.Error("not the image that the installer made")
	}
	s = withImage(t, someBlock(600), func(c *device.Config) {
		c.Install = device.InstallerFunc(func([]byte, []byte) ([]byte, error) { return nil, errors.New("no such base") })
	})
	if got := s.image().UpImageStatus; got != firmware.ImageCorrupt {
		t.Errorf("a patch that does not apply: %s", got)
	}
}

func TestReleaseCandidateReportsItsVersionAfterBoot(t *testing.T) {
	for _, tt := range []struct {
		stack device.Stack
		want  uint32
	}{{device.ActilityWL55v1, 2}, {device.ActilityWL55v2, 0x02000000}} {
		s := withImage(t, someBlock(600), func(c *device.Config) { c.Stack = tt.stack })
		// No command: these devices reboot by themselves.
		for s.dev.Status().Reboots == 0 && s.now.Before(start.Add(time.Hour)) {
			s.advance(time.Second)
		}
		s.heard = nil
		booted := s.now
		s.advance(3 * time.Minute)
		at := s.heard[0].at.Sub(booted)
		if at < 16*time.Second || at > (128+32+3)*time.Second {
			t.Errorf("%s: reported %s after the reboot", tt.stack.Name, at)
		}
		got := s.parsed(fw, firmware.NextUplink)
		if len(got) != 1 || got[0].(firmware.DevVersionAns).FWVersion != tt.want {
			t.Errorf("%s: %v, want version %08x", tt.stack.Name, got, tt.want)
		}
		if v := s.version().FWVersion; v != 2 {
			t.Errorf("%s: asked, it says %08x", tt.stack.Name, v)
		}
	}
}

func TestCancelKeepsADeviceFromRebootingByItself(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Stack = device.ActilityL476 })
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(600), 60, nil)
	s.send(fw, firmware.DevRebootTimeReq{RebootTime: firmware.RebootCancel})
	s.fragments(x, 1, 10)
	s.advance(time.Hour)
	if n := s.dev.Status().Reboots; n != 0 {
		t.Errorf("%d reboots", n)
	}
	if got := s.image(); got.UpImageStatus != firmware.ImageValid {
		t.Error(got)
	}
	// RebootTime 0 is answered by this one, and then obeyed.
	ans := answer[firmware.DevRebootTimeAns](s, fw, firmware.NextUplink, firmware.DevRebootTimeReq{})
	s.advance(5 * time.Minute)
	if ans.RebootTime != 0 || s.dev.RunningFirmware() != 2 {
		t.Errorf("%v, then version %08x", ans, s.dev.RunningFirmware())
	}
}

func TestScheduledRebootHoldsTheAutomaticOne(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Stack = device.ActilityL476 })
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(600), 60, nil)
	at := lorawan.GPSSeconds32(s.now.Add(2 * time.Hour))
	if ans := answer[firmware.DevRebootTimeAns](s, fw, firmware.NextUplink, firmware.DevRebootTimeReq{RebootTime: at}); ans.RebootTime != at {
		t.Errorf("%v, this stack echoes the time", ans)
	}
	s.fragments(x, 1, 10)
	s.advance(time.Hour)
	if s.dev.Status().Reboots != 0 {
		t.Fatal("rebooted before its time")
	}
	s.advance(time.Hour)
	if s.dev.RunningFirmware() != 2 {
		t.Error("not installed at its time")
	}
}

func TestWL55WaitsACenturyForAGPSTime(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Stack = device.ActilityWL55v1 })
	ans := answer[firmware.DevRebootTimeAns](s, fw, firmware.NextUplink,
		firmware.DevRebootTimeReq{RebootTime: lorawan.GPSSeconds32(s.now.Add(time.Hour))})
	if ans.RebootTime < 1<<31 {
		t.Error(ans)
	}
	s.advance(24 * time.Hour)
	if s.dev.Status().Reboots != 0 {
		t.Error("rebooted")
	}
}

func TestCountdownIsUnknownToTheL476(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Stack = device.ActilityL476 })
	if got := s.answers(fw, firmware.NextUplink, time.Minute, firmware.DevRebootCountdownReq{Countdown: 60}); len(got) != 0 {
		t.Error(got)
	}
}

func TestLostFragmentsCorruptLoRaMacImageUntilTheBootLoaderLooks(t *testing.T) {
	stack := device.ActilityL476
	stack.Decoder.MaxLost = 2
	s := quiet(t, func(c *device.Config) { c.Stack = stack })
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(600), 60, nil)
	s.fragments(x, 1, 11, 1, 2, 3)
	s.advance(10 * time.Minute)
	if s.dev.Status().Reboots != 1 || s.dev.RunningFirmware() != 0x04030201 {
		t.Errorf("%d reboots, version %08x: want a reboot back into the old firmware", s.dev.Status().Reboots, s.dev.RunningFirmware())
	}
}
