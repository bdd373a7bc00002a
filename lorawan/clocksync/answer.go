package clocksync

import (
	"math"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

// Answer decides what a server replies to req and reports whether it replies at all.
// A clock that is off by tolerance or less needs no correction, and air time is scarce:
// then only a device that requires an answer gets one.
//
// receivedAt is when the gateway or network server heard the uplink, never when the code
// runs; with several receptions, the earliest. Of the copies of one uplink
// (NbTrans > 1) only the first may be answered: they all carry the DeviceTime of the first.
func Answer(req AppTimeReq, receivedAt time.Time, tolerance time.Duration) (AppTimeAns, bool) {
	c := Correction(req.DeviceTime, receivedAt)
	off := time.Duration(c) * time.Second
	if !req.AnsRequired && off.Abs() <= tolerance {
		return AppTimeAns{}, false
	}
	return AppTimeAns{TimeCorrection: c, TokenAns: req.TokenReq}, true
}

// Correction returns the seconds to add to deviceTime to get the GPS time of now. A
// difference that does not fit 32 bits becomes math.MaxInt32 or math.MinInt32; a
// version 2.0.0 device then asks again.
//
// deviceTime has lost its upper bits. It is taken as a time of the present 2^32-second
// era or of the one before, whichever is nearer, so that devices stay right across the
// wrap in 2116. It is never taken as a time before 1980 or of the coming era: a clock
// near zero is one that was never set, not one that runs 60 years fast.
func Correction(deviceTime uint32, now time.Time) int32 {
	const era = int64(1) << 32
	gps := lorawan.GPSSeconds(now)
	diff := gps - (gps&^(era-1) + int64(deviceTime))
	if earlier := diff + era; gps >= era && earlier < -diff {
		diff = earlier
	}
	return int32(min(max(diff, math.MinInt32), math.MaxInt32))
}
