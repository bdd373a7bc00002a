package campaign

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// Which lanes a group has. FragIndex tells four apart, and there may be more to send:
//
//	family (TS004 version 1)      family (version 2)
//	   full image                    full image          who runs none of the bases, or nobody knows what
//	   delta from 1.0.0.0            delta from 1.0.0.0  400 and 10 devices
//	   delta from 1.1.0.0                                20 devices
//
// A full image is in if somebody surely or possibly needs it. Of the deltas, those are in that save
// most, devices times bytes; who loses its lane gets the full image. What room is left is for what
// an answer may bring: full images that nobody needs by what is known, and lanes of the other version of TS004.

// maxLanes is how many sessions FragIndex tells apart.
const maxLanes = 4

// versionAge is how old the version that a device has told may be for a delta to rest on it. Hands and
// service tools change versions as well as campaigns, and a wrong base costs a device its whole session; an
// old report costs one question. A month is what fleets that are looked after ask for anyway
// (VersionMaxAge of a subscriber).
const versionAge = 30 * 24 * time.Hour

// block is what the devices of a lane receive.
type block struct {
	base    fleet.Firmware // that it leads from; zero: no delta
	file    fleet.File
	payload []byte
	sum     string // SHA-256 of payload, hexadecimal
}

// findBlocks finds what the campaign may send: the full image first, then deltas in the order of their bases.
func (p *planner) findBlocks() {
	fota := p.Campaign.Type == fleet.FOTACampaign
	if p.Campaign.Type == fleet.MCGroupCampaign {
		p.blocks = []block{{}}
		return
	}
	p.direct = fota && p.File.Type == fleet.DeltaFile
	own := block{file: *p.File, payload: p.Payload}
	if p.direct {
		own.base = p.File.BaseVersion
	}
	if p.direct || !fota || p.Campaign.Delta != fleet.DeltaOnly {
		p.blocks = append(p.blocks, own)
	}
	if fota {
		p.out.Spec.Delta = p.Campaign.Delta
		if !p.direct {
			p.out.Spec.ImageSize = len(p.Payload)
		}
	}
	if fota && !p.direct && p.Campaign.Delta != fleet.DeltaOff {
		p.blocks = append(p.blocks, p.smallestDeltas()...)
	}
	for i := range p.blocks {
		sum := sha256.Sum256(p.blocks[i].payload)
		p.blocks[i].sum = hex.EncodeToString(sum[:])
	}
}

// smallestDeltas returns the best of the deltas from each version.
func (p *planner) smallestDeltas() []block {
	var found []block
	for _, d := range p.Deltas {
		if d.File.ProfileID == p.File.ProfileID && d.File.Version.Uint32() == p.File.Version.Uint32() && len(d.Payload) > 0 && len(d.Payload) < len(p.Payload) {
			found = append(found, block{base: d.File.BaseVersion, file: d.File, payload: d.Payload})
		}
	}
	slices.SortFunc(found, func(a, b block) int {
		return cmp.Or(cmp.Compare(a.base.Uint32(), b.base.Uint32()), cmp.Compare(len(a.payload), len(b.payload)), cmp.Compare(a.file.ID, b.file.ID))
	})
	return slices.CompactFunc(found, func(a, b block) bool { return a.base.Uint32() == b.base.Uint32() })
}

// familyKey is what devices must share to receive the same fragments of one block.
type familyKey struct {
	group      lorawan.EUI64
	version    lorawan.Version // TS004
	fPort      uint8
	decoder    fleet.Decoder
	descriptor [4]byte // of the campaign's file
	deltas     bool    // deltas are for them
}

// family is the devices of a group that can receive the same fragments.
type family struct {
	key     familyKey
	kind    int
	group   *fleet.MulticastGroup
	profile fleet.DeviceProfile
	at      int // into Spec.Groups
	joined  bool
	reason  Reason // why none of its devices takes part
	detail  string
	lanes   []*Lane // by block; nil: it is not for them, or their decoder cannot take it
	err     error   // of the last block that their decoder cannot take
	runs    []int   // by block: devices that run its base, by the latest that is known
	wanted  []int   // by block: devices that start with it
	asks    int     // devices of which nobody knows for sure
	sent    []int   // by block: 1 + index into Spec.Lanes; 0: it is not sent
}

// wish is what a device should get.
type wish struct {
	device *fleet.Device
	traits int
	family *family
	runs   int  // the block from what it runs, index into blocks; -1: there is none, or nobody knows
	block  int  // the block that it starts with; -1: whichever
	ask    bool // what it runs is to be asked first
}

// wish notes which block a device should get, or returns why it takes no part.
func (p *planner) wish(d *fleet.Device, g *fleet.MulticastGroup, profile fleet.DeviceProfile) (Reason, string) {
	f := p.familyFor(g, profile)
	if f.reason != ReasonNone {
		return f.reason, f.detail
	}
	w, reason, detail := p.blockFor(d, f)
	if reason != ReasonNone {
		return reason, detail
	}
	if !f.joined {
		f.at, f.joined = p.groupFor(g), true
		if len(p.inGroup[f.at]) == maxLanes {
			f.reason, f.detail = ReasonNoLane, fmt.Sprintf("group %s has %d kinds of decoder already: FragIndex tells no more apart", g.DevEUI, maxLanes)
			return f.reason, f.detail
		}
		p.inGroup[f.at] = append(p.inGroup[f.at], f)
	}
	if w.runs >= 0 {
		f.runs[w.runs]++
	}
	if w.block >= 0 {
		f.wanted[w.block]++
	}
	if w.ask {
		f.asks++
	}
	w.traits = p.traitsFor(profile)
	p.wishes = append(p.wishes, w)
	return ReasonNone, ""
}

// familyFor finds or makes the family of devices of a profile in a group.
func (p *planner) familyFor(g *fleet.MulticastGroup, profile fleet.DeviceProfile) *family {
	key := familyKey{group: g.DevEUI}
	if p.Campaign.Type != fleet.MCGroupCampaign {
		key = familyKey{g.DevEUI, profile.Packages.Fragmentation, profile.Ports.Of(lorawan.Fragmentation), profile.Decoder, profile.WireDescriptor(*p.File),
			p.direct || profile.ID == p.File.ProfileID && profile.With(*p.File).Library == fleet.SmartDelta}
	}
	return p.family(key, g, profile)
}

func (p *planner) family(key familyKey, g *fleet.MulticastGroup, profile fleet.DeviceProfile) *family {
	if f := p.families[key]; f != nil {
		return f
	}
	kind := key
	kind.version = 0
	if _, ok := p.kinds[kind]; !ok {
		p.kinds[kind] = len(p.kinds)
	}
	f := &family{key: key, kind: p.kinds[kind], group: g, profile: profile,
		lanes: make([]*Lane, len(p.blocks)), runs: make([]int, len(p.blocks)), wanted: make([]int, len(p.blocks)), sent: make([]int, len(p.blocks))}
	p.families[key] = f
	for i := range p.blocks {
		b := &p.blocks[i]
		if !b.base.IsZero() && !key.deltas {
			continue
		}
		lane := Lane{Kind: f.kind, Version: key.version, FPort: key.fPort, Base: b.base}
		if p.Campaign.Type != fleet.MCGroupCampaign {
			lane.Descriptor = profile.WireDescriptor(b.file)
			if err := p.cut(&lane, b, g, key.decoder); err != nil {
				f.err = err
				continue
			}
		}
		f.lanes[i] = &lane
	}
	switch {
	case slices.ContainsFunc(f.lanes, func(l *Lane) bool { return l != nil }):
	case f.err != nil:
		f.reason, f.detail = ReasonDecoder, f.err.Error()
	case key.deltas:
		f.reason, f.detail = ReasonNoDelta, "there is no delta to "+p.File.Version.String()
	default:
		f.reason, f.detail = ReasonNoDelta, fmt.Sprintf("the library of device profile %q is not smart_delta", profile.Name)
	}
	return f
}

// blockFor returns which block is right for a device, by what is known of it.
func (p *planner) blockFor(d *fleet.Device, f *family) (wish, Reason, string) {
	w := wish{device: d, family: f, runs: slices.IndexFunc(f.lanes, func(l *Lane) bool {
		return l != nil && !l.Base.IsZero() && !d.Firmware.IsZero() && l.Base.Uint32() == d.Firmware.Uint32()
	})}
	full := f.full()
	w.ask = p.stale(d) && slices.ContainsFunc(f.lanes, func(l *Lane) bool { return l != nil && !l.Base.IsZero() })
	if w.block = w.runs; w.ask && full >= 0 || w.block < 0 {
		w.block = full
	}
	switch {
	case w.ask || w.block >= 0:
		return w, ReasonNone, ""
	case p.direct:
		return w, ReasonWrongBase, fmt.Sprintf("the device runs %s, and the delta is for %s", d.Firmware, p.File.BaseVersion)
	case f.err != nil:
		return w, ReasonDecoder, f.err.Error()
	}
	return w, ReasonNoDelta, fmt.Sprintf("there is no delta from %s to %s", d.Firmware, p.File.Version)
}

// stale tells if what a device runs must be asked before a delta is sent to it.
func (p *planner) stale(d *fleet.Device) bool {
	return d.Firmware.IsZero() || d.FirmwareReported.IsZero() || p.At.Sub(d.FirmwareReported) > versionAge
}

// full returns the block that is no delta, or -1.
func (f *family) full() int {
	return slices.IndexFunc(f.lanes, func(l *Lane) bool { return l != nil && l.Base.IsZero() })
}

// deltas tells if one is sent to the family: what its devices run makes no difference else.
func (f *family) deltas(lanes []Lane) bool {
	return slices.ContainsFunc(f.sent, func(l int) bool { return l > 0 && !lanes[l-1].Base.IsZero() })
}

// countsAll tells if the devices of a family count fragments of all lanes as their own (Zephyr): beside others they would be
// taken for complete too soon. Such a group has one delta and nothing else, or the full image. Where only deltas are wanted,
// whoever wants that knows.
func (f *family) countsAll() bool {
	return f.profile.StatusStyle == fleet.StatusZephyr && f.full() >= 0
}

// offer is a delta that a family could be sent.
type offer struct {
	family *family
	block  int
	saves  int  // bytes, of all devices together
	must   bool // without it there is nothing for the family
}

// chooseLanes decides which blocks are sent to which families, group by group.
func (p *planner) chooseLanes() {
	for _, families := range p.inGroup {
		offers := p.offers(families)
		n := min(len(offers), maxLanes)
		for n > 0 && n+len(p.needFull(families, offers, n)) > maxLanes {
			n--
		}
		room := maxLanes
		if slices.ContainsFunc(families, (*family).countsAll) {
			if n+len(p.needFull(families, offers, n)) > 1 {
				n = 0
			} else {
				room = 1
			}
		}
		send := func(f *family, block int) {
			if f.sent[block] == 0 && f.lanes[block] != nil && room > 0 {
				room--
				lane := *f.lanes[block]
				lane.Group = families[0].at
				p.out.Spec.Lanes = append(p.out.Spec.Lanes, lane)
				f.sent[block] = len(p.out.Spec.Lanes)
				p.out.Material.Payloads[lane.Payload] = p.blocks[block].payload
			}
		}
		for _, f := range p.needFull(families, offers, n) {
			send(f, f.full())
		}
		for _, o := range offers[:n] {
			send(o.family, o.block)
		}
		for _, o := range offers[:n] { // nobody needs it by what is known, and somebody may turn out to
			if full := o.family.full(); full >= 0 {
				send(o.family, full)
			}
		}
		if p.out.Spec.Policy.Probe {
			p.sendOthers(families, send)
		}
	}
	delete(p.out.Material.Payloads, "") // of a campaign that sends nothing
}

// offers returns the deltas for some families, the one that saves most first.
func (p *planner) offers(families []*family) []offer {
	var offers []offer
	for _, f := range families {
		for i, lane := range f.lanes {
			if lane == nil || lane.Base.IsZero() || f.runs[i]+f.asks == 0 && !p.out.Spec.Policy.Probe {
				continue
			}
			offers = append(offers, offer{family: f, block: i, saves: f.runs[i] * (len(p.Payload) - lane.Size)})
		}
	}
	slices.SortStableFunc(offers, func(a, b offer) int {
		return cmp.Or(cmp.Compare(b.saves, a.saves), cmp.Compare(len(p.blocks[a.block].payload), len(p.blocks[b.block].payload)))
	})
	first := map[*family]bool{}
	for i := range offers {
		f := offers[i].family
		offers[i].must = f.full() < 0 && !first[f]
		first[f] = true
	}
	slices.SortStableFunc(offers, func(a, b offer) int {
		switch {
		case a.must == b.must:
			return 0
		case a.must:
			return -1
		}
		return 1
	})
	return offers
}

// needFull returns the families in which somebody needs the full image, or may need it, if the first n offers are taken.
func (p *planner) needFull(families []*family, offers []offer, n int) []*family {
	var need []*family
	for _, f := range families {
		full := f.full()
		if full < 0 {
			continue
		}
		deltas := slices.ContainsFunc(offers[:n], func(o offer) bool { return o.family == f })
		lost := slices.ContainsFunc(offers[n:], func(o offer) bool { return o.family == f && f.wanted[o.block] > 0 })
		if f.wanted[full] > 0 || f.asks > 0 || lost || deltas && p.out.Spec.Policy.Probe {
			need = append(need, f)
		}
	}
	return need
}

// sendOthers gives each lane, as far as there is room, a neighbour without devices for the other version of TS004:
// a probe may find that it is theirs.
func (p *planner) sendOthers(families []*family, send func(*family, int)) {
	for _, f := range families {
		key := f.key
		switch key.version {
		case lorawan.V1:
			key.version = lorawan.V2
		case lorawan.V2:
			key.version = lorawan.V1
		default:
			continue // nothing is sent
		}
		other := p.family(key, f.group, f.profile)
		for block, lane := range f.sent {
			if lane > 0 {
				send(other, block)
			}
		}
	}
}

// join puts each device into its lane.
func (p *planner) join() {
	for _, w := range p.wishes {
		lane := 0
		if w.block >= 0 {
			lane = w.family.sent[w.block]
		}
		if full := w.family.full(); lane == 0 && full >= 0 {
			lane = w.family.sent[full]
		}
		w.ask = w.ask && w.family.deltas(p.out.Spec.Lanes)
		if lane == 0 && w.ask {
			lane = w.family.sent[slices.IndexFunc(w.family.sent, func(l int) bool { return l > 0 })] // there is one: see offer.must
		}
		d := w.device
		if lane == 0 {
			p.exclude(d.DevEUI, ReasonNoLane, fmt.Sprintf("the device runs %s, and group %s has %d lanes for versions that more devices run", d.Firmware, w.family.key.group, maxLanes))
			continue
		}
		p.out.Material.RootKeys[d.DevEUI] = RootKey{d.RootKey, d.LoRaWANVersion}
		p.out.Spec.Devices = append(p.out.Spec.Devices, Member{DevEUI: d.DevEUI, Lane: lane - 1, Traits: w.traits, Ask: w.ask})
	}
}

// orderLanes puts the lanes of each group together, the older package version first, which gets the lower
// FragIndex because more stacks know that, and of one version the smallest block, which is through first.
func (p *planner) orderLanes() {
	old := p.out.Spec.Lanes
	order := make([]int, len(old))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(old[a].Group, old[b].Group), cmp.Compare(old[a].Version, old[b].Version), cmp.Compare(old[a].Size, old[b].Size))
	})
	at := make([]int, len(old))
	p.out.Spec.Lanes = make([]Lane, len(old))
	index := make([]uint8, len(p.out.Spec.Groups))
	for to, from := range order {
		at[from] = to
		lane := old[from]
		lane.FragIndex = index[lane.Group]
		index[lane.Group]++
		p.out.Spec.Lanes[to] = lane
	}
	for i := range p.out.Spec.Devices {
		p.out.Spec.Devices[i].Lane = at[p.out.Spec.Devices[i].Lane]
	}
}

// finishLanes fills in what depends on all devices being placed.
func (p *planner) finishLanes() {
	s := &p.out.Spec
	members, asked, ofKind := make([]int, len(s.Lanes)), make([]int, len(p.kinds)), make([][]uint8, len(p.kinds))
	for _, l := range s.Lanes {
		ofKind[l.Kind] = append(ofKind[l.Kind], l.FragIndex)
	}
	for i := range s.Devices {
		m := &s.Devices[i]
		members[m.Lane]++
		kind := s.Lanes[m.Lane].Kind
		if m.Ask || s.Policy.Probe {
			asked[kind]++
		}
		for _, index := range ofKind[kind] {
			if p.SessionCnt != nil {
				m.SessionCnts[index] = p.SessionCnt(m.DevEUI, index)
			}
		}
	}
	if s.Policy.FirstFragmentDelay == 0 {
		for _, t := range s.Traits {
			s.Policy.FirstFragmentDelay = max(s.Policy.FirstFragmentDelay, t.TimeTolerance)
		}
	}
	for i := range s.Lanes {
		l := &s.Lanes[i]
		l.BlockAckDelay = blockAckDelay(max(members[i], asked[l.Kind])) // who is asked may come
		g := &s.Groups[l.Group]
		g.FrameInterval = max(g.FrameInterval, frameInterval(g, int(l.FragSize)))
	}
}
