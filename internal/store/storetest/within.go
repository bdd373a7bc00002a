package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// within asks every collection, in every way there is, for what belongs to another subscriber.
func within(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	must(t, s.Subscribers().Create(context.Background(), &fleet.Subscriber{ID: "a", Name: "a"}))
	must(t, s.Subscribers().Create(context.Background(), &fleet.Subscriber{ID: "b", Name: "b"}))

	apart(t, s, store.Objects.Devices, func(n int) (fleet.Device, lorawan.EUI64) { d := testDevice(n); return d, d.DevEUI })
	apart(t, s, store.Objects.Groups, func(n int) (fleet.MulticastGroup, lorawan.EUI64) { g := testGroup(n); return g, g.DevEUI })
	apart(t, s, store.Objects.DeviceSets, func(n int) (fleet.DeviceSet, string) {
		id := fmt.Sprint("set", n)
		return fleet.DeviceSet{ID: id, Name: "s", Devices: []lorawan.EUI64{devEUI(1, n)}}, id
	})
	apart(t, s, store.Objects.Regions, func(n int) (fleet.Region, string) { id := fmt.Sprint(n); return fleet.Region{ID: id, Name: "r"}, id })
	apart(t, s, store.Objects.Files, func(n int) (fleet.File, string) { id := fmt.Sprint(n); return fleet.File{ID: id, Name: "f"}, id })
	apart(t, s, store.Objects.Profiles, func(n int) (fleet.DeviceProfile, string) {
		id := fmt.Sprint(n)
		return fleet.DeviceProfile{ID: id, Name: "p", ModuleID: id}, id
	})
	apart(t, s, store.Objects.SmartDeltaKeys, func(n int) (fleet.SmartDeltaKey, string) {
		id := fmt.Sprint(n)
		return fleet.SmartDeltaKey{ID: id, Name: "k", PrivateKey: []byte{byte(n)}}, id
	})
	apart(t, s, store.Objects.Campaigns, func(n int) (fleet.Campaign, string) { id := fmt.Sprint(n); return testCampaign(id), id })
	apart(t, s, store.Objects.Users, func(n int) (identity.User, string) {
		id := fmt.Sprint(n)
		return identity.User{ID: id, Login: "l" + id}, id
	})
	apart(t, s, store.Objects.Tokens, func(n int) (identity.Token, string) {
		id := fmt.Sprint(n)
		return identity.Token{ID: id, UserID: "u", Digest: id}, id
	})
	apart(t, s, store.Objects.Jobs, func(n int) (store.Job, string) {
		id := fmt.Sprint(n)
		return store.Job{ID: id, Kind: "k", State: store.JobQueued}, id
	})
	apart(t, s, store.Objects.Reports, func(n int) (store.Report, string) {
		id := fmt.Sprint(n)
		return store.Report{ID: id, Kind: "general", Month: "2026-0" + id}, id
	})

	// Of subscribers there is but oneself.
	own, err := s.Within("a").Subscribers().List(context.Background(), store.Query{})
	must(t, err)
	if len(own.Items) != 1 || own.Items[0].ID != "a" {
		t.Errorf("a sees subscribers %v", own.Items)
	}
	_, err = s.Within("a").Subscribers().Find(context.Background(), "b")
	want(t, err, store.ErrNotFound)
}

// apart makes an object of a and one of b, and lets a do all there is to do, with both.
func apart[T any, K comparable](t *testing.T, s store.Store, of func(store.Objects) store.Collection[T, K], example func(n int) (T, K)) {
	t.Helper()
	ctx := context.Background()
	mine, mineKey := example(1)
	theirs, theirKey := example(2)
	must(t, of(s.Within("a")).Create(ctx, &mine))
	must(t, of(s.Within("b")).Create(ctx, &theirs))
	before := find(t, of(s), theirKey)

	within := func(o store.Objects) {
		t.Helper()
		c := of(o.Within("a"))
		_, err := c.Find(ctx, theirKey)
		want(t, err, store.ErrNotFound)
		found, err := c.FindAll(ctx, []K{mineKey, theirKey})
		must(t, err)
		page, err := c.List(ctx, store.Query{Archived: true})
		must(t, err)
		n, err := c.Count(ctx, store.Query{Archived: true})
		must(t, err)
		if len(found) != 1 || len(page.Items) != 1 || n != 1 {
			t.Errorf("%T: finds %d, lists %d, counts %d of its 1", mine, len(found), len(page.Items), n)
		}
		same(t, "found", found[0], page.Items[0])
		same(t, "subscriber", found[0], find(t, of(s.Within("a")), mineKey))

		stolen := before
		want(t, c.Update(ctx, &stolen), store.ErrNotFound)
		same(t, "what was to be stolen", stolen, before)
		want(t, c.Archive(ctx, theirKey, day), store.ErrNotFound)
		want(t, c.Create(ctx, &stolen), store.ErrConflict) // the identifier is taken, and stays whose it is
	}
	within(s)
	if mineNow, err := of(s.Within("b")).Find(ctx, mineKey); err == nil {
		t.Errorf("b sees %+v", mineNow)
	}
	same(t, "after all that", find(t, of(s), theirKey), before)

	// What an object says about its subscriber counts for nothing.
	changed := find(t, of(s.Within("a")), mineKey)
	must(t, of(s.Within("a")).Update(ctx, &changed))
	must(t, of(s.Within("a")).Archive(ctx, mineKey, day))
	all, err := of(s).Count(ctx, store.Query{Archived: true})
	must(t, err)
	if all < 2 {
		t.Errorf("%T: all see %d", mine, all)
	}
}

// firmwareHistory changes the firmware of a device in every way there is.
func firmwareHistory(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	history := func(expected ...string) {
		t.Helper()
		var got []string
		q := store.HistoryQuery{Limit: 2}
		for {
			page, err := s.FirmwareHistory(ctx, devEUI(1, 0), q)
			must(t, err)
			for _, e := range page.Items {
				got = append(got, fmt.Sprint(e.Version, " ", e.CampaignID))
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		same(t, "history", got, expected)
	}
	change := func(version string) {
		t.Helper()
		d := find(t, s.Devices(), devEUI(1, 0))
		d.Firmware = fleet.MustParseFirmware(version)
		must(t, s.Devices().Update(ctx, &d))
	}
	history()
	change("1.0.0.0")
	change("1.0.0.0") // nothing changed
	history("1.0.0.0 c")
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running,
		Firmware: []store.FirmwareSeen{{DevEUI: devEUI(1, 0), Version: fleet.MustParseFirmware("2.0.0.0"), At: day}}}))
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running,
		Firmware: []store.FirmwareSeen{{DevEUI: devEUI(1, 0), Version: fleet.MustParseFirmware("2.0.0.0"), At: day}}}))
	running, err := s.RunningWith(ctx, devEUI(1, 0))
	must(t, err)
	same(t, "running with it", running, []string{"c"})
	running, err = s.RunningWith(ctx, devEUI(9, 9))
	must(t, err)
	if len(running) != 0 {
		t.Errorf("%v run with a device that is in none", running)
	}
	running, err = s.Within("another").RunningWith(ctx, devEUI(1, 0))
	must(t, err)
	if len(running) != 0 {
		t.Errorf("another subscriber sees %v", running)
	}
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Succeeded}))
	running, err = s.RunningWith(ctx, devEUI(1, 0))
	must(t, err)
	if len(running) != 0 {
		t.Errorf("%v run with it after their end", running)
	}
	change("0000abcd")
	change("") // unknown again: that is no version
	history("0000abcd ", "2.0.0.0 c", "1.0.0.0 c")

	d := testDevice(7)
	d.Firmware, d.FirmwareChanged = fleet.MustParseFirmware("3.0.0.0"), day
	must(t, s.Devices().Create(ctx, &d))
	page, err := s.FirmwareHistory(ctx, d.DevEUI, store.HistoryQuery{})
	must(t, err)
	same(t, "history of one that came with a version", page.Items, []store.FirmwareEntry{{Version: d.Firmware, At: day}})
	for _, q := range []store.HistoryQuery{{Limit: -1}, {After: "x"}} {
		_, err := s.FirmwareHistory(ctx, d.DevEUI, q)
		want(t, err, store.ErrQuery)
	}
}
