package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Outcome is what a campaign has come to, read from what its engine has stored. Nothing of it
// is kept beside that: a report of a campaign that has ended says the same at any time.
type Outcome struct {
	Name   string
	Report campaign.Report
	// Forecast is what was expected of it, and Figures are the one beside the other.
	Forecast forecast.Kept
	Figures  []forecast.Figure

	spec    campaign.Spec
	devices []campaign.Device // in the order of spec
}

// Outcome returns what a campaign has come to, so far if it runs, or ErrState if it was not started.
func (s *Service) Outcome(ctx context.Context, campaignID string) (*Outcome, error) {
	c, err := s.Campaigns.Find(ctx, campaignID)
	if err != nil {
		return nil, err
	}
	run, err := s.store.LoadRun(ctx, campaignID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("campaign %s was not started, reporting on it %w", campaignID, ErrState)
	}
	if err != nil {
		return nil, err
	}
	out := &Outcome{Name: c.Name}
	var head campaign.Header
	if err := errors.Join(json.Unmarshal(run.Spec, &out.spec), json.Unmarshal(run.Header, &head)); err != nil {
		return nil, fmt.Errorf("campaign %s: what is stored of it: %w", campaignID, err)
	}
	out.devices = make([]campaign.Device, len(out.spec.Devices))
	for i, m := range out.spec.Devices {
		if err := unmarshalRow(run.Devices, m.DevEUI, &out.devices[i]); err != nil {
			return nil, fmt.Errorf("campaign %s: device %s: %w", campaignID, m.DevEUI, err)
		}
	}
	groups := make([]campaign.Group, len(out.spec.Groups))
	for i, g := range out.spec.Groups {
		if err := unmarshalRow(run.Groups, g.DevEUI, &groups[i]); err != nil {
			return nil, fmt.Errorf("campaign %s: group %s: %w", campaignID, g.DevEUI, err)
		}
	}
	out.Report = campaign.NewReport(&out.spec, head, out.devices, groups)
	return out, s.review(ctx, campaignID, out)
}

func unmarshalRow(rows map[lorawan.EUI64][]byte, eui lorawan.EUI64, to any) error {
	return json.Unmarshal(rows[eui], to)
}

// Evidence calls f with what is known of each device, ascending by DevEUI, until f returns an error.
func (o *Outcome) Evidence(f func(campaign.Evidence) error) error {
	for i := range o.devices {
		if err := f(campaign.EvidenceOf(&o.spec, i, &o.devices[i])); err != nil {
			return err
		}
	}
	return nil
}
