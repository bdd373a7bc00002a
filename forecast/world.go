package forecast

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// world is the model network of a sample, with its devices, before the campaign.
type world struct {
	net     *sim.Network
	members []member // in the order of Spec.Devices
}

// member is a device of the model.
type member struct {
	meter   *sim.Meter
	group   int
	profile string // ID
	traits  *campaign.Traits
	period  time.Duration
	uplink  time.Duration // air time of one application uplink
	power   fleet.Power
}

// fleetOf finds what a request says of devices and groups.
type fleetOf struct {
	devices  map[lorawan.EUI64]*fleet.Device
	groups   map[lorawan.EUI64]*fleet.MulticastGroup
	profiles map[string]fleet.DeviceProfile
}

func newFleet(r *campaign.Request) fleetOf {
	f := fleetOf{make(map[lorawan.EUI64]*fleet.Device, len(r.Devices)), make(map[lorawan.EUI64]*fleet.MulticastGroup, len(r.Groups)), r.Profiles}
	for i := range r.Devices {
		f.devices[r.Devices[i].DevEUI] = &r.Devices[i]
	}
	for i := range r.Groups {
		f.groups[r.Groups[i].DevEUI] = &r.Groups[i]
	}
	return f
}

// newWorld makes the network of a sample at start. Everything random comes from seed.
func newWorld(f fleetOf, s *sample, a *Assumptions, start time.Time, seed uint64) (*world, error) {
	w := &world{}
	cfg := sim.Config{Seed: seed, Start: start}
	taken := map[lorawan.DevAddr]bool{}
	for g := range s.planned.Spec.Groups {
		gs := &s.planned.Spec.Groups[g]
		taken[gs.McAddr] = true
		for k := range s.groups[g].gateways {
			cfg.Gateways = append(cfg.Gateways, sim.Gateway{ID: gatewayID(g, k), Band: gs.Band})
		}
	}
	// What all devices would compute alike is done once; a prediction has no use for bytes.
	crowd := device.NewCrowd()
	for _, l := range s.planned.Spec.Lanes {
		if l.Size == 0 {
			continue // a campaign without a file
		}
		if err := crowd.Add(s.planned.Material.Payloads[l.Payload]); err != nil {
			return nil, fmt.Errorf("model network: %w", err)
		}
	}
	luck := rand.New(rand.NewPCG(seed, 0x57a7))
	next := uint32(0)
	for i := range s.planned.Spec.Devices {
		spec, m, err := w.deviceFor(f, s, a, i, luck)
		if err != nil {
			return nil, err
		}
		for addressed := false; !addressed; next++ {
			binary.BigEndian.PutUint32(spec.DevAddr[:], next+1)
			addressed = !taken[spec.DevAddr]
		}
		spec.Crowd = crowd
		spec.NwkSKey, spec.AppSKey = sessionKey(luck), sessionKey(luck)
		spec.New = func(c device.Config) sim.EndDevice {
			m := sim.NewMeter(c)
			w.members[i].meter = m
			return m
		}
		cfg.Devices = append(cfg.Devices, spec)
		w.members = append(w.members, m)
	}
	var err error
	if w.net, err = sim.New(cfg); err != nil {
		return nil, fmt.Errorf("model network: %w", err)
	}
	return w, w.makeGroups(f, s)
}

// deviceFor makes device i of the sample, with its links.
func (w *world) deviceFor(f fleetOf, s *sample, a *Assumptions, i int, luck *rand.Rand) (sim.DeviceSpec, member, error) {
	planned := &s.planned.Spec.Devices[i]
	lane := &s.planned.Spec.Lanes[planned.Lane]
	d, gs := f.devices[planned.DevEUI], f.groups[s.planned.Spec.Groups[lane.Group].DevEUI]
	if d == nil || gs == nil {
		return sim.DeviceSpec{}, member{}, fmt.Errorf("device %s or its group is planned and not in the request: %w", planned.DevEUI, ErrAssumptions)
	}
	profile := f.profiles[d.ProfileID]
	spec := sim.KnownDevice(*d, profile, gs.Band, region.Options{DwellTime400ms: gs.DwellTime})
	if a.UplinkDR != nil && spec.Band.Usable(*a.UplinkDR, lorawan.Uplink) {
		spec.UplinkDR = *a.UplinkDR
	}
	var learnt Learnt
	if a.Learnt != nil {
		learnt, _ = a.Learnt(d.DevEUI)
	}
	switch {
	case learnt.UplinkPeriod > 0:
		spec.UplinkPeriod = learnt.UplinkPeriod
	case a.UplinkPeriod > 0:
		spec.UplinkPeriod = a.UplinkPeriod
	default:
		// The file may know better than the profile.
		spec.UplinkPeriod = s.planned.Spec.Traits[planned.Traits].UplinkPeriod
	}
	spec.UplinkJitter = spec.UplinkPeriod / jitterShare
	// The server and the device say the same, or nothing would be predicted but a
	// misconfigured profile.
	t := &s.planned.Spec.Traits[planned.Traits]
	spec.Packages, spec.Ports = t.Packages, t.Ports
	spec.Stack.RebootsItself = t.RebootsItself
	spec.ClockOffset = time.Duration((2*luck.Float64() - 1) * float64(a.ClockError))
	spec.ClockDriftPPM = (2*luck.Float64() - 1) * driftPPM
	spec.Seed = luck.Uint64() | 1 // 0 would ask for another

	cell := &s.groups[lane.Group]
	nearest := luck.IntN(cell.gateways)
	for k := range a.Reach {
		loss := a.Loss.Of(luck.Float64())
		if learnt.Loss != nil {
			loss = learnt.Loss
		}
		spec.Links = append(spec.Links, sim.Link{Gateway: gatewayID(lane.Group, (nearest+k)%cell.gateways), Up: loss, Down: loss})
	}
	uplink, _ := spec.Band.UplinkAirtime(spec.UplinkDR, applicationPayload)
	return spec, member{group: lane.Group, profile: d.ProfileID, traits: t, period: spec.UplinkPeriod, uplink: uplink, power: profile.Power.WithDefaults()}, nil
}

const (
	jitterShare        = 15 // uplinks are early or late by up to this part of their period
	driftPPM           = 10 // of crystals that are not trimmed, either way
	applicationPayload = 5  // bytes of an application uplink of package device
)

func gatewayID(group, k int) string { return fmt.Sprintf("%d-%d", group, k+1) }

func sessionKey(luck *rand.Rand) (k lorawan.AES128Key) {
	binary.BigEndian.PutUint64(k[:8], luck.Uint64())
	binary.BigEndian.PutUint64(k[8:], luck.Uint64())
	return k
}

// makeGroups tells the network of the groups.
func (w *world) makeGroups(f fleetOf, s *sample) error {
	for g := range s.planned.Spec.Groups {
		gs := &s.planned.Spec.Groups[g]
		key := s.planned.Material.McKeys[gs.DevEUI]
		var gateways []string
		for k := range s.groups[g].gateways {
			gateways = append(gateways, gatewayID(g, k))
		}
		err := w.net.EnsureGroup(sim.Group{
			ID: gs.DevEUI.String(), Band: gs.Band, Options: region.Options{DwellTime400ms: f.groups[gs.DevEUI].DwellTime},
			McAddr: gs.McAddr, McNwkSKey: multicast.McNwkSKey(key, gs.McAddr), McAppSKey: multicast.McAppSKey(key, gs.McAddr),
			ClassB: gs.Class == fleet.ClassB, PingSlotPeriodicity: gs.Periodicity,
			Frequency: gs.Frequency, DataRate: gs.DataRate, FCntDown: gs.FirstFCnt, Gateways: gateways,
		})
		if err != nil {
			return fmt.Errorf("model network: %w", err)
		}
	}
	return nil
}

// settling is how many uplink periods the fleet lives before a campaign: clocks are set by
// then, as they are in every fleet that is in use.
const settling = 4

// longestPeriod returns the longest uplink period of the fleet of a sample.
func longestPeriod(s *sample, a *Assumptions) (longest time.Duration) {
	if a.UplinkPeriod > 0 {
		return a.UplinkPeriod
	}
	for _, t := range s.planned.Spec.Traits {
		longest = max(longest, t.UplinkPeriod)
	}
	return longest
}
