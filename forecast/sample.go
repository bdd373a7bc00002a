package forecast

import (
	"encoding/binary"
	"slices"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
)

// legible gives the lanes of a firmware campaign the descriptor that the devices of the model can
// read: real ones may find the version of an image elsewhere.
func legible(p campaign.Planned) campaign.Planned {
	if p.Spec.Type != fleet.FOTACampaign {
		return p
	}
	p.Spec.Lanes = slices.Clone(p.Spec.Lanes)
	for i := range p.Spec.Lanes {
		binary.LittleEndian.PutUint32(p.Spec.Lanes[i].Descriptor[:], p.Spec.Firmware.Uint32())
	}
	return p
}

// sample is the part of a plan that is run: some devices of every lane, and gateways in
// proportion, so that a gateway has as many devices to talk to as it will have.
type sample struct {
	planned  campaign.Planned
	groups   []groupSample
	devices  int // in the sample
	all      int // in the plan
	complete bool
}

// tailStep is how many times smaller the second sample of Predict is.
const tailStep = 8

// smaller returns how many devices the second sample has: tailStep times fewer, but where that
// is possible as many as one gateway of each group has, so that gateways are as busy as in the first.
func (s *sample) smaller() int {
	fewest := s.groups[0].allGateways
	for _, g := range s.groups {
		fewest = min(fewest, g.allGateways)
	}
	n := max(1, s.devices/tailStep)
	if cell := (s.all + fewest - 1) / fewest; 2*cell <= s.devices {
		n = max(n, cell)
	}
	return n
}

// groupSample is how a group is in the sample.
type groupSample struct {
	devices, allDevices   int
	gateways, allGateways int
}

// sampleOf takes at most limit devices of a plan, but one of each lane. Those of each lane are
// taken at equal distances, so that every kind of device has its share.
//
//	group of 10000 devices, 40 gateways; limit 500
//	sample        500           2          250 each, as in the group
func sampleOf(p campaign.Planned, a *Assumptions, limit int) sample {
	s := sample{planned: p, all: len(p.Spec.Devices), groups: make([]groupSample, len(p.Spec.Groups))}
	members := make([][]int, len(p.Spec.Lanes))
	for i, m := range p.Spec.Devices {
		members[m.Lane] = append(members[m.Lane], i)
		s.groups[p.Spec.Lanes[m.Lane].Group].allDevices++
	}
	for g := range s.groups {
		s.groups[g].allGateways = a.gatewaysFor(s.groups[g].allDevices)
	}
	keep := make([]int, 0, min(limit, s.all))
	for l, all := range members {
		if len(all) == 0 {
			continue // it is there for what a probe may find
		}
		g := &s.groups[p.Spec.Lanes[l].Group]
		n := len(all)
		if s.all > limit {
			n = max(1, (len(all)*limit+s.all/2)/s.all)
		}
		for k := range n {
			keep = append(keep, all[k*len(all)/n])
		}
		g.devices += n
	}
	for g := range s.groups {
		k := &s.groups[g]
		k.gateways = max(a.Reach, (k.allGateways*k.devices+k.allDevices/2)/max(k.allDevices, 1), 1)
	}
	s.devices = len(keep)
	s.complete = s.devices == s.all
	if s.complete {
		return s
	}
	slices.Sort(keep)
	s.planned.Spec.Devices = make([]campaign.Member, len(keep))
	for k, i := range keep {
		s.planned.Spec.Devices[k] = p.Spec.Devices[i]
	}
	return s
}
