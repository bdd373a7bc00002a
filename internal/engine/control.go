package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/planning"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// request is what a person wants of the engine; it runs on the engine's goroutine.
type request struct {
	do    func(context.Context) error
	reply chan error
}

// Start plans a CONFIGURED campaign and starts it. It returns an error that wraps
// campaign.ErrBlocked if it cannot start as it is. What comes along is stored with the start.
func (e *Engine) Start(ctx context.Context, campaignID string, along store.Along) error {
	return e.ask(ctx, func(ctx context.Context) error { return e.start(ctx, campaignID, along) })
}

// Order gives a running campaign an order of a person, such as campaign.PauseRequested. What
// follows from it is stored when it returns, and so are the audit entries, in one transaction.
// An order that nothing could follow from is a campaign.RefusedError, and leaves no entry.
func (e *Engine) Order(ctx context.Context, campaignID string, in campaign.Input, audit ...store.AuditEntry) (receipt campaign.Receipt, err error) {
	err = e.ask(ctx, func(ctx context.Context) error {
		i := slices.IndexFunc(e.runs, func(r *run) bool { return r.id == campaignID })
		if i < 0 {
			return fmt.Errorf("campaign %s: %w", campaignID, ErrNotRunning)
		}
		out, err := e.stepped(e.runs[i], in, also{audit: audit})
		if err != nil {
			return err
		}
		if err := e.commit(ctx, e.runs[i]); err != nil {
			return err
		}
		receipt = out.Receipt
		return receipt.Err()
	})
	if e.tenure.alone() || !errors.Is(err, ErrNotRunning) && !errors.Is(err, store.ErrFenced) {
		return receipt, err
	}
	return e.pass(ctx, campaignID, in, audit) // another process may run it
}

// ask has the engine's goroutine do something and waits for it.
func (e *Engine) ask(ctx context.Context, do func(context.Context) error) error {
	req := request{do, make(chan error, 1)}
	select {
	case e.requests <- req:
		e.source.Wake()
	case <-e.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-req.reply:
		return err
	case <-e.done:
		return ErrStopped
	}
}

// serveRequests does what a person has asked for meanwhile and tells if there was anything.
func (e *Engine) serveRequests(ctx context.Context) bool {
	select {
	case req := <-e.requests:
		req.reply <- req.do(ctx)
		return true
	default:
		return false
	}
}

// maxPlans is how often a start is planned while other processes start campaigns too.
const maxPlans = 5

// start plans, stores and starts a campaign. Until CreateRun nothing has changed anywhere.
func (e *Engine) start(ctx context.Context, campaignID string, along store.Along) (err error) {
	for range maxPlans {
		if !e.tenure.alone() {
			e.findOthers(ctx)
		}
		if err = e.startBeside(ctx, campaignID, along); !errors.Is(err, store.ErrStale) {
			return err
		}
	}
	return err
}

// startBeside starts a campaign, or returns store.ErrStale if one was started that it does not know of.
func (e *Engine) startBeside(ctx context.Context, campaignID string, along store.Along) error {
	if !e.tenure.maySend() {
		return ErrNoLease
	}
	c, err := e.store.Campaigns().Find(ctx, campaignID)
	if err != nil {
		return fmt.Errorf("campaign %s: %w", campaignID, err)
	}
	req, err := planning.Request(ctx, e.store, c, e.source.Now(), e.busy)
	if err != nil {
		return err
	}
	if req.Campaign.Status != fleet.Configured {
		return fmt.Errorf("campaign %s is %s, starting it %w: copy it to run it again", campaignID, req.Campaign.Status, service.ErrState)
	}
	if req.Campaign.NeedsApproval {
		// It was approved when the service looked; whoever changes it makes that void.
		if err := service.Approved(ctx, e.store, req.Campaign); err != nil {
			return err
		}
	}
	req.NextChance = e.adapter.Caps().NextChance
	planned, err := campaign.Plan(req)
	if err != nil {
		return err
	}
	for i := range planned.Spec.Groups {
		group := planned.Spec.Groups[i].DevEUI
		other := e.others.byGroup[group]
		if own := e.byGroup[group]; own != nil {
			other = own.id
		}
		if other != "" {
			return fmt.Errorf("%w: multicast group %s is in use by campaign %s: wait for its end, or use another group", campaign.ErrBlocked, group, other)
		}
	}
	machine, err := campaign.New(planned.Spec, planned.Material)
	if err != nil {
		return err
	}
	stored, err := newRun(machine)
	if err != nil {
		return err
	}
	stored.Started, stored.Along, stored.Epoch, stored.Owner = e.source.Now(), along, 1, e.tenure.owner()
	if !e.tenure.alone() {
		stored.Beside = e.others.campaigns()
	}
	// Before the run is stored: a network that cannot have the groups leaves nothing behind.
	if err := e.ensureGroups(ctx, &planned.Spec); err != nil {
		return fmt.Errorf("%w: %w", campaign.ErrBlocked, err)
	}
	// With the run: the first step may be lost, and the plan with it.
	for _, x := range planned.Excluded {
		stored.Timeline = append(stored.Timeline, store.TimelineEntry{
			At: stored.Started, DevEUI: x.DevEUI, Code: string(x.Reason), Text: "does not take part: " + x.Detail, Cause: "plan",
		})
	}
	r := &run{id: campaignID, c: machine, epoch: stored.Epoch}
	if err := e.store.CreateRun(ctx, stored); err != nil {
		return fmt.Errorf("campaign %s: %w", campaignID, err)
	}
	e.adopt(r)
	if err := e.step(r, campaign.Start{}, also{}); err != nil {
		return err
	}
	return e.commit(ctx, r)
}

// busy names the running campaign that has a device.
func (e *Engine) busy(dev lorawan.EUI64) string {
	if r := e.byDevice[dev]; r != nil {
		return r.id
	}
	return e.others.byDevice[dev]
}

// newRun is the stored form of a campaign that has not been started.
func newRun(c *campaign.Campaign) (store.Run, error) {
	spec := c.Spec()
	run := store.Run{CampaignID: spec.ID, Devices: map[lorawan.EUI64][]byte{}, Groups: map[lorawan.EUI64][]byte{}}
	var err error
	if run.Spec, err = json.Marshal(spec); err != nil {
		return run, fmt.Errorf("specification: %w", err)
	}
	if run.Header, err = json.Marshal(c.Header()); err != nil {
		return run, fmt.Errorf("header: %w", err)
	}
	for i, m := range spec.Devices {
		if run.Devices[m.DevEUI], err = json.Marshal(c.Device(i)); err != nil {
			return run, fmt.Errorf("device %s: %w", m.DevEUI, err)
		}
	}
	for i, g := range spec.Groups {
		if run.Groups[g.DevEUI], err = json.Marshal(c.Group(i)); err != nil {
			return run, fmt.Errorf("group %s: %w", g.DevEUI, err)
		}
	}
	return run, nil
}
