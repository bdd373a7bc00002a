package campaign_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// smallWorld is a fleet of two with default options.
func smallWorld(t *testing.T) world {
	t.Helper()
	o, err := parseWorld(nil)
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(o)
}

func TestBrokenSpecificationNeverStarts(t *testing.T) {
	for _, tc := range []struct {
		want   string
		change func(w *world)
	}{
		{"no device takes part", func(w *world) { w.spec.Devices = nil }},
		{"ascending order", func(w *world) {
			w.spec.Devices[0], w.spec.Devices[1] = w.spec.Devices[1], w.spec.Devices[0]
		}},
		{"lane or profile", func(w *world) { w.spec.Devices[1].Lane = 1 }},
		{"lane or profile", func(w *world) { w.spec.Devices[1].Traits = -1 }},
		{"no root key", func(w *world) { delete(w.material.RootKeys, devEUI(2)) }},
		{"no McKey", func(w *world) { delete(w.material.McKeys, groupEUI(1)) }},
		{"a group that is not there", func(w *world) { w.spec.Lanes[0].Group = 7 }},
		{"has 0 bytes, want 197", func(w *world) { w.material.Payloads = nil }},
	} {
		w := smallWorld(t)
		tc.change(&w)
		if _, err := campaign.New(w.spec, w.material); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("New: %v, want %q", err, tc.want)
		}
		if _, err := campaign.Load(w.spec, w.material, campaign.Header{}, nil, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Load: %v, want %q", err, tc.want)
		}
	}
}

func TestLoadWantsAllRows(t *testing.T) {
	w := smallWorld(t)
	for _, tc := range []struct{ devices, groups int }{{1, 1}, {2, 0}, {3, 1}} {
		_, err := campaign.Load(w.spec, w.material, campaign.Header{}, make([]campaign.Device, tc.devices), make([]campaign.Group, tc.groups))
		if err == nil || !strings.Contains(err.Error(), "its specification 2 and 1") {
			t.Errorf("%d devices, %d groups: %v", tc.devices, tc.groups, err)
		}
	}
}

func TestCampaignWaitsForItsStart(t *testing.T) {
	w := smallWorld(t)
	c, err := campaign.New(w.spec, w.material)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []campaign.Input{
		campaign.TimerFired{}, campaign.PauseRequested{By: "a"}, campaign.ResumeRequested{By: "a"}, campaign.Sent{ID: "x"},
		campaign.NotSent{ID: "x"}, campaign.Joined{DevEUI: devEUI(1)}, campaign.Heard{DevEUI: devEUI(1), At: base},
	} {
		out := c.Step(base, in)
		if len(out.Downlinks)+len(out.Events)+len(out.Devices)+len(out.Groups) != 0 || !out.WakeAt.IsZero() || c.Done() {
			t.Errorf("%s: %+v", in, out)
		}
	}
	if s := c.Header().Status; s != fleet.Configured {
		t.Errorf("status %s", s)
	}
}

func TestDownlinkIDsAreUniqueOverCampaigns(t *testing.T) {
	seen := make(map[string]string)
	for _, id := range []string{"c1", "c2", "c3"} {
		w := smallWorld(t)
		w.spec.ID = id
		c, err := campaign.New(w.spec, w.material)
		if err != nil {
			t.Fatal(err)
		}
		c.Step(base, campaign.Start{})
		for i := range w.spec.Devices {
			for _, d := range c.Step(base, campaign.Heard{DevEUI: devEUI(i + 1), At: base}).Downlinks {
				if other, ok := seen[d.ID]; ok || len(d.ID) != 16 {
					t.Errorf("ID %q of %s is that of campaign %q", d.ID, id, other)
				}
				seen[d.ID] = id
			}
		}
	}
}

// The keys of LoRaWAN 1.0 and 1.1 devices differ, and so must what they are sent.
func TestGroupKeyIsWrappedForTheRootKeyOfTheDevice(t *testing.T) {
	for _, v := range []fleet.LoRaWANVersion{fleet.LoRaWAN10, fleet.LoRaWAN11} {
		o, err := parseWorld([]string{"v2=2"})
		if err != nil {
			t.Fatal(err)
		}
		o.v11 = v == fleet.LoRaWAN11
		w := newWorld(o)
		c, err := campaign.New(w.spec, w.material)
		if err != nil {
			t.Fatal(err)
		}
		c.Step(base, campaign.Start{})
		out := c.Step(base, campaign.Heard{DevEUI: devEUI(1), At: base})
		root, integrity := multicast.McRootKey10, fragmentation.DataBlockIntKey10
		if o.v11 {
			root, integrity = multicast.McRootKey11, fragmentation.DataBlockIntKey11
		}
		key := w.material.RootKeys[devEUI(1)].Key
		req := out.Downlinks[0].Commands[0].(multicast.McGroupSetupReq)
		if got := multicast.UnwrapMcKey(multicast.McKEKey(root(key)), req.McKeyEncrypted); got != w.material.McKeys[groupEUI(1)] {
			t.Errorf("LoRaWAN %s: the device unwraps another McKey", v)
		}
		later := base.Add(time.Minute)
		out = c.Step(later, campaign.Heard{DevEUI: devEUI(1), At: later, Commands: []lorawan.Command{multicast.McGroupSetupAns{}}})
		setup := out.Downlinks[0].Commands[0].(fragmentation.FragSessionSetupReq)
		if want := fragmentation.DataBlockMIC(integrity(key), setup.SessionCnt, setup.FragIndex, setup.Descriptor, w.material.Payloads["block"]); setup.MIC != want {
			t.Errorf("LoRaWAN %s: MIC %x, the device computes %x", v, setup.MIC, want)
		}
	}
}

func TestUplinksAreReadAsTheProfileSays(t *testing.T) {
	t1 := campaign.Traits{
		Packages: fleet.Packages{ClockSync: 1, McSetup: 1, Fragmentation: 2, FirmwareMgmt: 1},
		Ports:    fleet.Ports{Fragmentation: 210},
	}
	wl55 := t1
	wl55.StatusStyle = fleet.StatusWL55v2
	bare, several := campaign.Traits{}, t1
	several.Packages.MultiPackage = lorawan.V1
	for _, tc := range []struct {
		name    string
		traits  campaign.Traits
		fPort   uint8
		payload []byte
		want    string // names of the commands
		fails   bool
	}{
		{"clock", t1, 202, []byte{0x01, 1, 2, 3, 4, 0x10}, "AppTimeReq", false},
		{"group", t1, 200, []byte{0x02, 0x00}, "McGroupSetupAns", false},
		{"fragmentation on its own port", t1, 210, []byte{0x02, 0x00, 0x04, 0x00}, "FragSessionSetupAns FragDataBlockReceivedReq", false},
		{"firmware", t1, 203, []byte{0x01, 1, 2, 3, 4, 0, 0, 0, 0}, "DevVersionAns", false},
		{"the default port of a package that has another", t1, 201, []byte{0x02, 0x00}, "", false},
		{"application data", t1, 7, []byte{0xff}, "", false},
		{"a package that the device does not have", bare, 200, []byte{0x02, 0x00}, "", false},
		{"multi-package access that the device does not have", t1, 225, []byte{0x82, 0x02, 0x00, 0x01}, "", false},
		{"multi-package access", several, 225, []byte{0x82, 0x02, 0x00, 0x83, 0x02, 0x40, 0x01}, "McGroupSetupAns FragSessionSetupAns", false},
		{"what was understood before an error counts", t1, 200, []byte{0x02, 0x00, 0x7f}, "McGroupSetupAns", true},
		{"the old byte order under a new version", wl55, 210, []byte{0x01, 100, 0, 3, 0}, "FragSessionStatusAns", false},
	} {
		commands, err := tc.traits.ParseUplink(tc.fPort, tc.payload)
		names := make([]string, 0, len(commands))
		for _, c := range commands {
			names = append(names, c.Name())
		}
		if got := strings.Join(names, " "); got != tc.want || (err != nil) != tc.fails {
			t.Errorf("%s: %q, %v, want %q", tc.name, got, err, tc.want)
		}
		if err != nil && !strings.Contains(err.Error(), "FPort 200") {
			t.Errorf("%s: %v does not say where", tc.name, err)
		}
	}
	commands, _ := wl55.ParseUplink(210, []byte{0x01, 100, 0, 3, 0})
	if ans := commands[0].(fragmentation.FragSessionStatusAns); ans.NbFragReceived != 100 || ans.MissingFrag != 3 {
		t.Errorf("WL55 version 2 answers %v", ans)
	}
}

func TestStagesHaveTheirNamesInStore(t *testing.T) {
	for s := campaign.StageNone; s <= campaign.StageDeleteGroup; s++ {
		text, err := json.Marshal(s)
		var again campaign.Stage
		if err != nil || json.Unmarshal(text, &again) != nil || again != s {
			t.Errorf("%s is stored as %s and read as %s, %v", s, text, again, err)
		}
	}
	var s campaign.Stage
	if err := s.UnmarshalText([]byte("Lunch")); err == nil || !strings.Contains(err.Error(), "Lunch") {
		t.Errorf("an unknown stage is read as %s, %v", s, err)
	}
}

func TestNamesOfStatesThatAreNotThere(t *testing.T) {
	for _, tc := range []struct{ got, want string }{
		{campaign.Stage(99).String(), "Stage(99)"}, {campaign.Phase(99).String(), "Phase(99)"},
		{campaign.Outcome(99).String(), "Outcome(99)"}, {campaign.GroupPhase(99).String(), "GroupPhase(99)"},
		{campaign.GroupPolling.String(), "polling"}, {campaign.PhaseHolding.String(), "holding"}, {campaign.Stopping.String(), "stopping"},
	} {
		if tc.got != tc.want {
			t.Errorf("%q, want %q", tc.got, tc.want)
		}
	}
}

func TestPrintedFormsNameEveryone(t *testing.T) {
	dev, group := devEUI(1), groupEUI(1)
	version := lorawan.PackageVersionReq{}
	for _, tc := range []struct{ got, want string }{
		{campaign.Downlink{DevEUI: dev, Commands: []lorawan.Command{version, version}, Attempt: 2}.String(),
			"server -> dev1 PackageVersionReq, PackageVersionReq try=2"},
		{campaign.Downlink{Group: group, Commands: []lorawan.Command{version}}.String(), "server => group1 PackageVersionReq"},
		{campaign.Event{Text: "t", Code: "c"}.String(), "campaign: t (c)"},
		{campaign.Event{Group: group, Text: "t", Code: "c"}.String(), "group group1: t (c)"},
		{campaign.Event{DevEUI: dev, Text: "t", Code: "c"}.String(), "dev1: t (c)"},
		{campaign.Heard{DevEUI: dev, FCnt: 7, FPort: 200, Commands: []lorawan.Command{version}}.String(), "uplink dev1 FCnt 7 FPort 200 PackageVersionReq"},
		{campaign.StopRequested{By: "alice"}.String(), "stop by alice"},
		{campaign.NotSent{ID: "1", Reason: "full"}.String(), "not sent 1: full"},
	} {
		if got := friendly(tc.got); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

// A session cannot be longer than its field can say; the campaign takes what there is.
func TestSessionsHaveALongestLength(t *testing.T) {
	o, err := parseWorld([]string{"type=BINARY", "frag=5000", "interval=60s"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(o)
	p := &player{t: t, world: w}
	if p.c, err = campaign.New(w.spec, w.material); err != nil {
		t.Fatal(err)
	}
	p.now, p.fCnt = base, map[lorawan.EUI64]uint32{}
	if err := p.do("start"); err != nil {
		t.Fatal(err)
	}
	if err := p.do("reach McSession"); err != nil {
		t.Fatal(err)
	}
	g := p.c.Group(0)
	if g.TimeOut != 15 || g.SessionEnd.Sub(g.SessionTime) != 32768*time.Second {
		t.Errorf("TimeOut %d, session of %s", g.TimeOut, g.SessionEnd.Sub(g.SessionTime))
	}
}

func TestPrintingACampaignShowsNoKey(t *testing.T) {
	w := smallWorld(t)
	c, err := campaign.New(w.spec, w.material)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range w.material.McKeys {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if text := fmt.Sprintf(verb, c); !strings.HasPrefix(text, "campaign ") || strings.Contains(text, key.Hex()) || len(text) > 100 {
				t.Errorf("%s prints %.300s", verb, text)
			}
		}
	}
}

// What Plan and the machine itself rule out ends in a panic that says what is broken, and never in a frame.
func TestABrokenInvariantSaysWhichOne(t *testing.T) {
	for says, f := range map[string]func(*campaign.Campaign){
		"is not one of": func(c *campaign.Campaign) { c.At(campaign.StageRebootTime) },
		"asks nothing":  func(c *campaign.Campaign) { c.Ask(0, campaign.StageData) },
		"impossible":    func(*campaign.Campaign) { campaign.MustFail() },
	} {
		w := smallWorld(t)
		c, err := campaign.New(w.spec, w.material)
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, "broken invariant: ") || !strings.Contains(got, says) {
					t.Errorf("panic %q, want one with %q", got, says)
				}
			}()
			f(c)
		}()
	}
}
