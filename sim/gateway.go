package sim

import (
	"time"

	"github.com/starling-fuota/starling/airtime"
	"github.com/starling-fuota/starling/lorawan/region"
)

// gateway is the state of a Gateway.
type gateway struct {
	Gateway
	links     []*link // to devices, in the order in which they were added
	airUntil  moment  // end of its latest transmission: it is deaf and busy before that
	listening []*link // whose devices listen to its latest transmission
	budgets   []subBandBudget
	names     []string // of this gateway alone, as events carry it
}

// subBandBudget is the air time account of a sub-band.
type subBandBudget struct {
	region.SubBand
	*airtime.Budget
}

// budget returns the air time account that frequency (Hz) belongs to, nil if the
// frequency is outside of the gateway's band.
func (g *gateway) budget(frequency uint32) *airtime.Budget {
	for _, b := range g.budgets {
		if b.Low <= frequency && frequency < b.High {
			return b.Budget
		}
	}
	sub, ok := g.Band.SubBand(frequency)
	if !ok {
		return nil
	}
	var limit time.Duration
	if sub.Limited() && !g.NoDutyCycle {
		limit = sub.Airtime(airtime.Window)
	}
	b := airtime.NewBudget(limit)
	g.budgets = append(g.budgets, subBandBudget{sub, b})
	return b
}

// namesOf returns the names of gateways.
func namesOf(gateways []*gateway) []string {
	if len(gateways) == 1 {
		return gateways[0].names
	}
	names := make([]string, len(gateways))
	for i, g := range gateways {
		names[i] = g.ID
	}
	return names
}

// earliest returns when the gateway can begin such a transmission, now or later; false: never.
func (g *gateway) earliest(now moment, frequency uint32, took time.Duration) (moment, bool) {
	b := g.budget(frequency)
	if b == nil {
		return 0, false
	}
	return b.Earliest(max(now, g.airUntil), took)
}

// free reports whether the gateway can begin such a transmission right now.
func (g *gateway) free(now moment, frequency uint32, took time.Duration) bool {
	at, ok := g.earliest(now, frequency, took)
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
