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
)

// A campaign that is started later:
//
//	Schedule ── Campaign.ScheduledFor, and a job that is due then, in one transaction
//	                                      │ Work, of whichever process comes first
//	Unschedule ── ScheduledFor is zero    v
//	              the job finds nothing  Start ── RUNNING
//	              to do                   └─ cannot ── Campaign.StatusReason, audit log
//
// The job outlives the process, and is claimed by one of several. If it is done twice all the
// same, the second start finds the campaign RUNNING. A time at which no server ran is made up for.

// Reasons why a campaign was not started when its time had come, beside those of package campaign.
const (
	reasonNotApproved = "blocked.not_approved"
	reasonInUse       = "blocked.in_use"
	reasonQuota       = "blocked.quota"
	reasonState       = "blocked.state"
	reasonError       = "blocked.error"
)

// startArgs are the arguments of a jobStartCampaign.
type startArgs struct {
	CampaignID string    `json:"campaign_id"`
	At         time.Time `json:"at"` // the ScheduledFor that it belongs to
}

// startResult is what became of it.
type startResult struct {
	Started bool   `json:"started"`
	Reason  string `json:"reason,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// Schedule has a configured campaign started at a time, or at its Schedule.StartAt if at is zero.
// A time that has passed means at once. Doing it again with another time moves the start.
func (s *Service) Schedule(ctx context.Context, campaignID string, at time.Time) (fleet.Campaign, error) {
	var scheduled fleet.Campaign
	err := s.change(ctx, identity.RunCampaigns, func(c *changes) error {
		found, err := c.configured(ctx, campaignID, "scheduling")
		scheduled = found
		if err != nil {
			return err
		}
		when := at
		if when.IsZero() {
			when = found.Schedule.StartAt
		}
		when = when.UTC().Truncate(time.Second)
		switch {
		case at.IsZero() && found.Schedule.StartAt.IsZero():
			return invalid("start_at", "is missing", "say when the campaign shall start, here or in its schedule")
		case !found.SessionStart.IsZero() && !found.SessionStart.After(when):
			return invalid("start_at", "is not before the session of the campaign", "devices are set up before their session: start earlier, or move session_start")
		case found.ScheduledFor.Equal(when):
			return nil
		}
		scheduled.ScheduledFor, scheduled.StatusReason, scheduled.LastChanged = when, "", c.now
		if err := c.Campaigns().Update(ctx, &scheduled); err != nil {
			return err
		}
		c.recordIn(found.SubscriberID, "campaign.schedule", "campaign", found.ID, nil, "starts at "+when.Format(time.RFC3339))
		_, err = s.enqueueFor(ctx, c, when, jobStartCampaign, startArgs{found.ID, when})
		return err
	})
	if err == nil {
		s.wake()
	}
	return scheduled, err
}

// Unschedule takes back that a campaign starts by itself. Doing it twice is no error.
func (s *Service) Unschedule(ctx context.Context, campaignID string) (fleet.Campaign, error) {
	var open fleet.Campaign
	err := s.change(ctx, identity.RunCampaigns, func(c *changes) (err error) {
		if open, err = c.configured(ctx, campaignID, "unscheduling"); err != nil || open.ScheduledFor.IsZero() {
			return err
		}
		c.recordIn(open.SubscriberID, "campaign.unschedule", "campaign", open.ID, nil, "was to start at "+open.ScheduledFor.Format(time.RFC3339))
		open.ScheduledFor, open.LastChanged = time.Time{}, c.now
		return c.Campaigns().Update(ctx, &open)
	})
	return open, err
}

// startScheduled is the work of a jobStartCampaign.
func startScheduled(ctx context.Context, s *Service, j *task) (any, error) {
	var args startArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return nil, fmt.Errorf("arguments of job %s: %w", j.ID, err)
	}
	c, err := s.Campaigns.Find(ctx, args.CampaignID)
	if err != nil {
		return nil, err
	}
	if c.Status != fleet.Configured || !c.ScheduledFor.Equal(args.At) {
		return startResult{Detail: "the campaign is not scheduled for this time any more"}, nil
	}
	_, err = s.Start(ctx, c.ID)
	if err == nil {
		return startResult{Started: true}, nil
	}
	if ctx.Err() != nil || !isFinal(err) && j.Attempts < jobAttempts {
		return nil, err // a network server that is away for a moment, a database that is busy
	}
	result := startResult{Reason: whyNotStarted(err), Detail: "the server made a mistake; its log has more"}
	if result.Reason != reasonError {
		result.Detail = err.Error()
	}
	return result, errors.Join(s.notStarted(ctx, args, result), unless(result.Reason != reasonError, err))
}

// unless returns err unless it is told already.
func unless(told bool, err error) error {
	if told {
		return nil
	}
	return err
}

// notStarted notes for people that a campaign is not scheduled any more, and why.
func (s *Service) notStarted(ctx context.Context, args startArgs, why startResult) error {
	return s.change(ctx, identity.RunCampaigns, func(c *changes) error {
		found, err := c.Campaigns().Find(ctx, args.CampaignID)
		if err != nil || found.Status != fleet.Configured || !found.ScheduledFor.Equal(args.At) {
			return err // somebody else was quicker
		}
		found.ScheduledFor, found.StatusReason, found.LastChanged = time.Time{}, why.Reason, c.now
		c.recordIn(found.SubscriberID, "campaign.not_started", "campaign", found.ID, nil,
			fmt.Sprintf("was to start at %s: %s (%s)", args.At.Format(time.RFC3339), why.Detail, why.Reason))
		return c.Campaigns().Update(ctx, &found)
	})
}

// whyNotStarted returns the stable code of an error of Start.
func whyNotStarted(err error) string {
	var blocked *campaign.Blocked
	switch {
	case errors.As(err, &blocked):
		return string(blocked.Reason)
	case errors.Is(err, ErrApproval):
		return reasonNotApproved
	case errors.Is(err, ErrInUse):
		return reasonInUse
	case errors.Is(err, ErrQuota):
		return reasonQuota
	case errors.Is(err, ErrState), errors.Is(err, ErrBlocked), errors.Is(err, ErrForbidden), errors.Is(err, store.ErrNotFound):
		return reasonState
	}
	return reasonError
}
