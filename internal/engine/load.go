package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/planning"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// loadAll takes every campaign that was running, or being cleaned up, when the last process ended.
func (e *Engine) loadAll(ctx context.Context) error {
	e.recall(ctx)
	share, err := e.store.ClaimRuns(ctx, e.tenure.owner())
	if err != nil {
		return fmt.Errorf("load running campaigns: %w", err)
	}
	for _, r := range share.Claimed {
		if err := e.takeOver(ctx, r); err != nil {
			return fmt.Errorf("load campaign %s: %w", r.CampaignID, err)
		}
	}
	return nil
}

// reloadLost loads campaigns again whose last commit failed.
func (e *Engine) reloadLost(ctx context.Context) {
	for _, r := range slices.Clone(e.runs) {
		if !r.lost || r.retryAt.After(e.source.Now()) {
			continue
		}
		s, err := e.store.LoadRun(ctx, r.id)
		if err == nil && s.Epoch != r.epoch {
			err = store.ErrFenced
		}
		if e.fenced(r, err) {
			continue
		}
		if err == nil {
			err = e.load(ctx, s)
		}
		if err != nil {
			// It stays lost and silent; a later round tries again.
			r.retryAt = e.source.Now().Add(retryDelay)
			e.log.Error("campaign cannot be loaded again", "campaign", r.id, "err", err)
			continue
		}
		e.forget(r) // what it knew; the devices and groups are routed to the new one already
	}
}

// load makes a campaign of its stored form and takes it on.
func (e *Engine) load(ctx context.Context, s store.Run) error {
	var spec campaign.Spec
	var head campaign.Header
	if err := json.Unmarshal(s.Spec, &spec); err != nil {
		return fmt.Errorf("specification: %w", err)
	}
	if err := json.Unmarshal(s.Header, &head); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	devices := make([]campaign.Device, len(spec.Devices))
	for i, m := range spec.Devices {
		if err := json.Unmarshal(s.Devices[m.DevEUI], &devices[i]); err != nil {
			return fmt.Errorf("device %s: %w", m.DevEUI, err)
		}
	}
	groups := make([]campaign.Group, len(spec.Groups))
	for i, g := range spec.Groups {
		if err := json.Unmarshal(s.Groups[g.DevEUI], &groups[i]); err != nil {
			return fmt.Errorf("group %s: %w", g.DevEUI, err)
		}
	}
	material, err := planning.Material(ctx, e.store, &spec)
	if err != nil {
		return err
	}
	c, err := guarded(func() (*campaign.Campaign, error) { return campaign.Load(spec, material, head, devices, groups) })
	if err != nil {
		return err
	}
	outbox, err := e.store.PendingOutbox(ctx, s.CampaignID)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if err := e.ensureGroups(ctx, c.Spec()); err != nil {
		return err
	}
	if c.Done() {
		// The commit of its end was stored and yet failed: nobody has been told.
		e.publisher(Progress{s.CampaignID, c.Progress()})
	}
	// A timer that is due at once: the campaign says itself when it wants to wake.
	r := &run{id: s.CampaignID, c: c, counted: head.Status.Ended(), epoch: s.Epoch, outbox: outbox, wakeAt: e.source.Now()}
	for i, d := range devices {
		if d.Probe.Packages != (fleet.Packages{}) {
			r.found = append(r.found, spec.Devices[i].DevEUI)
		}
	}
	e.adopt(r)
	if head.Started.IsZero() {
		// The run was stored, and its first step was not.
		return e.step(r, campaign.Start{}, also{})
	}
	return nil
}

// adopt makes a campaign the engine's own: what concerns its devices and groups is routed to it.
func (e *Engine) adopt(r *run) {
	e.runs = append(e.runs, r)
	spec := r.c.Spec()
	for i, m := range spec.Devices {
		e.byDevice[m.DevEUI] = r
		e.traits[m.DevEUI] = knownDevice{traits: spec.Traits[spec.Devices[i].Traits], firmware: spec.Firmware}
	}
	for _, g := range spec.Groups {
		e.byGroup[g.DevEUI] = r
	}
}

// forget lets go of a campaign that has nothing left to do.
func (e *Engine) forget(r *run) {
	e.runs = slices.DeleteFunc(e.runs, func(o *run) bool { return o == r })
	for _, m := range r.c.Spec().Devices {
		if e.byDevice[m.DevEUI] == r {
			delete(e.byDevice, m.DevEUI)
			delete(e.traits, m.DevEUI)
		}
	}
	for _, g := range r.c.Spec().Groups {
		if e.byGroup[g.DevEUI] == r {
			delete(e.byGroup, g.DevEUI)
		}
	}
}

// ensureGroups tells the network of the campaign's groups.
func (e *Engine) ensureGroups(ctx context.Context, spec *campaign.Spec) error {
	for i, g := range spec.Groups {
		group, err := e.store.Groups().Find(ctx, g.DevEUI)
		if err != nil {
			return fmt.Errorf("multicast group %s: %w", g.DevEUI, err)
		}
		var members []lorawan.EUI64
		for _, m := range spec.Devices {
			if spec.Lanes[m.Lane].Group == i {
				members = append(members, m.DevEUI)
			}
		}
		err = e.adapter.EnsureGroup(ctx, network.Group{
			DevEUI: g.DevEUI, Name: group.Name, McAddr: g.McAddr,
			NwkSKey: multicast.McNwkSKey(group.McKey, g.McAddr), AppSKey: multicast.McAppSKey(group.McKey, g.McAddr),
			FCntDown: group.FCntDown, ClassB: g.Class == fleet.ClassB, Band: g.Band, DwellTime: group.DwellTime,
			Frequency: g.Frequency, DataRate: g.DataRate, Periodicity: g.Periodicity, Members: members,
		})
		if err != nil {
			return fmt.Errorf("multicast group %s at the network server: %w", g.DevEUI, err)
		}
	}
	return nil
}
