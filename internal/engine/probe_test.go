package engine_test

import (
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// TestAProbeMakesUpForAWrongProfile: the profile has the wrong version of every package that has two. The
// devices tell, are updated all the same, and later plans know their versions.
func TestAProbeMakesUpForAWrongProfile(t *testing.T) {
	loss := sim.Independent{P: 0.1}
	w := newWorld(t, sim.FleetConfig{Devices: 8, Seed: 11, Up: loss, Down: loss}, 4000)
	ctx := t.Context()
	profiles, err := w.store.Profiles().List(ctx, store.Query{})
	if err != nil || len(profiles.Items) != 1 {
		t.Fatalf("%+v, %v", profiles.Items, err)
	}
	p := profiles.Items[0]
	right := p.Packages
	other := func(v lorawan.Version) lorawan.Version { return lorawan.V1 + lorawan.V2 - v }
	p.Packages.ClockSync, p.Packages.McSetup, p.Packages.Fragmentation = other(right.ClockSync), other(right.McSetup), other(right.Fragmentation)
	if err := w.store.Profiles().Update(ctx, &p); err != nil {
		t.Fatal(err)
	}
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30, Probe: true}})
	w.stop() // what has been found so far is in the rows
	w.run()
	w.mustSucceed(w.wait(), 8)
	w.verify()
	devices, err := w.store.Devices().FindAll(ctx, w.euis())
	if err != nil {
		t.Fatal(err)
	}
	want := fleet.Packages{ClockSync: right.ClockSync, McSetup: right.McSetup, Fragmentation: right.Fragmentation}
	for _, d := range devices {
		if d.Packages != want {
			t.Errorf("%s has noted packages %+v, want %+v", d.DevEUI, d.Packages, want)
		}
	}
	stages, err := w.store.Stages(ctx, "c1")
	if err != nil || stages[0].Name != "Probe" || stages[0].Status != "done" || stages[0].Completed != 8 {
		t.Errorf("%+v, %v", stages, err)
	}
	// Who runs the target version is not set up again, and says so itself.
	for _, d := range devices {
		if d.Firmware = (fleet.Firmware{}); d.DevEUI == devices[0].DevEUI {
			d.Firmware = fleet.MustParseFirmware("0.0.0.1")
		}
		if err := w.store.Devices().Update(ctx, &d); err != nil {
			t.Fatal(err)
		}
	}
	w.start(fleet.Campaign{ID: "c2", Name: "c2", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30, Probe: true}})
	if again := w.wait(); again.Status != fleet.Succeeded || again.Excluded != 8 || again.FragmentsSent != 0 {
		t.Errorf("%+v", again)
		w.timeline("c2")
	}
}
