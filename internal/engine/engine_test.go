package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

var start = time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)

// hang is when a test gives up on a campaign: virtual days take seconds, even on a busy machine.
const hang = 5 * time.Minute

// world is a store, a simulated fleet that it knows, and an engine over both.
type world struct {
	t     *testing.T
	store store.Store
	net   *simulated.Network
	eng   *engine.Engine
	fleet sim.Fleet
	image []byte
	file  fleet.File
	ended chan engine.Progress
	stop  func()
	watch func(engine.Progress) // called on the engine's goroutine
	lease *engine.Lease         // of engines to come; nil: they are alone
	air   network.Adapter       // of engines to come; nil: net
}

func newWorld(t *testing.T, cfg sim.FleetConfig, imageSize int) *world {
	t.Helper()
	cfg.Start = start
	if cfg.UplinkPeriod == 0 {
		cfg.UplinkPeriod, cfg.UplinkJitter = 15*time.Minute, 2*time.Minute
	}
	fl, err := sim.NewFleet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	simNet, err := sim.New(fl.Config())
	if err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Temporary(t.Context(), filepath.Join(t.TempDir(), "starling.db"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st, net: simulated.New(simNet, time.Now), fleet: fl, ended: make(chan engine.Progress, 16), watch: func(engine.Progress) {}}
	w.image = make([]byte, imageSize)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range w.image {
		w.image[i] = byte(rng.Uint32())
	}
	w.populate()
	w.run()
	t.Cleanup(func() {
		w.stop()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// populate registers the fleet as an operator would.
func (w *world) populate() {
	ctx := w.t.Context()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	type kind struct {
		packages device.Packages
		stack    string
	}
	profiles := map[kind]string{}
	var euis []lorawan.EUI64
	for _, spec := range w.fleet.Devices {
		id, ok := profiles[kind{spec.Packages, spec.Stack.Name}]
		if !ok {
			id = "profile-" + string(rune('a'+len(profiles)))
			profiles[kind{spec.Packages, spec.Stack.Name}] = id
			profile := profileOf(spec.Config)
			profile.ID, profile.Name, profile.ModuleID = id, id, id
			must(w.store.Profiles().Create(ctx, &profile))
		}
		version := fleet.LoRaWAN10
		if spec.LoRaWAN11 {
			version = fleet.LoRaWAN11
		}
		must(w.store.Devices().Create(ctx, &fleet.Device{
			DevEUI: spec.DevEUI, Name: spec.DevEUI.String(), Classes: fleet.ClassesOf(fleet.ClassB, fleet.ClassC),
			LoRaWANVersion: version, RootKey: spec.RootKey, ProfileID: id, Band: spec.Band,
		}))
		euis = append(euis, spec.DevEUI)
	}
	must(w.store.DeviceSets().Create(ctx, &fleet.DeviceSet{ID: "all", Name: "all", Devices: euis}))
	frequency, _ := region.EU868.RX2()
	must(w.store.Groups().Create(ctx, &fleet.MulticastGroup{
		DevEUI: lorawan.EUI64{0xfe, 1}, Name: "north", Band: region.EU868, McAddr: lorawan.DevAddr{1, 2, 3, 4}, Frequency: frequency,
		DataRate: 5, Redundancy: fleet.OneToTwo, McKey: lorawan.AES128Key{7, 7, 7}, SessionClass: fleet.ClassC,
	}))
	must(w.store.Regions().Create(ctx, &fleet.Region{ID: "north", Name: "north", Groups: []lorawan.EUI64{{0xfe, 1}}}))
	content, err := w.store.PutContent(ctx, bytes.NewReader(w.image))
	must(err)
	w.file = fleet.File{
		ID: "file", Name: "image", Size: content.Size, SHA256: content.SHA256, Type: fleet.FirmwareFile, Version: fleet.MustParseFirmware("2.0.0.0"),
	}
	must(w.store.Files().Create(ctx, &w.file))
}

// profileOf says of a device what an integrator who knows its stack would say.
func profileOf(c device.Config) fleet.DeviceProfile {
	style := map[string]fleet.StatusStyle{
		device.LoRaMacStock.Name: fleet.StatusLoRaMac, device.ActilityL476.Name: fleet.StatusLoRaMac, device.ActilityWL55v1.Name: fleet.StatusLoRaMac,
		device.ActilityWL55v2.Name: fleet.StatusWL55v2, device.LBM.Name: fleet.StatusLBM, device.Zephyr.Name: fleet.StatusZephyr,
	}
	dialect := fleet.TS006
	if c.Stack.FirmwareDialect == device.RC1 {
		dialect = fleet.TS006RC1
	}
	d := c.Stack.Decoder
	return fleet.DeviceProfile{
		ProducerID: "test", DefaultUplinkPeriod: c.UplinkPeriod, TimeTolerance: 5 * time.Second,
		Packages: c.Packages, StatusStyle: style[c.Stack.Name], RebootsItself: c.Stack.RebootsItself, FirmwareDialect: dialect,
		Decoder: fleet.Decoder{
			MaxNbFrag: uint16(d.NbFrag), MaxFragSize: uint8(d.FragSize), MinFragSize: uint8(d.MinFragSize), MaxLost: uint16(d.MaxLost),
		},
	}
}

// mortal is a network on which the process dies after some waits: what it had not
// committed by then is gone, and the network goes on without it.
type mortal struct {
	*simulated.Network
	waits int // left; negative: immortal
	die   func()
}

func (m *mortal) Wait(ctx context.Context, until time.Time) ([]network.Event, error) {
	if m.waits == 0 {
		m.die()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	m.waits--
	return m.Network.Wait(ctx, until)
}

// grave is the store of a dead process: nothing reaches it any more.
type grave struct {
	store.Store
	dead atomic.Bool
}

var errDead = errors.New("the process is dead")

func (g *grave) CommitStep(ctx context.Context, step store.Step) error {
	if g.dead.Load() {
		return errDead
	}
	return g.Store.CommitStep(ctx, step)
}

func (g *grave) MarkSent(ctx context.Context, campaignID string, epoch int64, sent ...store.Sent) error {
	if g.dead.Load() {
		return errDead
	}
	return g.Store.MarkSent(ctx, campaignID, epoch, sent...)
}

// run starts an engine over the store, as a process does.
func (w *world) run() { w.runFor(-1, func() {}) }

// runFor starts an engine that dies after some waits; died is called then.
func (w *world) runFor(waits int, died func()) {
	stored := &grave{Store: w.store}
	source := &mortal{Network: w.net, waits: waits, die: func() { stored.dead.Store(true); died() }}
	air := w.air
	if air == nil {
		air = w.net
	}
	w.eng = engine.New(engine.Config{
		Store: stored, Adapter: air, Source: source, Lease: w.lease, Log: slog.New(slog.NewTextHandler(testWriter{w.t}, nil)),
		Publish: func(p engine.Progress) {
			w.watch(p)
			if p.Status.Ended() && !p.CleaningUp {
				w.ended <- p
			}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.eng.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		w.stop = func() {}
	}
}

// start creates and starts a campaign.
func (w *world) start(c fleet.Campaign) {
	w.t.Helper()
	c.DeviceSets, c.Regions = []string{"all"}, []string{"north"}
	if c.Type != fleet.MCGroupCampaign && c.FileID == "" {
		c.FileID = "file"
	}
	if c.MaxDuration == 0 {
		c.MaxDuration = 7 * 24 * time.Hour
	}
	if err := w.store.Campaigns().Create(w.t.Context(), &c); err != nil {
		w.t.Fatal(err)
	}
	if err := w.eng.Start(w.t.Context(), c.ID, store.Along{}); err != nil {
		w.t.Fatal(err)
	}
}

// wait returns the progress of the next campaign that ends.
func (w *world) wait() engine.Progress {
	w.t.Helper()
	select {
	case p := <-w.ended:
		return p
	case <-time.After(hang):
		w.t.Fatal("no campaign has ended within reason")
		return engine.Progress{}
	}
}

// timeline prints what happened, for a test that failed.
func (w *world) timeline(id string) {
	w.t.Helper()
	entries, err := w.store.Timeline(w.t.Context(), id, store.TimelineQuery{Limit: 400})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		w.t.Log(e.At.Format("02T15:04:05"), e.DevEUI, e.Group, e.Code, e.Text, "<-", e.Cause)
	}
}

// verify asks the simulated devices themselves what they run.
func (w *world) verify() {
	w.t.Helper()
	sum := sha256.Sum256(w.image)
	want := hex.EncodeToString(sum[:])
	w.net.Inspect(func(n *sim.Network) {
		for _, spec := range w.fleet.Devices {
			if got := n.Device(spec.DevEUI).RunningImageSHA256(); got != want {
				w.t.Errorf("device %s runs image %.12s, want %.12s", spec.DevEUI, got, want)
			}
		}
	})
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Helper()
	w.t.Log(string(bytes.TrimSpace(b)))
	return len(b), nil
}

func TestFleetRunsWhatItWasSent(t *testing.T) {
	loss := sim.Independent{P: 0.2}
	w := newWorld(t, sim.FleetConfig{Devices: 20, Seed: 3, Up: loss, Down: loss}, 8000)
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
	p := w.wait()
	w.mustSucceed(p, 20)
	w.verify()
	devices, err := w.store.Devices().FindAll(t.Context(), w.euis())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if d.Firmware.String() != "2.0.0.0" {
			t.Errorf("the store says that %s runs %s", d.DevEUI, d.Firmware)
		}
	}
}

// mustSucceed fails the test, with what happened, if a campaign has not verified everyone.
func (w *world) mustSucceed(p engine.Progress, devices int) {
	w.t.Helper()
	if p.Status != fleet.Succeeded || p.Verified != devices {
		w.timeline(p.CampaignID)
		w.t.Fatalf("campaign %s ended %s with %d of %d verified: %s", p.CampaignID, p.Status, p.Verified, devices, p.Detail)
	}
}

func (w *world) euis() []lorawan.EUI64 {
	var euis []lorawan.EUI64
	for _, d := range w.fleet.Devices {
		euis = append(euis, d.DevEUI)
	}
	return euis
}

// A process that is killed again and again, at any point, brings its campaign to the
// same end: nothing is lost, no counter goes back, and the devices run the file.
func TestKilledAnywhereTheCampaignEndsRight(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			loss := sim.Independent{P: 0.15}
			w := newWorld(t, sim.FleetConfig{Devices: 10, Seed: seed, Up: loss, Down: loss, Mix: []sim.Model{sim.Standard, v1Model()}}, 6000)
			w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
			rng := rand.New(rand.NewPCG(seed, 9))
			var fcnt uint32
			deaths := 0
			for ended := false; !ended; {
				w.stop()
				fcnt = w.counterAtLeast(fcnt)
				died := make(chan struct{})
				w.runFor(1+rng.IntN(120), sync.OnceFunc(func() { close(died) }))
				select {
				case <-died:
					deaths++
				case p := <-w.ended:
					w.mustSucceed(p, 10)
					ended = true
				case <-time.After(hang):
					t.Fatal("neither died nor ended within reason")
				}
			}
			w.verify()
			t.Logf("%d deaths", deaths)
			if deaths < 3 {
				t.Errorf("only %d deaths: too few to show anything", deaths)
			}
		})
	}
}

// counterAtLeast returns the group's stored counter and checks that it has not gone back.
func (w *world) counterAtLeast(before uint32) uint32 {
	w.t.Helper()
	g, err := w.store.Groups().Find(w.t.Context(), lorawan.EUI64{0xfe, 1})
	if err != nil {
		w.t.Fatal(err)
	}
	if g.FCntDown < before {
		w.t.Errorf("group counter went back from %d to %d", before, g.FCntDown)
	}
	return g.FCntDown
}

// v1Model is a device with the first version of every package.
func v1Model() sim.Model {
	m := sim.Standard
	m.Config.Packages = device.Packages{ClockSync: lorawan.V1, McSetup: lorawan.V1, Fragmentation: lorawan.V1, FirmwareMgmt: lorawan.V1}
	return m
}

// faulty is a store that says no to every so many commits, now before it has stored them
// and now after: a full disk, a connection that breaks.
type faulty struct {
	store.Store
	every, commits, faults int
}

func (f *faulty) CommitStep(ctx context.Context, step store.Step) error {
	f.commits++
	if f.commits%f.every != 0 {
		return f.Store.CommitStep(ctx, step)
	}
	f.faults++
	if f.faults%2 == 0 {
		if err := f.Store.CommitStep(ctx, step); err != nil {
			return err
		}
	}
	return errors.New("no space left on device")
}

// After a commit whose fate is unknown the campaign goes on from what is stored.
func TestFailedCommitsDoNotLoseTheCampaign(t *testing.T) {
	loss := sim.Independent{P: 0.1}
	w := newWorld(t, sim.FleetConfig{Devices: 10, Seed: 8, Up: loss, Down: loss}, 6000)
	w.stop()
	f := &faulty{Store: w.store, every: 9}
	w.store = f
	w.run()
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
	w.mustSucceed(w.wait(), 10)
	w.verify()
	w.stop()
	if f.faults < 10 {
		t.Errorf("only %d of %d commits failed: too few to show anything", f.faults, f.commits)
	}
}

// broken is a store that is wrong twice: devices are at a stage that the campaign does not have, so that it
// cannot be loaded, and then the group is about to send fragment 0, so that its first step cannot be done.
type broken struct {
	store.Store
	commits, loads int
}

func (b *broken) CommitStep(ctx context.Context, step store.Step) error {
	if b.commits++; b.commits == 20 {
		return errors.New("connection reset by peer")
	}
	return b.Store.CommitStep(ctx, step)
}

func (b *broken) LoadRun(ctx context.Context, id string) (store.Run, error) {
	run, err := b.Store.LoadRun(ctx, id)
	if b.loads++; b.loads > 2 || err != nil {
		return run, err
	}
	if b.loads == 2 {
		for g := range run.Groups {
			run.Groups[g], err = json.Marshal(campaign.Group{
				Phase: campaign.GroupSending, Deadline: start, SessionEnd: start.AddDate(1, 0, 0), Lanes: []campaign.LaneState{{Last: 9}},
			})
		}
		return run, err
	}
	for dev, state := range run.Devices {
		var d campaign.Device
		if err := json.Unmarshal(state, &d); err != nil {
			return run, err
		}
		d.Stage = campaign.StageRebootTime // no stage of a campaign without a reboot time
		if run.Devices[dev], err = json.Marshal(d); err != nil {
			return run, err
		}
	}
	return run, nil
}

// A campaign that contradicts itself does not take the server with it, and goes on from what is stored.
func TestABrokenCampaignIsLoadedAgain(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 6, Seed: 8}, 6000)
	w.stop()
	b := &broken{Store: w.store}
	w.store = b
	w.run()
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
	w.mustSucceed(w.wait(), 6)
	w.verify()
	w.stop()
	if b.loads != 3 {
		t.Errorf("loaded %d times, want 3: after the commit that failed, and after each panic", b.loads)
	}
}

// A campaign that is stopped in the middle of its fragments takes back what it has done
// on the devices, and says so of each.
func TestStopCleansUpOnDevices(t *testing.T) {
	loss := sim.Independent{P: 0.1}
	w := newWorld(t, sim.FleetConfig{Devices: 8, Seed: 5, Up: loss, Down: loss}, 20000)
	stopped := make(chan error, 2)
	var once sync.Once
	w.watch = func(p engine.Progress) {
		if p.FragmentsSent > 0 {
			once.Do(func() {
				go func() {
					_, err := w.eng.Order(t.Context(), "c1", campaign.StopRequested{By: "anna"}, store.AuditEntry{Action: "campaign.stop", Login: "anna"})
					stopped <- err
					_, err = w.eng.Order(t.Context(), "c1", campaign.StopRequested{By: "bob"}) // again: harmless
					if errors.Is(err, engine.ErrNotRunning) {
						err = nil
					}
					stopped <- err
				}()
			})
		}
	}
	w.start(fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}})
	p := w.wait()
	for range 2 {
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}
	if p.Status != fleet.Stopped || p.Detail != "stopped by anna" {
		t.Fatalf("status %s, %s, want STOPPED by anna", p.Status, p.Detail)
	}
	if page, err := w.store.Audit(t.Context(), store.AuditQuery{Action: "campaign.stop"}); err != nil || len(page.Items) != 1 || page.Items[0].Login != "anna" {
		t.Errorf("the audit log has %v, %v", page.Items, err)
	}
	rows, err := w.store.DeviceProgress(t.Context(), "c1", store.ProgressQuery{Outcome: "stopped"})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows.Items) != 8 {
		w.timeline("c1")
		t.Fatalf("%d of 8 devices are stopped", len(rows.Items))
	}
	w.net.Inspect(func(n *sim.Network) {
		for _, row := range rows.Items {
			st := n.Device(row.DevEUI).Status()
			if st.Groups > 0 || st.FragSession || st.ImageStatus != firmware.ImageNone {
				t.Errorf("device %s still has %d groups, a fragmentation session: %t, an image: %s", row.DevEUI, st.Groups, st.FragSession, st.ImageStatus)
			}
		}
	})
}

func TestUnknownDevicesAreLeftAlone(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 2, Seed: 5}, 100)
	w.stop() // its goroutine would be in the way
	err := w.eng.HandleUplink(t.Context(), network.Event{Kind: network.Uplink, DevEUI: lorawan.EUI64{1}, FPort: 202, Payload: []byte{1, 0, 0, 0, 0, 16}})
	if err != nil {
		t.Errorf("an uplink of an unknown device is an error: %v", err)
	}
}
