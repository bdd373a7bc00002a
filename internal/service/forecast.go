package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/internal/planning"
	"github.com/starling-fuota/starling/internal/store"
)

// What was expected of a campaign is kept with it:
//
//	Start ── one transaction: RUNNING, run with its specification, job jobForecast
//	                                                  │ Work, of whichever process comes first
//	          forecast.Keep(specification, start) <───┘
//	                  └─> KeepForecast ──> Outcome.Review
//
// A prediction takes seconds of CPU, and nobody who starts a campaign should wait for it. It is made of what
// the run was started with and of nothing that came after, so it does not matter when.

// Reasons why the report of a campaign has no prediction, beside those of package forecast.
const (
	reasonForecastPending = "plan.prediction_pending"
	reasonForecastNone    = "plan.prediction_not_kept"
)

// forecastArgs are the arguments of a jobForecast.
type forecastArgs struct {
	CampaignID string `json:"campaign_id"`
}

// forecastResult is what became of it.
type forecastResult struct {
	Predicted bool   `json:"predicted"`
	Reason    string `json:"reason,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

// errForecastFatal is of a job that was begun too often: every time, the server ended over it.
var errForecastFatal = errors.New("the prediction was begun too often")

// forecastRenewed is how often the lease of the job is renewed on the way.
const forecastRenewed = jobLease / 4

// keepForecast is the work of a jobForecast. What cannot be predicted in the last attempt never will be: then
// that is what is kept.
func keepForecast(ctx context.Context, s *Service, j *task) (any, error) {
	var args forecastArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return nil, fmt.Errorf("arguments of job %s: %w", j.ID, err)
	}
	var kept forecast.Kept
	err := errForecastFatal
	if j.Attempts <= jobAttempts {
		kept, err = s.forecast(ctx, args.CampaignID, j)
	}
	if ctx.Err() != nil || errors.Is(err, errGone) {
		return nil, err
	}
	final := err != nil && (isFinal(err) || j.Attempts >= jobAttempts)
	if final {
		kept.Prediction, kept.Missing = nil, &forecast.Finding{Code: forecast.ReasonNotPredicted, Text: "it could not be predicted: " + explain(err)}
	} else if err != nil {
		return nil, err
	}
	raw, keepErr := json.Marshal(kept)
	if keepErr == nil {
		keepErr = s.store.KeepForecast(ctx, args.CampaignID, raw)
	}
	result := forecastResult{Predicted: kept.Prediction != nil}
	if m := kept.Missing; m != nil {
		result.Reason, result.Detail = string(m.Code), m.Text
	}
	return result, errors.Join(keepErr, err)
}

// forecast predicts a campaign from what it was started with.
func (s *Service) forecast(ctx context.Context, campaignID string, j *task) (forecast.Kept, error) {
	run, err := s.store.LoadRun(ctx, campaignID)
	if err != nil {
		return forecast.Kept{}, err
	}
	kept := forecast.Kept{At: run.Started}
	var spec campaign.Spec
	if err := json.Unmarshal(run.Spec, &spec); err != nil {
		return kept, fmt.Errorf("what campaign %s was started with: %w", campaignID, err)
	}
	renewed := s.wall()
	renew := func() error {
		if s.wall().Before(renewed.Add(forecastRenewed)) {
			return ctx.Err()
		}
		renewed = s.wall()
		return j.report(0, 0)
	}
	for waits := true; waits; { // somebody may be planning
		select {
		case s.planning <- struct{}{}:
			defer func() { <-s.planning }()
			waits = false
		case <-time.After(time.Second):
			if err := renew(); err != nil {
				return kept, err
			}
		case <-ctx.Done():
			return kept, ctx.Err()
		}
	}
	request, planned, err := planning.OfRun(ctx, s.store, spec)
	if err != nil {
		return kept, err
	}
	end := time.Now().Add(planTime)
	return forecast.Keep(request, planned, run.Started, func() error {
		if time.Now().After(end) {
			return forecast.ErrTooLong
		}
		return renew()
	})
}

// whyNoForecast says why nothing is kept of what was expected of a campaign.
func (s *Service) whyNoForecast(ctx context.Context, campaignID string) (*forecast.Finding, error) {
	for _, state := range []store.JobState{store.JobQueued, store.JobRunning} {
		q := store.Query{Where: map[store.Field]string{store.ByKind: jobForecast, store.ByState: string(state)}}
		for j, err := range store.All(ctx, s.store.Jobs(), q) {
			if err != nil {
				return nil, err
			}
			var args forecastArgs
			if err := json.Unmarshal(j.Args, &args); err == nil && args.CampaignID == campaignID {
				return &forecast.Finding{Code: reasonForecastPending, Text: "it is being predicted: look again in a moment"}, nil
			}
		}
	}
	return &forecast.Finding{Code: reasonForecastNone, Text: "it was not predicted when it started: by a version that did not do so, or somebody cancelled the job"}, nil
}

// review holds what has become of a campaign against what was expected of it.
func (s *Service) review(ctx context.Context, campaignID string, o *Outcome) error {
	raw, err := s.store.Forecast(ctx, campaignID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if o.Forecast.Missing, err = s.whyNoForecast(ctx, campaignID); err != nil {
			return err
		}
		o.Forecast.At = o.Report.Started
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(raw, &o.Forecast); err != nil {
			return fmt.Errorf("what was expected of campaign %s: %w", campaignID, err)
		}
	}
	o.Figures = forecast.Review(o.Forecast.Prediction, &o.Report)
	return nil
}
