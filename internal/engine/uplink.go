package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
)

// HandleUplink carries one uplink from the network to committed state. Each line is a
// stage of its way. What follows from it is in the outbox then, and is sent by settle.
func (e *Engine) HandleUplink(ctx context.Context, up network.Event) error {
	dev, err := e.device(ctx, up.DevEUI)
	if err != nil {
		return fmt.Errorf("uplink %s FPort %d: %w", up.DevEUI, up.FPort, err)
	}
	r := e.byDevice[up.DevEUI]
	if r != nil {
		dev.traits, _ = r.c.TraitsOf(up.DevEUI) // with what a probe has found
	}
	commands, err := dev.traits.ParseUplink(up.FPort, up.Payload)
	if err != nil {
		// What was understood before the error still counts.
		e.log.Info("uplink not fully understood", "dev_eui", up.DevEUI, "payload", fmt.Sprintf("%x", up.Payload), "err", err)
	}
	e.answerClock(ctx, dev, up, commands)
	seen := firmwareSeen(dev, up, commands)
	if r == nil {
		return e.handleOutside(ctx, dev, up, seen)
	}
	chance := r.chance(up)
	heard := campaign.Heard{DevEUI: up.DevEUI, At: up.Time, FCnt: up.FCnt, FPort: up.FPort, Commands: commands, Crowded: e.air.Crowded(chance)}
	answered := len(r.batch.rec.Outbox)
	if err := e.step(r, heard, also{firmware: seen}); err != nil {
		return err
	}
	if r.commands(up.DevEUI, answered) {
		e.air.Reserve(chance)
	}
	return e.commitUnlessMore(ctx, r)
}

// HandleReport carries what became of a downlink to its campaign.
func (e *Engine) HandleReport(ctx context.Context, ev network.Event) error {
	r := e.byDevice[ev.DevEUI]
	if !ev.Group.IsZero() {
		r = e.byGroup[ev.Group]
	}
	if r == nil {
		return nil // an answer to a clock request, or a campaign that is over
	}
	e.spend(r, ev)
	if ev.Kind == network.NotSent {
		return e.step(r, campaign.NotSent{ID: ev.FrameID, Reason: ev.Err}, also{})
	}
	return e.step(r, campaign.Sent{ID: ev.FrameID, At: ev.Time, FCnt: ev.FCnt, Airtime: ev.Airtime}, also{})
}

// knownDevice is what must be known of a device to read its uplinks.
type knownDevice struct {
	traits   campaign.Traits
	firmware fleet.Firmware
	changed  time.Time     // when the version was reported or recorded
	maxAge   time.Duration // of the version, see pollVersion; 0: it is not asked for
	until    time.Time     // look again then; zero: the campaign that it is in knows
}

// What is known of devices outside of campaigns is kept for a while, so that not every
// uplink asks the store, and not for long, because people change profiles.
const (
	knownFor = time.Minute
	maxKnown = 100_000
)

// device looks a device up. Devices that are not in the store have no traits: nothing
// of what they send is understood, and they get no answers.
func (e *Engine) device(ctx context.Context, eui lorawan.EUI64) (knownDevice, error) {
	now := e.source.Now()
	if known, ok := e.traits[eui]; ok && (known.until.IsZero() || now.Before(known.until)) {
		return known, nil
	}
	dev, err := e.store.Devices().Find(ctx, eui)
	if errors.Is(err, store.ErrNotFound) {
		return knownDevice{}, nil
	}
	if err != nil {
		return knownDevice{}, err
	}
	known := knownDevice{until: now.Add(knownFor)}
	if dev.ProfileID != "" {
		profile, err := e.store.Profiles().Find(ctx, dev.ProfileID)
		if err != nil {
			return knownDevice{}, fmt.Errorf("device profile %s: %w", dev.ProfileID, err)
		}
		profile.Packages = dev.Packages.Over(profile.Packages)
		known.traits, known.firmware, known.changed = campaign.TraitsOf(profile, nil), dev.Firmware, dev.FirmwareChanged
		if known.maxAge, err = e.versionMaxAge(ctx, dev, profile.Packages); err != nil {
			return knownDevice{}, fmt.Errorf("subscriber %s: %w", dev.SubscriberID, err)
		}
	}
	if len(e.traits) >= maxKnown {
		maps.DeleteFunc(e.traits, func(_ lorawan.EUI64, k knownDevice) bool { return !k.until.IsZero() })
	}
	e.traits[eui] = known
	return known, nil
}

// answerClock answers TS003 at all times, campaign or not. The answer is not stored: if
// it gets lost the device asks again.
func (e *Engine) answerClock(ctx context.Context, dev knownDevice, up network.Event, commands []lorawan.Command) {
	for _, cmd := range commands {
		req, ok := cmd.(clocksync.AppTimeReq)
		if !ok {
			continue
		}
		ans, due := clocksync.Answer(req, up.Time, clockTolerance)
		if !due {
			continue
		}
		payload, err := ans.Append(nil, dev.traits.Packages.ClockSync)
		if err != nil {
			e.log.Error("AppTimeAns", "dev_eui", up.DevEUI, "err", err)
			return
		}
		frame := network.Frame{ID: clockFrameID(up), FPort: dev.traits.FPort(lorawan.ClockSync), Payload: payload}
		if err := e.adapter.SendUnicast(ctx, up.DevEUI, frame, false); err != nil {
			e.log.Warn("AppTimeAns not sent", "dev_eui", up.DevEUI, "err", err)
		}
	}
}

// clockTolerance is how far a clock may be off before it is corrected without having
// asked for an answer. A session starts within FirstFragmentDelay, some seconds.
const clockTolerance = time.Second

// clockFrameID is unique for each uplink of a device and never that of a campaign's
// frame, which would need a campaign with the tag of this prefix.
func clockFrameID(up network.Event) string { return fmt.Sprintf("c10c%04x%08x", up.FPort, up.FCnt) }

// firmwareSeen returns the versions that an uplink reports.
func firmwareSeen(dev knownDevice, up network.Event, commands []lorawan.Command) []store.FirmwareSeen {
	var seen []store.FirmwareSeen
	for _, cmd := range commands {
		if ans, ok := cmd.(firmware.DevVersionAns); ok {
			seen = append(seen, store.FirmwareSeen{DevEUI: up.DevEUI, Version: dev.firmware.With(ans.FWVersion), At: up.Time})
		}
	}
	return seen
}

// noteFirmware records versions that devices outside of campaigns report.
func (e *Engine) noteFirmware(ctx context.Context, seen []store.FirmwareSeen) error {
	for _, s := range seen {
		dev, err := e.store.Devices().Find(ctx, s.DevEUI)
		if err != nil {
			return err
		}
		dev.Firmware, dev.FirmwareChanged, dev.FirmwareReported = s.Version, s.At, s.At
		if err := e.store.Devices().Update(ctx, &dev); err != nil {
			return fmt.Errorf("firmware of %s: %w", s.DevEUI, err)
		}
		e.versionHeard(s.DevEUI)
	}
	return nil
}
