package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/starling-fuota/starling/airtime"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// The air time of gateways is one account for all campaigns of a database: what one has spent is not there for
// another, whichever process runs it, and a process that begins anew finds what was spent before.
//
//	report "sent" ──spend──> airtime.Governor ──crowded──> campaign.Heard
//	                 │            ^  ^                            │ Step
//	                 v            │  └─────── reserve ── a command for the device
//	              Step.Air ── store.SpentAir ── recall: what others have stored, by minutes
//
// Each campaign has its own rows in the store. What this process has booked of them is known, so that it recalls
// only what others have added: a row counts once, whoever wrote it.
//
// Receive windows that are promised to answers are known to their process alone: they last a second.
type account struct {
	airtime.Governor
	known   map[store.AirMinute]time.Duration // how much of each row in the store the governor has been told of
	mark    store.AirMark                     // up to where the store has been read
	dropped time.Time                         // when old rows were last dropped
}

func (a *account) know(at store.AirMinute, spent time.Duration) {
	if a.known == nil {
		a.known = map[store.AirMinute]time.Duration{}
	}
	a.known[at] = spent
}

// airGrain is how exactly the store keeps time: what is recalled counts up to a minute longer than it should.
const airGrain = time.Minute

// spend books what the network has transmitted to a device.
func (e *Engine) spend(r *run, ev network.Event) {
	sub, ok := r.band().SubBand(ev.Frequency)
	if ev.Kind != network.Sent || !ev.Group.IsZero() || ev.Airtime <= 0 || !ok {
		return
	}
	e.air.Spend(ev.Gateways, r.band(), ev.Frequency, ev.Time.Add(-ev.Airtime), ev.Airtime)
	for _, gateway := range ev.Gateways {
		r.batch.spent(store.AirMinute{CampaignID: r.id, Gateway: gateway, Band: r.band(), SubBand: sub.Low, Minute: ev.Time.UTC().Truncate(airGrain)}, ev.Airtime)
	}
}

// spent adds air time to the batch. It goes with the step that the report of it is; one that changes nothing
// else leaves it to the next.
func (b *batch) spent(at store.AirMinute, airtime time.Duration) {
	i, ok := b.air[at]
	if !ok {
		if b.air == nil {
			b.air = map[store.AirMinute]int{}
		}
		i = len(b.rec.Air)
		b.air[at] = i
		b.rec.Air = append(b.rec.Air, store.AirSpent{AirMinute: at})
	}
	b.rec.Air[i].Spent += airtime.Truncate(time.Microsecond)
}

// airStored notes what a commit has stored, and has the store forget what is long over.
func (e *Engine) airStored(ctx context.Context, air []store.AirSpent) {
	if len(air) == 0 {
		return
	}
	if !e.tenure.alone() { // else nobody reads them before the next life
		for _, a := range air {
			e.air.know(a.AirMinute, e.air.known[a.AirMinute]+a.Spent)
		}
	}
	now := e.source.Now()
	if now.Sub(e.air.dropped) < airtime.Window {
		return
	}
	e.air.dropped = now
	over := now.Add(-2 * airtime.Window)
	maps.DeleteFunc(e.air.known, func(at store.AirMinute, _ time.Duration) bool { return at.Minute.Before(over) })
	if _, err := e.store.DropAir(ctx, over); err != nil {
		e.log.Warn("old air time not dropped, trying again in an hour", "err", err)
	}
}

// recall books what others have spent, or this process in an earlier life. What cannot be read is read at the next look.
func (e *Engine) recall(ctx context.Context) {
	rows, mark, err := e.store.SpentAir(ctx, e.air.mark)
	if err != nil {
		e.log.Warn("air time of other servers not looked up", "err", err)
		return
	}
	e.air.mark = mark
	now := e.source.Now()
	for _, row := range rows {
		until := row.Minute.Add(airGrain)
		more := row.Spent - e.air.known[row.AirMinute]
		if more <= 0 || now.Sub(until) > airtime.Window {
			continue
		}
		if until.After(now) {
			until = now
		}
		e.air.know(row.AirMinute, row.Spent)
		e.air.Recall(row.Gateway, row.Band, row.SubBand, until, more)
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
