package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// epoch is when virtual time begins. It is fixed, so that a run can be repeated exactly.
var epoch = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

const (
	uplinkPeriod = 15 * time.Minute
	uplinkJitter = time.Minute
)

var (
	oldVersion = fleet.MustParseFirmware("1.0.0.0")
	newVersion = fleet.MustParseFirmware("2.0.0.0")
)

// model is a kind of device in the demo's fleet, and where it lives.
type model struct {
	set, region string
	config      device.Config
}

// models are the four kinds: each region has devices of package versions 1 and 2, in
// one multicast group, so that both kinds of parity go over the same air. They are one
// product, which is why one file is for all of them.
func models() []model {
	v1 := device.Packages{ClockSync: lorawan.V1, McSetup: lorawan.V1, Fragmentation: lorawan.V1, FirmwareMgmt: lorawan.V1}
	v2 := device.Packages{ClockSync: lorawan.V2, McSetup: lorawan.V2, Fragmentation: lorawan.V2, FirmwareMgmt: lorawan.V1}
	north := device.Config{
		Band: region.EU868, UplinkDR: 3, ClassC: true, Stack: device.Ideal, Firmware: oldVersion.Uint32(),
		FlashTime: 30 * time.Second, UplinkPeriod: uplinkPeriod, UplinkJitter: uplinkJitter,
	}
	south := north
	south.Band, south.ClassB, south.ClassC, south.LoRaWAN11 = region.US915, true, false, true
	with := func(c device.Config, p device.Packages) device.Config { c.Packages = p; return c }
	return []model{
		{"Meters North", "North (EU868)", with(north, v1)},
		{"Meters North", "North (EU868)", with(north, v2)},
		{"Meters South", "South (US915)", with(south, v1)},
		{"Meters South", "South (US915)", with(south, v2)},
	}
}

// groups are the multicast groups, one per region: class C on the 10 % sub-band, and
// class B with hopping ping slots.
func groups() []fleet.MulticastGroup {
	frequency, _ := region.EU868.RX2()
	return []fleet.MulticastGroup{
		{
			DevEUI: lorawan.MustParseEUI64("fe00000000000001"), Name: "North, class C", Band: region.EU868, McAddr: lorawan.MustParseDevAddr("01000001"),
			Frequency: frequency, DataRate: 5, Redundancy: fleet.OneToTwo, SessionClass: fleet.ClassC,
		},
		{
			DevEUI: lorawan.MustParseEUI64("fe00000000000002"), Name: "South, class B", Band: region.US915, McAddr: lorawan.MustParseDevAddr("01000002"),
			DataRate: 12, Redundancy: fleet.OneToTwo, SessionClass: fleet.ClassB, PingSlotPeriodicity: 0,
		},
	}
}

// World is a running Starling with a simulated fleet.
type World struct {
	Service  *service.Service
	network  *simulated.Network
	fleet    sim.Fleet
	dir      string
	store    *sqlite.Store
	cancel   context.CancelFunc
	engine   chan error
	sets     []string // ids
	regions  []string
	file     fleet.File           // that the BINARY campaign delivers: the image
	firmware fleet.File           // that the FOTA campaign names: the image
	delta    fleet.File           // that leads to it
	made     *service.DeltaResult // of delta; nil: there is none
	progress chan engine.Progress
	watched  atomic.Bool // run is reading progress
}

// newWorld starts Starling on a fresh temporary database with a simulated fleet.
func newWorld(ctx context.Context, o Options, log *slog.Logger) (_ *World, err error) {
	cfg := sim.FleetConfig{
		Devices: o.Devices, Seed: o.Seed, Start: epoch, Gateways: 2, Reach: 1,
		Up: sim.Independent{P: o.Loss}, Down: sim.Independent{P: o.Loss},
		ClockError: 20 * time.Second, ClockDriftPPM: 20,
	}
	key, err := makersKey(o.Seed)
	if err != nil {
		return nil, err
	}
	kinds := models()
	if err := o.devicesOf(kinds, key); err != nil {
		return nil, err
	}
	for _, m := range kinds {
		cfg.Mix = append(cfg.Mix, sim.Model{Config: m.config})
	}
	fl, err := sim.NewFleet(cfg)
	if err != nil {
		return nil, err
	}
	network, err := sim.New(fl.Config())
	if err != nil {
		return nil, err
	}
	w := &World{fleet: fl, network: simulated.New(network, time.Now), engine: make(chan error, 1), progress: make(chan engine.Progress, 1024)}
	if w.dir, err = os.MkdirTemp("", "starling-demo-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.store, err = sqlite.Temporary(ctx, filepath.Join(w.dir, "starling.db")); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	eng := engine.New(engine.Config{
		Store: w.store, Adapter: w.network, Source: w.network, Log: log,
		Publish: func(p engine.Progress) { w.publish(running, p) },
	})
	w.Service = service.New(service.Config{Store: w.store, Runner: eng, Now: w.network.Now})
	go func() { w.engine <- eng.Run(running) }()
	return w, w.populate(ctx, o, key, log)
}

// publish hands progress to run, in order and complete, and drops it when nobody watches:
// the engine must never wait for a viewer that has gone.
func (w *World) publish(running context.Context, p engine.Progress) {
	if !w.watched.Load() {
		return
	}
	select {
	case w.progress <- p:
	case <-running.Done():
	}
}

// Close stops everything and removes the database.
func (w *World) Close() error {
	var err error
	if w.cancel != nil {
		w.cancel()
		err = <-w.engine
	}
	if w.store != nil {
		err = errors.Join(err, w.store.Close())
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}

// populate registers fleet, groups, key and files as an operator would.
func (w *World) populate(ctx context.Context, o Options, key *ecdsa.PrivateKey, log *slog.Logger) error {
	signer, err := w.addKey(ctx, key)
	if err != nil {
		return err
	}
	profile, err := w.Service.Profiles.Create(ctx, fleet.DeviceProfile{
		Name: "Meter", ProducerID: producer, ModuleID: module, DefaultUplinkPeriod: uplinkPeriod, TimeTolerance: 5 * time.Second,
		Packages: models()[0].config.Packages, Library: fleet.SmartDelta, SmartDeltaKeyID: signer.ID,
	})
	if err != nil {
		return fmt.Errorf("device profile: %w", err)
	}
	if err := w.addDevices(ctx, profile.ID); err != nil {
		return err
	}
	for i, g := range groups() {
		if _, err := w.Service.Groups.Create(ctx, g); err != nil {
			return fmt.Errorf("multicast group %q: %w", g.Name, err)
		}
		r, err := w.Service.Regions.Create(ctx, fleet.Region{Name: models()[2*i].region, Groups: []lorawan.EUI64{g.DevEUI}})
		if err != nil {
			return fmt.Errorf("region %q: %w", models()[2*i].region, err)
		}
		w.regions = append(w.regions, r.ID)
	}
	return w.addFiles(ctx, o, profile, log)
}

func (w *World) addDevices(ctx context.Context, profileID string) error {
	sets := map[string][]lorawan.EUI64{}
	var order []string
	for i, spec := range w.fleet.Devices {
		m := models()[i%len(models())]
		version := fleet.LoRaWAN10
		if spec.LoRaWAN11 {
			version = fleet.LoRaWAN11
		}
		class := fleet.ClassC
		if spec.ClassB {
			class = fleet.ClassB
		}
		if _, err := w.Service.Devices.Create(ctx, fleet.Device{
			DevEUI: spec.DevEUI, Name: fmt.Sprintf("%s %d", m.set, i+1), Classes: fleet.ClassesOf(class), LoRaWANVersion: version,
			RootKey: spec.RootKey, ProfileID: profileID, Band: spec.Band, Firmware: oldVersion,
			Packages: spec.Packages,
		}); err != nil {
			return fmt.Errorf("device %s: %w", spec.DevEUI, err)
		}
		if sets[m.set] == nil {
			order = append(order, m.set)
		}
		sets[m.set] = append(sets[m.set], spec.DevEUI)
	}
	for _, name := range order {
		s, err := w.Service.DeviceSets.Create(ctx, fleet.DeviceSet{Name: name, Devices: sets[name]})
		if err != nil {
			return fmt.Errorf("device set %q: %w", name, err)
		}
		w.sets = append(w.sets, s.ID)
	}
	return nil
}

// campaigns returns the campaigns of the demo, one of each type.
func (w *World) campaigns() []fleet.Campaign {
	policy := fleet.CampaignPolicy{
		// Nobody repairs a demo by hand: patience for links that lose nearly everything
		// costs nothing in virtual time.
		Retries: 60, MaxRounds: 12, MaxCodedPercent: 400,
	}
	base := fleet.Campaign{DeviceSets: w.sets, Regions: w.regions, SuccessThreshold: 100, MaxDuration: 21 * 24 * time.Hour, Policy: policy}
	groups, binary, fota := base, base, base
	groups.Name, groups.Type = "Configure multicast groups", fleet.MCGroupCampaign
	binary.Name, binary.Type, binary.FileID = "Upload binary file", fleet.BinaryCampaign, w.file.ID
	fota.Name, fota.Type, fota.FileID = "Firmware upgrade", fleet.FOTACampaign, w.firmware.ID
	return []fleet.Campaign{groups, binary, fota}
}

// run starts a campaign and calls watch for each change until it has ended.
func (w *World) run(ctx context.Context, c fleet.Campaign, watch func(campaign.Progress)) (fleet.Campaign, campaign.Progress, error) {
	c, err := w.Service.Campaigns.Create(ctx, c)
	if err != nil {
		return c, campaign.Progress{}, fmt.Errorf("campaign %q: %w", c.Name, err)
	}
	w.watched.Store(true)
	defer w.watched.Store(false)
	if c, err = w.Service.Start(ctx, c.ID); err != nil {
		return c, campaign.Progress{}, fmt.Errorf("campaign %q: %w", c.Name, err)
	}
	for {
		select {
		case <-ctx.Done():
			return c, campaign.Progress{}, ctx.Err()
		case err := <-w.engine:
			w.engine <- nil // for Close
			return c, campaign.Progress{}, errors.Join(errors.New("the engine has ended"), err)
		case p := <-w.progress:
			if p.CampaignID != c.ID {
				continue // the last words of the one before
			}
			watch(p.Progress)
			if p.Status.Ended() && !p.CleaningUp {
				c, err = w.Service.Campaigns.Find(ctx, c.ID)
				return c, p.Progress, err
			}
		}
	}
}

// Token makes an administrator of the demo's server and returns a token of it.
func (w *World) Token(ctx context.Context) (string, error) {
	password, err := identity.NewPassword(rand.Reader)
	if err != nil {
		return "", err
	}
	u, err := w.Service.FirstAdministrator(ctx, "demo", password)
	if err != nil {
		return "", err
	}
	as := service.As(ctx, identity.Actor{UserID: u.ID, Login: u.Login, Server: true, Permissions: u.Permissions()})
	token, _, err := w.Service.CreateToken(as, identity.Token{Name: "demo"})
	return token, err
}

// Claims returns what remembers requests with an Idempotency-Key.
func (w *World) Claims() store.Claims { return w.store }
