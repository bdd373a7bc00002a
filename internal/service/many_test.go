package service_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// many starts a change of many devices and returns what became of it.
func (w *world) many(ch service.BulkChange) service.BulkResult {
	w.Helper()
	ch.Kind = "devices"
	j, err := w.ChangeMany(ctx, ch)
	if err != nil {
		w.Fatal(err)
	}
	working, cancel := context.WithTimeout(context.Background(), time.Minute)
	ended := make(chan struct{})
	go func() { defer close(ended); w.Work(working, slog.New(slog.DiscardHandler)) }()
	defer func() { cancel(); <-ended }()
	for !j.State.Ended() {
		time.Sleep(time.Millisecond)
		if j, err = w.FindJob(ctx, j.ID); err != nil {
			w.Fatal(err)
		}
	}
	var out service.BulkResult
	if err := json.Unmarshal(j.Result, &out); err != nil || j.State != store.JobDone {
		w.Fatalf("%+v, %v", j, err)
	}
	return out
}

// Many objects are changed one by one: those that cannot be are named, and hold up no other.
func TestManyAreChangedAtOnce(t *testing.T) {
	w := newWorld(t)
	service.Bulk(w.Service, "devices", w.Devices, lorawan.ParseEUI64, func(patch json.RawMessage, d *fleet.Device) error {
		return json.Unmarshal(patch, d)
	})
	letters := created(w, w.Devices, fleet.Device{DevEUI: lorawan.EUI64{0xab, 0xcd}, ProfileID: w.profile.ID, Tag: "old"})
	w.start() // w.device is in use from here on
	tag := service.BulkChange{Action: "update", IDs: []string{"ABCD000000000000", w.device.DevEUI.String(), "ffffffffffffffff", "no identifier"}, Patch: json.RawMessage(`{"tag":"new"}`)}
	if got := w.many(tag); got.Matched != 4 || got.Changed != 2 || got.Failed != 2 || !slices.ContainsFunc(got.Errors, func(e service.BulkError) bool { return e.ID == "ffffffffffffffff" }) {
		t.Errorf("%+v", got)
	}
	if got := w.many(tag); got.Changed != 0 || got.Unchanged != 2 || got.Failed != 2 {
		t.Errorf("done again: %+v", got)
	}
	if got := w.many(service.BulkChange{Action: "archive", Where: map[store.Field]string{store.ByTag: "new"}}); got.Matched != 2 || got.Changed != 1 || got.Failed != 1 || !strings.Contains(got.Errors[0].Reason, w.campaign.ID) {
		t.Errorf("one of them is in a running campaign: %+v", got)
	}
	if d, err := w.Devices.Find(ctx, letters.DevEUI); err != nil || !d.Archived || d.Tag != "new" {
		t.Errorf("%+v, %v", d, err)
	}
	if got := w.many(service.BulkChange{Action: "restore", Where: map[store.Field]string{store.ByTag: "new"}}); got.Changed != 1 {
		t.Errorf("%+v", got)
	}
	if got := w.many(service.BulkChange{Action: "update", IDs: []string{letters.DevEUI.String()}, Patch: json.RawMessage(`{"dev_eui":"0000000000000001"}`)}); got.Failed != 1 {
		t.Errorf("an identifier was changed: %+v", got)
	}
}
