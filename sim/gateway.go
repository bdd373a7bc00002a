package sim

import (
	"time"

	"github.com/starling-fuota/starling/lorawan/region"
)

// gateway is the state of a Gateway.
type gateway struct {
	Gateway
	links     []*link // to devices, in the order in which they were added
	airUntil  moment  // end of its latest transmission: it is deaf and busy before that
	listening []*link // whose devices listen to its latest transmission
	budgets   []*budget
}

// budget returns the air time account that frequency (Hz) belongs to, nil if the
// frequency is outside of the gateway's band.
func (g *gateway) budget(frequency uint32) *budget {
	for _, b := range g.budgets {
		if b.subBand.Low <= frequency && frequency < b.subBand.High {
			return b
		}
	}
	sub, ok := g.Band.SubBand(frequency)
	if !ok {
		return nil
	}
	b := &budget{subBand: sub}
	if sub.Limited() && !g.NoDutyCycle {
		b.limit = sub.Airtime(dutyCycleWindow)
	}
	g.budgets = append(g.budgets, b)
	return b
}

// earliest returns when the gateway can begin such a transmission, now or later; false: never.
func (g *gateway) earliest(now moment, frequency uint32, airtime time.Duration) (moment, bool) {
	b := g.budget(frequency)
	if b == nil {
		return 0, false
	}
	return b.earliest(max(now, g.airUntil), airtime)
}

// free reports whether the gateway can begin such a transmission right now.
func (g *gateway) free(now moment, frequency uint32, airtime time.Duration) bool {
	at, ok := g.earliest(now, frequency, airtime)
	return ok && at == now
}

// maxPayload returns N of the data rate, 0 if it carries nothing.
func maxPayload(b region.Band, dr uint8, o region.Options) int {
	n, ok := b.MaxPayload(dr, o)
	if !ok {
		return 0
	}
	return n
}
