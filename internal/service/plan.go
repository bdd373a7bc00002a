package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/planning"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// PlanOptions say what a plan assumes and compares.
type PlanOptions struct {
	Assumptions  forecast.Assumptions
	Alternatives bool // predict the other data rates and classes too
}

// Plan says what a configured campaign will take. It changes nothing. A campaign that is blocked has
// blockers in its plan and no prediction. ErrState: it has been started already.
func (s *Service) Plan(ctx context.Context, campaignID string, o PlanOptions) (forecast.Plan, error) {
	if _, err := may(ctx, identity.RunCampaigns); err != nil {
		return forecast.Plan{}, err
	}
	c, err := s.Campaigns.Find(ctx, campaignID)
	if err != nil {
		return forecast.Plan{}, err
	}
	if c.Archived || c.Status != fleet.Configured {
		return forecast.Plan{}, fmt.Errorf("campaign %s is %s or archived, planning it %w: copy it to plan another", c.ID, c.Status, ErrState)
	}
	return s.plan(ctx, c, o)
}

// PlanNew is Plan of a campaign that is not stored: as if it were created now, and left no trace.
func (s *Service) PlanNew(ctx context.Context, c fleet.Campaign, o PlanOptions) (forecast.Plan, error) {
	a, err := may(ctx, identity.RunCampaigns)
	if err != nil {
		return forecast.Plan{}, err
	}
	if c.SubscriberID = a.SubscriberID; c.SubscriberID == "" {
		c.SubscriberID = fleet.DefaultSubscriber
	}
	subscriber, err := s.store.Subscribers().Find(ctx, c.SubscriberID)
	if err != nil {
		return forecast.Plan{}, err
	}
	if err := s.Campaigns.rules.created(&c, subscriber.Defaults); err != nil {
		return forecast.Plan{}, err
	}
	c.ID = ""
	if err := c.Validate(); err != nil {
		return forecast.Plan{}, err
	}
	if err := checkCampaign(ctx, s.store.Within(a.SubscriberID), nil, &c); err != nil {
		return forecast.Plan{}, err
	}
	return s.plan(ctx, c, o)
}

// planTime is how long a plan may be computed. What is not predicted by then says so.
const planTime = 15 * time.Second

// plan reads what the campaign names, and predicts. One plan is computed at a time: it keeps a CPU busy.
func (s *Service) plan(ctx context.Context, c fleet.Campaign, o PlanOptions) (forecast.Plan, error) {
	select {
	case s.planning <- struct{}{}:
		defer func() { <-s.planning }()
	case <-ctx.Done():
		return forecast.Plan{}, ctx.Err()
	}
	busy, err := s.busy(ctx, c.SubscriberID)
	if err != nil {
		return forecast.Plan{}, err
	}
	req, err := planning.Request(ctx, s.store, c, s.now(), func(dev lorawan.EUI64) string { return busy[dev] })
	if err != nil {
		return forecast.Plan{}, err
	}
	req.NextChance = !s.queueAhead
	end := time.Now().Add(planTime)
	opt := forecast.Options{Assumptions: o.Assumptions, Alternatives: o.Alternatives, At: s.now(), Interrupt: func() error {
		if time.Now().After(end) {
			return forecast.ErrTooLong
		}
		return ctx.Err()
	}}
	if opt.Other, err = s.otherFile(ctx, c, req.File); err != nil {
		return forecast.Plan{}, err
	}
	out, err := forecast.New(req, opt)
	if errors.Is(err, forecast.ErrAssumptions) {
		return out, &fleet.FieldError{Field: "assumptions", Problem: "cannot be: " + err.Error()}
	}
	if err != nil {
		return out, err
	}
	err = s.groupsAreFree(ctx, c)
	if errors.Is(err, ErrInUse) {
		out.Blockers = append(out.Blockers, forecast.Finding{Code: forecast.ReasonGroupInUse, Text: err.Error() + ": wait for its end, or use another group"})
		err = nil
	}
	return out, err
}

// busy names the running campaign of each device of a subscriber that is in one.
func (s *Service) busy(ctx context.Context, subscriberID string) (map[lorawan.EUI64]string, error) {
	campaigns, err := running(ctx, s.store.Within(subscriberID))
	if err != nil {
		return nil, err
	}
	busy := map[lorawan.EUI64]string{}
	for _, c := range campaigns {
		for q := (store.ProgressQuery{Limit: store.MaxLimit}); ; {
			page, err := s.store.DeviceProgress(ctx, c.ID, q)
			if err != nil {
				return nil, err
			}
			for _, row := range page.Items {
				busy[row.DevEUI] = c.ID
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	return busy, nil
}

// otherFile finds the file to compare with: the full image that leads to the version of a delta, or the
// delta that leads to that of a full image; nil for none. Of several, the latest.
func (s *Service) otherFile(ctx context.Context, c fleet.Campaign, file *fleet.File) (*forecast.OtherFile, error) {
	if file == nil || file.Type == fleet.BinaryFile {
		return nil, nil
	}
	other := fleet.FirmwareFile
	if file.Type == fleet.FirmwareFile {
		other = fleet.DeltaFile
	}
	var found *fleet.File
	q := store.Query{Where: map[store.Field]string{store.ByProfile: file.ProfileID, store.ByType: other.String()}}
	for f, err := range store.All(ctx, s.store.Within(c.SubscriberID).Files(), q) {
		if err != nil {
			return nil, err
		}
		if f.Version == file.Version && f.HasContent() && (found == nil || f.CreatedAt.After(found.CreatedAt)) {
			found = &f
		}
	}
	if found == nil {
		return nil, nil
	}
	payload, err := planning.Payload(ctx, s.store, found.SHA256)
	return &forecast.OtherFile{File: *found, Payload: payload}, err
}
