package firmware_test

import (
	"math"
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
)

var now = time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)

func TestRebootIsConfirmedByRestOrEcho(t *testing.T) {
	const hour = 3600
	target := lorawan.GPSSeconds32(now) + hour
	for _, c := range []struct {
		name    string
		ans     uint32
		req     uint32
		dialect firmware.Dialect
		want    bool
	}{
		{"remaining seconds", hour, target, firmware.Standard, true},
		{"remaining seconds, at the tolerance", hour + 30, target, firmware.Standard, true},
		{"remaining seconds, at the other tolerance", hour - 30, target, firmware.Standard, true},
		{"too late", hour + 31, target, firmware.Standard, false},
		{"too early", hour - 31, target, firmware.Standard, false},
		{"echo of the time", target, target, firmware.Standard, true},
		{"echo of another time", target - 1, target, firmware.Standard, false},
		{"refused", 0, target, firmware.ReleaseCandidate, false},
		{"refused, the time being near", 0, lorawan.GPSSeconds32(now) + 5, firmware.Standard, false},
		{
			// Actility's STM32WL55 subtracts Unix time from GPS time, unsigned.
			"device counts Unix time", target - uint32(now.Unix()), target, firmware.ReleaseCandidate, false,
		},
		{"cancelled", firmware.RebootCancel, firmware.RebootCancel, firmware.Standard, true},
		{"not cancelled", hour, firmware.RebootCancel, firmware.Standard, false},
		{"cancelled, but not asked to", firmware.RebootCancel, target, firmware.Standard, false},
		{"now is not answered", 0, firmware.RebootNow, firmware.Standard, false},
		{"now is answered with 0", 0, firmware.RebootNow, firmware.ReleaseCandidate, true},
		{"now is not answered with a time", 5, firmware.RebootNow, firmware.ReleaseCandidate, false},
		{"largest answer that is a time", math.MaxUint32 - 1, target, firmware.Standard, false},
	} {
		got := firmware.RebootAnsAccepts(firmware.DevRebootTimeAns{RebootTime: c.ans},
			firmware.DevRebootTimeReq{RebootTime: c.req}, now, 30*time.Second, c.dialect)
		if got != c.want {
			t.Errorf("%s: answer %d to %d: %v, want %v", c.name, c.ans, c.req, got, c.want)
		}
	}
}

func TestRebootTimeAcrossTheEra(t *testing.T) {
	before := lorawan.TimeFromGPS(1<<32 - 60)
	req := firmware.DevRebootTimeReq{RebootTime: 60} // two minutes later
	if !firmware.RebootAnsAccepts(firmware.DevRebootTimeAns{RebootTime: 120}, req, before, time.Second, firmware.Standard) {
		t.Error("120 s until a time past the wrap is refused")
	}
}

func TestCountdownIsConfirmedWithinTolerance(t *testing.T) {
	for _, c := range []struct {
		name     string
		ans, req uint32
		want     bool
	}{
		{"same", 600, 600, true},
		{"a little less", 595, 600, true},
		{"at the tolerance", 590, 600, true},
		{"far less", 589, 600, false},
		{"far more", 611, 600, false},
		{"refused", 0, 600, false},
		{"refused, the reboot being near", 0, 5, false},
		{"cancelled", firmware.CountdownCancel, firmware.CountdownCancel, true},
		{"not cancelled", 600, firmware.CountdownCancel, false},
		{"cancelled, but not asked to", firmware.CountdownCancel, firmware.CountdownCancel - 1, false},
		{"now is not answered", 0, firmware.CountdownNow, false},
	} {
		got := firmware.CountdownAnsAccepts(firmware.DevRebootCountdownAns{Countdown: c.ans},
			firmware.DevRebootCountdownReq{Countdown: c.req}, 10*time.Second)
		if got != c.want {
			t.Errorf("%s: answer %d to %d: %v, want %v", c.name, c.ans, c.req, got, c.want)
		}
	}
}

func TestImageOfUnknownVersionCountsOnlyInTheDialect(t *testing.T) {
	const target = 0x01020304
	for _, c := range []struct {
		status  firmware.ImageStatus
		version uint32
		dialect firmware.Dialect
		want    bool
	}{
		{firmware.ImageValid, target, firmware.Standard, true},
		{firmware.ImageValid, 0, firmware.Standard, false},
		{firmware.ImageValid, 0, firmware.UntrackedVersion, true},
		{firmware.ImageValid, 0, firmware.ReleaseCandidate, true},
		{firmware.ImageValid, target + 1, firmware.ReleaseCandidate, false},
		{firmware.ImageNone, 0, firmware.ReleaseCandidate, false},
		{firmware.ImageCorrupt, 0, firmware.ReleaseCandidate, false},
		{firmware.ImageForeign, target, firmware.ReleaseCandidate, false},
	} {
		ans := firmware.DevUpgradeImageAns{UpImageStatus: c.status, NextFirmwareVersion: c.version}
		if got := firmware.ImageMatches(ans, target, c.dialect); got != c.want {
			t.Errorf("%v, dialect %05b: %v, want %v", ans, c.dialect, got, c.want)
		}
	}
}

func TestSwappedVersionCountsOnlyAfterBootInTheDialect(t *testing.T) {
	const target, swapped = 0x01020304, 0x04030201
	for _, c := range []struct {
		version     uint32
		unsolicited bool
		dialect     firmware.Dialect
		want        bool
	}{
		{target, false, firmware.Standard, true},
		{target, true, firmware.ReleaseCandidate, true},
		{swapped, true, firmware.Standard, false},
		{swapped, false, firmware.SwappedBootVersion, false},
		{swapped, true, firmware.SwappedBootVersion, true},
		{swapped, true, firmware.UntrackedVersion, false},
		{0x01020305, true, firmware.ReleaseCandidate, false},
	} {
		got := firmware.VersionMatches(firmware.DevVersionAns{FWVersion: c.version}, target, c.unsolicited, c.dialect)
		if got != c.want {
			t.Errorf("%08x, unsolicited %v, dialect %05b: %v, want %v", c.version, c.unsolicited, c.dialect, got, c.want)
		}
	}
}

func TestDialectsAreSets(t *testing.T) {
	if !firmware.ReleaseCandidate.Has(firmware.AnnouncesBoot) || firmware.Standard.Has(firmware.AnnouncesBoot) ||
		firmware.ReleaseCandidate.Has(firmware.NoCountdown) ||
		!(firmware.ReleaseCandidate | firmware.NoCountdown).Has(firmware.NoCountdown|firmware.AnswersRebootNow) {
		t.Error("Has is wrong")
	}
}
