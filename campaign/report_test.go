package campaign_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// story plays commands and returns the campaign after them.
func story(t *testing.T, options string, commands ...string) *player {
	t.Helper()
	p := &player{t: t}
	for _, line := range append([]string{"campaign " + options, "start"}, commands...) {
		if err := p.do(line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return p
}

// report is what a store would report of the campaign.
func (p *player) outcome() (campaign.Report, []campaign.Evidence) {
	spec := p.c.Spec()
	devices, groups := make([]campaign.Device, len(spec.Devices)), make([]campaign.Group, len(spec.Groups))
	evidence := make([]campaign.Evidence, len(devices))
	for i := range devices {
		devices[i] = p.c.Device(i)
		evidence[i] = campaign.EvidenceOf(spec, i, &devices[i])
	}
	for g := range groups {
		groups[g] = p.c.Group(g)
	}
	return campaign.NewReport(spec, p.c.Header(), devices, groups), evidence
}

func TestReportSumsUpWhatIsStored(t *testing.T) {
	p := story(t, "devices=5 type=BINARY threshold=20 status-above=9 retries=1",
		"uplink dev1", "uplink dev2", "uplink dev3", "uplink dev5", "sent", "advance 10s",
		"uplink dev1 McGroupSetupAns", "uplink dev2 McGroupSetupAns", "uplink dev3 McGroupSetupAns IDError", "uplink dev5 McGroupSetupAns",
		"sent", "advance 20s",
		"uplink dev1 FragSessionSetupAns", "advance 10s", "uplink dev2 FragSessionSetupAns", "exclude dev5",
		"reach FragSessionStatus without dev4",
		"sent", "advance 5s",
		"uplink dev1 FragSessionStatusAns NbFragReceived=16 MissingFrag=4", "uplink dev2 FragSessionStatusAns NbFragReceived=20",
		"run group1", "sent", "advance 5s", "uplink dev1 FragSessionStatusAns NbFragReceived=20", "reach end without dev4")
	r, evidence := p.outcome()
	if r.Status != fleet.Succeeded || r.Devices != 5 || r.Verified != 2 || r.Failed != 2 || r.Excluded != 1 || r.Active != 0 || r.Stopped != 0 || r.Duration <= 0 {
		t.Errorf("%+v", r)
	}
	sum := sha256.Sum256([]byte(devEUI(1).String() + "\n" + devEUI(2).String() + "\n"))
	if r.VerifiedDigest != hex.EncodeToString(sum[:]) {
		t.Errorf("digest %s", r.VerifiedDigest)
	}
	want := []campaign.Failure{
		{Reason: campaign.ReasonNoUplink, Count: 1, Devices: []lorawan.EUI64{devEUI(4)}},
		{Reason: campaign.ReasonGroupIDRefused, Count: 1, Devices: []lorawan.EUI64{devEUI(3)}},
	}
	if !reflect.DeepEqual(r.Failures, want) {
		t.Errorf("failures %+v", r.Failures)
	}
	if s := r.Stages[0]; s.Stage != campaign.StageMcGroupSetup || s.Passed != 3 || s.P50 != 10 || s.Max != 10 {
		t.Errorf("first stage %+v", s)
	}
	// From the end of the first stage: 20 s for one, 30 s for the other.
	if s := r.Stages[1]; s.Passed != 2 || s.P50 != 20 || s.P90 != 30 || s.P99 != 30 || s.Max != 30 {
		t.Errorf("second stage %+v", s)
	}
	lane := campaign.LaneReport{Size: 197, Devices: 5, Verified: 2, NbFrag: 20, FragSize: 10, Sent: 29, Coded: 9, Rounds: 2, WorstMissing: 4, Needed: 25}
	if len(r.Groups) != 1 || r.Groups[0].Devices != 5 || r.Groups[0].Verified != 2 || r.Groups[0].Sessions != 1 || r.Groups[0].Frames != 29 ||
		!reflect.DeepEqual(r.Groups[0].Lanes, []campaign.LaneReport{lane}) {
		t.Errorf("groups %+v", r.Groups)
	}
	if r.Fragments != 29 || r.Coded != 9 || r.MulticastAirtime < 2.89 || r.MulticastAirtime > 2.91 || r.UnicastAirtime <= 0 || r.UnicastDownlinks <= r.Retries {
		t.Errorf("air %+v", r)
	}
	// Each outcome names the uplink that it rests on, or says that it rests on none.
	for i, e := range evidence {
		heard := e.Outcome == "verified" || e.Reason == campaign.ReasonGroupIDRefused
		if heard != !e.At.IsZero() || heard != (e.FCnt > 0) || e.Text == "" || e.Group != groupEUI(1) {
			t.Errorf("dev%d: %+v", i+1, e)
		}
	}
	if e := evidence[4]; e.Outcome != "excluded" || e.CleanUp != "confirmed" || e.Stage != campaign.StageFragSetup {
		t.Errorf("dev5: %+v", e)
	}
}

// Each device counts with the wave that it took part in, and nothing of an earlier wave is lost.
func TestReportOfPhasesCoversAllOfThem(t *testing.T) {
	const options = "devices=3 phase=canary,devices:1,soak:1h threshold=30"
	p := story(t, options, "uplink dev1", "reach interval")
	first, _ := p.outcome()
	for _, line := range []string{"advance 61m", "uplink dev2", "uplink dev3", "reach DataFragment", "reach end"} {
		if err := p.do(line); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := p.outcome()
	if r.Status != fleet.Succeeded || r.Verified != 3 {
		t.Fatalf("%+v", r)
	}
	for k, s := range r.Stages {
		before := first.Stages[k]
		if before.Passed != 1 || s.Passed != 3 || !s.Opened.Equal(before.Opened) || !s.Closed.After(before.Closed) {
			t.Errorf("%s: %+v, after the canary %+v", s.Stage, s, before)
		}
		// Without the wave's own opening a device of the second phase would have waited for all of the first.
		if s.Max > time.Hour.Seconds() || s.Max < before.Max {
			t.Errorf("%s took up to %g s, the canary %g s", s.Stage, s.Max, before.Max)
		}
	}
	g, was := r.Groups[0], first.Groups[0]
	lane := campaign.LaneReport{Size: 197, Devices: 3, Verified: 3, NbFrag: 20, FragSize: 10, Sent: 40, Rounds: 2, Needed: 40}
	if was.Sessions != 1 || g.Sessions != 2 || g.Frames <= 40 || g.Airtime < 1.9*was.Airtime || !reflect.DeepEqual(g.Lanes, []campaign.LaneReport{lane}) {
		t.Errorf("group %+v, after the canary %+v", g, was)
	}
	if all := r.UnicastAirtime + r.MulticastAirtime; r.MulticastAirtime != g.Airtime || all <= g.Airtime {
		t.Errorf("air time %g unicast, %g multicast", r.UnicastAirtime, r.MulticastAirtime)
	}
	session := 512 * time.Second
	work := campaign.WorkReport{Group: p.c.Spec().Groups[0], Devices: 3, Asked: r.UnicastDownlinks, Uplinks: r.UnicastDownlinks - r.Retries + 2, Listened: 3 * session} // two answered a question to all
	if !reflect.DeepEqual(r.Work, []campaign.WorkReport{work}) {
		t.Errorf("work %+v, want %+v", r.Work, work)
	}
}

// A version that kept no stages of earlier waves cannot say how long its devices took: they count as
// passed and are in no quantile.
func TestReportOfWavesWithoutStages(t *testing.T) {
	p := story(t, "devices=2 phase=canary,devices:1", "uplink dev1", "uplink dev2", "reach end")
	head := p.c.Header()
	head.Waves = slices.Clone(head.Waves)
	for i := range head.Waves {
		head.Waves[i].Wave, head.Waves[i].Stages = 0, nil
	}
	devices := []campaign.Device{p.c.Device(0), p.c.Device(1)}
	r := campaign.NewReport(p.c.Spec(), head, devices, []campaign.Group{p.c.Group(0)})
	for _, s := range r.Stages {
		if s.Passed != 2 || s.Max > time.Hour.Seconds() {
			t.Errorf("%+v", s)
		}
	}
}

// A device that the probe has moved counts in the lane that it was moved to; one that was up to date is excluded,
// and nothing was cleaned up there.
func TestReportKnowsWhomTheProbeHasMoved(t *testing.T) {
	p := story(t, "devices=3 v2=1 probe", "uplink dev3", "sent", "advance 5s", "uplink dev3 DevVersionAns FWVersion=target",
		"uplink dev2", "sent", "advance 5s", "uplink dev2 DevVersionAns FWVersion=old PackageVersionAns PackageIdentifier=3 PackageVersion=2",
		"uplink dev1", "reach end")
	r, evidence := p.outcome()
	if lanes := r.Groups[0].Lanes; r.Verified != 2 || r.Excluded != 1 || len(r.Failures) != 0 || lanes[0].Sent != 20 || lanes[1].Sent != 20 {
		t.Errorf("%+v", r)
	}
	if e := evidence[2]; e.Outcome != "excluded" || e.Reason != campaign.ReasonUpToDate || e.CleanUp != "" || e.FCnt == 0 {
		t.Errorf("%+v", e)
	}
	if l := p.c.Lane(1); l.Version != lorawan.V2 || p.spec.Lanes[p.spec.Devices[1].Lane].Version != lorawan.V1 {
		t.Errorf("%+v", l)
	}
	if known, ok := p.c.TraitsOf(devEUI(2)); !ok || known.Packages.Fragmentation != lorawan.V2 || known.Packages.McSetup != lorawan.V1 {
		t.Errorf("%+v, %t", known, ok)
	}
	if _, ok := p.c.TraitsOf(devEUI(9)); ok {
		t.Error("a stranger is known")
	}
}

func TestReportTellsDevicesOfOneKindFromOthers(t *testing.T) {
	p := story(t, "devices=4 groups=2 v2=2", "uplink dev1", "uplink dev4")
	r, _ := p.outcome()
	var got []string
	for _, w := range r.Work {
		got = append(got, fmt.Sprintf("%s %d asked %d", friendly(w.Group.DevEUI.String()), w.Devices, w.Asked))
	}
	if want := []string{"group1 1 asked 1", "group1 1 asked 0", "group2 1 asked 0", "group2 1 asked 1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What a device did for an earlier session, or an earlier wave, is not forgotten.
func TestReportCountsEverySessionThatWasHeld(t *testing.T) {
	p := story(t, "devices=2 threshold=50 catch-up=1 wait=5h", "uplink dev1", "uplink dev2", "reach FragSessionStatus", "reach interval without dev2")
	if r, _ := p.outcome(); r.Work[0].Listened != 2*512*time.Second || r.Groups[0].Sessions != 1 {
		t.Errorf("%+v", r.Work)
	}
	for _, line := range []string{"uplink dev2", "reach end"} {
		if err := p.do(line); err != nil {
			t.Fatal(err)
		}
	}
	if r, _ := p.outcome(); r.Work[0].Listened != 3*512*time.Second || r.Groups[0].Sessions != 2 || r.Verified != 2 {
		t.Errorf("%+v", r)
	}
}

func TestReportOfWhatIsUnderWayAndOfWhatWasStopped(t *testing.T) {
	p := story(t, "devices=3 redundancy=carousel", "uplink dev1", "uplink dev2", "sent", "advance 5s", "uplink dev1 McGroupSetupAns IDError")
	if r, _ := p.outcome(); r.Active != 2 || r.Failed != 1 || r.Duration != 0 || !r.Ended.IsZero() {
		t.Errorf("running: %+v", r)
	}
	if err := p.do("stop by=alice"); err != nil {
		t.Fatal(err)
	}
	r, evidence := p.outcome()
	if r.Stopped != 3 || r.Failed != 0 || !r.CleaningUp || len(r.Failures) != 1 || r.Failures[0].Reason != campaign.ReasonGroupIDRefused {
		t.Errorf("stopped: %+v", r)
	}
	if e := evidence[0]; e.CleanUp != "under_way" || e.Was != campaign.ReasonGroupIDRefused || e.Stage != campaign.StageMcGroupSetup {
		t.Errorf("dev1: %+v", e)
	}
	if err := p.do("advance 5h"); err != nil {
		t.Fatal(err)
	}
	if r, evidence := p.outcome(); r.CleaningUp || r.Unproven != 2 || evidence[0].CleanUp != "not_confirmed" || evidence[2].CleanUp != "confirmed" {
		t.Errorf("cleaned up: %+v, %+v", r, evidence)
	}
}

// Every question and every change of a device has an entry in the timeline that names the frame
// or the timer that caused it.
func TestTimelineNamesTheCauseOfEveryChange(t *testing.T) {
	for seed := range uint64(40) {
		s := newSimulation(seed)
		s.watch = func(in campaign.Input, out campaign.Output, before []campaign.Device) error {
			told := map[lorawan.EUI64][]string{}
			for _, e := range out.Events {
				if e.Cause != in.String() || e.Cause == "" || e.Code == "" {
					return fmt.Errorf("%s has the cause %q", e, e.Cause)
				}
				told[e.DevEUI] = append(told[e.DevEUI], e.Code)
			}
			for i, was := range before {
				d, dev := s.c.Device(i), s.spec.Devices[i].DevEUI
				changed := was.Stage != d.Stage || was.Outcome != d.Outcome || was.Reason != d.Reason || was.Attempts < d.Attempts
				if changed && len(told[dev]) == 0 {
					return fmt.Errorf("device %d became %+v, was %+v, and nothing says so", i, d, was)
				}
				if asked := strings.Count(strings.Join(told[dev], " "), "device.asked"); asked > 1 && was.Outcome == campaign.Active && d.Outcome == campaign.Active && was.Stage == d.Stage {
					return fmt.Errorf("device %d was asked %d times at once", i, asked)
				}
			}
			return nil
		}
		if err := s.play(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestARefusedOrderSaysWhom(t *testing.T) {
	dev, group := campaign.Refusal{DevEUI: devEUI(1), Code: campaign.ReasonOrderOut, Text: "is out"}, campaign.Refusal{Group: groupEUI(1), Code: campaign.ReasonOrderLimit, Text: "is full"}
	for want, receipt := range map[string]campaign.Receipt{
		"device dev1 is out (order.out)":                 {Refused: []campaign.Refusal{dev}},
		"group group1 is full (order.limit), and 1 more": {Refused: []campaign.Refusal{group, dev}},
		"no (order.nobody_left)":                         {Refused: []campaign.Refusal{{Code: campaign.ReasonOrderNobodyLeft, Text: "no"}}},
	} {
		var refused *campaign.RefusedError
		if err := receipt.Err(); !errors.As(err, &refused) || friendly(err.Error()) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := (campaign.Receipt{Reached: 1, Refused: []campaign.Refusal{dev}}).Err(); err != nil {
		t.Errorf("an order that was obeyed in part: %v", err)
	}
	for want, in := range map[string]campaign.Input{
		"extend for 1h0m0s by al": campaign.ExtendRequested{By: "al", For: time.Hour},
		"redundancy by al":        campaign.RedundancyRequested{By: "al"},
		"retry by al":             campaign.RetryRequested{By: "al"},
		"exclude by al":           campaign.ExcludeRequested{By: "al"},
	} {
		if in.String() != want {
			t.Errorf("%q, want %q", in, want)
		}
	}
}

func TestReportTellsWhatDeltasHaveSaved(t *testing.T) {
	p := story(t, "devices=5 deltas=old,older on=1:old,2:old,3:older threshold=1", "reach McSession without dev3", "advance 40m", "reach end without dev3")
	r, evidence := p.outcome()
	if evidence[0].Base != fleet.DottedFirmware(oldFirmware) || evidence[2].Base != fleet.DottedFirmware(olderFirmware) || !evidence[3].Base.IsZero() {
		t.Errorf("%+v", evidence)
	}
	// Blocks of 47, 97 and 197 bytes.
	if r.Verified != 4 || r.DeltaDevices != 2 || r.FullDevices != 2 || r.BytesSaved != 2*150 {
		t.Errorf("%+v", r)
	}
	lanes := r.Groups[0].Lanes
	if lanes[0].Base != fleet.DottedFirmware(oldFirmware) || lanes[0].Devices != 2 || lanes[0].Verified != 2 || lanes[0].Size != 47 || lanes[1].Devices != 1 || lanes[1].Verified != 0 || !lanes[2].Base.IsZero() {
		t.Errorf("%+v", lanes)
	}
	// A file that is no firmware is neither.
	p = story(t, "type=BINARY", "reach end")
	if r, _ = p.outcome(); r.Verified != 2 || r.FullDevices != 0 {
		t.Errorf("%+v", r)
	}
}
