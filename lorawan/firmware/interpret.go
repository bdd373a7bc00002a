package firmware

import (
	"math/bits"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

// Dialect is a set of ways in which a device departs from TS006-1.0.0. The wire format is
// the same; the answers mean something else. It belongs to the device profile.
type Dialect uint8

// Departures seen in devices. Standard is none of them.
const (
	Standard Dialect = 0

	AnswersRebootNow   Dialect = 1 << 0 // confirms RebootNow with 0 instead of rebooting in silence (Actility STM32L476)
	UntrackedVersion   Dialect = 1 << 1 // reports a valid image with version 0 (Actility STM32WL55)
	SwappedBootVersion Dialect = 1 << 2 // the DevVersionAns after boot has its bytes reversed (Actility STM32WL55, second firmware)
	NoCountdown        Dialect = 1 << 3 // has no DevRebootCountdownReq (Actility STM32L476)
	AnnouncesBoot      Dialect = 1 << 4 // sends DevVersionAns by itself, 16 to 128 s after boot

	// ReleaseCandidate forgives everything that devices on release candidates 1 and 2 are
	// known to do. NoCountdown is not part of it: it forbids instead of forgiving.
	ReleaseCandidate = AnswersRebootNow | UntrackedVersion | SwappedBootVersion | AnnouncesBoot
)

// Has reports whether d has every departure of o.
func (d Dialect) Has(o Dialect) bool { return d&o == o }

// RebootAnsAccepts reports whether ans confirms what req asked. receivedAt is when the
// network heard the answer.
//
//	request       confirmed by
//	a time        seconds until it, within tolerance; or the time itself
//	RebootCancel  RebootCancel
//	RebootNow     nothing, as the device reboots; with AnswersRebootNow, 0
//
// LoRa Basics Modem gives the remaining seconds, Actility's STM32L476 echoes the request.
// Both are taken from everyone, because they cannot be confused: no delay comes near the
// GPS time of today. Zero is a refusal: the time is past, or the device has no clock. A
// device with a wrong clock, like one that counts Unix time, gives remaining seconds
// outside of tolerance.
func RebootAnsAccepts(ans DevRebootTimeAns, req DevRebootTimeReq, receivedAt time.Time, tolerance time.Duration, d Dialect) bool {
	switch {
	case req.RebootTime == RebootNow:
		return d.Has(AnswersRebootNow) && ans.RebootTime == RebootNow
	case req.RebootTime == RebootCancel, ans.RebootTime == RebootCancel:
		return req.RebootTime == ans.RebootTime
	case ans.RebootTime == 0:
		return false
	case ans.RebootTime == req.RebootTime:
		return true
	}
	left := lorawan.TimeFromGPS32(req.RebootTime, receivedAt).Sub(receivedAt)
	return (time.Duration(ans.RebootTime)*time.Second - left).Abs() <= tolerance
}

// CountdownAnsAccepts reports whether ans confirms what req asked: the same cancellation,
// or a countdown within tolerance of the requested one. Zero is a refusal, and
// CountdownNow is never answered.
func CountdownAnsAccepts(ans DevRebootCountdownAns, req DevRebootCountdownReq, tolerance time.Duration) bool {
	switch {
	case req.Countdown == CountdownNow, ans.Countdown == 0:
		return false
	case req.Countdown == CountdownCancel, ans.Countdown == CountdownCancel:
		return req.Countdown == ans.Countdown
	}
	diff := time.Duration(int64(ans.Countdown)-int64(req.Countdown)) * time.Second
	return diff.Abs() <= tolerance
}

// ImageMatches reports whether the device holds a valid image of version target. With
// UntrackedVersion, 0 stands for a valid image of a version that the device cannot name.
func ImageMatches(ans DevUpgradeImageAns, target uint32, d Dialect) bool {
	if ans.UpImageStatus != ImageValid {
		return false
	}
	return ans.NextFirmwareVersion == target || d.Has(UntrackedVersion) && ans.NextFirmwareVersion == 0
}

// VersionMatches reports whether the device runs version target. unsolicited says that
// the answer came by itself after boot: only then does SwappedBootVersion apply, because
// the same device answers a DevVersionReq in the right order.
func VersionMatches(ans DevVersionAns, target uint32, unsolicited bool, d Dialect) bool {
	return ans.FWVersion == target ||
		unsolicited && d.Has(SwappedBootVersion) && bits.ReverseBytes32(ans.FWVersion) == target
}
