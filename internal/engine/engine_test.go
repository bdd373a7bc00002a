package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

var start = time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)

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
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "starling.db"), sqlite.Temporary())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st, net: simulated.New(simNet, time.Now), fleet: fl, ended: make(chan engine.Progress, 16)}
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
	profiles := map[device.Packages]string{}
	var euis []lorawan.EUI64
	for _, spec := range w.fleet.Devices {
		id, ok := profiles[spec.Packages]
		if !ok {
			id = "profile-" + string(rune('a'+len(profiles)))
			profiles[spec.Packages] = id
			must(w.store.Profiles().Create(ctx, &fleet.DeviceProfile{
				ID: id, Name: id, ProducerID: "test", ModuleID: id, DefaultUplinkPeriod: spec.UplinkPeriod,
				Packages: fleet.Packages(spec.Packages),
			}))
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

// run starts an engine over the store, as a process does.
func (w *world) run() {
	w.eng = engine.New(engine.Config{
		Store: w.store, Adapter: w.net, Source: w.net, Log: slog.New(slog.NewTextHandler(testWriter{w.t}, nil)),
		Publish: func(p engine.Progress) {
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
	if c.Type != fleet.MCGroupCampaign {
		c.FileID = "file"
	}
	if c.MaxDuration == 0 {
		c.MaxDuration = 7 * 24 * time.Hour
	}
	if err := w.store.Campaigns().Create(w.t.Context(), &c); err != nil {
		w.t.Fatal(err)
	}
	if err := w.eng.Start(w.t.Context(), c.ID); err != nil {
		w.t.Fatal(err)
	}
}

// wait returns the progress of the next campaign that ends.
func (w *world) wait() engine.Progress {
	w.t.Helper()
	select {
	case p := <-w.ended:
		return p
	case <-time.After(time.Minute):
		w.t.Fatal("no campaign has ended within a minute")
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
	if p.Status != fleet.Succeeded || p.Verified != 20 {
		w.timeline("c1")
		t.Fatalf("ended %s with %d verified: %s", p.Status, p.Verified, p.Detail)
	}
	w.verify()
	t.Logf("took %s, %d fragments (%d coded), %d unicast", p.Ended.Sub(p.Started), p.FragmentsSent, p.CodedSent, p.UnicastSent)
	_ = campaign.ReasonNone
}
