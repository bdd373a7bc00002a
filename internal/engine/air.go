package engine

import (
	"slices"

	"github.com/starling-fuota/starling/airtime"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// The air time of gateways is one account for all campaigns of this process: what one has
// spent is not there for another.
//
//	report "sent" ──spend──> airtime.Governor ──crowded──> campaign.Heard
//	                              ^                             │ Step
//	                              └────────── reserve ── a command for the device

// spend books what the network has transmitted to a device.
func (e *Engine) spend(r *run, ev network.Event) {
	if ev.Kind == network.Sent && ev.Group.IsZero() && ev.Airtime > 0 {
		e.air.Spend(ev.Gateways, r.band(), ev.Frequency, ev.Time.Add(-ev.Airtime), ev.Airtime)
	}
}

// chance is an uplink of a device of the campaign as the governor sees it.
func (r *run) chance(up network.Event) airtime.Chance {
	return airtime.Chance{At: up.Time, Gateways: up.Gateways, Band: r.band(), Frequency: up.Frequency, DataRate: up.DataRate}
}

// band is that of the campaign's groups: devices of another one take no part.
func (r *run) band() region.Band { return r.c.Spec().Groups[0].Band }

// commands tells if the batch holds a command for a device, from entry n of its outbox on.
func (r *run) commands(dev lorawan.EUI64, n int) bool {
	return slices.ContainsFunc(r.batch.rec.Outbox[n:], func(o store.Outgoing) bool { return o.DevEUI == dev && len(o.Payload) > 0 })
}
