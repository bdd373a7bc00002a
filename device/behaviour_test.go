package device_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

func TestSilentDeviceSendsItsApplicationOnly(t *testing.T) {
	cfg := config()
	cfg.UplinkPeriod = 10 * time.Minute
	cfg.Behaviour.Silent = true
	s := serve(t, cfg)
	s.send(fw, firmware.DevVersionReq{})
	s.sendBytes(225, []byte{1, 0})
	s.advance(time.Hour)
	for _, u := range s.heard {
		if u.fport != 10 {
			t.Errorf("uplink on FPort %d", u.fport)
		}
	}
	if len(s.heard) == 0 {
		t.Error("nothing at all")
	}
}

func TestLateAnswers(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Behaviour.AnswerDelay = 5 * time.Minute })
	asked := s.now
	s.send(fw, firmware.DevVersionReq{})
	s.advance(time.Hour)
	if d := s.heard[0].at.Sub(asked); d < 5*time.Minute || d > 5*time.Minute+4*time.Second {
		t.Errorf("answered after %s", d)
	}
}

func TestDuplicateAnswersAreFramesOfTheirOwn(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Behaviour.Duplicates = true })
	s.send(fw, firmware.DevVersionReq{})
	s.advance(time.Hour)
	if len(s.heard) != 2 || !bytes.Equal(s.heard[0].payload, s.heard[1].payload) {
		t.Errorf("%+v", s.heard)
	}
}

func TestResetLosesRAM(t *testing.T) {
	at := start.Add(time.Hour)
	for _, tt := range []struct {
		keeps bool
		want  int
	}{{false, 0}, {true, 1}} {
		s := quiet(t, func(c *device.Config) { c.Behaviour.ResetAt, c.Stack.KeepsState = at, tt.keeps })
		s.setUpGroup(0)
		s.advance(2 * time.Hour)
		if st := s.dev.Status(); st.Groups != tt.want || st.Reboots != 1 {
			t.Errorf("keeps state %t: %d groups, %d reboots", tt.keeps, st.Groups, st.Reboots)
		}
		s.version() // counters survive: the frame would not be accepted otherwise
	}
}

func TestResetAtAFragmentHappensOnce(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Behaviour.ResetAfterFragments = 5 })
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(600), 60, nil)
	s.fragments(x, 1, 5)
	if st := s.dev.Status(); st.Reboots != 1 || st.FragSession || st.FragmentsHeard != 5 {
		t.Fatalf("%+v", st)
	}
	s.advance(time.Minute)
	s.mcFCnt += 100
	s.setUpGroup(0)
	if _, ans := s.setUpTransfer(someBlock(600), 60, nil); !ans.SessionCntReplay {
		t.Error("the counter of the session before the reset was forgotten")
	}
	if n := s.dev.Status().Reboots; n != 1 {
		t.Errorf("%d reboots", n)
	}
}

func TestDamagedAndForeignImages(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*device.Config)
		want   firmware.ImageStatus
		then   uint32 // version after a reboot
	}{
		{"corrupts", func(c *device.Config) { c.Behaviour.CorruptsImage = true }, firmware.ImageCorrupt, 0x04030201},
		{"corrupts, v1", func(c *device.Config) {
			c.Behaviour.CorruptsImage, c.Packages.Fragmentation = true, lorawan.V1
		}, firmware.ImageCorrupt, 0x04030201},
		{"foreign", func(c *device.Config) { c.Behaviour.WrongHardware = true }, firmware.ImageForeign, 0x04030201},
		{"rolls back", func(c *device.Config) { c.Behaviour.FailsInstall = true }, firmware.ImageValid, 0x04030201},
		{"wrong version", func(c *device.Config) { c.Behaviour.WrongVersion = 99 }, firmware.ImageValid, 99},
	} {
		s := withImage(t, someBlock(600), tt.change)
		if got := s.image().UpImageStatus; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		s.send(fw, firmware.DevRebootTimeReq{RebootTime: firmware.RebootNow})
		s.advance(time.Minute)
		if got := s.version().FWVersion; got != tt.then {
			t.Errorf("%s: version %08x after the reboot, want %08x", tt.name, got, tt.then)
		}
	}
}

func TestDeviceThatIgnoresTheTimeStaysWrong(t *testing.T) {
	cfg := config()
	cfg.ClockOffset, cfg.Behaviour.IgnoresTime = time.Hour, true
	s := serve(t, cfg)
	s.send(lorawan.ClockSync, clocksync.AppTimeAns{TimeCorrection: -3600})
	s.advance(time.Hour)
	if e := s.dev.Status().ClockError; e != time.Hour {
		t.Errorf("clock error %s", e)
	}
}

func TestUnknownCommandEndsADownlinkOrVoidsIt(t *testing.T) {
	for _, tt := range []struct {
		stack device.Stack
		want  int
	}{{device.Ideal, 1}, {device.LBM, 0}, {device.Zephyr, 0}} {
		s := quiet(t, func(c *device.Config) { c.Stack = tt.stack })
		s.sendBytes(203, []byte{0x01, 0x77, 0x00})
		s.advance(time.Minute)
		if got := len(s.parsed(fw, firmware.NextUplink)); got != tt.want {
			t.Errorf("%s: %d answers, want %d", tt.stack.Name, got, tt.want)
		}
	}
}

func TestAnswersBeyondTheBufferOfTheStackAreLost(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Stack = device.LBM })
	got := s.answers(fw, firmware.NextUplink, time.Minute,
		firmware.DevVersionReq{}, lorawan.PackageVersionReq{}, firmware.DevUpgradeImageReq{})
	if len(got) != 1 || got[0].Name() != "DevVersionAns" {
		t.Errorf("%v, want the 9 bytes of DevVersionAns alone", got)
	}
}

func TestEveryPackageTellsItsVersionOnItsPort(t *testing.T) {
	s := quiet(t, func(c *device.Config) {
		c.Packages.ClockSync = lorawan.V1
		c.Ports = device.Ports{ClockSync: 2, McSetup: 3, Fragmentation: 4, FirmwareMgmt: 5}
	})
	for id := lorawan.ClockSync; id <= lorawan.FirmwareMgmt; id++ {
		s.heard = nil
		s.sendBytes(s.cfg.Ports.Of(id), []byte{0})
		s.advance(10 * time.Second)
		found := false
		for _, u := range s.heard {
			ans, _, err := lorawan.ParsePackageVersionAns(u.payload[1:])
			found = found || err == nil && u.fport == s.cfg.Ports.Of(id) &&
				ans == lorawan.PackageVersionAns{PackageIdentifier: id, PackageVersion: s.cfg.Packages.Of(id)}
		}
		if !found {
			t.Errorf("%s: %+v", id, s.heard)
		}
	}
	s = quiet(t, func(c *device.Config) { c.Packages.McSetup = 0 })
	if got := s.answers(lorawan.McSetup, multicast.NextUplink, time.Minute, lorawan.PackageVersionReq{}); len(got) != 0 {
		t.Errorf("a package that is absent: %v", got)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	run := func(seed uint64) (all []byte) {
		cfg := config()
		cfg.UplinkPeriod, cfg.UplinkJitter, cfg.Seed = 10*time.Minute, time.Minute, seed
		s := serve(t, cfg)
		s.send(fw, firmware.DevVersionReq{})
		s.advance(24 * time.Hour)
		for _, u := range s.heard {
			all = append(all, u.at.Format(time.RFC3339Nano)...)
			all = append(all, u.payload...)
		}
		return all
	}
	if !bytes.Equal(run(7), run(7)) {
		t.Error("the same seed gave two histories")
	}
	if bytes.Equal(run(7), run(8)) {
		t.Error("two seeds gave the same history")
	}
}

func TestStackThatLeavesTheSessionIsDeafAfterTheBlock(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		s := quiet(t, func(c *device.Config) { c.Stack.LeavesWhenComplete = leaves })
		s.setUpGroup(0)
		x, _ := s.setUpTransfer(someBlock(100), 10, nil)
		answer[multicast.McClassCSessionAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McClassCSessionReq{
			SessionTime: lorawan.GPSSeconds32(s.now.Add(30 * time.Second)), TimeOut: 12, DLFrequency: 869525000, DR: 3,
		})
		s.advance(time.Minute)
		hears := func() bool {
			return s.dev.Hears(device.Transmission{Frequency: 869525000, DR: 3, Start: s.now, Airtime: airtime})
		}
		if !hears() {
			t.Fatal("deaf before the block")
		}
		s.fragments(x, 1, 10)
		if hears() == leaves {
			t.Errorf("leaves %t: hears %t after the block", leaves, !leaves)
		}
	}
}

func TestZephyrDoesNotAskForTheTimeInClassC(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		cfg := config()
		cfg.Stack.QuietInClassC = quiet
		s := serve(t, cfg)
		s.syncTime()
		s.setUpGroup(0)
		answer[multicast.McClassCSessionAns](s, lorawan.McSetup, multicast.NextUplink, multicast.McClassCSessionReq{
			SessionTime: lorawan.GPSSeconds32(s.now.Add(30 * time.Second)), TimeOut: 12, DLFrequency: 869525000, DR: 3,
		})
		s.advance(time.Minute)
		s.send(lorawan.ClockSync, clocksync.ForceDeviceResyncReq{NbTransmissions: 2})
		n := len(s.timeRequests(10 * time.Minute))
		if want := 2; !quiet && n != want || quiet && n != 0 {
			t.Errorf("quiet %t: %d requests", quiet, n)
		}
	}
}

func TestRebootTimeZeroWaitsForTheImageWhereItIsAnswered(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.Stack.AnswersRebootNow = true })
	s.setUpGroup(0)
	x, _ := s.setUpTransfer(someBlock(600), 60, nil)
	answer[firmware.DevRebootTimeAns](s, fw, firmware.NextUplink, firmware.DevRebootTimeReq{})
	s.advance(time.Hour)
	if s.dev.Status().Reboots != 0 {
		t.Fatal("rebooted without an image")
	}
	s.fragments(x, 1, 10)
	s.advance(time.Minute)
	if got := s.dev.RunningFirmware(); got != 2 {
		t.Errorf("version %08x", got)
	}
}

func TestCorrectedClockMovesTheReboot(t *testing.T) {
	cfg := config()
	cfg.ClockOffset = -10 * time.Minute
	s := serve(t, cfg)
	at := s.now.Add(time.Hour)
	s.send(fw, firmware.DevRebootTimeReq{RebootTime: lorawan.GPSSeconds32(at)})
	if got := s.dev.Status().RebootAt; !got.Equal(at.Add(10 * time.Minute)) {
		t.Errorf("planned at %s by a slow clock", got)
	}
	s.syncTime()
	if d := s.dev.Status().RebootAt.Sub(at); d.Abs() > 2*time.Second {
		t.Errorf("off by %s after the correction", d)
	}
}

func TestRebootForgetsUnsentAnswers(t *testing.T) {
	s := quiet(t, nil)
	s.send(fw, firmware.DevVersionReq{})
	s.send(fw, firmware.DevRebootTimeReq{RebootTime: firmware.RebootNow})
	s.advance(time.Hour)
	if len(s.heard) != 0 {
		t.Errorf("%d answers from before the reboot", len(s.heard))
	}
}

func TestAnswersOfTwoPackagesKeepTheirPorts(t *testing.T) {
	s := quiet(t, nil)
	s.send(fw, firmware.DevVersionReq{}) // its receive windows delay what follows: both are due at once
	for len(s.heard) == 0 {
		s.advance(100 * time.Millisecond)
	}
	s.heard = nil
	s.send(fw, firmware.DevVersionReq{})
	s.send(lorawan.McSetup, lorawan.PackageVersionReq{})
	s.advance(time.Hour)
	for _, u := range s.heard {
		if want := map[uint8]int{203: 9, 200: 3}[u.fport]; len(u.payload) != want {
			t.Errorf("%d bytes on FPort %d", len(u.payload), u.fport)
		}
	}
	if len(s.heard) != 2 {
		t.Errorf("%d frames, want 2", len(s.heard))
	}
}

func TestOwnUplinkIsNoDownlink(t *testing.T) {
	s := quiet(t, nil)
	s.dev.Receive(s.now, s.session.Seal(lorawan.DataFrame{Direction: lorawan.Uplink, FPort: 203, FRMPayload: []byte{0}}))
	s.advance(time.Minute)
	if st := s.dev.Status(); st.Downlinks != 0 || st.Rejected != 1 {
		t.Errorf("%d accepted, %d rejected", st.Downlinks, st.Rejected)
	}
}

func TestFastClockRebootsEarly(t *testing.T) {
	s := quiet(t, func(c *device.Config) { c.ClockDriftPPM = 1e5 }) // 10 %
	s.send(fw, firmware.DevRebootTimeReq{RebootTime: lorawan.GPSSeconds32(start.Add(11 * time.Hour))})
	if d := s.dev.Status().RebootAt.Sub(start.Add(10 * time.Hour)); d.Abs() > time.Second {
		t.Errorf("off by %s", d)
	}
}

func TestDevicesDoNotPrintTheirKeys(t *testing.T) {
	d := device.New(config())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got, want := fmt.Sprintf(verb, d), "device 0004a30b001c0530"; got != want {
			t.Errorf("%s: %.200s, want %s", verb, got, want)
		}
	}
}
