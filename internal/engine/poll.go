package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
)

// Devices outside of campaigns are asked for their firmware version when the one that is known
// is older than their subscriber wants (VersionMaxAge): a device that somebody has updated by
// a cable, or that went back to an older image, is found out about that way.
//
//	uplink ──> stale? ──> asked within pollPause? ──> DevVersionReq ──> DevVersionAns ──> noteFirmware
//
// The request is not stored: if it or its answer gets lost, the device is asked again at an uplink
// after pollPause. A process that starts anew has forgotten who was asked, which costs one more
// request for each.

const (
	pollPause = time.Hour // between two requests to the same device
	maxPolled = 100_000   // devices that are being asked; more have to wait
)

// handleOutside does what follows from the uplink of a device that is in no campaign.
func (e *Engine) handleOutside(ctx context.Context, dev knownDevice, up network.Event, seen []store.FirmwareSeen) error {
	if len(seen) > 0 {
		return e.noteFirmware(ctx, seen)
	}
	e.pollVersion(ctx, dev, up)
	return nil
}

// pollVersion asks a device that has just been heard for its version, if that is due.
func (e *Engine) pollVersion(ctx context.Context, dev knownDevice, up network.Event) {
	now := e.source.Now()
	if dev.maxAge == 0 || now.Sub(dev.changed) <= dev.maxAge {
		return
	}
	if asked, ok := e.polled[up.DevEUI]; ok && now.Sub(asked) < pollPause {
		return
	}
	if len(e.polled) >= maxPolled {
		maps.DeleteFunc(e.polled, func(_ lorawan.EUI64, asked time.Time) bool { return now.Sub(asked) >= pollPause })
		if len(e.polled) >= maxPolled {
			return // enough is under way: it will be heard again
		}
	}
	payload, err := firmware.DevVersionReq{}.Append(nil, dev.traits.Packages.FirmwareMgmt)
	if err != nil {
		e.log.Error("DevVersionReq", "dev_eui", up.DevEUI, "err", err)
		return
	}
	// Asked or not, it was tried: a network that is away is not asked at every uplink either.
	e.polled[up.DevEUI] = now
	frame := network.Frame{ID: pollFrameID(up), FPort: dev.traits.FPort(lorawan.FirmwareMgmt), Payload: payload}
	if err := e.adapter.SendUnicast(ctx, up.DevEUI, frame, false); err != nil {
		e.log.Warn("DevVersionReq not sent", "dev_eui", up.DevEUI, "err", err)
		return
	}
	e.meter.Downlink(frame.FPort)
}

// pollFrameID is unique for each uplink of a device, and not the ID of another frame for
// the reason of clockFrameID.
func pollFrameID(up network.Event) string { return fmt.Sprintf("a9e0%04x%08x", up.FPort, up.FCnt) }

// versionHeard forgets what is known of a device that has told its version.
func (e *Engine) versionHeard(eui lorawan.EUI64) {
	delete(e.polled, eui)
	delete(e.traits, eui)
}

// versionMaxAge returns how old the firmware version of a device may become; 0: it is never asked for.
func (e *Engine) versionMaxAge(ctx context.Context, dev fleet.Device, packages fleet.Packages) (time.Duration, error) {
	if dev.Archived || packages.FirmwareMgmt == 0 {
		return 0, nil
	}
	subscriber, err := e.store.Subscribers().Find(ctx, dev.SubscriberID)
	if errors.Is(err, store.ErrNotFound) || subscriber.Archived {
		return 0, nil
	}
	return subscriber.VersionMaxAge, err
}
