package engine_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the machine that tests may have no time zones

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/sim"
)

// A firmware that no device can install costs the canary, and no other device: the campaign halts, in the store as
// well, until somebody has seen it.
func TestABadFirmwareStopsAtTheCanary(t *testing.T) {
	bad := v1Model()
	bad.Config.Behaviour.FailsInstall = true
	w := newWorld(t, sim.FleetConfig{Devices: 8, Seed: 5, Mix: []sim.Model{bad}}, 2000)
	halted := make(chan engine.Progress, 1)
	w.watch = func(p engine.Progress) {
		if p.Halted.Reason != campaign.ReasonNone {
			select {
			case halted <- p:
			default:
			}
		}
	}
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 0, Policy: fleet.CampaignPolicy{Retries: 6},
		Phases: []fleet.Phase{{Name: "canary", Devices: 2, Promotion: fleet.Promotion{MinVerifiedPercent: 100}}},
		Abort:  []fleet.AbortRule{{Kind: fleet.AbortInstall, AbovePercent: 50}}})
	var p engine.Progress
	select {
	case p = <-halted:
	case <-time.After(hang):
		w.timeline("c1")
		t.Fatal("the campaign does not halt")
	}
	if p.Status != fleet.Running || p.Halted.Reason != campaign.ReasonAbortRule || p.Failed != 2 || p.Later != 6 {
		t.Errorf("%+v", p)
	}
	c, err := w.store.Campaigns().Find(t.Context(), "c1")
	if err != nil || !c.Paused || c.StatusReason != string(campaign.ReasonAbortRule) {
		t.Errorf("stored: paused %t, reason %q, %v", c.Paused, c.StatusReason, err)
	}
	rows, err := w.store.DeviceProgress(t.Context(), "c1", store.ProgressQuery{Outcome: campaign.Later.String()})
	if err != nil || len(rows.Items) != 6 {
		t.Errorf("%d devices are later, %v", len(rows.Items), err)
	}
	// A process that starts now finds it halted, and obeys.
	w.stop()
	w.run()
	if _, err := w.eng.Order(t.Context(), "c1", campaign.StopRequested{By: "test"}); err != nil {
		t.Fatal(err)
	}
	if p := w.wait(); p.Status != fleet.Stopped {
		t.Errorf("ended %s", p.Status)
	}
}

// A campaign for nights: what a device is sent alone goes out in a window, and so does the beginning of each session.
func TestCampaignsKeepToTheirWindows(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 6, Seed: 6, Mix: []sim.Model{v1Model()}}, 4000)
	schedule := fleet.Schedule{Windows: []fleet.Window{{From: 22 * 60, To: 5*60 + 30, Zone: "Europe/Paris"}}, QuietHours: []fleet.Window{{From: 60, To: 120, Zone: "Europe/Paris"}}}
	calendar, err := schedule.Calendar()
	if err != nil {
		t.Fatal(err)
	}
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 20}, Schedule: schedule})
	w.mustSucceed(w.wait(), 6)
	entries, err := w.store.Timeline(t.Context(), "c1", store.TimelineQuery{Limit: store.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, e := range entries {
		switch e.Code {
		case "campaign.held":
			held++
		case "transfer.started":
			if !calendar.Open(e.At) {
				t.Errorf("a session begins at %s", e.At)
			}
		}
	}
	if held == 0 {
		t.Error("it was started by day, and was not held")
	}
}

// A file that no night has room for goes out over several: each session ends within its window, the next one goes on where it ended, and
// the devices put the block together.
func TestAFileTakesSeveralNights(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 6, Seed: 8, Mix: []sim.Model{v1Model()}}, 60_000)
	schedule := fleet.Schedule{Windows: []fleet.Window{{From: 22 * 60, To: 23 * 60, Zone: "Europe/Paris"}}}
	calendar, err := schedule.Calendar()
	if err != nil {
		t.Fatal(err)
	}
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Schedule: schedule,
		Policy: fleet.CampaignPolicy{Retries: 20, MulticastDelay: 30 * time.Second}})
	w.mustSucceed(w.wait(), 6)
	entries, err := w.store.Timeline(t.Context(), "c1", store.TimelineQuery{Limit: store.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	cut := 0
	for _, e := range entries {
		switch e.Code {
		case "session.over":
			cut++
			if !calendar.Open(e.At) {
				t.Errorf("fragments are sent until %s", e.At)
			}
		case "transfer.started", "transfer.round_over":
			if !calendar.Open(e.At) {
				t.Errorf("%s at %s", e.Code, e.At)
			}
		}
	}
	if cut < 2 {
		t.Errorf("%d sessions were too short for what was left", cut)
	}
}
