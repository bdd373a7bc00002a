package region

import (
	"math"
	"time"
)

// SubBand is a stretch of spectrum in which a transmitter's air time is counted
// together. Both figures are planning defaults, not law: see the package comment.
type SubBand struct {
	Low, High  uint32  // Hz; Low belongs to the sub-band, High to the next
	DutyCycle  float64 // part of the time that one transmitter may be on, 0.001..1; 1: no limit
	MaxEIRPdBm int     // power that gateways are usually allowed
}

// Limited reports whether the sub-band has a duty cycle at all.
func (s SubBand) Limited() bool { return s.DutyCycle < 1 }

// Airtime returns how long one transmitter may be on within window: 36 s of an hour at 1 %.
func (s SubBand) Airtime(window time.Duration) time.Duration {
	return time.Duration(math.Round(float64(window) * s.DutyCycle))
}

// SubBand returns the sub-band that frequency (Hz) is in, or false if it is outside of b.
func (b Band) SubBand(frequency uint32) (SubBand, bool) {
	for _, s := range b.plan().limits {
		if s.Low <= frequency && frequency < s.High {
			return s, true
		}
	}
	return SubBand{}, false
}
