package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
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

// Promote ends the time between two phases of a running campaign.
func (s *Service) Promote(ctx context.Context, campaignID string) (fleet.Campaign, error) {
	c, _, err := s.order(ctx, campaignID, order{name: "promote", input: func(by string) campaign.Input { return campaign.PromoteRequested{By: by} }})
	return c, err
}

// maxExtension is how much more time one order can give: as much as a campaign may last.
const maxExtension = 90 * 24 * time.Hour

// Extend gives a running campaign more time, and groups, all if none are named, another session
// for devices that miss fragments.
func (s *Service) Extend(ctx context.Context, campaignID string, more time.Duration, groups ...lorawan.EUI64) (campaign.Receipt, error) {
	if more < time.Second || more > maxExtension {
		return campaign.Receipt{}, invalid("for_s", "is not within 1 second to 90 days", "")
	}
	_, receipt, err := s.order(ctx, campaignID, order{name: "extend", note: fmt.Sprintf("for %s%s", more, naming(groups)),
		input: func(by string) campaign.Input { return campaign.ExtendRequested{By: by, For: more, Groups: groups} }})
	return receipt, err
}

// AddRedundancy allows groups of a running campaign, all if none are named, more coded fragments: so
// many, or so many percent of the block, whichever is more.
func (s *Service) AddRedundancy(ctx context.Context, campaignID string, fragments int, percent float64, groups ...lorawan.EUI64) (campaign.Receipt, error) {
	if fragments <= 0 && percent <= 0 {
		return campaign.Receipt{}, invalid("fragments", "is missing, and so is percent", "say how many coded fragments more there may be")
	}
	note := fmt.Sprintf("%d fragments or %g %%%s", fragments, percent, naming(groups))
	_, receipt, err := s.order(ctx, campaignID, order{name: "redundancy", note: note, input: func(by string) campaign.Input {
		return campaign.RedundancyRequested{By: by, Fragments: fragments, Percent: percent, Groups: groups}
	}})
	return receipt, err
}

// Retry takes failed devices of a running campaign up again: those that are named, or all; of them
// those that have failed for one of the reasons, or for any.
func (s *Service) Retry(ctx context.Context, campaignID string, devices []lorawan.EUI64, reasons ...campaign.Reason) (campaign.Receipt, error) {
	note := "all that have failed"
	if len(devices) > 0 {
		note = strings.TrimSpace(naming(devices))
	}
	if len(reasons) > 0 {
		note += fmt.Sprintf(", of them those for %v", reasons)
	}
	_, receipt, err := s.order(ctx, campaignID, order{name: "retry", note: note, input: func(by string) campaign.Input {
		return campaign.RetryRequested{By: by, Devices: devices, Kinds: reasons}
	}})
	return receipt, err
}

// Exclude takes devices out of a running campaign for good, and cleans up on them.
func (s *Service) Exclude(ctx context.Context, campaignID string, devices ...lorawan.EUI64) (campaign.Receipt, error) {
	if len(devices) == 0 {
		return campaign.Receipt{}, invalid("devices", "is empty", "name the devices to take out")
	}
	_, receipt, err := s.order(ctx, campaignID, order{name: "exclude", note: strings.TrimSpace(naming(devices)),
		input: func(by string) campaign.Input { return campaign.ExcludeRequested{By: by, Devices: devices} }})
	return receipt, err
}

// maxNamed is how many devices a note in the audit log names.
const maxNamed = 100

// naming lists devices or groups behind a blank; none gives nothing.
func naming(euis []lorawan.EUI64) string {
	var b strings.Builder
	for i, e := range euis {
		if i == maxNamed {
			fmt.Fprintf(&b, " and %d more", len(euis)-i)
			break
		}
		b.WriteString(" " + e.String())
	}
	return b.String()
}

// Halted is what an emergency stop has done with one campaign.
type Halted struct {
	Campaign fleet.Campaign // as it was found
	// Err is nil for a campaign that is stopped, or is not scheduled any more.
	Err error
}

// StopAll stops every campaign that runs, and takes back the schedule of every one that was to start
// by itself: those of the subscriber, or, everywhere, of all, which only users of the server may
// ask for. One that cannot be stopped does not keep the others from it.
func (s *Service) StopAll(ctx context.Context, everywhere bool) ([]Halted, error) {
	a, err := may(ctx, identity.RunCampaigns)
	if err != nil {
		return nil, err
	}
	within := a.SubscriberID
	if everywhere {
		if !a.Server {
			return nil, fmt.Errorf("stopping the campaigns of all subscribers %w: it is for users of the server", ErrForbidden)
		}
		within = ""
	}
	var halted []Halted
	for _, stopping := range []bool{false, true} { // schedules first: none of them must start meanwhile
		campaigns, err := s.live(ctx, within, stopping)
		if err != nil {
			return halted, err
		}
		for _, c := range campaigns {
			in := a
			in.SubscriberID = c.SubscriberID
			if stopping {
				_, err = s.Stop(As(ctx, in), c.ID)
			} else {
				_, err = s.Unschedule(As(ctx, in), c.ID)
			}
			halted = append(halted, Halted{c, err})
		}
	}
	return halted, nil
}

// live returns the campaigns within a subscriber that run, or those that will start by themselves.
func (s *Service) live(ctx context.Context, subscriberID string, runs bool) ([]fleet.Campaign, error) {
	if runs {
		return running(ctx, s.store.Within(subscriberID))
	}
	q := store.Query{Where: map[store.Field]string{store.ByStatus: fleet.Configured.String()}}
	var found []fleet.Campaign
	for c, err := range store.All(ctx, s.store.Within(subscriberID).Campaigns(), q) {
		if err != nil {
			return nil, err
		}
		if !c.ScheduledFor.IsZero() {
			found = append(found, c)
		}
	}
	return found, nil
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
	case c.Status.Ended():
		return c, campaign.Receipt{}, fmt.Errorf("campaign %s is %s, the order to %s it %w: copy it, or make a device set of the devices that have failed and a campaign for them",
			c.ID, c.Status, o.name, ErrState)
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
