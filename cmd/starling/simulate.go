package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// simulation are the flags of the simulated network.
type simulation struct {
	Pace string  `default:"jump" enum:"jump,follow" env:"STARLING_SIM_PACE" help:"How time runs there: jump (days of a campaign in seconds, otherwise with the clock on the wall) or follow (always with the clock) (${env})."`
	Loss float64 `default:"0" env:"STARLING_SIM_LOSS" placeholder:"SHARE" help:"Share of frames that every radio link loses, 0 to below 1 (${env})."`
	Seed uint64  `default:"1" env:"STARLING_SIM_SEED" help:"Of all luck there (${env})."`
}

// paces are what the flag names.
var paces = map[string]simulated.Pace{"jump": simulated.JumpThenFollow, "follow": simulated.Follow}

// check finds what is wrong with the flags.
func (s *simulation) check() error {
	if !(s.Loss >= 0 && s.Loss < 1) { // also catches NaN
		return fmt.Errorf("%w: --sim-loss %g is no share, use 0 to below 1, such as 0.2", cli.ErrUsage, s.Loss)
	}
	return nil
}

// run starts an engine on a simulated network that has the devices of the store, as far as
// campaigns need them. Lease is nil for a database that no other server can open.
func (s *simulation) run(ctx context.Context, db store.Store, lease *engine.Lease, meter engine.Meter, log *slog.Logger) (*network, error) {
	begin, err := beginning(ctx, db, time.Now())
	if err != nil {
		return nil, err
	}
	air, err := sim.New(sim.Config{Seed: s.Seed, Start: begin})
	if err != nil {
		return nil, err
	}
	net := simulated.New(air, time.Now)
	net.SetPace(paces[s.Pace])
	net.Grow(lookup(db), s.Loss)
	net.Equip(stock{db})
	if lease != nil {
		lease.Alone = true // nobody else has these devices
	}
	eng := engine.New(engine.Config{Store: db, Adapter: net, Source: net, Log: log, Meter: meter, Lease: lease})
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	failed, fail := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		err := eng.Run(running)
		if errors.Is(err, store.ErrAlone) {
			err = fmt.Errorf("simulated devices live in one process, so this server must be the only one that runs campaigns of the database: stop the other one, or run this one without --network: %w", err)
		}
		fail()
		ended <- err
	}()
	return &network{Runner: eng, now: net.Now, failed: failed, stop: func() error { cancel(); return <-ended }}, nil
}

// lookup finds devices with their profiles.
func lookup(db store.Store) simulated.Lookup {
	return func(ctx context.Context, eui lorawan.EUI64) (fleet.Device, fleet.DeviceProfile, error) {
		dev, err := db.Devices().Find(ctx, eui)
		if err != nil {
			return dev, fleet.DeviceProfile{}, err
		}
		profile, err := db.Profiles().Find(ctx, dev.ProfileID)
		if err != nil {
			err = fmt.Errorf("device profile %s: %w", dev.ProfileID, err)
		}
		return dev, profile, err
	}
}

// stock is what the store has that devices were made with.
type stock struct{ db store.Store }

// Firmware finds the full image of a version.
func (s stock) Firmware(ctx context.Context, profileID string, version fleet.Firmware) (fleet.File, []byte, error) {
	q := store.Query{Where: map[store.Field]string{store.ByProfile: profileID, store.ByType: fleet.FirmwareFile.String(), store.ByVersion: version.String()}}
	for f, err := range store.All(ctx, s.db.Files(), q) {
		if err != nil {
			return f, nil, err
		}
		if !f.HasContent() || !f.Format.Installable() {
			continue
		}
		r, err := s.db.OpenContent(ctx, f.SHA256)
		if err != nil {
			return f, nil, err
		}
		image, err := io.ReadAll(r)
		return f, image, errors.Join(err, r.Close())
	}
	return fleet.File{}, nil, nil
}

// PublicKey returns the public half of a Smart Delta key.
func (s stock) PublicKey(ctx context.Context, id string) (*ecdsa.PublicKey, error) {
	k, err := s.db.SmartDeltaKeys().Find(ctx, id)
	if err != nil {
		return nil, err
	}
	return envelope.ParsePublicKey(k.PublicKey)
}

// beginning returns when virtual time begins: now, or later if campaigns of an earlier
// process have seen later times. For them, too, time must not go back.
func beginning(ctx context.Context, db store.Store, now time.Time) (time.Time, error) {
	at := now
	for c, err := range store.All(ctx, db.Campaigns(), store.Query{Archived: true}) {
		if err != nil {
			return at, err
		}
		for _, t := range []time.Time{c.Created, c.LastChanged, c.Started, c.Ended} {
			if t.After(at) {
				at = t
			}
		}
	}
	return at, nil
}
