package engine_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// TestWhoMatchesAFilterAtTheStartTakesPart follows a campaign over a set that is a filter: what
// becomes of tags later changes nothing, and the devices of another subscriber are never in.
func TestWhoMatchesAFilterAtTheStartTakesPart(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 8, Seed: 4}, 4000)
	ctx, euis := t.Context(), w.euis()
	retag := func(dev lorawan.EUI64, tag string) {
		t.Helper()
		d, err := w.store.Devices().Find(ctx, dev)
		if d.Tag = tag; err == nil {
			err = w.store.Devices().Update(ctx, &d)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, dev := range euis[:6] {
		retag(dev, "north")
	}
	if err := w.store.Devices().Archive(ctx, euis[5], start); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Subscribers().Create(ctx, &fleet.Subscriber{ID: "other", Name: "other"}); err != nil {
		t.Fatal(err)
	}
	stranger := fleet.Device{DevEUI: lorawan.EUI64{9, 9}, SubscriberID: "other", Tag: "north", ProfileID: "profile-a", RootKey: lorawan.AES128Key{1}, Classes: fleet.ClassesOf(fleet.ClassC)}
	if err := w.store.Devices().Create(ctx, &stranger); err != nil {
		t.Fatal(err)
	}
	set := fleet.DeviceSet{ID: "tagged", Name: "tagged", Filter: &fleet.DeviceFilter{Where: map[string]string{"tag": "north"}}}
	some := fleet.DeviceSet{ID: "some", Name: "some", Devices: euis[:2]} // in the filter as well: each device takes part once
	for _, s := range []*fleet.DeviceSet{&set, &some} {
		if err := w.store.DeviceSets().Create(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	c := fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, DeviceSets: []string{"tagged", "some"}, Regions: []string{"north"},
		FileID: "file", MaxDuration: 7 * 24 * time.Hour}
	if err := w.store.Campaigns().Create(ctx, &c); err != nil {
		t.Fatal(err)
	}
	if err := w.eng.Start(ctx, "c1", store.Along{}); err != nil {
		t.Fatal(err)
	}
	retag(euis[0], "")      // loses its tag and stays in
	retag(euis[6], "north") // gets it and stays out
	w.stop()                // the run is loaded again: it keeps its devices, and does not ask the filter
	w.run()
	w.mustSucceed(w.wait(), 5)

	rows, err := w.store.DeviceProgress(ctx, "c1", store.ProgressQuery{})
	if err != nil || len(rows.Items) != 5 {
		t.Fatalf("%d devices took part, %v", len(rows.Items), err)
	}
	w.net.Inspect(func(n *sim.Network) {
		for i, dev := range euis {
			if updated := n.Device(dev).RunningImageSHA256() == w.file.SHA256; updated != (i < 5) {
				t.Errorf("device %d runs the image: %v", i, updated)
			}
		}
	})
}
