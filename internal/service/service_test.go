package service_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// ctx is that of somebody who may do everything.
var ctx = service.As(context.Background(), identity.System(fleet.DefaultSubscriber))

// fakeRunner makes campaigns RUNNING and otherwise only remembers its orders.
type fakeRunner struct {
	store  store.Store
	orders []string
	jobs   bool             // that come along with a start are kept; its runs are no real ones
	inputs []campaign.Input // of the orders to running campaigns
	now    func() time.Time
}

func (r *fakeRunner) Start(ctx context.Context, id string, along store.Along) error {
	r.orders = append(r.orders, "start")
	if !r.jobs {
		along.Jobs = nil
	}
	run := store.Run{CampaignID: id, Started: r.now(), Devices: map[lorawan.EUI64][]byte{}, Along: along}
	c, err := r.store.Campaigns().Find(ctx, id)
	if err != nil {
		return err
	}
	sets, err := r.store.DeviceSets().FindAll(ctx, c.DeviceSets)
	for _, set := range sets {
		for _, dev := range set.Devices {
			run.Devices[dev] = nil
		}
	}
	return errors.Join(err, r.store.CreateRun(ctx, run))
}

func (r *fakeRunner) Order(ctx context.Context, id string, in campaign.Input, audit ...store.AuditEntry) (campaign.Receipt, error) {
	step := store.Step{CampaignID: id, Status: fleet.Running, Audit: audit}
	r.inputs = append(r.inputs, in)
	order := "other"
	switch in.(type) {
	case campaign.StopRequested:
		order, step.Status = "stop", fleet.Stopped
	case campaign.PauseRequested:
		order, step.Paused = "pause", true
	case campaign.ResumeRequested:
		order = "resume"
	}
	return campaign.Receipt{}, r.commit(ctx, order, step)
}

func (r *fakeRunner) commit(ctx context.Context, order string, step store.Step) error {
	r.orders = append(r.orders, order)
	return r.store.CommitStep(ctx, step)
}

// world is a service with one of everything.
type world struct {
	*testing.T
	*service.Service
	store    store.Store
	runner   *fakeRunner
	clock    time.Time
	wall     time.Time
	profile  fleet.DeviceProfile
	device   fleet.Device
	set      fleet.DeviceSet
	group    fleet.MulticastGroup
	region   fleet.Region
	file     fleet.File
	campaign fleet.Campaign
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := sqlite.Temporary(ctx, filepath.Join(t.TempDir(), "starling.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{T: t, store: db, clock: time.Date(2026, 3, 1, 12, 0, 0, 999, time.UTC)}
	now := func() time.Time { w.clock = w.clock.Add(time.Second); return w.clock }
	w.runner = &fakeRunner{store: db, now: now}
	w.wall = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w.Service = service.New(service.Config{Store: db, Runner: w.runner, Now: now, MaxContent: 1 << 20,
		Wall: func() time.Time { return w.wall }})

	w.profile = created(w, w.Profiles, fleet.DeviceProfile{Name: "meter", ProducerID: "acme", ModuleID: "m", HWRevision: 1})
	w.device = created(w, w.Devices, fleet.Device{DevEUI: lorawan.EUI64{1}, ProfileID: w.profile.ID, Name: "one"})
	w.set = created(w, w.DeviceSets, fleet.DeviceSet{Name: "all", Devices: []lorawan.EUI64{w.device.DevEUI}})
	w.group = created(w, w.Groups, newGroup(1))
	w.region = created(w, w.Regions, fleet.Region{Name: "east", Groups: []lorawan.EUI64{w.group.DevEUI}})
	w.file = created(w, w.Files, fleet.File{Name: "image", Type: fleet.FirmwareFile, ProfileID: w.profile.ID, Version: fleet.MustParseFirmware("2.0.0.0")})
	w.campaign = created(w, w.Campaigns, w.newCampaign())
	return w
}

func newGroup(n byte) fleet.MulticastGroup {
	return fleet.MulticastGroup{DevEUI: lorawan.EUI64{2, n}, Band: region.EU868, McAddr: lorawan.DevAddr{n}, Frequency: 869525000, SessionClass: fleet.ClassC}
}

func (w *world) newCampaign() fleet.Campaign {
	return fleet.Campaign{Name: "spring", DeviceSets: []string{w.set.ID}, Regions: []string{w.region.ID}, FileID: w.file.ID, MaxDuration: time.Hour, SuccessThreshold: 90}
}

func created[T interface{ Validate() error }, K comparable](w *world, r *service.Resource[T, K], obj T) T {
	w.Helper()
	obj, err := r.Create(ctx, obj)
	if err != nil {
		w.Fatal(err)
	}
	return obj
}

func (w *world) start() {
	w.Helper()
	if _, err := w.Start(ctx, w.campaign.ID); err != nil {
		w.Fatal(err)
	}
}

func wantError(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got %v, want %v", err, target)
	}
}

func wantField(t testing.TB, err error, field string) {
	t.Helper()
	if found := fleet.FieldErrors(err); len(found) != 1 || found[0].Field != field {
		t.Errorf("got %v, want an error of %s", err, field)
	}
}

func TestReferencesMustLeadSomewhere(t *testing.T) {
	w := newWorld(t)
	_, err := w.Devices.Create(ctx, fleet.Device{DevEUI: lorawan.EUI64{9}, ProfileID: "no"})
	wantField(t, err, "profile_id")
	_, err = w.DeviceSets.Create(ctx, fleet.DeviceSet{Name: "x", Devices: []lorawan.EUI64{w.device.DevEUI, {9}}})
	wantField(t, err, "devices[1]")
	_, err = w.Regions.Create(ctx, fleet.Region{Name: "x", Groups: []lorawan.EUI64{{9}}})
	wantField(t, err, "groups[0]")
	_, err = w.Files.Create(ctx, fleet.File{Name: "x", SmartDeltaKeyID: "no"})
	wantField(t, err, "smart_delta_key_id")
	_, err = w.Profiles.Create(ctx, fleet.DeviceProfile{Name: "x", ProducerID: "x", ModuleID: "x", SmartDeltaKeyID: "no"})
	wantField(t, err, "smart_delta_key_id")
	for field, change := range map[string]func(*fleet.Campaign){
		"device_sets[1]": func(c *fleet.Campaign) { c.DeviceSets = append(c.DeviceSets, "no") },
		"regions[0]":     func(c *fleet.Campaign) { c.Regions = []string{"no"} },
		"file_id":        func(c *fleet.Campaign) { c.FileID = "no" },
	} {
		c := w.newCampaign()
		change(&c)
		_, err = w.Campaigns.Create(ctx, c)
		wantField(t, err, field)
	}
	// Archived things are not referred to anew, but old references stay.
	if err := w.Profiles.Archive(ctx, w.profile.ID, service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	_, err = w.Devices.Create(ctx, fleet.Device{DevEUI: lorawan.EUI64{9}, ProfileID: w.profile.ID})
	wantField(t, err, "profile_id")
	if _, err := w.Devices.Update(ctx, w.device.DevEUI, service.AnyRevision, func(d *fleet.Device) error { d.Name = "new"; return nil }); err != nil {
		t.Error(err)
	}
}

func TestEachDevEUIStandsForOneThing(t *testing.T) {
	w := newWorld(t)
	_, err := w.Devices.Create(ctx, fleet.Device{DevEUI: w.group.DevEUI, ProfileID: w.profile.ID})
	wantField(t, err, "dev_eui")
	g := newGroup(2)
	g.DevEUI = w.device.DevEUI
	_, err = w.Groups.Create(ctx, g)
	wantField(t, err, "dev_eui")
	_, err = w.Devices.Create(ctx, w.device)
	wantError(t, err, store.ErrConflict)

	// Not even two subscribers share one: at the network server, the device of one would be the group of another.
	w.subscriber("acme")
	other := service.As(ctx, identity.System("acme"))
	_, err = w.Groups.Create(other, g)
	wantField(t, err, "dev_eui")
	p := w.profile
	if p, err = w.Profiles.Create(other, p); err != nil {
		t.Fatal(err)
	}
	_, err = w.Devices.Create(other, fleet.Device{DevEUI: w.group.DevEUI, ProfileID: p.ID})
	wantField(t, err, "dev_eui")
	table := "dev_eui,profile_id\n" + w.group.DevEUI.String() + "," + p.ID + "\n"
	report, err := w.ImportDevices(other, strings.NewReader(table), service.ImportOptions{Mode: bulk.GoodRows})
	if err != nil || report.Failed != 1 || report.Written != 0 {
		t.Errorf("imported: %+v, %v", report, err)
	}
}

func TestFilesFitTheTypeOfTheirCampaign(t *testing.T) {
	w := newWorld(t)
	c := w.newCampaign()
	c.Type = fleet.BinaryCampaign
	_, err := w.Campaigns.Create(ctx, c)
	wantField(t, err, "file_id")
	c = w.newCampaign()
	c.FileID = created(w, w.Files, fleet.File{Name: "advertisement"}).ID
	_, err = w.Campaigns.Create(ctx, c)
	wantField(t, err, "file_id")
	c.Type = fleet.BinaryCampaign
	created(w, w.Campaigns, c)
}

func TestAGroupWithoutMcKeyGetsARandomOne(t *testing.T) {
	w := newWorld(t)
	other := created(w, w.Groups, newGroup(2))
	if w.group.McKey.IsZero() || other.McKey.IsZero() || w.group.McKey == other.McKey {
		t.Error("keys are zero or the same")
	}
	given := newGroup(3)
	given.McKey = lorawan.AES128Key{7}
	if created(w, w.Groups, given).McKey != given.McKey {
		t.Error("a given key is kept")
	}
	stored, err := w.Groups.Find(ctx, w.group.DevEUI)
	if err != nil || stored.McKey != w.group.McKey {
		t.Errorf("stored key differs, %v", err)
	}
}

func TestGroupCountersAreNotSetBack(t *testing.T) {
	w := newWorld(t)
	set := func(n uint32) error {
		_, err := w.Groups.Update(ctx, w.group.DevEUI, service.AnyRevision, func(g *fleet.MulticastGroup) error { g.FCntDown = n; return nil })
		return err
	}
	if err := set(10); err != nil {
		t.Fatal(err)
	}
	wantField(t, set(9), "f_cnt_down")
}

func TestARunningCampaignKeepsWhatItUses(t *testing.T) {
	w := newWorld(t)
	spare := created(w, w.Groups, newGroup(2))
	free := created(w, w.Devices, fleet.Device{DevEUI: lorawan.EUI64{5}, ProfileID: w.profile.ID})
	w.start()

	_, err := w.Devices.Update(ctx, w.device.DevEUI, 0, func(d *fleet.Device) error { d.RootKey[0] = 1; return nil })
	wantError(t, err, service.ErrInUse)
	wantError(t, w.Devices.Archive(ctx, w.device.DevEUI, service.AnyRevision), service.ErrInUse)
	_, err = w.Devices.Update(ctx, w.device.DevEUI, 0, func(d *fleet.Device) error { d.Archived = true; return nil })
	wantError(t, err, service.ErrInUse)
	_, err = w.DeviceSets.Update(ctx, w.set.ID, 0, func(s *fleet.DeviceSet) error { s.Devices = nil; return nil })
	wantError(t, err, service.ErrInUse)
	_, err = w.Groups.Update(ctx, w.group.DevEUI, 0, func(g *fleet.MulticastGroup) error { g.DataRate = 3; return nil })
	wantError(t, err, service.ErrInUse)
	wantError(t, w.Regions.Archive(ctx, w.region.ID, service.AnyRevision), service.ErrInUse)
	_, err = w.Files.Update(ctx, w.file.ID, 0, func(f *fleet.File) error { f.Version = fleet.MustParseFirmware("3.0.0.0"); return nil })
	wantError(t, err, service.ErrInUse)
	_, err = w.Profiles.Update(ctx, w.profile.ID, 0, func(p *fleet.DeviceProfile) error { p.Ports.Fragmentation = 7; return nil })
	wantError(t, err, service.ErrInUse)
	_, err = w.Campaigns.Update(ctx, w.campaign.ID, 0, func(c *fleet.Campaign) error { c.SuccessThreshold = 1; return nil })
	wantError(t, err, service.ErrState)
	wantError(t, w.Campaigns.Archive(ctx, w.campaign.ID, service.AnyRevision), service.ErrState)

	// Texts, reported versions and what it does not use may change.
	if _, err := w.Devices.Update(ctx, w.device.DevEUI, 0, func(d *fleet.Device) error {
		d.Name, d.Firmware = "renamed", fleet.MustParseFirmware("2.0.0.0")
		return nil
	}); err != nil {
		t.Error(err)
	}
	if _, err := w.Campaigns.Update(ctx, w.campaign.ID, 0, func(c *fleet.Campaign) error { c.Description = "note"; return nil }); err != nil {
		t.Error(err)
	}
	if err := errors.Join(w.Groups.Archive(ctx, spare.DevEUI, service.AnyRevision), w.Devices.Archive(ctx, free.DevEUI, service.AnyRevision)); err != nil {
		t.Error(err)
	}

	// After its end it lets go.
	if _, err := w.Stop(ctx, w.campaign.ID); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Devices.Archive(ctx, w.device.DevEUI, service.AnyRevision), w.Campaigns.Archive(ctx, w.campaign.ID, service.AnyRevision), w.Campaigns.Archive(ctx, w.campaign.ID, service.AnyRevision)); err != nil {
		t.Error(err)
	}
	_, err = w.Campaigns.Update(ctx, w.campaign.ID, 0, func(c *fleet.Campaign) error { c.SuccessThreshold = 1; return nil })
	wantError(t, err, service.ErrState)
}

func TestOrdersFitTheState(t *testing.T) {
	w := newWorld(t)
	id := w.campaign.ID
	for _, order := range []func(context.Context, string) (fleet.Campaign, error){w.Stop, w.Pause, w.Resume} {
		_, err := order(ctx, id)
		wantError(t, err, service.ErrState)
	}
	w.start()
	_, err := w.Start(ctx, id)
	wantError(t, err, service.ErrState)
	for _, step := range []struct {
		order  func(context.Context, string) (fleet.Campaign, error)
		status fleet.Status
		paused bool
	}{
		{w.Resume, fleet.Running, false}, // goes on already: no order
		{w.Pause, fleet.Running, true}, {w.Pause, fleet.Running, true},
		{w.Resume, fleet.Running, false},
		{w.Stop, fleet.Stopped, false}, {w.Stop, fleet.Stopped, false},
	} {
		c, err := step.order(ctx, id)
		if err != nil || c.Status != step.status || c.Paused != step.paused {
			t.Fatalf("%+v, %v; want %+v", c, err, step)
		}
	}
	if want := []string{"start", "pause", "resume", "stop"}; !slices.Equal(w.runner.orders, want) {
		t.Errorf("orders %v, want %v", w.runner.orders, want)
	}
	_, err = w.Start(ctx, "no")
	wantError(t, err, store.ErrNotFound)
	wantError(t, service.NoNetwork{}.Start(ctx, id, store.Along{}), service.ErrState)
}

func TestOneRunningCampaignPerGroup(t *testing.T) {
	w := newWorld(t)
	other := created(w, w.Campaigns, w.newCampaign())
	w.start()
	_, err := w.Start(ctx, other.ID)
	wantError(t, err, service.ErrInUse)
	if _, err := w.Stop(ctx, w.campaign.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Start(ctx, other.ID); err != nil {
		t.Error(err)
	}
}

func TestUpdateNoticesOthers(t *testing.T) {
	w := newWorld(t)
	rename := func(revision int64, name string) (fleet.Region, error) {
		return w.Regions.Update(ctx, w.region.ID, revision, func(r *fleet.Region) error { r.Name = name; return nil })
	}
	r, err := rename(1, "west")
	if err != nil || r.Revision != 2 || !r.UpdatedAt.After(r.CreatedAt) {
		t.Fatalf("%+v, %v", r, err)
	}
	_, err = rename(1, "north")
	wantError(t, err, store.ErrStale)
	if r, err := rename(2, "west"); err != nil || r.Revision != 2 {
		t.Errorf("no change is no revision: %+v, %v", r, err)
	}
	boom := errors.New("boom")
	_, err = w.Regions.Update(ctx, w.region.ID, 0, func(r *fleet.Region) error { r.Name = "x"; return boom })
	wantError(t, err, boom)
	_, err = rename(0, "")
	wantField(t, err, "name")
}

func TestFirmwareChangedFollowsFirmware(t *testing.T) {
	w := newWorld(t)
	if !w.device.FirmwareChanged.IsZero() {
		t.Error("unknown firmware has no date")
	}
	d, err := w.Devices.Update(ctx, w.device.DevEUI, 0, func(d *fleet.Device) error { d.Firmware = fleet.FreeFirmware(1); return nil })
	if err != nil || !d.FirmwareChanged.Equal(d.UpdatedAt) {
		t.Errorf("%+v, %v", d, err)
	}
	known := created(w, w.Devices, fleet.Device{DevEUI: lorawan.EUI64{7}, ProfileID: w.profile.ID, Firmware: fleet.FreeFirmware(1)})
	if !known.FirmwareChanged.Equal(known.CreatedAt) {
		t.Errorf("%+v", known)
	}
}

func TestContentIsGivenOnce(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.Download(ctx, w.file.ID)
	wantError(t, err, store.ErrNotFound)
	_, err = w.Upload(ctx, w.file.ID, strings.NewReader(""), "")
	wantField(t, err, "content")
	_, err = w.Upload(ctx, w.file.ID, strings.NewReader("image"), strings.Repeat("0", 64))
	wantError(t, err, service.ErrDigest)
	_, err = w.Upload(ctx, "no", strings.NewReader("image"), "")
	wantError(t, err, store.ErrNotFound)
	_, err = w.Upload(ctx, w.file.ID, bytes.NewReader(make([]byte, 1<<20+1)), "")
	wantError(t, err, service.ErrTooLarge)

	f, err := w.Upload(ctx, w.file.ID, bytes.NewReader(make([]byte, 1<<20)), "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58")
	if err != nil || f.Size != 1<<20 || f.UploadedAt.IsZero() {
		t.Fatalf("%+v, %v", f, err)
	}
	again, err := w.Upload(ctx, w.file.ID, bytes.NewReader(make([]byte, 1<<20)), "")
	if err != nil || again.Revision != f.Revision {
		t.Errorf("the same content again: %+v, %v", again, err)
	}
	_, err = w.Upload(ctx, w.file.ID, strings.NewReader("other"), "")
	wantError(t, err, service.ErrState)

	_, r, err := w.Download(ctx, w.file.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err := io.ReadAll(r); err != nil || !bytes.Equal(data, make([]byte, 1<<20)) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestSmartDeltaKeysAreReadAndSplit(t *testing.T) {
	w := newWorld(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	a := created(w, w.SmartDeltaKeys, fleet.SmartDeltaKey{Name: "der", PrivateKey: der})
	b := created(w, w.SmartDeltaKeys, fleet.SmartDeltaKey{Name: "pem", PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})})
	if len(a.PublicKey) != 64 || !bytes.Equal(a.PublicKey, b.PublicKey) || !bytes.Equal(b.PrivateKey, der) {
		t.Errorf("public keys %x and %x", a.PublicKey, b.PublicKey)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, []byte("not a key"), wrong} {
		_, err := w.SmartDeltaKeys.Create(ctx, fleet.SmartDeltaKey{Name: "bad", PrivateKey: bad})
		wantField(t, err, "private_key")
	}
}

func TestProgressBeginsBeforeTheStart(t *testing.T) {
	w := newWorld(t)
	p, err := w.Progress(ctx, w.campaign.ID)
	if err != nil || p.Devices() != 0 || p.Run.Version != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = w.Progress(ctx, "no")
	wantError(t, err, store.ErrNotFound)
	w.start()
	for n, outcome := range []string{"waiting", "sent", "sent"} {
		if err := w.store.CommitStep(ctx, store.Step{CampaignID: w.campaign.ID, Status: fleet.Running,
			Devices: []store.Row{{DevEUI: lorawan.EUI64{1}, Outcome: outcome}}}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second viewer of a step sees the same
			p, err := w.Progress(ctx, w.campaign.ID)
			if err != nil || len(p.Tally) != 1 || p.Tally[0].Outcome != outcome || p.Run.Version != int64(n+1) {
				t.Errorf("step %d: %+v, %v", n+1, p, err)
			}
		}
	}
	if err := w.store.CommitStep(ctx, store.Step{CampaignID: w.campaign.ID, Status: fleet.Failed,
		Devices:  []store.Row{{DevEUI: lorawan.EUI64{1}, Stage: "Verify", Outcome: "failed"}},
		Timeline: []store.TimelineEntry{{Code: "x"}}}); err != nil {
		t.Fatal(err)
	}
	p, err = w.Progress(ctx, w.campaign.ID)
	if err != nil || p.Devices() != 1 || p.Run.LastSeq != 1 || p.Campaign.Status != fleet.Failed {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = w.Timeline(ctx, "no", store.TimelineQuery{})
	wantError(t, err, store.ErrNotFound)

	set, err := w.SetOfOutcome(ctx, w.campaign.ID, "again", "failed")
	if err != nil || !slices.Equal(set.Devices, []lorawan.EUI64{{1}}) {
		t.Errorf("%+v, %v", set, err)
	}
	_, err = w.SetOfOutcome(ctx, w.campaign.ID, "none", "verified")
	wantField(t, err, "outcomes")

	c, err := w.Copy(ctx, w.campaign.ID, "")
	if err != nil || c.Status != fleet.Configured || c.ID == w.campaign.ID || c.FileID != w.file.ID || !c.Started.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}
}
