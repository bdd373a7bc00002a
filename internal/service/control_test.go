package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Each order names who gives it, in the timeline by its input and in the audit log by its entry.
func TestOrdersNameWhoGivesThem(t *testing.T) {
	w := newWorld(t)
	w.start()
	anna := w.person("anna@example.org", identity.Operator, fleet.DefaultSubscriber)
	id, dev, group, by := w.campaign.ID, lorawan.EUI64{1}, lorawan.EUI64{2, 1}, "anna@example.org"
	for _, order := range []func() (campaign.Receipt, error){
		func() (campaign.Receipt, error) { return w.Extend(anna, id, time.Hour, group) },
		func() (campaign.Receipt, error) { return w.AddRedundancy(anna, id, 5, 10) },
		func() (campaign.Receipt, error) { return w.Retry(anna, id, nil, campaign.ReasonNoAnswer) },
		func() (campaign.Receipt, error) { return w.Retry(anna, id, []lorawan.EUI64{dev}) },
		func() (campaign.Receipt, error) { return w.Exclude(anna, id, dev) },
	} {
		if _, err := order(); err != nil {
			t.Error(err)
		}
	}
	want := []campaign.Input{
		campaign.ExtendRequested{By: by, For: time.Hour, Groups: []lorawan.EUI64{group}},
		campaign.RedundancyRequested{By: by, Fragments: 5, Percent: 10},
		campaign.RetryRequested{By: by, Kinds: []campaign.Reason{campaign.ReasonNoAnswer}},
		campaign.RetryRequested{By: by, Devices: []lorawan.EUI64{dev}},
		campaign.ExcludeRequested{By: by, Devices: []lorawan.EUI64{dev}},
	}
	if !reflect.DeepEqual(w.runner.inputs, want) {
		t.Errorf("inputs\n got %v\nwant %v", w.runner.inputs, want)
	}
	w.wantActions("campaign.start by (system): ",
		"campaign.extend by "+by+": for 1h0m0s 0201000000000000",
		"campaign.redundancy by "+by+": 5 fragments or 10 %",
		"campaign.retry by "+by+": all that have failed, of them those for [device.no_answer]",
		"campaign.retry by "+by+": 0100000000000000",
		"campaign.exclude by "+by+": 0100000000000000")
}

func TestOrdersThatSayNothingAreInvalid(t *testing.T) {
	w := newWorld(t)
	w.start()
	for name, order := range map[string]func() (campaign.Receipt, error){
		"no time":           func() (campaign.Receipt, error) { return w.Extend(ctx, w.campaign.ID, 0) },
		"years":             func() (campaign.Receipt, error) { return w.Extend(ctx, w.campaign.ID, 91*24*time.Hour) },
		"no more fragments": func() (campaign.Receipt, error) { return w.AddRedundancy(ctx, w.campaign.ID, 0, 0) },
		"nobody":            func() (campaign.Receipt, error) { return w.Exclude(ctx, w.campaign.ID) },
	} {
		if _, err := order(); len(fleet.FieldErrors(err)) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.runner.inputs) > 0 {
		t.Errorf("the runner was given %v", w.runner.inputs)
	}
	viewer := w.person("viewer@example.org", identity.Viewer, fleet.DefaultSubscriber)
	_, err := w.Retry(viewer, w.campaign.ID, nil)
	wantError(t, err, service.ErrForbidden)
	_, err = w.StopAll(viewer, false)
	wantError(t, err, service.ErrForbidden)
}

// An emergency stop reaches what runs and what would start by itself, and nothing of others.
func TestStopAllStopsWhatRunsAndWhatWouldStart(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Subscribers.Create(ctx, fleet.Subscriber{ID: "acme", Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	w.start()
	theirs := w.newCampaign()
	theirs.ID, theirs.SubscriberID = "theirs", "acme"
	if err := w.store.Campaigns().Create(ctx, &theirs); err != nil {
		t.Fatal(err)
	}
	if err := w.store.CreateRun(ctx, store.Run{CampaignID: theirs.ID, Started: w.clock}); err != nil {
		t.Fatal(err)
	}
	later := created(w, w.Campaigns, w.newCampaign())
	if _, err := w.Schedule(ctx, later.ID, w.wall.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	idle := created(w, w.Campaigns, w.newCampaign())

	stopped := func(as context.Context, everywhere bool) (ids []string) {
		t.Helper()
		all, err := w.StopAll(as, everywhere)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range all {
			if h.Err != nil {
				t.Errorf("%s: %v", h.Campaign.ID, h.Err)
			}
			ids = append(ids, h.Campaign.ID)
		}
		return ids
	}
	anna := w.person("anna@example.org", identity.Operator, fleet.DefaultSubscriber)
	_, err := w.StopAll(anna, true)
	wantError(t, err, service.ErrForbidden)
	if got, want := stopped(anna, false), []string{later.ID, w.campaign.ID}; !slices.Equal(got, want) {
		t.Errorf("stopped %v, want %v", got, want)
	}
	w.wantCampaign(fleet.Stopped, "", time.Time{})
	if got, want := stopped(ctx, true), []string{theirs.ID}; !slices.Equal(got, want) {
		t.Errorf("everywhere else %v, want %v", got, want)
	}
	for id, want := range map[string]fleet.Status{theirs.ID: fleet.Stopped, later.ID: fleet.Configured, idle.ID: fleet.Configured} {
		if c, err := w.store.Campaigns().Find(ctx, id); err != nil || c.Status != want || !c.ScheduledFor.IsZero() {
			t.Errorf("campaign %s is %s, scheduled for %s, %v; want %s", id, c.Status, c.ScheduledFor, err, want)
		}
	}
	for id, subscriber := range map[string]string{theirs.ID: "acme", w.campaign.ID: fleet.DefaultSubscriber} {
		page, err := w.store.Audit(ctx, store.AuditQuery{Action: "campaign.stop", ObjectID: id})
		if err != nil || len(page.Items) != 1 || page.Items[0].SubscriberID != subscriber {
			t.Errorf("campaign %s has the entries %v, %v", id, page.Items, err)
		}
	}
}

// What a campaign has come to is read from what was stored of it.
func TestOutcomeIsReadFromWhatIsStored(t *testing.T) {
	w := newWorld(t)
	_, err := w.Outcome(ctx, w.campaign.ID)
	wantError(t, err, service.ErrState)
	_, err = w.Outcome(ctx, "none")
	wantError(t, err, store.ErrNotFound)
	spec, err := json.Marshal(campaign.Spec{ID: w.campaign.ID, Devices: []campaign.Member{{DevEUI: lorawan.EUI64{1}}, {DevEUI: lorawan.EUI64{3}}},
		Lanes: []campaign.Lane{{}}, Traits: []campaign.Traits{{}}, Groups: []campaign.GroupSpec{{DevEUI: lorawan.EUI64{2, 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	run := store.Run{CampaignID: w.campaign.ID, Started: w.clock, Spec: spec, Header: []byte(`{"status":"SUCCEEDED","stages":[]}`),
		Devices: map[lorawan.EUI64][]byte{{1}: []byte(`{"stage":"DevVersion","outcome":1,"proof_f_cnt":7}`), {3}: []byte(`{"stage":"DevVersion","outcome":2,"reason":"device.no_answer"}`)},
		Groups:  map[lorawan.EUI64][]byte{{2, 1}: []byte(`{"lanes":[{"high":5}]}`)}}
	if err := w.store.CreateRun(ctx, run); err != nil {
		t.Fatal(err)
	}
	o, err := w.Outcome(ctx, w.campaign.ID)
	if err != nil || o.Name != "spring" || o.Report.Verified != 1 || o.Report.Failed != 1 || o.Report.Groups[0].Lanes[0].Sent != 5 {
		t.Fatalf("%+v, %v", o, err)
	}
	var seen []string
	if err := o.Evidence(func(e campaign.Evidence) error {
		seen = append(seen, fmt.Sprintf("%s %s %d %s", e.DevEUI, e.Outcome, e.FCnt, e.Reason))
		return nil
	}); err != nil || !slices.Equal(seen, []string{"0100000000000000 verified 7 ", "0300000000000000 failed 0 device.no_answer"}) {
		t.Errorf("%q, %v", seen, err)
	}
	enough := errors.New("enough")
	wantError(t, o.Evidence(func(campaign.Evidence) error { return enough }), enough)
}
