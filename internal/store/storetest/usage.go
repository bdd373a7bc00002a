package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// passed is the outcome that the tests of this file count.
const passed = "verified"

// march and april are the months that the tests of this file count.
var (
	march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	april = march.AddDate(0, 1, 0)
)

func of(subscriber string) store.UsageQuery {
	return store.UsageQuery{SubscriberID: subscriber, From: march, Until: april, Passed: passed}
}

// usageWorld is a store with three subscribers: "acme" has devices and campaigns, "late" is new in
// April, and the default one has a device and a campaign of its own.
func usageWorld(t *testing.T, open Open) store.Store {
	t.Helper()
	ctx, s := context.Background(), open(t, t.TempDir())
	for _, x := range []fleet.Subscriber{{ID: "acme", Name: "acme", CreatedAt: march.AddDate(0, -1, 0)}, {ID: "late", Name: "late", CreatedAt: april}} {
		must(t, s.Subscribers().Create(ctx, &x))
	}
	acme := s.Within("acme")
	for n, profile := range []string{"p1", "p1", "p2", "p2"} {
		d := testDevice(n)
		d.ProfileID, d.CreatedAt = profile, march.AddDate(0, 0, -1)
		must(t, acme.Devices().Create(ctx, &d))
	}
	must(t, acme.Devices().Archive(ctx, devEUI(1, 3), march)) // counts all the same
	tooLate := testDevice(8)
	tooLate.CreatedAt = april
	must(t, acme.Devices().Create(ctx, &tooLate))
	other := testDevice(9)
	must(t, s.Devices().Create(ctx, &other))
	for _, f := range []fleet.File{{ID: "image", Type: fleet.FirmwareFile}, {ID: "patch", Type: fleet.DeltaFile}, {ID: "table", Type: fleet.BinaryFile}} {
		must(t, acme.Files().Create(ctx, &f))
	}

	end := april.Add(-time.Microsecond) // the very last moment of the month
	ran(t, s, acme, "full", fleet.FOTACampaign, "image", fleet.Succeeded, march, map[int]string{0: passed, 1: passed, 2: "failed"})
	ran(t, s, acme, "delta", fleet.FOTACampaign, "patch", fleet.Failed, end, map[int]string{1: passed, 0: "failed"})
	ran(t, s, acme, "binary", fleet.BinaryCampaign, "table", fleet.Stopped, end, map[int]string{0: passed, 3: passed, 1: "stopped"})
	ran(t, s, acme, "groups", fleet.MCGroupCampaign, "", fleet.Succeeded, end, map[int]string{2: passed})
	ran(t, s, acme, "before", fleet.FOTACampaign, "image", fleet.Succeeded, march.Add(-time.Microsecond), map[int]string{2: passed})
	ran(t, s, acme, "after", fleet.FOTACampaign, "image", fleet.Succeeded, april, map[int]string{2: passed})
	ran(t, s, acme, "running", fleet.FOTACampaign, "image", fleet.Running, time.Time{}, map[int]string{2: passed})
	must(t, s.Campaigns().Archive(ctx, "full", april)) // counts all the same
	ran(t, s, s.Within(fleet.DefaultSubscriber), "own", fleet.FOTACampaign, "patch", fleet.Succeeded, end, map[int]string{9: passed})
	return s
}

// ran stores a campaign that ended with the given outcomes of devices.
func ran(t *testing.T, s store.Store, o store.Objects, id string, kind fleet.CampaignType, file string, status fleet.Status, ended time.Time, outcomes map[int]string) {
	t.Helper()
	c := testCampaign(id)
	c.Type, c.FileID = kind, file
	must(t, o.Campaigns().Create(context.Background(), &c))
	run := store.Run{CampaignID: id, Started: march.AddDate(0, -2, 0), Devices: map[lorawan.EUI64][]byte{}}
	step := store.Step{CampaignID: id, Status: status, Ended: ended}
	for n, outcome := range outcomes {
		run.Devices[devEUI(1, n)] = nil
		step.Devices = append(step.Devices, store.Row{DevEUI: devEUI(1, n), Outcome: outcome})
	}
	must(t, s.CreateRun(context.Background(), run))
	must(t, s.CommitStep(context.Background(), step))
}

// What was used in a month is what ended in it. A device that passed two campaigns of a
// type is one device.
func generalUsage(t *testing.T, open Open) {
	ctx, s := context.Background(), usageWorld(t, open)
	acme := store.GeneralUsage{SubscriberID: "acme", Devices: 4, Campaigns: 4, MCGroup: 1, Binary: 2, FOTA: 2}
	own := store.GeneralUsage{SubscriberID: fleet.DefaultSubscriber, Devices: 1, Campaigns: 1, FOTA: 1}
	for subscriber, expected := range map[string][]store.GeneralUsage{"": {acme, own}, "acme": {acme}, "late": nil, "nobody": nil, "\x00": nil} {
		got, err := s.GeneralUsage(ctx, of(subscriber))
		must(t, err)
		same(t, "usage of "+subscriber, got, expected)
	}
	got, err := s.GeneralUsage(ctx, store.UsageQuery{From: april, Until: april.AddDate(0, 1, 0), Passed: passed})
	must(t, err)
	same(t, "usage in April", got, []store.GeneralUsage{
		{SubscriberID: "acme", Devices: 5, Campaigns: 1, FOTA: 1}, {SubscriberID: fleet.DefaultSubscriber, Devices: 1}, {SubscriberID: "late"}})
}

func smartDeltaUsage(t *testing.T, open Open) {
	ctx, s := context.Background(), usageWorld(t, open)
	acme := []store.SmartDeltaUsage{
		{SubscriberID: "acme", ProfileID: "p1", Devices: 2, FullImage: 1, Delta: 1},
		{SubscriberID: "acme", ProfileID: "p2", FullImage: 1}}
	own := store.SmartDeltaUsage{SubscriberID: fleet.DefaultSubscriber, ProfileID: "profile", Devices: 1, Delta: 1}
	for subscriber, expected := range map[string][]store.SmartDeltaUsage{"": {acme[0], acme[1], own}, "acme": acme, "late": nil} {
		got, err := s.SmartDeltaUsage(ctx, of(subscriber))
		must(t, err)
		same(t, "usage of "+subscriber, got, expected)
	}
}

func firstActivity(t *testing.T, open Open) {
	ctx, s := context.Background(), open(t, t.TempDir())
	first := func(expected time.Time) {
		t.Helper()
		got, err := s.FirstActivity(ctx)
		must(t, err)
		same(t, "first activity", got, expected)
	}
	first(time.Time{})
	c := testCampaign("configured")
	must(t, s.Campaigns().Create(ctx, &c))
	first(time.Time{}) // nothing was started
	must(t, s.Record(ctx, store.AuditEntry{At: april}, store.AuditEntry{At: april.AddDate(0, 1, 0)}))
	first(april)
	ran(t, s, s, "earlier", fleet.MCGroupCampaign, "", fleet.Running, time.Time{}, nil)
	first(march.AddDate(0, -2, 0))
}

func objectCounts(t *testing.T, open Open) {
	ctx, s := context.Background(), usageWorld(t, open)
	for id, state := range map[string]store.JobState{"j1": store.JobDone, "j2": store.JobDone, "j3": store.JobQueued} {
		must(t, s.Jobs().Create(ctx, &store.Job{ID: id, Kind: "k", State: state}))
	}
	got, err := s.CountObjects(ctx)
	must(t, err)
	same(t, "counts", got, []store.ObjectCount{
		{Kind: store.KindCampaign, State: "ARCHIVED", N: 1}, {Kind: store.KindCampaign, State: "FAILED", N: 1},
		{Kind: store.KindCampaign, State: "RUNNING", N: 1}, {Kind: store.KindCampaign, State: "STOPPED", N: 1}, {Kind: store.KindCampaign, State: "SUCCEEDED", N: 4},
		{Kind: store.KindDevice, State: "ACTIVE", N: 5}, {Kind: store.KindDevice, State: "ARCHIVED", N: 1},
		{Kind: store.KindFile, State: "ACTIVE", N: 3},
		{Kind: store.KindJob, State: "done", N: 2}, {Kind: store.KindJob, State: "queued", N: 1},
		{Kind: store.KindSubscriber, State: "ACTIVE", N: 3},
	})
}
