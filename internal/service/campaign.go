package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Start starts a configured campaign.
func (s *Service) Start(ctx context.Context, campaignID string) (fleet.Campaign, error) {
	a, err := may(ctx, identity.RunCampaigns)
	if err != nil {
		return fleet.Campaign{}, err
	}
	s.starting.Lock()
	defer s.starting.Unlock()
	c, err := s.Campaigns.Find(ctx, campaignID)
	if err != nil {
		return c, err
	}
	switch {
	case c.Archived:
		return c, fmt.Errorf("campaign %s is archived, starting it %w", c.ID, ErrState)
	case c.Status != fleet.Configured:
		return c, fmt.Errorf("campaign %s is %s, starting it %w", c.ID, c.Status, ErrState)
	}
	if err := s.groupsAreFree(ctx, c); err != nil {
		return c, err
	}
	if err := s.subscriberAllows(ctx, c); err != nil {
		return c, err
	}
	ctx = context.WithoutCancel(ctx) // see order
	along, err := s.alongStart(a, c)
	if err != nil {
		return fleet.Campaign{}, err
	}
	err = s.runner.Start(ctx, campaignID, along)
	if errors.Is(err, campaign.ErrBlocked) {
		err = fmt.Errorf("campaign %s %w: %w", campaignID, ErrBlocked, err)
	}
	if err != nil {
		return fleet.Campaign{}, err
	}
	s.wake()
	return s.Campaigns.Find(ctx, campaignID)
}

// alongStart returns what is stored with the start of a campaign: whose order it was, and that what is
// expected of it be predicted.
func (s *Service) alongStart(a identity.Actor, c fleet.Campaign) (store.Along, error) {
	started := s.orderEntry(a, "start", c, "")
	a.SubscriberID = c.SubscriberID
	job, err := newJob(a, s.wall(), s.wall(), jobForecast, forecastArgs{c.ID})
	if err != nil {
		return store.Along{}, err
	}
	return store.Along{Audit: []store.AuditEntry{started, entry(a, s.wall(), "job.create", "job", job.ID, jobForecast)}, Jobs: []store.Job{job}}, nil
}

// subscriberAllows returns ErrQuota if the subscriber runs as many campaigns as it may, ErrState if it
// is archived, and ErrApproval if c lacks the approval of a second person. The quota is counted again in the
// transaction that starts the campaign, because another server may start one meanwhile.
func (s *Service) subscriberAllows(ctx context.Context, c fleet.Campaign) error {
	subscriber, err := s.store.Subscribers().Find(ctx, c.SubscriberID)
	if err != nil {
		return err
	}
	if subscriber.Archived {
		return fmt.Errorf("subscriber %s is archived, starting its campaigns %w", c.SubscriberID, ErrState)
	}
	if c.NeedsApproval || subscriber.ApproveCampaigns {
		if err := Approved(ctx, s.store, c); err != nil {
			return err
		}
	}
	limit := subscriber.Quota.RunningCampaigns
	if limit == 0 {
		return nil
	}
	campaigns, err := running(ctx, s.store.Within(c.SubscriberID))
	if err == nil && len(campaigns) >= limit {
		err = fmt.Errorf("subscriber %s runs its %d campaigns, one more %w: wait for one to end, or stop it", c.SubscriberID, limit, ErrQuota)
	}
	return err
}

// groupsAreFree returns ErrInUse if a running campaign sends to one of c's groups:
// their sessions and counters would get in each other's way.
func (s *Service) groupsAreFree(ctx context.Context, c fleet.Campaign) error {
	mine, err := groupsOf(ctx, s.store, c)
	if err != nil {
		return err
	}
	campaigns, err := running(ctx, s.store)
	if err != nil {
		return err
	}
	for _, other := range campaigns {
		theirs, err := groupsOf(ctx, s.store, other)
		if err != nil {
			return err
		}
		for g := range mine {
			if theirs[g] {
				return fmt.Errorf("multicast group %s %w: %q (%s)", g, ErrInUse, other.Name, other.ID)
			}
		}
	}
	return nil
}

// Copy makes a new campaign with the settings of another, whatever became of that one.
func (s *Service) Copy(ctx context.Context, campaignID, name string) (fleet.Campaign, error) {
	c, err := s.Campaigns.Find(ctx, campaignID)
	if err != nil {
		return c, err
	}
	if name == "" {
		name = c.Name
	}
	c.Schedule.StartAt = time.Time{} // times have passed, or belong to the other one
	if c.Schedule.Reboot == fleet.RebootAtTime {
		c.Schedule.Reboot = fleet.RebootAuto
	}
	return s.Campaigns.Create(ctx, fleet.Campaign{Name: name, Description: c.Description, Type: c.Type, DeviceSets: c.DeviceSets, Regions: c.Regions,
		FileID: c.FileID, Delta: c.Delta, MaxDuration: c.MaxDuration, SuccessThreshold: c.SuccessThreshold, Policy: c.Policy,
		Schedule: c.Schedule, Phases: c.Phases, Abort: c.Abort, CatchUp: c.CatchUp, NeedsApproval: c.NeedsApproval})
}

// Progress is how far a campaign is. Before its start it has no stages and no devices.
type Progress struct {
	Campaign fleet.Campaign
	Run      store.RunInfo
	Header   campaign.Header // of the run; zero before the start
	Stages   []store.StageProgress
	Tally    []store.Tally
}

// Devices returns how many devices take part.
func (p Progress) Devices() (n int) {
	for _, t := range p.Tally {
		n += t.Devices
	}
	return n
}

// Progress returns how far a campaign is. The slices are shared: read them only.
func (s *Service) Progress(ctx context.Context, campaignID string) (p Progress, err error) {
	if p.Campaign, err = s.Campaigns.Find(ctx, campaignID); err != nil {
		return p, err
	}
	// Read before the rest: then the rest is at least as new, and a viewer that asks
	// again when Run changes misses nothing.
	if p.Run, err = s.runInfo(ctx, campaignID); err != nil {
		return p, err
	}
	// Counting goes through all devices. Viewers of the same step share one count.
	s.counting.Lock()
	defer s.counting.Unlock()
	if last := s.counted[campaignID]; last.Run == p.Run {
		p.Header, p.Stages, p.Tally = last.Header, last.Stages, last.Tally
		return p, nil
	}
	if p.Header, err = s.header(ctx, campaignID); err != nil {
		return p, err
	}
	if p.Stages, err = s.store.Stages(ctx, campaignID); err != nil {
		return p, err
	}
	if p.Tally, err = s.store.Tally(ctx, campaignID); err != nil {
		return p, err
	}
	if p.Campaign.Status == fleet.Running {
		s.counted[campaignID] = p
	} else {
		delete(s.counted, campaignID)
	}
	return p, nil
}

// header returns the state of a campaign as a whole. One that was never started gives the zero value.
func (s *Service) header(ctx context.Context, campaignID string) (h campaign.Header, err error) {
	raw, err := s.store.RunHeader(ctx, campaignID)
	if errors.Is(err, store.ErrNotFound) {
		return h, nil
	}
	if err == nil && len(raw) > 0 {
		err = json.Unmarshal(raw, &h)
	}
	if err != nil {
		err = fmt.Errorf("header of campaign %s: %w", campaignID, err)
	}
	return h, err
}

// RunInfo tells whether there is anything new to see. A campaign that was never
// started gives the zero value.
func (s *Service) RunInfo(ctx context.Context, campaignID string) (store.RunInfo, error) {
	if _, err := s.Campaigns.Find(ctx, campaignID); err != nil {
		return store.RunInfo{}, err
	}
	return s.runInfo(ctx, campaignID)
}

func (s *Service) runInfo(ctx context.Context, campaignID string) (store.RunInfo, error) {
	info, err := s.store.RunInfo(ctx, campaignID)
	if errors.Is(err, store.ErrNotFound) {
		return store.RunInfo{CampaignID: campaignID}, nil
	}
	return info, err
}

// DeviceProgress returns a page of the devices of a started campaign.
func (s *Service) DeviceProgress(ctx context.Context, campaignID string, q store.ProgressQuery) (store.Page[store.Row], error) {
	if _, err := s.Campaigns.Find(ctx, campaignID); err != nil {
		return store.Page[store.Row]{}, err
	}
	return s.store.DeviceProgress(ctx, campaignID, q)
}

// GroupProgress returns the groups of a started campaign.
func (s *Service) GroupProgress(ctx context.Context, campaignID string) ([]store.Row, error) {
	if _, err := s.Campaigns.Find(ctx, campaignID); err != nil {
		return nil, err
	}
	return s.store.GroupProgress(ctx, campaignID)
}

// Timeline returns what happened in a campaign, in order.
func (s *Service) Timeline(ctx context.Context, campaignID string, q store.TimelineQuery) ([]store.TimelineEntry, error) {
	if _, err := s.Campaigns.Find(ctx, campaignID); err != nil {
		return nil, err
	}
	return s.store.Timeline(ctx, campaignID, q)
}

// SetOfOutcome makes a device set of the devices of a campaign that ended with one of
// the outcomes, such as all that failed, for the next campaign.
func (s *Service) SetOfOutcome(ctx context.Context, campaignID, name string, outcomes ...string) (fleet.DeviceSet, error) {
	set := fleet.DeviceSet{Name: name, Devices: []lorawan.EUI64{}}
	for _, outcome := range outcomes {
		q := store.ProgressQuery{Outcome: outcome, Limit: store.MaxLimit}
		for {
			page, err := s.DeviceProgress(ctx, campaignID, q)
			if err != nil {
				return set, err
			}
			for _, row := range page.Items {
				set.Devices = append(set.Devices, row.DevEUI)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	if len(set.Devices) == 0 {
		return set, invalid("outcomes", "has no devices in this campaign", "look at the campaign's progress for the outcomes there are")
	}
	return s.DeviceSets.Create(ctx, set)
}
