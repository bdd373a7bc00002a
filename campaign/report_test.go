package campaign_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
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
	lane := campaign.LaneReport{NbFrag: 20, Sent: 28, Coded: 8, Rounds: 2, WorstMissing: 4, Needed: 25}
	if len(r.Groups) != 1 || r.Groups[0].Devices != 5 || r.Groups[0].Verified != 2 || r.Groups[0].Sessions != 1 || r.Groups[0].Frames != 28 ||
		!reflect.DeepEqual(r.Groups[0].Lanes, []campaign.LaneReport{lane}) {
		t.Errorf("groups %+v", r.Groups)
	}
	if r.Fragments != 28 || r.Coded != 8 || r.MulticastAirtime < 2.79 || r.MulticastAirtime > 2.81 || r.UnicastAirtime <= 0 || r.UnicastDownlinks <= r.Retries {
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
