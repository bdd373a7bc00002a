package multicast

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

const (
	maxTimeOut     = 15
	maxPeriodicity = 7
	beaconSeconds  = uint32(lorawan.BeaconPeriod / time.Second)
)

// ClassCDuration returns the longest time a class C window stays open: 2^timeOut
// seconds, 1 s to 32768 s, or 0 if timeOut is above 15.
func ClassCDuration(timeOut uint8) time.Duration {
	if timeOut > maxTimeOut {
		return 0
	}
	return time.Second << timeOut
}

// ClassCTimeOut returns the smallest TimeOut whose class C window is d or longer. It
// returns ErrRange if even the longest, 9 hours, is shorter than d.
func ClassCTimeOut(d time.Duration) (uint8, error) {
	return timeOut("class C", d, ClassCDuration)
}

// ClassBDuration returns the longest time a class B window stays open: 128·2^timeOut
// seconds, 128 s to 4194304 s, or 0 if timeOut is above 15.
func ClassBDuration(timeOut uint8) time.Duration {
	if timeOut > maxTimeOut {
		return 0
	}
	return lorawan.BeaconPeriod << timeOut
}

// ClassBTimeOut returns the smallest TimeOut whose class B window is d or longer. It
// returns ErrRange if even the longest, 48 days, is shorter than d.
func ClassBTimeOut(d time.Duration) (uint8, error) {
	return timeOut("class B", d, ClassBDuration)
}

func timeOut(class string, d time.Duration, duration func(uint8) time.Duration) (uint8, error) {
	for t := range uint8(maxTimeOut + 1) {
		if duration(t) >= d {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%s window of %s is above %s: %w", class, d, duration(maxTimeOut), lorawan.ErrRange)
}

// PingPeriod returns the time from one ping slot to the next: 2^periodicity seconds, 1 s
// to 128 s, or 0 if periodicity is above 7.
func PingPeriod(periodicity uint8) time.Duration {
	if periodicity > maxPeriodicity {
		return 0
	}
	return time.Second << periodicity
}

// PingSlots returns the ping slots per beacon period: 2^(7-periodicity), 128 to 1, or 0
// if periodicity is above 7.
func PingSlots(periodicity uint8) int {
	if periodicity > maxPeriodicity {
		return 0
	}
	return 1 << (maxPeriodicity - periodicity)
}

// PingPeriodSlots returns the ping period in the 30 ms slots of the class B formulas:
// 2^(5+periodicity), 32 to 4096, or 0 if periodicity is above 7.
func PingPeriodSlots(periodicity uint8) int {
	if periodicity > maxPeriodicity {
		return 0
	}
	return 1 << (5 + periodicity)
}

// PingPeriodicity returns the Periodicity with the longest ping period that is at most d:
// the device listens as rarely as d permits. It returns ErrRange if d is below a second.
func PingPeriodicity(d time.Duration) (uint8, error) {
	for p := maxPeriodicity; p >= 0; p-- {
		if PingPeriod(uint8(p)) <= d {
			return uint8(p), nil
		}
	}
	return 0, fmt.Errorf("ping period %s is below %s: %w", d, PingPeriod(0), lorawan.ErrRange)
}
