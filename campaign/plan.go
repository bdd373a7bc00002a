package campaign

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
)

// ErrBlocked means that a campaign cannot start as it is configured. The errors that
// wrap it say what to change.
var ErrBlocked = errors.New("blocked")

// Blocked is an ErrBlocked of Plan with its stable code.
type Blocked struct {
	Reason Reason
	Text   string // what to change
}

// Error returns "blocked: text (code)".
func (b *Blocked) Error() string { return fmt.Sprintf("%v: %s (%s)", ErrBlocked, b.Text, b.Reason) }

// Is makes errors.Is(err, ErrBlocked) true.
func (b *Blocked) Is(target error) bool { return target == ErrBlocked }

func blocked(reason Reason, format string, args ...any) error {
	return &Blocked{reason, fmt.Sprintf(format, args...)}
}

// Reasons why a campaign does not start.
const (
	ReasonNoContent   Reason = "blocked.no_content"
	ReasonNoVersion   Reason = "blocked.no_version"
	ReasonImageFormat Reason = "blocked.image_format"
	ReasonNoGroups    Reason = "blocked.no_group"
	ReasonNoDevices   Reason = "blocked.no_device"
)

// Request is what Plan plans from: the campaign and the part of the fleet that it names.
type Request struct {
	Campaign fleet.Campaign
	File     *fleet.File // nil for MCGROUP
	Payload  []byte      // the bytes of File
	// Deltas lead to File, a full image, from other versions: each has its version and device profile, and a format
	// that the profile names. Of several from one version, the smallest is taken.
	Deltas     []Delta
	At         time.Time // when the campaign starts: what a device has told is as old as that
	Devices    []fleet.Device
	Profiles   map[string]fleet.DeviceProfile // by ID
	Groups     []fleet.MulticastGroup
	Busy       map[lorawan.EUI64]string // devices of running campaigns, and whose they are
	NextChance bool                     // the network can: see Spec.NextChance
	// SessionCnt returns the next TS004 v2 counter of a device and FragIndex; nil: all new.
	SessionCnt func(dev lorawan.EUI64, fragIndex uint8) uint16
}

// Delta is a delta file with its bytes.
type Delta struct {
	File    fleet.File
	Payload []byte
}

// Excluded is a device that the campaign names and that does not take part.
type Excluded struct {
	DevEUI lorawan.EUI64 `json:"dev_eui"`
	Reason Reason        `json:"reason"`
	Detail string        `json:"detail"`
}

// Reasons why a device does not take part.
const (
	ReasonArchived      Reason = "excluded.archived"
	ReasonNoProfile     Reason = "excluded.no_profile"
	ReasonWrongHardware Reason = "excluded.wrong_hardware"
	ReasonUpToDate      Reason = "excluded.up_to_date"
	ReasonNoKey         Reason = "excluded.no_key"
	ReasonNoPackage     Reason = "excluded.no_package"
	ReasonNoGroup       Reason = "excluded.no_group"
	ReasonBusy          Reason = "excluded.busy"
	ReasonDecoder       Reason = "excluded.decoder_too_small"
	ReasonNoLane        Reason = "excluded.no_lane"
	ReasonNoDelta       Reason = "excluded.no_delta"
	ReasonWrongBase     Reason = "excluded.wrong_base"
)

// Planned is a campaign that can start.
type Planned struct {
	Spec     Spec
	Material Material
	Excluded []Excluded // ascending by DevEUI
}

// Plan turns a campaign and its fleet into lanes:
//
//	devices ── excluded, with a reason each
//	   │
//	   └─ group (class and band fit) ── family (same TS004 version, port, decoder and descriptor)
//	                                      └─ lane (same block: a delta from what they run, or the full image)
//	                                            └─ FragSize, NbFrag off the weak counts
//
// It returns an error that wraps ErrBlocked if nothing could be sent at all.
func Plan(r Request) (Planned, error) {
	c := &r.Campaign
	p := &planner{
		Request: r, groups: map[lorawan.EUI64]int{}, families: map[familyKey]*family{}, kinds: map[familyKey]int{}, traits: map[Traits]int{},
	}
	p.out.Material = Material{
		RootKeys: map[lorawan.EUI64]RootKey{}, McKeys: map[lorawan.EUI64]lorawan.AES128Key{}, Payloads: map[string][]byte{},
	}
	p.out.Spec = Spec{
		ID: c.ID, Type: c.Type, Threshold: c.SuccessThreshold, MaxDuration: c.MaxDuration,
		SessionStart: c.SessionStart, RebootAt: c.RebootAt, NextChance: r.NextChance, Policy: c.Policy.WithDefaults(),
		Phases: c.Phases, Abort: c.Abort,
	}
	if !c.Schedule.IsZero() {
		p.out.Spec.Schedule = c.Schedule.WithDefaults()
	}
	switch {
	case c.CatchUp.Rounds > 0:
		p.out.Spec.CatchUp = c.CatchUp.WithDefaults()
	case c.CatchUp.Rounds == 0 && c.Type != fleet.MCGroupCampaign && c.RebootAt.IsZero():
		p.out.Spec.CatchUp = secondChance
	}
	if err := p.checkFile(); err != nil {
		return Planned{}, err
	}
	p.findBlocks()
	if len(r.Groups) == 0 {
		return Planned{}, blocked(ReasonNoGroups, "its regions hold no multicast group: add one")
	}
	p.Groups, p.Devices = slices.Clone(p.Groups), slices.Clone(p.Devices) // the caller's stay as they are
	slices.SortFunc(p.Groups, func(a, b fleet.MulticastGroup) int { return a.DevEUI.Compare(b.DevEUI) })
	slices.SortFunc(p.Devices, func(a, b fleet.Device) int { return a.DevEUI.Compare(b.DevEUI) })
	for i := range p.Devices {
		if reason, detail := p.place(&p.Devices[i]); reason != ReasonNone {
			p.exclude(p.Devices[i].DevEUI, reason, detail)
		}
	}
	p.chooseLanes()
	p.join()
	slices.SortFunc(p.out.Excluded, func(a, b Excluded) int { return a.DevEUI.Compare(b.DevEUI) })
	if len(p.out.Spec.Devices) == 0 {
		return Planned{Excluded: p.out.Excluded}, blocked(ReasonNoDevices, "none of its %d devices can take part%s", len(p.Devices), p.commonReason())
	}
	p.orderLanes()
	p.finishLanes()
	assignWaves(c.ID, c.Phases, p.out.Spec.Devices)
	if err := p.out.Spec.checkWindows(); err != nil {
		return Planned{Excluded: p.out.Excluded}, err
	}
	return p.out, nil
}

type planner struct {
	Request
	out      Planned
	groups   map[lorawan.EUI64]int // into Spec.Groups
	traits   map[Traits]int        // into Spec.Traits
	blocks   []block               // full image first, then deltas in the order of their bases
	families map[familyKey]*family
	kinds    map[familyKey]int // without the version: Lane.Kind
	direct   bool              // the campaign names a delta itself
	inGroup  [][]*family       // of each of Spec.Groups
	wishes   []wish            // of the devices that can take part
}

func (p *planner) exclude(dev lorawan.EUI64, reason Reason, detail string) {
	p.out.Excluded = append(p.out.Excluded, Excluded{dev, reason, detail})
}

func (p *planner) checkFile() error {
	if p.Campaign.Type == fleet.MCGroupCampaign {
		return nil
	}
	if p.File == nil || len(p.Payload) == 0 {
		return blocked(ReasonNoContent, "its file has no bytes: upload the file that devices shall get")
	}
	if p.Campaign.Type == fleet.FOTACampaign {
		if p.File.Version.IsZero() {
			return blocked(ReasonNoVersion, "file %q has no firmware version, so no device could prove that it runs it: set the version", p.File.Name)
		}
		// The bytes themselves are asked, and not File.Format: that a file went unlooked at costs no device.
		if format := fleet.DetectFormat(p.Payload); !format.Installable() {
			return blocked(ReasonImageFormat, "file %q is %s, which no device can run: make a binary of it with objcopy -O binary and upload that as a new file",
				p.File.Name, format.About())
		}
	}
	p.out.Spec.Firmware = p.File.Version
	return nil
}

// commonReason names the reason of most exclusions.
func (p *planner) commonReason() string {
	count := map[Reason]int{}
	var most Excluded
	for _, e := range p.out.Excluded {
		if count[e.Reason]++; count[e.Reason] > count[most.Reason] {
			most = e
		}
	}
	if most.Reason == ReasonNone {
		return ": its device sets are empty"
	}
	return fmt.Sprintf(": %d of them %s (such as %s: %s)", count[most.Reason], most.Reason, most.DevEUI, most.Detail)
}

// place gives a device its lane, or the reason why it has none.
func (p *planner) place(d *fleet.Device) (Reason, string) {
	profile, ok := p.Profiles[d.ProfileID]
	profile.Packages = d.Packages.Over(profile.Packages)
	fota := p.Campaign.Type == fleet.FOTACampaign
	switch {
	case d.Archived:
		return ReasonArchived, "the device is archived"
	case !ok:
		return ReasonNoProfile, "the device has no profile: nothing is known of its packages"
	case d.RootKey.IsZero():
		return ReasonNoKey, "the device has no GenAppKey or AppKey: the McKey cannot be wrapped for it"
	case p.Busy[d.DevEUI] != "":
		return ReasonBusy, "campaign " + p.Busy[d.DevEUI] + " is running on it"
	case p.File != nil && p.File.ProfileID != "" && p.File.ProfileID != d.ProfileID:
		return ReasonWrongHardware, fmt.Sprintf("the file is for another device profile than %q", profile.Name)
	case fota && !d.Firmware.IsZero() && d.Firmware.Uint32() == p.File.Version.Uint32():
		return ReasonUpToDate, "the device runs " + d.Firmware.String() + " already"
	}
	if missing := missingPackage(profile.Packages, p.Campaign.Type); missing != "" {
		return ReasonNoPackage, "the device profile has no " + missing
	}
	group := slices.IndexFunc(p.Groups, func(g fleet.MulticastGroup) bool { return fits(d, &g) })
	if group < 0 {
		return ReasonNoGroup, fmt.Sprintf("no multicast group of the campaign's regions has class %s and the band of the device", d.Classes)
	}
	return p.wish(d, &p.Groups[group], profile)
}

func missingPackage(v fleet.Packages, t fleet.CampaignType) string {
	switch {
	case v.McSetup == 0:
		return lorawan.McSetup.String()
	case t != fleet.MCGroupCampaign && v.Fragmentation == 0:
		return lorawan.Fragmentation.String()
	case t == fleet.FOTACampaign && v.FirmwareMgmt == 0:
		return lorawan.FirmwareMgmt.String()
	}
	return ""
}

// fits tells if a device can listen to a group. The first group that fits is taken, in
// the order of DevEUI: one group per device, as the reference server and most stacks have it.
func fits(d *fleet.Device, g *fleet.MulticastGroup) bool {
	return !g.Archived && d.Classes.Has(g.SessionClass) && (d.Band == 0 || d.Band == g.Band)
}

func (p *planner) traitsFor(profile fleet.DeviceProfile) int {
	t := TraitsOf(profile, p.File)
	t.UplinkPeriod = cmp.Or(t.UplinkPeriod, fleet.DefaultUplinkPeriod)
	t.TimeTolerance = cmp.Or(t.TimeTolerance, fleet.DefaultTimeTolerance)
	i, ok := p.traits[t]
	if !ok {
		i = len(p.out.Spec.Traits)
		p.traits[t] = i
		p.out.Spec.Traits = append(p.out.Spec.Traits, t)
	}
	return i
}

func (p *planner) groupFor(g *fleet.MulticastGroup) int {
	if i, ok := p.groups[g.DevEUI]; ok {
		return i
	}
	i := len(p.out.Spec.Groups)
	p.groups[g.DevEUI] = i
	p.out.Material.McKeys[g.DevEUI] = g.McKey
	p.out.Spec.Groups = append(p.out.Spec.Groups, GroupSpec{
		DevEUI: g.DevEUI, McAddr: g.McAddr, Class: g.SessionClass, Band: g.Band, Frequency: g.Frequency,
		DataRate: g.DataRate, Periodicity: uint8(g.PingSlotPeriodicity), FirstFCnt: g.FCntDown,
	})
	p.inGroup = append(p.inGroup, nil)
	return i
}

// cut decides fragment size and count of a lane for a block.
func (p *planner) cut(lane *Lane, b *block, g *fleet.MulticastGroup, d fleet.Decoder) error {
	limit, ok := g.Band.MaxFragSize(g.DataRate, region.Options{DwellTime400ms: g.DwellTime})
	if !ok {
		return fmt.Errorf("DR%d of %s cannot carry fragments: choose another data rate for group %s", g.DataRate, g.Band, g.DevEUI)
	}
	if f := int(p.Campaign.Policy.FragSize); f > 0 {
		if f > limit {
			return fmt.Errorf("fragment size %d does not fit DR%d of %s, which carries %d bytes", f, g.DataRate, g.Band, limit)
		}
		limit = f
	}
	if d.MaxFragSize > 0 {
		limit = min(limit, int(d.MaxFragSize))
	}
	opts := []fec.Option{
		fec.Within(fec.Limits{NbFrag: int(d.MaxNbFrag), FragSize: int(d.MaxFragSize), MinFragSize: int(d.MinFragSize), MaxLost: int(d.MaxLost)}),
	}
	if d.FragSizeMultiple > 1 {
		opts = append(opts, fec.MultipleOf(int(d.FragSizeMultiple)))
	}
	choice, err := fec.ChooseFragSize(lane.Version, len(b.payload), limit, opts...)
	if err != nil {
		return err
	}
	lane.FragSize, lane.NbFrag, lane.Padding = uint8(choice.FragSize), uint16(choice.NbFrag), uint8(choice.Padding)
	room := fec.MaxFragments - choice.NbFrag
	lane.Redundancy = p.out.Spec.Policy.Redundancy
	switch lane.Redundancy {
	case fleet.FixedRedundancy:
		lane.Coded = uint16(min(g.Redundancy.Coded(choice.NbFrag), room))
		if lane.Coded == 0 {
			lane.Redundancy = fleet.Carousel
		}
	case fleet.AdaptiveRedundancy:
		// Small blocks lose whole multiples of what a percentage would allow.
		lane.MaxCoded = uint16(min(choice.NbFrag*int(p.out.Spec.Policy.MaxCodedPercent)/100+20, room))
	}
	lane.Payload, lane.Size = b.sum, len(b.payload)
	return nil
}

// blockAckDelay spreads the answers of n devices over n/16+1 seconds, at most 128, as the
// reference server does.
func blockAckDelay(n int) uint8 {
	spread := min(time.Duration(n)*time.Second/16+time.Second, 128*time.Second)
	return must(fragmentation.BlockAckDelay(spread)) // 128 s is within the range
}

// fragmentOverhead is what DataFragment adds to the data: CID and Index&N.
const fragmentOverhead = 3

// frameInterval estimates how often a fragment can go out in a group: its air time over
// the duty cycle of its sub-band, or the ping period if that is longer.
func frameInterval(g *GroupSpec, fragSize int) time.Duration {
	airtime, ok := g.Band.DownlinkAirtime(g.DataRate, fragSize+fragmentOverhead)
	if !ok {
		airtime = 4 * time.Second // slower than any LoRa frame
	}
	interval := airtime
	if sub, ok := g.Band.SubBand(g.Frequency); ok && sub.Limited() {
		interval = time.Duration(float64(airtime) / sub.DutyCycle)
	}
	if g.Class == fleet.ClassB {
		interval = max(interval, multicast.PingPeriod(g.Periodicity))
	}
	return interval
}
