package service

import (
	"context"
	"fmt"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// Orders to campaigns that run. Who gives one is in the timeline and in the audit log, whose
// entry is stored in the transaction of what follows from the order:
//
//	Service.order ── may who asks? ── Runner.Order(input with By, entry) ── campaign.Step
//	                                       └─ one transaction: state, outbox, timeline, entry

// Stop stops a running campaign. Stopping a stopped one is no error.
func (s *Service) Stop(ctx context.Context, campaignID string) (fleet.Campaign, error) {
	stopped := func(c fleet.Campaign) bool { return c.Status == fleet.Stopped }
	c, _, err := s.order(ctx, campaignID, order{name: "stop", done: stopped, input: func(by string) campaign.Input { return campaign.StopRequested{By: by} }})
	return c, err
}

// Pause keeps a running campaign from sending. Pausing a paused one is no error.
func (s *Service) Pause(ctx context.Context, campaignID string) (fleet.Campaign, error) {
	paused := func(c fleet.Campaign) bool { return c.Status == fleet.Running && c.Paused }
	c, _, err := s.order(ctx, campaignID, order{name: "pause", done: paused, input: func(by string) campaign.Input { return campaign.PauseRequested{By: by} }})
	return c, err
}

// Resume lets a paused campaign go on. Resuming one that goes on is no error.
func (s *Service) Resume(ctx context.Context, campaignID string) (fleet.Campaign, error) {
	goesOn := func(c fleet.Campaign) bool { return c.Status == fleet.Running && !c.Paused }
	c, _, err := s.order(ctx, campaignID, order{name: "resume", done: goesOn, input: func(by string) campaign.Input { return campaign.ResumeRequested{By: by} }})
	return c, err
}

// order is what a person can want of a running campaign.
type order struct {
	name  string                         // of the action "campaign.NAME" in the audit log
	note  string                         // for the audit log: what it says beside its name
	done  func(fleet.Campaign) bool      // the campaign is as ordered already; nil: it never is
	input func(by string) campaign.Input // for the campaign
}

// order passes an order for a running campaign on, unless it is done already. Whoever gives one and does
// not wait for the answer is obeyed all the same, and must be found in the audit log.
func (s *Service) order(ctx context.Context, campaignID string, o order) (fleet.Campaign, campaign.Receipt, error) {
	a, err := may(ctx, identity.RunCampaigns)
	if err != nil {
		return fleet.Campaign{}, campaign.Receipt{}, err
	}
	c, err := s.Campaigns.Find(ctx, campaignID)
	switch {
	case err != nil || o.done != nil && o.done(c):
		return c, campaign.Receipt{}, err
	case c.Status != fleet.Running:
		return c, campaign.Receipt{}, fmt.Errorf("campaign %s is %s, the order to %s it %w", c.ID, c.Status, o.name, ErrState)
	}
	ctx = context.WithoutCancel(ctx)
	receipt, err := s.runner.Order(ctx, campaignID, o.input(a.Login), s.orderEntry(a, o.name, c, o.note))
	if err != nil {
		return fleet.Campaign{}, receipt, err
	}
	c, err = s.Campaigns.Find(ctx, campaignID)
	return c, receipt, err
}

// orderEntry is the audit entry of an order to a campaign.
func (s *Service) orderEntry(a identity.Actor, name string, c fleet.Campaign, note string) store.AuditEntry {
	e := entry(a, s.wall(), "campaign."+name, "campaign", c.ID, note)
	e.SubscriberID = c.SubscriberID
	return e
}
