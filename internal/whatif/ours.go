package whatif

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/lorawan"
)

// ours is a server with our engine, on a database of its own: the same code that serves.
type ours struct {
	*world
	campaigns
	tell func(string)

	dir      string
	store    *sqlite.Store
	service  *service.Service
	cancel   context.CancelFunc
	ended    chan error
	progress chan engine.Progress
	region   string
	set      string // all devices
}

func newOurs(ctx context.Context, w *world, c campaigns, tell func(string)) (_ *ours, err error) {
	o := &ours{world: w, campaigns: c, tell: tell, ended: make(chan error, 1), progress: make(chan engine.Progress, 1024)}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if o.dir, err = os.MkdirTemp("", "starling-simulate-"); err != nil {
		return nil, err
	}
	if o.store, err = sqlite.Temporary(ctx, filepath.Join(o.dir, "starling.db")); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	adapter := network.Adapter(w.net)
	if c.queueAhead {
		adapter = ahead{adapter}
	}
	eng := engine.New(engine.Config{
		Store: o.store, Adapter: adapter, Source: w.net, Log: slog.New(slog.DiscardHandler),
		Publish: func(p engine.Progress) {
			select {
			case o.progress <- p:
			case <-running.Done():
			}
		},
	})
	o.service = service.New(service.Config{Store: o.store, Runner: eng, Now: w.net.Now})
	if err := o.populate(o.as(ctx)); err != nil {
		cancel()
		return nil, err
	}
	o.cancel = cancel
	go func() { o.ended <- eng.Run(running) }()
	return o, nil
}

// ahead is a network whose server is not used for answers in the moment of an uplink: commands are
// queued ahead and sent when they are sent, without regard to the windows.
type ahead struct{ network.Adapter }

// Caps returns those of the network without NextChance.
func (a ahead) Caps() network.Caps {
	c := a.Adapter.Caps()
	c.NextChance = false
	return c
}

// as returns ctx with the right to do everything.
func (o *ours) as(ctx context.Context) context.Context {
	return service.As(ctx, identity.System(fleet.DefaultSubscriber))
}

// close ends the engine, if it was started, and removes the database.
func (o *ours) close() error {
	var err error
	if o.cancel != nil {
		o.cancel()
		err = <-o.ended
	}
	if o.store != nil {
		err = errors.Join(err, o.store.Close())
	}
	return errors.Join(err, os.RemoveAll(o.dir))
}

// populate registers fleet and group as an operator would.
func (o *ours) populate(ctx context.Context) error {
	var profiles []string
	for i := range o.sc.UplinkPeriods {
		p, err := o.service.Profiles.Create(ctx, o.profile(i))
		if err != nil {
			return fmt.Errorf("device profile: %w", err)
		}
		profiles = append(profiles, p.ID)
	}
	euis := make([]lorawan.EUI64, len(o.fleet.Devices))
	devices := make([]*fleet.Device, len(o.fleet.Devices))
	for i, spec := range o.fleet.Devices {
		euis[i] = spec.DevEUI
		devices[i] = &fleet.Device{
			DevEUI: spec.DevEUI, Name: fmt.Sprintf("device %d", i+1), Classes: fleet.ClassesOf(*o.sc.Class), LoRaWANVersion: fleet.LoRaWAN10,
			RootKey: spec.RootKey, ProfileID: profiles[i%len(profiles)], Band: spec.Band,
		}
	}
	if k, err := o.store.Devices().CreateAll(ctx, devices); err != nil {
		return fmt.Errorf("device %s: %w", devices[k].DevEUI, err)
	}
	set, err := o.service.DeviceSets.Create(ctx, fleet.DeviceSet{Name: "all", Devices: euis})
	if err != nil {
		return fmt.Errorf("device set: %w", err)
	}
	g := o.group()
	g.Redundancy = o.redundancy
	if _, err := o.service.Groups.Create(ctx, g); err != nil {
		return fmt.Errorf("multicast group: %w", err)
	}
	r, err := o.service.Regions.Create(ctx, fleet.Region{Name: "all", Groups: []lorawan.EUI64{g.DevEUI}})
	if err != nil {
		return fmt.Errorf("region: %w", err)
	}
	o.set, o.region = set.ID, r.ID
	return nil
}

// upgrade delivers file n to all devices: one campaign, and those for the devices that failed.
func (o *ours) upgrade(ctx context.Context, n int) (verified int, err error) {
	ctx = o.as(ctx)
	f, err := o.service.Files.Create(ctx, fleet.File{Name: fmt.Sprintf("file %d", n), Type: fleet.BinaryFile})
	if err != nil {
		return 0, fmt.Errorf("file: %w", err)
	}
	if f, err = o.service.Upload(ctx, f.ID, bytes.NewReader(o.content(n)), ""); err != nil {
		return 0, fmt.Errorf("file: %w", err)
	}
	set := o.set
	for run := 0; ; run++ {
		c, err := o.service.Campaigns.Create(ctx, fleet.Campaign{
			Name: fmt.Sprintf("campaign %d.%d", n, run), Type: fleet.BinaryCampaign, DeviceSets: []string{set}, Regions: []string{o.region},
			FileID: f.ID, MaxDuration: maxDuration, SuccessThreshold: o.threshold, Policy: o.policy, CatchUp: o.catchUp,
		})
		if err != nil {
			return verified, fmt.Errorf("campaign: %w", err)
		}
		p, err := o.run(ctx, c.ID)
		if err != nil {
			return verified, err
		}
		verified += p.Verified
		if p.Failed == 0 || run == o.reruns {
			return verified, nil
		}
		failed, err := o.service.SetOfOutcome(ctx, c.ID, fmt.Sprintf("failed %d.%d", n, run), campaign.Failed.String())
		if err != nil {
			return verified, fmt.Errorf("devices that failed: %w", err)
		}
		set = failed.ID
	}
}

// run runs a campaign to its end.
func (o *ours) run(ctx context.Context, id string) (campaign.Progress, error) {
	if _, err := o.service.Start(ctx, id); err != nil {
		return campaign.Progress{}, err
	}
	said := map[campaign.Stage]bool{}
	for {
		select {
		case <-ctx.Done():
			return campaign.Progress{}, ctx.Err()
		case err := <-o.ended:
			o.ended <- nil // for close
			return campaign.Progress{}, errors.Join(errors.New("the engine has ended"), err)
		case p := <-o.progress:
			if p.CampaignID != id {
				continue // the last words of the one before
			}
			for _, s := range p.Stages {
				if !s.Closed.IsZero() && !said[s.Stage] {
					said[s.Stage] = true
					o.tell(fmt.Sprintf("%s: %d of %d devices after %s", s.Stage, s.Passed, p.Devices, hours(s.Closed.Sub(p.Started))))
				}
			}
			if p.Status.Ended() && !p.CleaningUp {
				o.tell(fmt.Sprintf("%s: %d of %d devices verified after %s", p.Status, p.Verified, p.Devices, hours(p.Ended.Sub(p.Started))))
				return p.Progress, nil
			}
		}
	}
}
