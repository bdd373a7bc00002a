package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/internal/planning"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// planner starts campaigns as an engine does, and goes no further.
type planner struct {
	service.NoNetwork
	store store.Store
	at    time.Time
}

func (r *planner) Start(ctx context.Context, id string, along store.Along) error {
	c, err := r.store.Campaigns().Find(ctx, id)
	if err != nil {
		return err
	}
	request, err := planning.Request(ctx, r.store, c, r.at, func(lorawan.EUI64) string { return "" })
	if err != nil {
		return err
	}
	request.NextChance = true
	planned, err := campaign.Plan(request)
	if err != nil {
		return err
	}
	machine, err := campaign.New(planned.Spec, planned.Material)
	if err != nil {
		return err
	}
	machine.Step(r.at, campaign.Start{})
	spec, specErr := json.Marshal(planned.Spec)
	head, headErr := json.Marshal(machine.Header())
	run := store.Run{CampaignID: id, Started: r.at, Spec: spec, Header: head, Along: along, Devices: map[lorawan.EUI64][]byte{}, Groups: map[lorawan.EUI64][]byte{}}
	for i, m := range planned.Spec.Devices {
		run.Devices[m.DevEUI], err = json.Marshal(machine.Device(i))
	}
	for g, group := range planned.Spec.Groups {
		run.Groups[group.DevEUI], err = json.Marshal(machine.Group(g))
	}
	return errors.Join(specErr, headErr, err, r.store.CreateRun(ctx, run))
}

// expecting is a world whose campaign can be planned, with a service that starts it.
func expecting(t *testing.T) (*world, *service.Service, *planner) {
	t.Helper()
	w := newWorld(t)
	r := &planner{store: w.store, at: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}
	s := service.New(service.Config{Store: w.store, Runner: r, Wall: func() time.Time { return w.wall }})
	v1 := lorawan.V1
	profile, err := s.Profiles.Update(ctx, w.profile.ID, service.AnyRevision, func(p *fleet.DeviceProfile) error {
		p.Packages = fleet.Packages{ClockSync: v1, McSetup: v1, Fragmentation: v1, FirmwareMgmt: v1}
		p.Power.ReceiveMA = 11
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	dev := fleet.Device{DevEUI: lorawan.EUI64{7}, ProfileID: profile.ID, RootKey: lorawan.AES128Key{7}, Classes: fleet.ClassesOf(fleet.ClassC), Band: region.EU868}
	created(w, s.Devices, dev)
	set := created(w, s.DeviceSets, fleet.DeviceSet{Name: "able", Devices: []lorawan.EUI64{dev.DevEUI}})
	if _, err := s.Upload(ctx, w.file.ID, bytes.NewReader(make([]byte, 900)), ""); err != nil {
		t.Fatal(err)
	}
	c := w.newCampaign()
	c.DeviceSets, c.MaxDuration = []string{set.ID}, 24*time.Hour
	w.campaign = created(w, s.Campaigns, c)
	return w, s, r
}

// workOff does all jobs of a service, and returns the error of the last that had one.
func workOff(t *testing.T, w *world, s *service.Service) (failure error) {
	t.Helper()
	for {
		busy, err := s.WorkOnce(context.Background())
		if failure = errors.Join(failure, err); !busy {
			return failure
		}
		w.wall = w.wall.Add(time.Hour) // no pause before another attempt is longer
	}
}

func TestWhatWasExpectedIsKeptWithTheCampaign(t *testing.T) {
	w, s, r := expecting(t)
	began := time.Now()
	if _, err := s.Start(ctx, w.campaign.ID); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a start took %s: it waits for the prediction", took)
	}
	o, err := s.Outcome(ctx, w.campaign.ID)
	if err != nil || o.Forecast.Missing == nil || o.Forecast.Missing.Code != "plan.prediction_pending" || !o.Forecast.At.Equal(r.at) || len(o.Figures) == 0 {
		t.Fatalf("before: %+v, %v", o.Forecast, err)
	}
	// What is changed after the start has no part in it.
	if _, err := s.DeviceSets.Create(ctx, fleet.DeviceSet{Name: "other"}); err != nil {
		t.Fatal(err)
	}
	if err := workOff(t, w, s); err != nil {
		t.Fatal(err)
	}
	o, err = s.Outcome(ctx, w.campaign.ID)
	p := o.Forecast.Prediction
	if err != nil || o.Forecast.Missing != nil || p == nil || p.Devices != 1 || !o.Forecast.At.Equal(r.at) || p.DurationP50 <= 0 || len(p.Energy) != 1 || p.Energy[0].ProfileID != w.profile.ID {
		t.Fatalf("after: %+v, %v", o.Forecast, err)
	}
	for _, f := range o.Figures {
		if f.Name == forecast.FigureEnergy && (f.Of != w.profile.ID || f.Predicted == nil || *f.Predicted <= 0) {
			t.Errorf("%+v", f)
		}
	}
	page, err := w.store.Audit(ctx, store.AuditQuery{Action: "job.create"})
	if err != nil || len(page.Items) != 1 || page.Items[0].Note != "campaigns.forecast" {
		t.Errorf("audit log %+v, %v", page.Items, err)
	}
}

// A plan that is computed for somebody, or a job that is cancelled, is no reason not to start.
func TestAStartDoesNotNeedThePrediction(t *testing.T) {
	w, s, _ := expecting(t)
	if _, err := s.Start(ctx, w.campaign.ID); err != nil {
		t.Fatal(err)
	}
	jobs, err := s.Jobs(ctx, store.Query{})
	if err != nil || len(jobs.Items) != 1 || jobs.Items[0].Kind != "campaigns.forecast" {
		t.Fatalf("%+v, %v", jobs.Items, err)
	}
	if _, err := s.CancelJob(ctx, jobs.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	o, err := s.Outcome(ctx, w.campaign.ID)
	if err != nil || o.Forecast.Missing == nil || o.Forecast.Missing.Code != "plan.prediction_not_kept" {
		t.Errorf("%+v, %v", o.Forecast, err)
	}
}

// Whatever keeps a campaign from being predicted is told in its report, and the job ends.
func TestWhatCannotBePredictedSaysWhy(t *testing.T) {
	w, s, _ := expecting(t)
	if _, err := s.Start(ctx, w.campaign.ID); err != nil {
		t.Fatal(err)
	}
	broken := service.New(service.Config{Store: noContent{w.store}, Wall: func() time.Time { return w.wall }})
	if err := workOff(t, w, broken); err == nil {
		t.Error("the log does not hear of it")
	}
	o, err := s.Outcome(ctx, w.campaign.ID)
	if err != nil || o.Forecast.Prediction != nil || o.Forecast.Missing == nil || o.Forecast.Missing.Code != forecast.ReasonNotPredicted {
		t.Errorf("%+v, %v", o.Forecast, err)
	}
	jobs, err := s.Jobs(ctx, store.Query{})
	if err != nil || jobs.Items[0].State != store.JobFailed || jobs.Items[0].Attempts != 5 {
		t.Errorf("%+v, %v", jobs.Items, err)
	}
}

// noContent is a store that has lost the bytes of files.
type noContent struct{ store.Store }

func (noContent) OpenContent(context.Context, string) (io.ReadCloser, error) {
	return nil, errors.New("disk broken")
}
