package campaign_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// fleetOf returns a request for a firmware of 10,000 bytes to n devices of one profile
// over one class C group in Europe.
func fleetOf(n int) campaign.Request {
	r := campaign.Request{
		Campaign: fleet.Campaign{
			ID: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 90, MaxDuration: 24 * time.Hour,
		},
		File:    &fleet.File{Name: "fw", ProfileID: "p1", Version: fleet.MustParseFirmware("1.2.3.4")},
		Payload: bytes.Repeat([]byte{1, 2, 3, 4, 5}, 2000),
		Profiles: map[string]fleet.DeviceProfile{"p1": {
			ID: "p1", Name: "meter", Packages: fleet.Packages{ClockSync: 1, McSetup: 1, Fragmentation: 1, FirmwareMgmt: 1},
		}},
		Groups: []fleet.MulticastGroup{group(1)},
	}
	for i := range n {
		r.Devices = append(r.Devices, device(i+1))
	}
	return r
}

func group(n int) fleet.MulticastGroup {
	return fleet.MulticastGroup{
		DevEUI: groupEUI(n), McAddr: lorawan.DevAddr{0xff, 0, 0, byte(n)}, Band: region.EU868, Frequency: 869525000,
		DataRate: 3, SessionClass: fleet.ClassC, McKey: lorawan.AES128Key{byte(n)}, Redundancy: fleet.ThreeToFour, FCntDown: 77,
	}
}

func device(n int) fleet.Device {
	return fleet.Device{
		DevEUI: devEUI(n), Classes: fleet.ClassesOf(fleet.ClassC), RootKey: lorawan.AES128Key{byte(n), byte(n >> 8), 1}, ProfileID: "p1",
	}
}

// profileWith adds a profile "p2" to the request that differs as change says.
func profileWith(r *campaign.Request, change func(p *fleet.DeviceProfile)) {
	p := r.Profiles["p1"]
	p.ID, p.Name = "p2", "other"
	change(&p)
	r.Profiles["p2"] = p
}

func TestPlanMakesOneLaneOfOneKindOfDevice(t *testing.T) {
	r := fleetOf(3)
	p, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	s := p.Spec
	if len(s.Lanes) != 1 || len(s.Groups) != 1 || len(s.Devices) != 3 || len(s.Traits) != 1 || len(p.Excluded) != 0 {
		t.Fatalf("%d lanes, %d groups, %d devices, %d traits, excluded %v", len(s.Lanes), len(s.Groups), len(s.Devices), len(s.Traits), p.Excluded)
	}
	l := s.Lanes[0]
	limit, _ := region.EU868.MaxFragSize(3, region.Options{})
	if int(l.FragSize) > limit || int(l.NbFrag)*int(l.FragSize)-int(l.Padding) != l.Size || l.Size != len(r.Payload) {
		t.Errorf("lane %+v, data rate carries %d", l, limit)
	}
	if fec.WeakCount(l.Version, int(l.NbFrag)) {
		t.Errorf("NbFrag %d is weak", l.NbFrag)
	}
	if l.FPort != 201 || l.Version != lorawan.V1 || l.FragIndex != 0 || s.Firmware != r.File.Version {
		t.Errorf("lane %+v, firmware %08x", l, s.Firmware)
	}
	if tr := s.Traits[0]; tr.UplinkPeriod != fleet.DefaultUplinkPeriod || tr.TimeTolerance != fleet.DefaultTimeTolerance {
		t.Errorf("traits without defaults: %+v", tr)
	}
	// Fragment 1 is the one that a device whose clock is late would lose.
	if s.Policy.FirstFragmentDelay != fleet.DefaultTimeTolerance {
		t.Errorf("the first fragment follows %s after the start of the session", s.Policy.FirstFragmentDelay)
	}
	if s.Groups[0].FirstFCnt != 77 || s.Groups[0].FrameInterval < time.Second {
		t.Errorf("group %+v", s.Groups[0])
	}
	if _, err := campaign.New(s, p.Material); err != nil {
		t.Errorf("a plan cannot start: %v", err)
	}
}

func TestPlanExcludesWithAReason(t *testing.T) {
	for _, tc := range []struct {
		reason campaign.Reason
		change func(r *campaign.Request, d *fleet.Device)
	}{
		{campaign.ReasonArchived, func(_ *campaign.Request, d *fleet.Device) { d.Archived = true }},
		{campaign.ReasonNoProfile, func(_ *campaign.Request, d *fleet.Device) { d.ProfileID = "" }},
		{campaign.ReasonNoKey, func(_ *campaign.Request, d *fleet.Device) { d.RootKey = lorawan.AES128Key{} }},
		{campaign.ReasonBusy, func(r *campaign.Request, d *fleet.Device) {
			r.Busy = map[lorawan.EUI64]string{d.DevEUI: "c0"}
		}},
		{campaign.ReasonWrongHardware, func(r *campaign.Request, d *fleet.Device) {
			profileWith(r, func(*fleet.DeviceProfile) {})
			d.ProfileID = "p2"
		}},
		{campaign.ReasonUpToDate, func(r *campaign.Request, d *fleet.Device) { d.Firmware = r.File.Version }},
		{campaign.ReasonNoPackage, func(r *campaign.Request, d *fleet.Device) {
			profileWith(r, func(p *fleet.DeviceProfile) { p.Packages.McSetup = 0 })
			d.ProfileID, r.File.ProfileID = "p2", ""
		}},
		{campaign.ReasonNoPackage, func(r *campaign.Request, d *fleet.Device) {
			profileWith(r, func(p *fleet.DeviceProfile) { p.Packages.Fragmentation = 0 })
			d.ProfileID, r.File.ProfileID = "p2", ""
		}},
		{campaign.ReasonNoPackage, func(r *campaign.Request, d *fleet.Device) {
			profileWith(r, func(p *fleet.DeviceProfile) { p.Packages.FirmwareMgmt = 0 })
			d.ProfileID, r.File.ProfileID = "p2", ""
		}},
		{campaign.ReasonNoGroup, func(_ *campaign.Request, d *fleet.Device) { d.Classes = fleet.ClassesOf(fleet.ClassB) }},
		{campaign.ReasonNoGroup, func(_ *campaign.Request, d *fleet.Device) { d.Band = region.US915 }},
		{campaign.ReasonDecoder, func(r *campaign.Request, d *fleet.Device) {
			profileWith(r, func(p *fleet.DeviceProfile) { p.Decoder = fleet.Decoder{MaxNbFrag: 21, MaxFragSize: 50} })
			d.ProfileID, r.File.ProfileID = "p2", ""
		}},
	} {
		r := fleetOf(3)
		tc.change(&r, &r.Devices[1])
		p, err := campaign.Plan(r)
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
			continue
		}
		if len(p.Excluded) != 1 || p.Excluded[0].DevEUI != devEUI(2) || p.Excluded[0].Reason != tc.reason || p.Excluded[0].Detail == "" {
			t.Errorf("%s: excluded %+v", tc.reason, p.Excluded)
		}
		if len(p.Spec.Devices) != 2 {
			t.Errorf("%s: %d devices take part", tc.reason, len(p.Spec.Devices))
		}
	}
}

func TestPlanIsBlockedWithAHint(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(r *campaign.Request)
		hint   string
	}{
		{"no file", func(r *campaign.Request) { r.File = nil }, "upload"},
		{"an empty file", func(r *campaign.Request) { r.Payload = nil }, "upload"},
		{"firmware without a version", func(r *campaign.Request) { r.File.Version = fleet.Firmware{} }, "set the version"},
		{"an ELF file", func(r *campaign.Request) { copy(r.Payload, "\x7fELF") }, "objcopy -O binary and upload that as a new file (blocked.image_format)"},
		{"a HEX file", func(r *campaign.Request) { copy(r.Payload, ":020000040800F2\n") }, "Intel HEX"},
		{"no group", func(r *campaign.Request) { r.Groups = nil }, "multicast group"},
		{"an archived group", func(r *campaign.Request) { r.Groups[0].Archived = true }, "no_group"},
		{"no device", func(r *campaign.Request) { r.Devices = nil }, "empty"},
		{"only devices without a key", func(r *campaign.Request) {
			for i := range r.Devices {
				r.Devices[i].RootKey = lorawan.AES128Key{}
			}
		}, "3 of them excluded.no_key"},
		{"a file that is too large", func(r *campaign.Request) { r.Payload = make([]byte, 4<<20) }, "decoder_too_small"},
		{"fragments that the data rate cannot carry", func(r *campaign.Request) { r.Campaign.Policy.FragSize = 250 }, "does not fit DR3"},
		{"a data rate that does not exist", func(r *campaign.Request) { r.Groups[0].DataRate = 14 }, "choose another data rate"},
	} {
		r := fleetOf(3)
		tc.change(&r)
		_, err := campaign.Plan(r)
		if !errors.Is(err, campaign.ErrBlocked) || !strings.Contains(err.Error(), tc.hint) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.hint)
		}
	}
}

func TestBlockersHaveACode(t *testing.T) {
	r := fleetOf(1)
	copy(r.Payload, "\x7fELF")
	_, err := campaign.Plan(r)
	var blocked *campaign.Blocked
	if !errors.As(err, &blocked) || blocked.Reason != campaign.ReasonImageFormat {
		t.Errorf("%v", err)
	}
	// A device that is sent a file may well be a debugger's: only firmware must run.
	r.Campaign.Type, r.File.Type = fleet.BinaryCampaign, fleet.BinaryFile
	if _, err := campaign.Plan(r); err != nil {
		t.Error(err)
	}
}

func TestEachDescriptorIsALaneOfItsOwn(t *testing.T) {
	r := fleetOf(4)
	r.File.ProfileID = ""
	profileWith(&r, func(p *fleet.DeviceProfile) { p.Descriptor, _ = fleet.ParseDescriptorTemplate("version-be") })
	r.Devices[3].ProfileID = "p2"
	p, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	got := map[[4]byte]int{}
	for _, d := range p.Spec.Devices {
		got[p.Spec.Lanes[d.Lane].Descriptor]++
	}
	if len(p.Spec.Lanes) != 2 || got[[4]byte{1, 2, 3, 4}] != 3 || got[[4]byte{4, 3, 2, 1}] != 1 {
		t.Errorf("%v", got)
	}
	// The file's own is the same for all.
	r.File.Descriptor = [4]byte{7}
	if p, err := campaign.Plan(r); err != nil || len(p.Spec.Lanes) != 1 || p.Spec.Lanes[0].Descriptor != r.File.Descriptor {
		t.Errorf("%v, %v", p.Spec.Lanes, err)
	}
}

func TestPlanDoesNotDependOnTheOrderOfItsInput(t *testing.T) {
	r := fleetOf(50)
	profileWith(&r, func(p *fleet.DeviceProfile) { p.Packages.Fragmentation = 2 })
	r.File.ProfileID = ""
	r.Groups = append(r.Groups, group(3), group(2))
	r.Groups[1].SessionClass = fleet.ClassB
	r.Groups[1].PingSlotPeriodicity = 3
	for i := range r.Devices {
		switch i % 5 {
		case 1:
			r.Devices[i].ProfileID = "p2"
		case 2:
			r.Devices[i].Classes = fleet.ClassesOf(fleet.ClassB)
		case 3:
			r.Devices[i].RootKey = lorawan.AES128Key{}
		}
	}
	var want []byte
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		again := r
		again.Devices, again.Groups = slices.Clone(r.Devices), slices.Clone(r.Groups)
		rnd.Shuffle(len(again.Devices), func(i, j int) { again.Devices[i], again.Devices[j] = again.Devices[j], again.Devices[i] })
		rnd.Shuffle(len(again.Groups), func(i, j int) { again.Groups[i], again.Groups[j] = again.Groups[j], again.Groups[i] })
		first := again.Devices[0].DevEUI
		p, err := campaign.Plan(again)
		if err != nil {
			t.Fatal(err)
		}
		if again.Devices[0].DevEUI != first {
			t.Fatal("Plan reorders the devices of its caller")
		}
		have := mustJSON(struct {
			Spec     campaign.Spec
			Excluded []campaign.Excluded
		}{p.Spec, p.Excluded})
		if want == nil {
			want = have
		}
		if !bytes.Equal(have, want) {
			t.Fatalf("seed %d: %s\nbefore: %s", seed, have, want)
		}
	}
}

func TestPlanKeepsVersionsApart(t *testing.T) {
	r := fleetOf(4)
	profileWith(&r, func(p *fleet.DeviceProfile) {
		p.Packages.Fragmentation = 2
		p.Ports.Fragmentation = 210
		p.DefaultUplinkPeriod = 5 * time.Minute
	})
	r.File.ProfileID = ""
	r.Devices[0].ProfileID = "p2" // the first device decides nothing
	var asked []uint8
	r.SessionCnt = func(_ lorawan.EUI64, index uint8) uint16 {
		asked = append(asked, index)
		return 40
	}
	p, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	lanes := p.Spec.Lanes
	if len(lanes) != 2 || lanes[0].Version != lorawan.V1 || lanes[0].FragIndex != 0 || lanes[1].Version != lorawan.V2 || lanes[1].FragIndex != 1 {
		t.Fatalf("lanes %+v: the older version has the lower FragIndex", lanes)
	}
	if lanes[0].FPort != 201 || lanes[1].FPort != 210 {
		t.Errorf("FPorts %d and %d", lanes[0].FPort, lanes[1].FPort)
	}
	for i, m := range p.Spec.Devices {
		wantLane := 0
		if i == 0 {
			wantLane = 1
		}
		if m.Lane != wantLane || m.SessionCnts[lanes[wantLane].FragIndex] != 40 {
			t.Errorf("device %d: %+v", i, m)
		}
	}
	if slices.Compare(asked, []uint8{1, 0, 0, 0}) != 0 {
		t.Errorf("SessionCnt asked for FragIndex %v", asked)
	}
}

func TestPlanHasFourLanesPerGroup(t *testing.T) {
	r := fleetOf(5)
	r.File.ProfileID = ""
	for i := range r.Devices {
		p := r.Profiles["p1"]
		p.ID = string(rune('a' + i))
		p.Decoder = fleet.Decoder{MaxFragSize: uint8(100 + i), FragSizeMultiple: 4}
		r.Profiles[p.ID] = p
		r.Devices[i].ProfileID = p.ID
	}
	p, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Spec.Lanes) != 4 || len(p.Excluded) != 1 || p.Excluded[0].Reason != campaign.ReasonNoLane {
		t.Errorf("%d lanes, excluded %+v: FragIndex tells four sessions apart", len(p.Spec.Lanes), p.Excluded)
	}
	for _, l := range p.Spec.Lanes {
		if l.FragSize%4 != 0 {
			t.Errorf("FragSize %d is no multiple of 4", l.FragSize)
		}
	}
}

func TestPlanChoosesRedundancy(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy fleet.CampaignPolicy
		group  fleet.Redundancy
		want   fleet.RedundancyMode
		coded  func(l campaign.Lane) bool
	}{
		{"fixed", fleet.CampaignPolicy{Redundancy: fleet.FixedRedundancy}, fleet.ThreeToFour, fleet.FixedRedundancy,
			func(l campaign.Lane) bool {
				return int(l.Coded) == fleet.ThreeToFour.Coded(int(l.NbFrag)) && l.MaxCoded == 0
			}},
		{"fixed at none is the carousel", fleet.CampaignPolicy{Redundancy: fleet.FixedRedundancy}, fleet.NoRedundancy, fleet.Carousel,
			func(l campaign.Lane) bool { return l.Coded == 0 && l.MaxCoded == 0 }},
		{"carousel", fleet.CampaignPolicy{Redundancy: fleet.Carousel}, fleet.OneToTwo, fleet.Carousel,
			func(l campaign.Lane) bool { return l.Coded == 0 && l.MaxCoded == 0 }},
		{"adaptive", fleet.CampaignPolicy{MaxCodedPercent: 50}, fleet.OneToTwo, fleet.AdaptiveRedundancy,
			func(l campaign.Lane) bool { return l.Coded == 0 && l.MaxCoded == l.NbFrag/2+20 }},
	} {
		r := fleetOf(2)
		r.Campaign.Policy, r.Groups[0].Redundancy = tc.policy, tc.group
		p, err := campaign.Plan(r)
		if err != nil {
			t.Fatal(err)
		}
		if l := p.Spec.Lanes[0]; l.Redundancy != tc.want || !tc.coded(l) {
			t.Errorf("%s: %+v", tc.name, l)
		}
	}
}

func TestFragmentNumbersStayWithin14Bits(t *testing.T) {
	r := fleetOf(1)
	r.Payload = make([]byte, 16000*20)
	r.Campaign.Policy = fleet.CampaignPolicy{FragSize: 20, MaxCodedPercent: 1000}
	for _, mode := range []fleet.RedundancyMode{fleet.AdaptiveRedundancy, fleet.FixedRedundancy} {
		r.Campaign.Policy.Redundancy, r.Groups[0].Redundancy = mode, fleet.OneToTwo
		p, err := campaign.Plan(r)
		if err != nil {
			t.Fatal(err)
		}
		if l := p.Spec.Lanes[0]; int(l.NbFrag)+int(max(l.Coded, l.MaxCoded)) > fec.MaxFragments {
			t.Errorf("%s: %+v", mode, l)
		}
	}
}

func TestPlanForGroupsOnly(t *testing.T) {
	r := fleetOf(2)
	r.Campaign.Type, r.File, r.Payload = fleet.MCGroupCampaign, nil, nil
	profileWith(&r, func(p *fleet.DeviceProfile) { p.Packages = fleet.Packages{McSetup: 2} })
	r.Devices[1].ProfileID = "p2"
	p, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Spec.Lanes) != 1 || len(p.Spec.Devices) != 2 || len(p.Material.Payloads) != 0 {
		t.Errorf("%+v", p.Spec)
	}
	if _, err := campaign.New(p.Spec, p.Material); err != nil {
		t.Error(err)
	}
}

func TestFileOverridesProfile(t *testing.T) {
	p := fleet.DeviceProfile{DefaultUplinkPeriod: time.Hour, TimeTolerance: time.Second, RebootsItself: true}
	if tr := campaign.TraitsOf(p, nil); tr.UplinkPeriod != time.Hour || tr.TimeTolerance != time.Second || !tr.RebootsItself {
		t.Errorf("profile alone: %+v", tr)
	}
	f := &fleet.File{DefaultUplinkPeriod: 2 * time.Hour, TimeTolerance: 3 * time.Second}
	if tr := campaign.TraitsOf(p, f); tr.UplinkPeriod != 2*time.Hour || tr.TimeTolerance != 3*time.Second {
		t.Errorf("with file: %+v", tr)
	}
}

func TestAnswersAreSpreadAsTheReferenceServerDoes(t *testing.T) {
	// n/16+1 seconds, at most 128, in the next power of two of 16 s.
	for _, tc := range []struct {
		devices int
		want    uint8
	}{{0, 0}, {1, 0}, {240, 0}, {241, 1}, {496, 1}, {497, 2}, {1008, 2}, {1009, 3}, {2032, 3}, {100_000, 3}} {
		if got := campaign.BlockAckDelay(tc.devices); got != tc.want {
			t.Errorf("%d devices: BlockAckDelay %d, want %d", tc.devices, got, tc.want)
		}
	}
}

func TestFramesAreExpectedAtThePaceOfTheRadio(t *testing.T) {
	interval := func(change func(g *fleet.MulticastGroup, d *fleet.Device)) time.Duration {
		r := fleetOf(1)
		change(&r.Groups[0], &r.Devices[0])
		p, err := campaign.Plan(r)
		if err != nil {
			t.Fatal(err)
		}
		return p.Spec.Groups[0].FrameInterval
	}
	tenth := interval(func(*fleet.MulticastGroup, *fleet.Device) {}) // 869.525 MHz: 10 %
	hundredth := interval(func(g *fleet.MulticastGroup, _ *fleet.Device) { g.Frequency = 868100000 })
	if ratio := float64(hundredth) / float64(tenth); ratio < 9.9 || ratio > 10.1 {
		t.Errorf("one frame per %s at 10 %% and %s at 1 %% duty cycle", tenth, hundredth)
	}
	slots := interval(func(g *fleet.MulticastGroup, d *fleet.Device) {
		g.SessionClass, g.PingSlotPeriodicity, d.Classes = fleet.ClassB, 7, fleet.ClassesOf(fleet.ClassB)
	})
	if slots != 128*time.Second {
		t.Errorf("one frame per %s with a ping slot every 128 s", slots)
	}
	free := interval(func(g *fleet.MulticastGroup, _ *fleet.Device) {
		g.Band, g.Frequency, g.DataRate = region.US915, 923300000, 8
	})
	if free > 3*time.Second {
		t.Errorf("one frame per %s where no duty cycle holds", free)
	}
}

func TestSpecSurvivesJSON(t *testing.T) {
	r := fleetOf(2)
	r.Campaign.RebootAt = base
	p, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	text := mustJSON(p.Spec)
	var again campaign.Spec
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if have := mustJSON(again); !bytes.Equal(have, text) {
		t.Errorf("%s\nbecomes %s", text, have)
	}
	if bytes.Contains(text, []byte("key")) {
		t.Errorf("keys are stored: %s", text)
	}
}

// A group whose data rate the band does not have sends slowly at worst; what a campaign without a block
// would send in it is for the network server to refuse.
func TestAnUnknownDataRateIsTakenForTheSlowest(t *testing.T) {
	r := fleetOf(1)
	r.Campaign.Type, r.File, r.Payload = fleet.MCGroupCampaign, nil, nil
	r.Groups[0].DataRate = 15
	p, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Spec.Groups[0].FrameInterval; got != 40*time.Second {
		t.Errorf("a frame each %s, want 40s: 4 s of air in a sub-band with a duty cycle of 10 %%", got)
	}
}

// A probe may find that a device has another version of TS004 than its profile: there is a lane for it then, if
// FragIndex has room, which costs nothing as long as it has no devices.
func TestPlanOfAProbeHasLanesForTheOtherVersion(t *testing.T) {
	r := fleetOf(20)
	plain, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	r.Campaign.Policy.Probe = true
	r.SessionCnt = func(_ lorawan.EUI64, index uint8) uint16 { return 10 + uint16(index) }
	p, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	l := p.Spec.Lanes
	if len(plain.Spec.Lanes) != 1 || len(l) != 2 || l[0].Version != lorawan.V1 || l[1].Version != lorawan.V2 || l[1].FragIndex != 1 || l[1].Size != l[0].Size || l[1].Payload != l[0].Payload || l[1].BlockAckDelay != l[0].BlockAckDelay {
		t.Fatalf("%+v", l)
	}
	if m := p.Spec.Devices[3]; m.Lane != 0 || m.SessionCnts != [4]uint16{10, 11} {
		t.Errorf("%+v", m)
	}
	// A session needs no longer window than without: nobody is in that lane.
	shortest := func(probe bool) int {
		r := r
		r.Campaign.Policy.Probe = probe
		for minutes := 1; ; minutes++ {
			w, err := fleet.ParseWindow(fmt.Sprintf("00:00-%02d:%02d", minutes/60, minutes%60))
			if err != nil {
				t.Fatal(err)
			}
			r.Campaign.Schedule.Windows = []fleet.Window{w}
			if _, err := campaign.Plan(r); err == nil {
				return minutes
			}
		}
	}
	if with, without := shortest(true), shortest(false); with != without || with < 2 {
		t.Errorf("a window of %d minutes with a probe, %d without", with, without)
	}
	// Where both versions are, there is nothing to add; where there are four kinds, there is no room.
	for n := range 3 {
		profileWith(&r, func(p *fleet.DeviceProfile) {
			p.Packages.Fragmentation = lorawan.V2
			p.Decoder.MaxNbFrag = uint16(900 + n)
		})
		other := r.Profiles["p2"]
		other.ID = string(rune('x' + n))
		r.Profiles[other.ID] = other
		r.File.ProfileID = ""
		r.Devices[n].ProfileID = other.ID
	}
	if p, err = campaign.Plan(r); err != nil || len(p.Spec.Lanes) != 4 {
		t.Errorf("%+v, %v", p.Spec.Lanes, err)
	}
	// A group campaign sends nothing.
	r.Campaign.Type, r.File, r.Payload = fleet.MCGroupCampaign, nil, nil
	if p, err = campaign.Plan(r); err != nil || len(p.Spec.Lanes) != 1 {
		t.Errorf("%+v, %v", p.Spec.Lanes, err)
	}
}
