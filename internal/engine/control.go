package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
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
// campaign.ErrBlocked if it cannot start as it is. The audit entries are stored with the start.
func (e *Engine) Start(ctx context.Context, campaignID string, audit ...store.AuditEntry) error {
	return e.ask(ctx, func(ctx context.Context) error { return e.start(ctx, campaignID, audit) })
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
	return receipt, err
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

// start plans, stores and starts a campaign. Until CreateRun nothing has changed anywhere.
func (e *Engine) start(ctx context.Context, campaignID string, audit []store.AuditEntry) error {
	req, err := e.planRequest(ctx, campaignID)
	if err != nil {
		return err
	}
	if req.Campaign.Status != fleet.Configured {
		return fmt.Errorf("campaign %s is %s, starting it %w: copy it to run it again", campaignID, req.Campaign.Status, service.ErrState)
	}
	if req.Campaign.NeedsApproval && req.Campaign.Approval.At.IsZero() {
		// It was approved when the service looked; whoever changes it makes that void.
		return fmt.Errorf("campaign %s %w", campaignID, service.ErrApproval)
	}
	planned, err := campaign.Plan(req)
	if err != nil {
		return err
	}
	for i := range planned.Spec.Groups {
		if other := e.byGroup[planned.Spec.Groups[i].DevEUI]; other != nil {
			return fmt.Errorf("%w: multicast group %s is in use by campaign %s: wait for its end, or use another group", campaign.ErrBlocked, planned.Spec.Groups[i].DevEUI, other.id)
		}
	}
	c, err := campaign.New(planned.Spec, planned.Material)
	if err != nil {
		return err
	}
	stored, err := newRun(c)
	if err != nil {
		return err
	}
	stored.Started, stored.Audit = e.source.Now(), audit
	// Before the run is stored: a network that cannot have the groups leaves nothing behind.
	if err := e.ensureGroups(ctx, &planned.Spec); err != nil {
		return fmt.Errorf("%w: %w", campaign.ErrBlocked, err)
	}
	r := &run{id: campaignID, c: c, epoch: stored.Epoch}
	if err := e.store.CreateRun(ctx, stored); err != nil {
		return fmt.Errorf("campaign %s: %w", campaignID, err)
	}
	e.adopt(r)
	var excluded []store.TimelineEntry
	for _, x := range planned.Excluded {
		excluded = append(excluded, store.TimelineEntry{
			At: stored.Started, DevEUI: x.DevEUI, Code: string(x.Reason), Text: "does not take part: " + x.Detail, Cause: "plan",
		})
	}
	if err := e.step(r, campaign.Start{}, also{timeline: excluded}); err != nil {
		return err
	}
	return e.commit(ctx, r)
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

// planRequest reads everything that a campaign names.
func (e *Engine) planRequest(ctx context.Context, campaignID string) (campaign.Request, error) {
	req := campaign.Request{Profiles: map[string]fleet.DeviceProfile{}, Busy: map[lorawan.EUI64]string{}}
	var err error
	if req.Campaign, err = e.store.Campaigns().Find(ctx, campaignID); err != nil {
		return req, fmt.Errorf("campaign %s: %w", campaignID, err)
	}
	if req.Campaign.FileID != "" {
		file, err := e.store.Files().Find(ctx, req.Campaign.FileID)
		if err != nil {
			return req, fmt.Errorf("file %s: %w", req.Campaign.FileID, err)
		}
		req.File = &file
		if file.SHA256 != "" {
			if req.Payload, err = e.payload(ctx, file.SHA256); err != nil {
				return req, err
			}
		}
	}
	own := e.store.Within(req.Campaign.SubscriberID) // a filter must not find the devices of others
	if req.Devices, err = devicesOf(ctx, own, req.Campaign.DeviceSets); err != nil {
		return req, err
	}
	if req.Groups, err = groupsOf(ctx, own, req.Campaign.Regions); err != nil {
		return req, err
	}
	for _, d := range req.Devices {
		if r := e.byDevice[d.DevEUI]; r != nil {
			req.Busy[d.DevEUI] = r.id
		}
		if _, ok := req.Profiles[d.ProfileID]; ok || d.ProfileID == "" {
			continue
		}
		if req.Profiles[d.ProfileID], err = own.Profiles().Find(ctx, d.ProfileID); err != nil {
			return req, fmt.Errorf("device profile %s: %w", d.ProfileID, err)
		}
	}
	req.SessionCnt, err = e.sessionCnts(ctx, req.Devices)
	return req, err
}

// devicesOf returns the devices of several sets, each once, ordered by DevEUI. Who matches a filter
// now takes part: the run keeps its devices, whatever becomes of their tags later.
func devicesOf(ctx context.Context, o store.Objects, sets []string) ([]fleet.Device, error) {
	var listed []lorawan.EUI64
	var devices []fleet.Device
	for _, id := range sets {
		set, err := o.DeviceSets().Find(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("device set %s: %w", id, err)
		}
		listed = append(listed, set.Devices...)
		if set.Filter == nil {
			continue
		}
		for d, err := range store.All(ctx, o.Devices(), store.QueryOf(*set.Filter)) {
			if err != nil {
				return nil, fmt.Errorf("device set %s: %w", id, err)
			}
			devices = append(devices, d)
		}
	}
	found, err := o.Devices().FindAll(ctx, distinct(listed))
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	devices = append(devices, found...)
	slices.SortStableFunc(devices, func(a, b fleet.Device) int { return a.DevEUI.Compare(b.DevEUI) })
	return slices.CompactFunc(devices, func(a, b fleet.Device) bool { return a.DevEUI == b.DevEUI }), nil
}

// groupsOf returns the multicast groups of several regions, each once.
func groupsOf(ctx context.Context, o store.Objects, regions []string) ([]fleet.MulticastGroup, error) {
	var euis []lorawan.EUI64
	for _, id := range regions {
		region, err := o.Regions().Find(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("region %s: %w", id, err)
		}
		euis = append(euis, region.Groups...)
	}
	groups, err := o.Groups().FindAll(ctx, distinct(euis))
	if err != nil {
		return nil, fmt.Errorf("multicast groups: %w", err)
	}
	return groups, nil
}

func distinct(euis []lorawan.EUI64) []lorawan.EUI64 {
	slices.SortFunc(euis, lorawan.EUI64.Compare)
	return slices.Compact(euis)
}

// sessionCnts returns the function by which a plan finds the next SessionCnt of a device.
func (e *Engine) sessionCnts(ctx context.Context, devices []fleet.Device) (func(lorawan.EUI64, uint8) uint16, error) {
	euis := make([]lorawan.EUI64, len(devices))
	for i, d := range devices {
		euis[i] = d.DevEUI
	}
	used, err := e.store.SessionCnts(ctx, euis)
	if err != nil {
		return nil, fmt.Errorf("session counters: %w", err)
	}
	type slot struct {
		dev   lorawan.EUI64
		index uint8
	}
	next := make(map[slot]uint16, len(used))
	for _, u := range used {
		next[slot{u.DevEUI, u.FragIndex}] = u.Cnt + 1
	}
	return func(dev lorawan.EUI64, index uint8) uint16 { return next[slot{dev, index}] }, nil
}
