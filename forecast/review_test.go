package forecast_test

import (
	"errors"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/lorawan/region"
)

// figure returns one figure, which must be there.
func figure(t *testing.T, all []forecast.Figure, name, of string) forecast.Figure {
	t.Helper()
	for _, f := range all {
		if f.Name == name && f.Of == of {
			return f
		}
	}
	t.Fatalf("no figure %s of %q", name, of)
	return forecast.Figure{}
}

func TestWhatWasPredictedStandsBesideWhatBecameOfIt(t *testing.T) {
	p := forecast.Prediction{
		Devices: 200, DurationP50: 1000, DurationP90: 2000, Airtime: 50, Multicast: 40, RX1: 6, RX2: 4, Fragments: 100, UnicastDownlinks: 300, Sessions: 1,
		VerifiedPercent: 99, Energy: []forecast.Energy{{ProfileID: "p", ExtraJoulesMean: 10}}, Stages: []forecast.Stage{{Stage: campaign.StageMcSession, P50: 8, P90: 0}},
	}
	r := campaign.Report{
		Duration: 1500, Ended: start, UnicastAirtime: 5, MulticastAirtime: 44, Fragments: 110, UnicastDownlinks: 240, Verified: 198,
		Groups: []campaign.GroupReport{{Sessions: 1}, {Sessions: 2}},
		Stages: []campaign.StageReport{{Stage: campaign.StageMcSession, P50: 10, P90: 12}, {Stage: campaign.StageData, P50: 3}},
		Work: []campaign.WorkReport{
			{Group: campaign.GroupSpec{Band: region.EU868, Class: fleet.ClassC}, ProfileID: "p", Devices: 2, Listened: 2 * 1000 * time.Second},
			{Group: campaign.GroupSpec{Band: region.EU868, Class: fleet.ClassC}, ProfileID: "q", Devices: 1, Listened: 10 * time.Second},
		},
	}
	figures := forecast.Review(&p, &r)
	for _, want := range []struct {
		name, of                     string
		predicted, actual, deviation float64
	}{
		{forecast.FigureDurationP50, "", 1000, 1500, 50},
		{forecast.FigureDurationP90, "", 2000, 1500, -25},
		{forecast.FigureAirtime, "", 50, 49, -2},
		{forecast.FigureMulticast, "", 40, 44, 10},
		{forecast.FigureUnicast, "", 10, 5, -50},
		{forecast.FigureFragments, "", 100, 110, 10},
		{forecast.FigureDownlinks, "", 300, 240, -20},
		{forecast.FigureSessions, "", 1, 2, 100},
		{forecast.FigureVerified, "", 198, 198, 0},
		{forecast.FigureEnergy, "p", 10, 17.49, 74.9}, // 1000 s of 5.3 mA at 3.3 V
		{forecast.FigureStageP50, "McSession", 8, 10, 25},
	} {
		f := figure(t, figures, want.name, want.of)
		if f.Predicted == nil || *f.Predicted != want.predicted || f.Actual != want.actual || f.Deviation == nil || *f.Deviation != want.deviation {
			t.Errorf("%s %s: %+v, want %+v", want.name, want.of, f, want)
		}
	}
	// Nothing was said of these, or nothing is no measure.
	for name, of := range map[string]string{forecast.FigureEnergy: "q", forecast.FigureStageP90: "McSession", forecast.FigureStageP50: "DataFragment"} {
		if f := figure(t, figures, name, of); f.Deviation != nil || (f.Predicted != nil) != (of == "McSession") {
			t.Errorf("%s of %s: %+v", name, of, f)
		}
	}
	r.Ended = time.Time{}
	for _, f := range forecast.Review(&p, &r) {
		if f.Deviation != nil {
			t.Errorf("the campaign runs: %+v", f)
		}
	}
	for _, f := range forecast.Review(nil, &r) {
		if f.Predicted != nil || f.Deviation != nil {
			t.Errorf("nothing was predicted: %+v", f)
		}
	}
}

func TestWhatIsKeptIsThePredictionOrWhyThereIsNone(t *testing.T) {
	r := request(20, 2000)
	planned, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := forecast.Keep(r, planned, start, nil)
	if err != nil || kept.Missing != nil || kept.Prediction == nil || kept.Prediction.Devices != 20 || !kept.At.Equal(start) || len(kept.Prediction.Stages) != 5 {
		t.Fatalf("%+v, %v", kept, err)
	}
	plan, err := forecast.New(r, forecast.Options{At: start})
	if err != nil || plan.Prediction.DurationP50 != kept.Prediction.DurationP50 {
		t.Errorf("a plan says %+v, and what is kept %+v: %v", plan.Prediction, kept.Prediction, err)
	}
	kept, err = forecast.Keep(r, planned, start, func() error { return forecast.ErrTooLong })
	if err != nil || kept.Prediction != nil || kept.Missing == nil || kept.Missing.Code != forecast.ReasonNotPredicted {
		t.Errorf("%+v, %v", kept, err)
	}
	gone := errors.New("gone")
	if _, err = forecast.Keep(r, planned, start, func() error { return gone }); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

// Phases are predicted as if nobody had to be waited for, and a halt is an end: nobody is there to look.
func TestPhasesArePredicted(t *testing.T) {
	r := request(20, 2000)
	r.Campaign.Phases = []fleet.Phase{{Name: "canary", Devices: 4, Promotion: fleet.Promotion{Soak: 3 * time.Hour, Manual: true}}}
	p := predict(t, r, forecast.Assumptions{}, forecast.Effort{Runs: 2})
	if p.SuccessProbability != 1 || p.Sessions != 2 || p.VerifiedPercent < 90 || p.DurationP50 < (3*time.Hour).Seconds() || p.DurationP50 > (24*time.Hour).Seconds() {
		t.Errorf("%+v", p)
	}
	plan, err := forecast.New(r, forecast.Options{At: start})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range plan.Warnings {
		if f.Code == forecast.ReasonSessions && plan.Prediction.Sessions <= 2 {
			t.Errorf("each phase has a session of its own: %+v", f)
		}
	}
	r.Campaign.Abort = []fleet.AbortRule{{Kind: fleet.AbortAny, AbovePercent: 0, MinSample: 1}}
	lost := uint8(15)
	r.Campaign.Policy.Retries = -1
	p = predict(t, r, forecast.Assumptions{UplinkDR: &lost}, forecast.Effort{Runs: 2})
	if p.SuccessProbability != 0 || p.DurationP50 <= 0 || p.DurationP50 > (24*time.Hour).Seconds() {
		t.Errorf("halted: %+v", p)
	}
}

// A probe is run like everything else, and the lanes that are there for what it may find are none that people see.
func TestAProbeIsPredicted(t *testing.T) {
	r := request(60, 4000)
	r.NextChance = true
	plain := predict(t, r, forecast.Assumptions{}, forecast.Effort{Runs: 2, Devices: 40})
	r.Campaign.Policy.Probe = true
	p := predict(t, r, forecast.Assumptions{}, forecast.Effort{Runs: 2, Devices: 40})
	if p.VerifiedPercent < 95 || p.UnicastDownlinks < plain.UnicastDownlinks+60*5 || p.Stages[0].Stage != campaign.StageProbe || p.Stages[0].P90 <= 0 {
		t.Errorf("%+v, without a probe %+v", p, plain)
	}
	plan, err := forecast.New(r, forecast.Options{At: start})
	if err != nil || len(plan.Lanes) != 1 {
		t.Errorf("%+v, %v", plan.Lanes, err)
	}
}
