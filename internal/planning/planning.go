// Package planning reads what a plan is made of from the store: the campaign's file, devices,
// groups and profiles. The engine plans from it what it runs, and the service what it shows
// before, so that both plan the same.
//
//	store ──Request──> campaign.Request ──campaign.Plan──> what runs
//	                                    ──forecast.New───> what it will take
//	      ──OfRun────> what a run was started with ──forecast.Keep──> what it was expected to take
//
// It changes nothing.
package planning

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Request reads everything that a campaign names, as it is now, for a start at a time. busy names the running campaign
// that has a device, "" for none.
func Request(ctx context.Context, s store.Store, c fleet.Campaign, at time.Time, busy func(lorawan.EUI64) string) (campaign.Request, error) {
	req := campaign.Request{Campaign: c, At: at, Profiles: map[string]fleet.DeviceProfile{}, Busy: map[lorawan.EUI64]string{}}
	var err error
	if req.Campaign.FileID != "" {
		file, err := s.Files().Find(ctx, req.Campaign.FileID)
		if err != nil {
			return req, fmt.Errorf("file %s: %w", req.Campaign.FileID, err)
		}
		req.File = &file
		if file.SHA256 != "" {
			if req.Payload, err = Payload(ctx, s, file.SHA256); err != nil {
				return req, err
			}
		}
	}
	own := s.Within(req.Campaign.SubscriberID) // a filter must not find the devices of others
	if req.File != nil && req.Campaign.Type == fleet.FOTACampaign {
		if req.Deltas, err = deltas(ctx, s, own, *req.File, req.Payload); err != nil {
			return req, err
		}
	}
	if req.Devices, err = devicesOf(ctx, own, req.Campaign.DeviceSets); err != nil {
		return req, err
	}
	if req.Groups, err = groupsOf(ctx, own, req.Campaign.Regions); err != nil {
		return req, err
	}
	for _, d := range req.Devices {
		if other := busy(d.DevEUI); other != "" {
			req.Busy[d.DevEUI] = other
		}
		if _, ok := req.Profiles[d.ProfileID]; ok || d.ProfileID == "" {
			continue
		}
		if req.Profiles[d.ProfileID], err = own.Profiles().Find(ctx, d.ProfileID); err != nil {
			return req, fmt.Errorf("device profile %s: %w", d.ProfileID, err)
		}
	}
	req.SessionCnt, err = sessionCnts(ctx, s, req.Devices)
	return req, err
}

// devicesOf returns the devices of several sets, each once, ordered by DevEUI. Who matches a filter
// now takes part: the run keeps its devices, whatever becomes of their tags later.
func devicesOf(ctx context.Context, o store.Objects, sets []string) ([]fleet.Device, error) {
	var listed []lorawan.EUI64
	var devices []fleet.Device
	for _, id := range sets {
		set, err := o.DeviceSets().Find(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("device set %s: %w", id, err)
		}
		listed = append(listed, set.Devices...)
		if set.Filter == nil {
			continue
		}
		for d, err := range store.All(ctx, o.Devices(), store.QueryOf(*set.Filter)) {
			if err != nil {
				return nil, fmt.Errorf("device set %s: %w", id, err)
			}
			devices = append(devices, d)
		}
	}
	found, err := o.Devices().FindAll(ctx, distinct(listed))
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	devices = append(devices, found...)
	slices.SortStableFunc(devices, func(a, b fleet.Device) int { return a.DevEUI.Compare(b.DevEUI) })
	return slices.CompactFunc(devices, func(a, b fleet.Device) bool { return a.DevEUI == b.DevEUI }), nil
}

// groupsOf returns the multicast groups of several regions, each once.
func groupsOf(ctx context.Context, o store.Objects, regions []string) ([]fleet.MulticastGroup, error) {
	var euis []lorawan.EUI64
	for _, id := range regions {
		region, err := o.Regions().Find(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("region %s: %w", id, err)
		}
		euis = append(euis, region.Groups...)
	}
	groups, err := o.Groups().FindAll(ctx, distinct(euis))
	if err != nil {
		return nil, fmt.Errorf("multicast groups: %w", err)
	}
	return groups, nil
}

func distinct(euis []lorawan.EUI64) []lorawan.EUI64 {
	slices.SortFunc(euis, lorawan.EUI64.Compare)
	return slices.Compact(euis)
}

// sessionCnts returns the function by which a plan finds the next SessionCnt of a device.
func sessionCnts(ctx context.Context, s store.Store, devices []fleet.Device) (func(lorawan.EUI64, uint8) uint16, error) {
	euis := make([]lorawan.EUI64, len(devices))
	for i, d := range devices {
		euis[i] = d.DevEUI
	}
	used, err := s.SessionCnts(ctx, euis)
	if err != nil {
		return nil, fmt.Errorf("session counters: %w", err)
	}
	type slot struct {
		dev   lorawan.EUI64
		index uint8
	}
	next := make(map[slot]uint16, len(used))
	for _, u := range used {
		next[slot{u.DevEUI, u.FragIndex}] = u.Cnt + 1
	}
	return func(dev lorawan.EUI64, index uint8) uint16 { return next[slot{dev, index}] }, nil
}

// maxPayload is what the largest block could hold: 2^14 fragments of 255 bytes.
const maxPayload = 16383 * 255

// Payload reads the bytes of a file.
func Payload(ctx context.Context, s store.Store, sha256 string) (_ []byte, err error) {
	content, err := s.OpenContent(ctx, sha256)
	if err != nil {
		return nil, fmt.Errorf("payload %.12s: %w", sha256, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	b, err := io.ReadAll(io.LimitReader(content, maxPayload+1))
	if err != nil {
		return nil, fmt.Errorf("payload %.12s: %w", sha256, err)
	}
	return b, nil
}

// Material collects the keys and payloads that a stored specification refers to.
func Material(ctx context.Context, s store.Store, spec *campaign.Spec) (campaign.Material, error) {
	m := campaign.Material{
		RootKeys: make(map[lorawan.EUI64]campaign.RootKey, len(spec.Devices)),
		McKeys:   make(map[lorawan.EUI64]lorawan.AES128Key, len(spec.Groups)),
		Payloads: map[string][]byte{},
	}
	devices, err := s.Devices().FindAll(ctx, members(spec))
	if err != nil {
		return m, fmt.Errorf("device keys: %w", err)
	}
	for _, d := range devices {
		m.RootKeys[d.DevEUI] = campaign.RootKey{Key: d.RootKey, Version: d.LoRaWANVersion}
	}
	for _, g := range spec.Groups {
		group, err := s.Groups().Find(ctx, g.DevEUI)
		if err != nil {
			return m, fmt.Errorf("key of multicast group %s: %w", g.DevEUI, err)
		}
		m.McKeys[g.DevEUI] = group.McKey
	}
	for _, l := range spec.Lanes {
		if l.Payload == "" || m.Payloads[l.Payload] != nil {
			continue
		}
		if m.Payloads[l.Payload], err = Payload(ctx, s, l.Payload); err != nil {
			return m, err
		}
	}
	return m, nil
}

func members(spec *campaign.Spec) []lorawan.EUI64 {
	euis := make([]lorawan.EUI64, len(spec.Devices))
	for i, d := range spec.Devices {
		euis[i] = d.DevEUI
	}
	return euis
}

// OfRun reads what the specification of a run leaves out, as it is now: the devices, profiles and groups that are in
// it, whatever has become of the sets and regions that named them, and keys and payloads.
func OfRun(ctx context.Context, s store.Store, spec campaign.Spec) (r campaign.Request, p campaign.Planned, err error) {
	p.Spec = spec
	if p.Material, err = Material(ctx, s, &p.Spec); err != nil {
		return r, p, err
	}
	if r.Devices, err = s.Devices().FindAll(ctx, members(&spec)); err != nil {
		return r, p, fmt.Errorf("devices: %w", err)
	}
	r.Profiles = map[string]fleet.DeviceProfile{}
	for _, d := range r.Devices {
		if _, ok := r.Profiles[d.ProfileID]; ok {
			continue
		}
		if r.Profiles[d.ProfileID], err = s.Profiles().Find(ctx, d.ProfileID); err != nil {
			return r, p, fmt.Errorf("device profile %s: %w", d.ProfileID, err)
		}
	}
	for _, g := range spec.Groups {
		group, err := s.Groups().Find(ctx, g.DevEUI)
		if err != nil {
			return r, p, fmt.Errorf("multicast group %s: %w", g.DevEUI, err)
		}
		r.Groups = append(r.Groups, group)
	}
	return r, p, nil
}
