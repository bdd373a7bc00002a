package campaign_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// TestCampaignsEndWhateverHappens runs random campaigns on a random fleet over a bad
// network with a nervous operator, and holds every step against the invariants of check.
// A failure names its seed: make it a script.
func TestCampaignsEndWhateverHappens(t *testing.T) {
	outcomes := make(map[fleet.Status]int)
	verified, steps := 0, 0
	var did mischief
	for seed := range uint64(200) {
		s := newSimulation(seed)
		if err := s.play(); err != nil {
			t.Fatalf("seed %d, %s, after %d steps at +%s: %v", seed, s.spec.Type, s.steps, s.now.Sub(base), err)
		}
		{ // the same story, with a crash after every step
			again := newSimulation(seed)
			again.crash = true
			if err := again.play(); err != nil {
				t.Fatalf("seed %d with crashes: %v", seed, err)
			}
			if have, want := storedOf(t, again.c), storedOf(t, s.c); !bytes.Equal(have, want) {
				t.Fatalf("seed %d: with crashes it ends as\n%s\nwithout as\n%s", seed, have, want)
			}
		}
		outcomes[s.c.Header().Status]++
		verified += s.c.Progress().Verified
		steps += s.steps
		did.add(s.did)
	}
	t.Logf("%d steps, campaigns ended %v, %d devices verified, %+v", steps, outcomes, verified, did)
	if did.resets < 100 || did.copies < 100 || did.late < 300 || did.lies < 100 {
		t.Errorf("devices hardly misbehave: %+v", did)
	}
	// A simulation in which nothing succeeds would show nothing.
	if outcomes[fleet.Succeeded] < 20 || outcomes[fleet.Failed] < 20 || outcomes[fleet.Stopped] < 10 || verified < 200 {
		t.Errorf("campaigns ended %v with %d devices verified: the simulation is too kind or too cruel", outcomes, verified)
	}
}

// mischief is what devices and network have done in a simulation.
type mischief struct {
	resets int // a device lost what it held in RAM
	copies int // an answer came twice, the second time late
	late   int // an uplink came late, and so out of order
	lies   int
	wrong  int // patches that were refused, because the device runs something else than their base
}

func (m *mischief) add(o mischief) {
	m.resets, m.copies, m.late, m.lies, m.wrong = m.resets+o.resets, m.copies+o.copies, m.late+o.late, m.lies+o.lies, m.wrong+o.wrong
}

// simulation is a fleet at command level: no bytes on the air, but losses, copies, delays,
// resets and lies.
type simulation struct {
	world
	r       *rand.Rand
	c       *campaign.Campaign
	now     time.Time
	steps   int
	wake    time.Time
	devices []*simDevice
	queue   []campaign.Downlink // with the network
	fCnt    map[lorawan.EUI64]uint32
	later   []simEvent
	loss    float64
	did     mischief
	steady  int                                                            // uplinks between two resets of a device
	nervous bool                                                           // the operator pauses and stops
	crash   bool                                                           // after every step
	watched bool                                                           // somebody resumes what a rule has halted, and promotes phases, sooner or later
	coming  bool                                                           // that one is under way
	watch   func(campaign.Input, campaign.Output, []campaign.Device) error // nil: nobody

	// What the store holds: only rows that Step named are written.
	header []byte
	rows   []campaign.Device
	groups [][]byte
	// High is the last fragment number that went to a group and FragIndex.
	high map[[2]int]int
}

// simEvent is something that will happen.
type simEvent struct {
	at time.Time
	do func() error
}

// simDevice is a device: what it holds, and what it will say with its next uplink.
type simDevice struct {
	other            bool // its version of TS004 is not that of its profile
	i                int
	group            bool
	start, end       time.Time // of its multicast session
	decoder          *fec.RankDecoder
	told             bool // it has announced the complete block
	firmware         uint32
	base             fleet.Firmware // of the patch that its decoder is for; zero: it is an image
	reboot           time.Time
	clockOff         time.Duration
	say              []lorawan.Command
	accepted, proven bool // a session; the target version or, for BINARY, the block
	deaf             bool // it has gone for good
	truthful         bool
}

// newSimulation returns that of a seed, with other options if they are given.
func newSimulation(seed uint64, other ...func(*rand.Rand, *worldOptions)) *simulation {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(p float64) bool { return r.Float64() < p }
	o, _ := parseWorld(nil)
	o.typ = []fleet.CampaignType{fleet.FOTACampaign, fleet.FOTACampaign, fleet.BinaryCampaign, fleet.MCGroupCampaign}[r.IntN(4)]
	o.devices = 1 + r.IntN(10)
	o.v2 = r.IntN(o.devices + 1)
	o.groups = 1 + r.IntN(2)
	o.class = []fleet.Class{fleet.ClassC, fleet.ClassC, fleet.ClassB}[r.IntN(3)]
	o.threshold = float64([]int{0, 30, 80, 100}[r.IntN(4)])
	o.frag = 8 + r.IntN(30)
	o.redundancy = []fleet.RedundancyMode{fleet.AdaptiveRedundancy, fleet.AdaptiveRedundancy, fleet.FixedRedundancy, fleet.Carousel}[r.IntN(4)]
	o.coded = uint16(1 + r.IntN(20))
	o.maxCoded = uint16(20 + r.IntN(60))
	o.style = []fleet.StatusStyle{fleet.StatusSpec, fleet.StatusLBM, fleet.StatusLoRaMac}[r.IntN(3)]
	o.rebootsItself, o.rc1, o.noClock = pick(0.2), pick(0.2), pick(0.1)
	o.period = time.Duration(2+r.IntN(20)) * time.Minute
	o.nextChance, o.multi = pick(0.5), seed%2 == 1
	if o.typ == fleet.FOTACampaign && pick(0.3) {
		o.reboot = 24 * time.Hour
	}
	if pick(0.2) {
		o.last = time.Duration(1+r.IntN(40)) * time.Hour
	}
	if pick(0.2) {
		o.policy.Setup = fleet.SequentialSetup
	}
	o.policy.CloseAtThreshold = pick(0.2)
	o.policy.Retries = []int{-1, 1, 3, 6}[r.IntN(4)]
	o.policy.MaxRounds = uint8(1 + r.IntN(6))
	o.policy.StatusByMulticastAbove = 1 + r.IntN(4)

	for _, change := range other {
		change(r, &o)
	}
	s := &simulation{
		world: newWorld(o), r: r, now: base, loss: 0.3 * r.Float64(), nervous: pick(0.5), steady: 100,
		fCnt: make(map[lorawan.EUI64]uint32), high: make(map[[2]int]int),
	}
	for _, g := range s.spec.Groups {
		s.fCnt[g.DevEUI] = g.FirstFCnt
	}
	for i := range s.spec.Devices {
		d := &simDevice{i: i, firmware: oldFirmware, deaf: pick(0.05), truthful: pick(0.9)}
		if pick(0.1) {
			d.clockOff = time.Duration(r.IntN(1000)) * time.Second
		}
		s.devices = append(s.devices, d)
		s.at(time.Duration(r.Int64N(int64(o.period))), func() error { return s.uplink(d) })
	}
	return s
}

func (s *simulation) at(d time.Duration, do func() error) {
	s.later = append(s.later, simEvent{s.now.Add(d), do})
}

// play runs the campaign to its end.
func (s *simulation) play() error {
	var err error
	if s.c, err = campaign.New(s.spec, s.material); err != nil {
		return err
	}
	s.save(campaign.Output{Devices: indices(len(s.spec.Devices)), Groups: indices(len(s.spec.Groups))})
	if err := s.step(campaign.Start{}); err != nil {
		return err
	}
	for !s.c.Done() {
		if s.steps > 60_000 {
			return fmt.Errorf("it does not end: %s", storedOf(noTB{}, s.c))
		}
		if s.nervous && s.r.IntN(90) == 0 {
			if err := s.operator(); err != nil {
				return err
			}
			continue
		}
		next := slices.MinFunc(s.later, func(a, b simEvent) int { return a.at.Compare(b.at) })
		if !s.wake.IsZero() && s.wake.Before(next.at) {
			s.now = later(s.now, s.wake)
			if err := s.step(campaign.TimerFired{}); err != nil {
				return err
			}
			continue
		}
		k := slices.IndexFunc(s.later, func(e simEvent) bool { return e.at.Equal(next.at) })
		do := s.later[k].do
		s.later = slices.Delete(s.later, k, k+1)
		s.now = later(s.now, next.at)
		if err := do(); err != nil {
			return err
		}
	}
	return s.checkEnd()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// waitsForPeople tells if nothing but a person will make the campaign go on.
func waitsForPeople(h campaign.Header) bool {
	return !h.Paused.IsZero() || !h.Halted.At.IsZero() || h.Interval.Manual
}

// lookAfter has somebody come within some hours when the campaign waits for people.
func (s *simulation) lookAfter() {
	if !s.watched || s.coming || !waitsForPeople(s.c.Header()) {
		return
	}
	s.coming = true
	s.at(time.Duration(s.r.Int64N(int64(6*time.Hour))), func() error {
		s.coming = false
		if err := s.step(campaign.ResumeRequested{By: "sim"}); err != nil {
			return err
		}
		return s.step(campaign.PromoteRequested{By: "sim"})
	})
}

// schedule gives the campaign windows, phases, rules and a catch-up, or some of them.
func (s *simulation) schedule(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	pick := func(p float64) bool { return r.Float64() < p }
	s.watched = true
	if s.spec.RebootAt.IsZero() {
		for n := r.IntN(4); len(s.spec.Phases) < n; {
			p := fleet.Phase{Devices: 1 + 2*len(s.spec.Phases)}
			if pick(0.5) {
				p.Promotion.MinVerifiedPercent = float64(r.IntN(101))
			}
			if pick(0.5) {
				p.Promotion.Soak = time.Duration(r.IntN(5)) * time.Hour
			}
			p.Promotion.Manual = pick(0.3)
			s.spec.Phases = append(s.spec.Phases, p)
		}
		campaign.AssignWaves(s.spec.ID, s.spec.Phases, s.spec.Devices)
		s.spec.CatchUp = fleet.CatchUp{Rounds: r.IntN(4), Wait: time.Duration(1+r.IntN(8)) * time.Hour}
		if seed%4 == 3 {
			s.spec.CatchUp = fleet.CatchUp{Rounds: 1} // the second chance
		}
		if s.spec.Type == fleet.FOTACampaign {
			s.spec.Schedule.Reboot = []fleet.RebootMode{fleet.RebootAuto, fleet.RebootCountdown, fleet.RebootNow, fleet.RebootManual}[r.IntN(4)]
			s.spec.Schedule.RebootPatience = 12 * time.Hour
		}
	}
	for range r.IntN(3) {
		s.spec.Abort = append(s.spec.Abort, fleet.AbortRule{Kind: fleet.AbortKind(r.IntN(6)), AbovePercent: float64(r.IntN(60)), MinSample: r.IntN(5)})
	}
	window := func(hours int) fleet.Window {
		from := r.IntN(24)
		return fleet.Window{From: fleet.ClockTime(60 * from), To: fleet.ClockTime(60 * ((from + hours) % 24)), Zone: "Europe/Paris"}
	}
	if pick(0.5) {
		s.spec.Schedule.Windows = []fleet.Window{window(3 + r.IntN(12))}
	}
	if pick(0.5) {
		s.spec.Schedule.QuietHours = []fleet.Window{window(1 + r.IntN(2))}
	}
}

// TestScheduledCampaignsEndWhateverHappens is TestCampaignsEndWhateverHappens with windows,
// phases, rules that halt, and devices that are caught up with.
func TestScheduledCampaignsEndWhateverHappens(t *testing.T) {
	outcomes := make(map[fleet.Status]int)
	var verified, waves, caughtUp int
	for seed := range uint64(40) {
		play := func(crash bool) *simulation {
			s := newSimulation(seed)
			s.crash = crash
			s.schedule(seed)
			if err := s.play(); err != nil {
				t.Fatalf("seed %d (crashes: %t), %s, after %d steps at +%s: %v", seed, crash, s.spec.Type, s.steps, s.now.Sub(base), err)
			}
			return s
		}
		s := play(false)
		if seed%8 == 0 {
			if have, want := storedOf(t, play(true).c), storedOf(t, s.c); !bytes.Equal(have, want) {
				t.Fatalf("seed %d: with crashes it ends as\n%s\nwithout as\n%s", seed, have, want)
			}
		}
		h := s.c.Header()
		outcomes[h.Status]++
		verified += s.c.Progress().Verified
		waves += len(h.Waves)
		caughtUp += h.CaughtUp
	}
	if outcomes[fleet.Succeeded] < 8 || outcomes[fleet.Failed] < 8 || outcomes[fleet.Stopped] < 2 || verified < 25 || waves < 40 || caughtUp < 12 {
		t.Errorf("campaigns ended %v with %d devices verified in %d waves, %d of them to catch up: the simulation is too kind or too cruel", outcomes, verified, waves, caughtUp)
	}
}

// TestProbedCampaignsEndWhateverHappens is TestCampaignsEndWhateverHappens with a probe, devices whose profile is
// wrong about their version of TS004, and some that run the target version already.
func TestProbedCampaignsEndWhateverHappens(t *testing.T) {
	var verified, moved, upToDate int
	for seed := range uint64(60) {
		play := func(crash bool) *simulation {
			s := newSimulation(seed)
			s.spec.Policy.Probe = true
			s.crash = crash
			for i, d := range s.devices {
				d.other = i%3 == 0
				if i%4 == 1 {
					d.firmware = targetFirmware
				}
			}
			if err := s.play(); err != nil {
				t.Fatalf("seed %d (crashes: %t), %s, after %d steps at +%s: %v", seed, crash, s.spec.Type, s.steps, s.now.Sub(base), err)
			}
			return s
		}
		s := play(false)
		if seed%6 == 0 {
			if have, want := storedOf(t, play(true).c), storedOf(t, s.c); !bytes.Equal(have, want) {
				t.Fatalf("seed %d: with crashes it ends as\n%s\nwithout as\n%s", seed, have, want)
			}
		}
		verified += s.c.Progress().Verified
		for i := range s.devices {
			d := s.c.Device(i)
			if d.Lane > 0 {
				moved++
			}
			if d.Reason == campaign.ReasonUpToDate {
				upToDate++
			}
		}
	}
	if verified < 50 || moved < 20 || upToDate < 20 {
		t.Errorf("%d devices verified, %d moved, %d up to date: the simulation is too kind or too cruel", verified, moved, upToDate)
	}
}

// TestMixedFleetsEndWhateverHappens is TestScheduledCampaignsEndWhateverHappens with deltas, and devices of which some run
// what the server thinks, some are asked, and some run something else than anybody thinks.
func TestMixedFleetsEndWhateverHappens(t *testing.T) {
	var verified, moved, out int
	var did mischief
	for seed := range uint64(60) {
		play := func(crash bool) *simulation {
			s := newSimulation(seed, func(r *rand.Rand, o *worldOptions) {
				o.typ, o.frag, o.v2 = fleet.FOTACampaign, max(o.frag, 15), o.devices*r.IntN(2) // three lanes: FragIndex tells four apart
				o.deltas, o.on, o.ask = []string{"old", "older"}, map[int]string{}, map[int]bool{}
				o.threshold, o.policy.Retries, o.last = float64(seed%4)*10, 6, 0 // they are to get far
				o.noFull, o.only, o.policy.Probe = seed%3 == 1, seed%6 == 1, seed%4 == 0
				for i := range o.devices {
					if base := []string{"old", "older", ""}[i%3]; base != "" {
						o.on[i+1] = base
					}
					o.ask[i+1] = i%2 == 0
				}
			})
			s.crash = crash
			for i, d := range s.devices {
				if m := s.spec.Devices[i]; !m.Ask && !s.spec.Lanes[m.Lane].Base.IsZero() && i%3 != 0 {
					d.firmware = s.spec.Lanes[m.Lane].Base.Uint32()
					continue
				}
				d.firmware = []uint32{oldFirmware, olderFirmware, otherFirmware, targetFirmware, oldFirmware, otherFirmware}[(i+int(seed))%6]
			}
			if s.nervous = false; seed%3 == 0 {
				s.nervous = true
				s.schedule(seed)
			}
			if err := s.play(); err != nil {
				t.Fatalf("seed %d (crashes: %t), after %d steps at +%s: %v", seed, crash, s.steps, s.now.Sub(base), err)
			}
			return s
		}
		s := play(false)
		if seed%6 == 0 {
			if have, want := storedOf(t, play(true).c), storedOf(t, s.c); !bytes.Equal(have, want) {
				t.Fatalf("seed %d: with crashes it ends as\n%s\nwithout as\n%s", seed, have, want)
			}
		}
		verified += s.c.Progress().Verified
		did.add(s.did)
		for i := range s.devices {
			d := s.c.Device(i)
			if d.Lane > 0 {
				moved++
			}
			if d.Reason == campaign.ReasonNoDelta || d.Reason == campaign.ReasonWrongBase || d.Reason == campaign.ReasonFragBase {
				out++
			}
		}
	}
	t.Logf("%d devices verified, %d moved, %d out, %+v", verified, moved, out, did)
	if verified < 60 || moved < 40 || out < 8 || did.wrong < 2 {
		t.Errorf("%d devices verified, %d moved, %d out, %d refused a patch: the simulation is too kind or too cruel", verified, moved, out, did.wrong)
	}
}

// operator does something unexpected.
func (s *simulation) operator() error {
	switch s.r.IntN(12) {
	case 0:
		return s.step(campaign.StopRequested{By: "sim"})
	case 8:
		return s.step(campaign.ExcludeRequested{By: "sim", Devices: []lorawan.EUI64{devEUI(1 + s.r.IntN(len(s.devices)+1))}})
	case 9:
		return s.step(campaign.RetryRequested{By: "sim"})
	case 10:
		return s.step(campaign.RedundancyRequested{By: "sim", Fragments: s.r.IntN(30), Percent: float64(s.r.IntN(300))})
	case 11:
		return s.step(campaign.ExtendRequested{By: "sim", For: time.Duration(s.r.IntN(20)) * time.Hour})
	case 1, 2, 3:
		s.at(time.Duration(s.r.Int64N(int64(3*time.Hour))), func() error { return s.step(campaign.ResumeRequested{By: "sim"}) })
		return s.step(campaign.PauseRequested{By: "sim"})
	case 4:
		return s.step(campaign.Start{})
	case 5:
		return s.step(campaign.TimerFired{})
	default:
		return s.step(campaign.Sent{ID: "0000000000000000", At: s.now, FCnt: 3})
	}
}

// step feeds one input, checks what comes out and takes it to the network.
func (s *simulation) step(in campaign.Input) error {
	s.steps++
	before := s.progress()
	var devices []campaign.Device
	if s.watch != nil {
		for i := range s.devices {
			devices = append(devices, s.c.Device(i))
		}
	}
	out := s.c.Step(s.now, in)
	s.wake = out.WakeAt
	s.save(out)
	if s.c.Header().Wave != before.wave {
		clear(s.high) // fragments begin at 1 again, in a new fragmentation session
	}
	if err := s.check(in, out, before); err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	s.lookAfter()
	if s.watch != nil {
		if err := s.watch(in, out, devices); err != nil {
			return fmt.Errorf("%s: %w", in, err)
		}
	}
	for _, to := range slices.Concat(out.FlushDevices, out.FlushGroups) {
		s.queue = slices.DeleteFunc(s.queue, func(d campaign.Downlink) bool { return d.DevEUI == to || d.Group == to })
	}
	for _, d := range out.Downlinks {
		if d.Flush {
			s.queue = slices.DeleteFunc(s.queue, func(q campaign.Downlink) bool { return q.DevEUI == d.DevEUI })
		}
		s.queue = append(s.queue, d)
		if !d.Group.IsZero() {
			s.at(time.Second+time.Duration(s.r.Int64N(int64(3*time.Second))), func() error { return s.multicast(d) })
		}
	}
	return s.oneCommandEach()
}

// counters are what may only rise.
type counters struct {
	wave int
	fCnt []uint32
	cnt  []uint16
	was  []campaign.Outcome
}

func (s *simulation) progress() counters {
	p := counters{wave: s.c.Header().Wave}
	for i := range s.spec.Groups {
		p.fCnt = append(p.fCnt, s.c.Group(i).NextFCnt)
	}
	for i := range s.spec.Devices {
		p.cnt = append(p.cnt, s.c.Device(i).SessionCnt)
		p.was = append(p.was, s.c.Device(i).Outcome)
	}
	return p
}

// check holds a step against the invariants.
func (s *simulation) check(in campaign.Input, out campaign.Output, before counters) error {
	if err := campaign.CheckDerived(s.c); err != nil {
		return err
	}
	h := s.c.Header()
	switch {
	case !out.WakeAt.IsZero() && out.WakeAt.Before(s.now):
		return fmt.Errorf("wake-up at %s is past", out.WakeAt)
	case out.WakeAt.IsZero() && !s.c.Done() && !waitsForPeople(h):
		return fmt.Errorf("nothing will wake it: %s", storedOf(noTB{}, s.c))
	}
	for _, d := range out.Downlinks {
		if err := s.checkBase(d); err != nil {
			return err
		}
		// What went out before a rule has halted it in the same step is no fault.
		if halted := h.Halted.At; !h.Paused.IsZero() || !halted.IsZero() && halted.Before(s.now) {
			return fmt.Errorf("%s is sent although the campaign is paused or halted", d)
		}
		if !h.Held.IsZero() && d.Group.IsZero() {
			return fmt.Errorf("%s is sent although devices are not to be asked now", d)
		}
		if err := s.checkFragment(d); err != nil {
			return err
		}
	}
	for i, f := range before.fCnt {
		if now := s.c.Group(i).NextFCnt; now < f {
			return fmt.Errorf("McFCnt of group %d goes back from %d to %d", i, f, now)
		}
	}
	for i, d := range s.devices {
		now := s.c.Device(i)
		if now.SessionCnt < before.cnt[i] {
			return fmt.Errorf("SessionCnt of device %d goes back from %d to %d", i, before.cnt[i], now.SessionCnt)
		}
		if now.Outcome == campaign.Verified && before.was[i] != campaign.Verified && !s.evidence(d) {
			return fmt.Errorf("device %d is verified without evidence", i)
		}
	}
	// A crash, now: what was stored must be all there is.
	live := storedOf(noTB{}, s.c)
	if have := s.stored(); !bytes.Equal(have, live) {
		return fmt.Errorf("stored rows %s\nare not the state %s", have, live)
	}
	if s.crash {
		s.c = reloadOf(noTB{}, s.world, s.c)
	}
	return nil
}

// checkBase tells if a device is to be set up for a delta although it has said that it runs something else.
func (s *simulation) checkBase(d campaign.Downlink) error {
	if !slices.ContainsFunc(d.Commands, func(cmd lorawan.Command) bool { _, ok := cmd.(fragmentation.FragSessionSetupReq); return ok }) {
		return nil
	}
	i := slices.IndexFunc(s.spec.Devices, func(m campaign.Member) bool { return m.DevEUI == d.DevEUI })
	told, at := s.c.Device(i).Firmware, s.c.Device(i)
	if base := s.c.Lane(i).Base; (at.Stage == campaign.StageMcGroupSetup || at.Attempts == 1) && (told != 0 && !base.IsZero() && base.Uint32() != told || told == 0 && !base.IsZero() && s.spec.Devices[i].Ask) {
		return fmt.Errorf("device %d, which says it runs %08x, is set up for the delta from %s", i, told, base)
	}
	return nil
}

// evidence tells if a device has given the proof that its campaign asks for. That the block
// is complete is likely, not certain, by the words of LoRaMac, and of LBM if it was not
// heard in the first round; see TestStatusAnswersOfDecodersInTheField.
func (s *simulation) evidence(d *simDevice) bool {
	if s.spec.Type == fleet.MCGroupCampaign {
		return d.accepted || !d.truthful // one that lies is believed as soon as its clock is right
	}
	return d.proven || s.spec.Type == fleet.BinaryCampaign && s.spec.Traits[0].StatusStyle != fleet.StatusSpec
}

// checkFragment tells if a fragment number goes back: most decoders would drop it.
func (s *simulation) checkFragment(d campaign.Downlink) error {
	f, ok := d.Commands[0].(fragmentation.DataFragment)
	if !ok {
		return nil
	}
	g := slices.IndexFunc(s.spec.Groups, func(g campaign.GroupSpec) bool { return g.DevEUI == d.Group })
	key := [2]int{g, int(f.FragIndex)}
	lane := s.spec.Lanes[slices.IndexFunc(s.spec.Lanes, func(l campaign.Lane) bool { return l.Group == g && l.FragIndex == f.FragIndex })]
	if int(f.N) != s.high[key]+1 && (lane.Redundancy != fleet.Carousel || f.N != 1) {
		return fmt.Errorf("fragment %d of lane %v follows %d", f.N, key, s.high[key])
	}
	more := 0
	for _, ls := range s.c.Group(g).Lanes {
		more = max(more, ls.More)
	}
	if limit := int(lane.NbFrag+lane.Coded+lane.MaxCoded) + more; int(f.N) > limit {
		return fmt.Errorf("fragment %d of lane %v is above the ceiling %d", f.N, key, limit)
	}
	s.high[key] = int(f.N)
	return nil
}

// oneCommandEach tells if two commands wait for one device. Answers to a device and what
// prepares the next attempt do not count.
func (s *simulation) oneCommandEach() error {
	waiting := make(map[lorawan.EUI64]campaign.Downlink)
	for _, d := range s.queue {
		switch d.Commands[0].(type) {
		case fragmentation.FragDataBlockReceivedAns, clocksync.ForceDeviceResyncReq, fragmentation.FragSessionDeleteReq:
			continue
		}
		to := d.DevEUI
		if to.IsZero() {
			to = d.Group
		}
		if other, ok := waiting[to]; ok {
			return fmt.Errorf("%s waits behind %s", d, other)
		}
		waiting[to] = d
	}
	return nil
}

// save writes the rows that a step has named.
func (s *simulation) save(out campaign.Output) {
	s.header = mustJSON(s.c.Header())
	if s.rows == nil {
		s.rows, s.groups = make([]campaign.Device, len(s.spec.Devices)), make([][]byte, len(s.spec.Groups))
	}
	for _, i := range out.Devices {
		s.rows[i] = s.c.Device(i)
	}
	for _, g := range out.Groups {
		s.groups[g] = mustJSON(s.c.Group(g))
	}
}

// stored is what the store holds, as storedOf writes it.
func (s *simulation) stored() []byte {
	return mustJSON(struct {
		Header  json.RawMessage
		Devices []campaign.Device
		Groups  []json.RawMessage
	}{s.header, s.rows, func() (raw []json.RawMessage) {
		for _, g := range s.groups {
			raw = append(raw, g)
		}
		return raw
	}()})
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// checkEnd holds the result against what the devices know.
func (s *simulation) checkEnd() error {
	h, p := s.c.Header(), s.c.Progress()
	for i := range s.devices {
		switch o := s.c.Device(i).Outcome; o {
		case campaign.Verified, campaign.Failed, campaign.ExcludedByOperator:
		case campaign.Stopped:
			if h.Status != fleet.Stopped {
				return fmt.Errorf("device %d is %s in a campaign that %s", i, o, h.Status)
			}
		default:
			return fmt.Errorf("device %d is %s in a campaign that has ended", i, o)
		}
	}
	enough := p.Verified > 0 && 100*float64(p.Verified) >= s.spec.Threshold*float64(p.Devices-p.Excluded)-1e-6
	if h.Status == fleet.Succeeded && !enough && (h.Reason != campaign.ReasonUpToDate || p.Devices > p.Excluded) {
		return fmt.Errorf("it succeeded with %d of %d devices, threshold %g", p.Verified, p.Devices, s.spec.Threshold)
	}
	return nil
}

// uplink has a device say what it has to say, or just something. Its receive windows take
// one downlink.
func (s *simulation) uplink(d *simDevice) error {
	period := s.spec.Traits[0].UplinkPeriod
	s.at(period*3/4+time.Duration(s.r.Int64N(int64(period/2))), func() error { return s.uplink(d) })
	return s.transmit(d)
}

func (s *simulation) transmit(d *simDevice) error {
	if d.deaf {
		return nil
	}
	if !d.reboot.IsZero() && !s.now.Before(d.reboot) {
		s.restart(d)
	}
	if s.r.IntN(s.steady) == 0 {
		s.did.resets++
		d.group, d.decoder, d.accepted = false, nil, false
		if err := s.step(campaign.Joined{DevEUI: s.spec.Devices[d.i].DevEUI}); err != nil {
			return err
		}
	}
	if d.decoder != nil && d.decoder.Done() && d.decoder.Failed() == nil && !d.told && s.lane(d).Version == lorawan.V2 {
		d.say = append(d.say, fragmentation.FragDataBlockReceivedReq{FragIndex: s.lane(d).FragIndex})
		d.proven = d.proven || s.spec.Type == fleet.BinaryCampaign
	}
	if !d.truthful && s.r.IntN(10) == 0 {
		s.did.lies++
		d.say = append(d.say, s.lie(d))
	}
	in := campaign.Heard{DevEUI: s.spec.Devices[d.i].DevEUI, At: s.now, Commands: d.say, Crowded: time.Duration(max(s.r.IntN(8)-5, 0)) * 20 * time.Minute}
	d.say = nil
	if s.r.Float64() < s.loss/2 {
		return nil // and with it the windows
	}
	if len(in.Commands) > 0 && s.r.IntN(20) == 0 {
		s.did.copies++
		s.at(time.Duration(s.r.Int64N(int64(time.Minute))), func() error { return s.step(in) })
	}
	if s.r.IntN(20) == 0 {
		s.did.late++
		s.at(time.Duration(s.r.Int64N(int64(time.Minute))), func() error { return s.step(in) })
	} else if err := s.step(in); err != nil {
		return err
	}
	return s.window(d)
}

// window gives a device the oldest downlink that the network has for it.
func (s *simulation) window(d *simDevice) error {
	dev := s.spec.Devices[d.i].DevEUI
	k := slices.IndexFunc(s.queue, func(q campaign.Downlink) bool { return q.DevEUI == dev })
	if k < 0 {
		return nil
	}
	q := s.queue[k]
	s.queue = slices.Delete(s.queue, k, k+1)
	switch n := s.r.IntN(100); {
	case n < 3:
		return s.step(campaign.NotSent{ID: q.ID, Reason: "simulated"})
	case n >= 10: // else the report is lost
		if err := s.step(campaign.Sent{ID: q.ID, At: s.now}); err != nil {
			return err
		}
	}
	if s.r.Float64() >= s.loss {
		for _, cmd := range q.Commands {
			s.obey(d, cmd)
		}
		if len(d.say) > 0 && s.r.IntN(3) > 0 {
			s.at(2*time.Second+time.Duration(s.r.Int64N(int64(4*time.Second))), func() error { return s.transmit(d) })
		}
	}
	return nil
}

func (s *simulation) lane(d *simDevice) *campaign.Lane { return new(s.c.Lane(d.i)) }

// obey has a device carry out a command and prepare its answer.
func (s *simulation) obey(d *simDevice, cmd lorawan.Command) {
	lane := s.lane(d)
	switch req := cmd.(type) {
	case lorawan.PackageVersionReq:
		if pkg := s.c.Device(d.i).Probe.Package(); pkg == lorawan.Fragmentation && d.other {
			v := lorawan.V1 + lorawan.V2 - s.spec.Lanes[s.spec.Devices[d.i].Lane].Version
			d.say = append(d.say, lorawan.PackageVersionAns{PackageIdentifier: pkg, PackageVersion: v})
			return
		}
	case multicast.McGroupSetupReq:
		d.group = true
	case multicast.McGroupDeleteReq:
		d.group = false
	case multicast.McClassCSessionReq:
		s.openSession(d, req.SessionTime, multicast.ClassCDuration(req.TimeOut))
		return
	case multicast.McClassBSessionReq:
		s.openSession(d, req.SessionTime, multicast.ClassBDuration(req.TimeOut))
		return
	case clocksync.ForceDeviceResyncReq:
		d.clockOff = 0
		d.say = append(d.say, clocksync.AppTimeReq{DeviceTime: lorawan.GPSSeconds32(s.now)})
		return
	case fragmentation.FragSessionSetupReq:
		d.told, d.base = false, lane.Base
		d.decoder, _ = fec.NewRankDecoder(lane.Version, int(req.NbFrag), fec.Limits{
			DropsLower: lane.Redundancy != fleet.Carousel,
			Style:      map[fleet.StatusStyle]fec.Style{fleet.StatusLBM: fec.StyleLBM, fleet.StatusLoRaMac: fec.StyleLoRaMac}[s.spec.Traits[0].StatusStyle],
		})
	case fragmentation.FragSessionDeleteReq:
		d.decoder = nil
	case fragmentation.FragDataBlockReceivedAns:
		d.told = true
		return
	case fragmentation.FragSessionStatusReq:
		d.say = append(d.say, s.statusOf(d))
		return
	case firmware.DevRebootTimeReq:
		d.reboot = lorawan.TimeFromGPS32(req.RebootTime, s.now)
		if req.RebootTime == firmware.RebootCancel {
			d.reboot = time.Time{}
		}
	case firmware.DevRebootCountdownReq:
		d.reboot = s.now.Add(time.Duration(req.Countdown) * time.Second)
	case firmware.DevUpgradeImageReq:
		ans := firmware.DevUpgradeImageAns{}
		switch {
		case d.applies():
			ans = firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageValid, NextFirmwareVersion: targetFirmware}
		case d.decoder != nil && d.decoder.Done() && d.decoder.Failed() == nil:
			s.did.wrong++
			ans.UpImageStatus = firmware.ImageCorrupt
		}
		d.say = append(d.say, ans)
		return
	case firmware.DevVersionReq:
		d.say = append(d.say, s.version(d))
		return
	}
	if ans := perfectAnswer(s.c, d.i, *lane, cmd, s.now); ans != nil {
		d.say = append(d.say, ans)
	}
}

func (s *simulation) version(d *simDevice) lorawan.Command {
	d.proven = d.proven || d.firmware == targetFirmware
	return firmware.DevVersionAns{FWVersion: d.firmware}
}

func (s *simulation) openSession(d *simDevice, at uint32, length time.Duration) {
	start := lorawan.TimeFromGPS32(at, s.now)
	left := start.Sub(s.now.Add(d.clockOff))
	switch {
	case !d.group:
		d.say = append(d.say, multicast.McClassCSessionAns{McGroupUndefined: true})
	case left < 0:
		d.say = append(d.say, multicast.McClassCSessionAns{StartMissed: true})
	case s.r.IntN(20) == 0:
		d.say = append(d.say, multicast.McClassCSessionAns{DRError: true, FreqError: true, McGroupUndefined: true})
	default:
		d.accepted, d.start, d.end = true, s.now.Add(left), s.now.Add(left).Add(length)
		d.say = append(d.say, multicast.McClassCSessionAns{TimeToStart: uint32(left / time.Second)})
	}
}

func (s *simulation) statusOf(d *simDevice) lorawan.Command {
	ans := fragmentation.FragSessionStatusAns{FragIndex: s.lane(d).FragIndex}
	if d.decoder == nil {
		if s.lane(d).Version == lorawan.V2 {
			return fragmentation.FragSessionStatusAns{FragIndex: ans.FragIndex, SessionDoesNotExist: true}
		}
		ans.MissingFrag = 255
		return ans
	}
	rep := d.decoder.Report()
	ans.NbFragReceived, ans.MissingFrag, ans.MemoryError = rep.NbFragReceived, rep.MissingFrag, rep.MatrixError
	if d.decoder.Done() && d.decoder.Failed() == nil && s.spec.Type == fleet.BinaryCampaign {
		d.proven = true
	}
	return ans
}

// restart reboots a device into its image, if it has one.
func (s *simulation) restart(d *simDevice) {
	if d.applies() {
		d.firmware = targetFirmware
	}
	d.reboot, d.group, d.decoder = time.Time{}, false, nil
	if s.r.IntN(2) == 0 {
		d.say = append(d.say, s.version(d))
	}
}

// applies tells if a device has a block that leads it to the target.
func (d *simDevice) applies() bool {
	return d.decoder != nil && d.decoder.Done() && d.decoder.Failed() == nil && (d.base.IsZero() || d.base.Uint32() == d.firmware)
}

// lie is something that the device was not asked, or not in these words. It does not lie
// about the version and about a complete block: that is the evidence itself.
func (s *simulation) lie(d *simDevice) lorawan.Command {
	lies := []lorawan.Command{
		multicast.McGroupSetupAns{}, multicast.McGroupSetupAns{McGroupID: 2},
		multicast.McClassCSessionAns{TimeToStart: uint32(s.r.IntN(1 << 24))}, multicast.McClassCSessionAns{StartMissed: true},
		fragmentation.FragSessionSetupAns{FragIndex: s.lane(d).FragIndex}, fragmentation.FragSessionSetupAns{FragIndex: s.lane(d).FragIndex, FragIndexUnsupported: true},
		fragmentation.FragSessionSetupAns{SessionCntReplay: true, FragIndex: s.lane(d).FragIndex},
		fragmentation.FragSessionDeleteAns{}, fragmentation.FragDataBlockReceivedReq{FragIndex: 3},
		fragmentation.FragSessionStatusAns{FragIndex: s.lane(d).FragIndex, NbFragReceived: uint16(s.r.IntN(100)), MissingFrag: uint8(1 + s.r.IntN(255)), MemoryError: s.r.IntN(3) == 0},
		firmware.DevRebootTimeAns{RebootTime: s.r.Uint32()}, firmware.DevRebootCountdownAns{Countdown: s.r.Uint32() >> 8},
		firmware.DevUpgradeImageAns{UpImageStatus: firmware.ImageStatus(s.r.IntN(4))}, firmware.DevVersionAns{FWVersion: s.r.Uint32() | 1<<31},
		firmware.DevDeleteImageAns{}, clocksync.AppTimeReq{DeviceTime: s.r.Uint32()},
	}
	lie := lies[s.r.IntN(len(lies))]
	if _, ok := lie.(fragmentation.FragSessionStatusAns); ok && s.spec.Traits[0].StatusStyle != fleet.StatusSpec {
		return s.statusOf(d) // other stacks say "complete" with numbers that chance can hit
	}
	return lie
}

// multicast sends a frame to a group.
func (s *simulation) multicast(q campaign.Downlink) error {
	k := slices.IndexFunc(s.queue, func(d campaign.Downlink) bool { return d.ID == q.ID })
	if k < 0 {
		return nil // flushed
	}
	s.queue = slices.Delete(s.queue, k, k+1)
	for _, d := range s.devices {
		if s.spec.Groups[s.lane(d).Group].DevEUI != q.Group || d.deaf || !d.group || !d.accepted ||
			s.now.Before(d.start) || s.now.After(d.end) || s.r.Float64() < s.loss {
			continue
		}
		switch cmd := q.Commands[0].(type) {
		case fragmentation.DataFragment:
			if cmd.FragIndex == s.lane(d).FragIndex && d.decoder != nil {
				if done, _ := d.decoder.Add(int(cmd.N)); done && s.spec.Traits[0].RebootsItself && d.reboot.IsZero() && s.spec.RebootAt.IsZero() {
					d.reboot = s.now.Add(time.Minute)
				}
			}
		case fragmentation.FragSessionStatusReq:
			if cmd.FragIndex == s.lane(d).FragIndex {
				d.say = append(d.say, s.statusOf(d))
				s.at(time.Duration(s.r.Int64N(int64(16*time.Second))), func() error { return s.transmit(d) })
			}
		}
	}
	f := s.fCnt[q.Group]
	s.fCnt[q.Group]++
	switch n := s.r.IntN(100); {
	case n < 2:
		return nil // the report is lost
	case n < 4:
		return s.step(campaign.NotSent{ID: q.ID, Reason: "simulated"})
	}
	return s.step(campaign.Sent{ID: q.ID, At: s.now, FCnt: f, Airtime: 100 * time.Millisecond})
}

// noTB is a testing.TB that panics: storing and loading a campaign never fails.
type noTB struct{ testing.TB }

func (noTB) Helper()                   {}
func (noTB) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (noTB) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// TestLongBlocksEndWhateverHappens is TestCampaignsEndWhateverHappens with blocks that take several sessions, because
// no window has room for them.
func TestLongBlocksEndWhateverHappens(t *testing.T) {
	outcomes := make(map[fleet.Status]int)
	verified, further := 0, 0
	for seed := range uint64(16) {
		play := func(crash bool) *simulation {
			s := newSimulation(seed, func(r *rand.Rand, o *worldOptions) {
				o.typ = []fleet.CampaignType{fleet.FOTACampaign, fleet.BinaryCampaign}[seed%2]
				o.frag, o.policy.MulticastDelay, o.class = 150+r.IntN(100), 30*time.Second, fleet.ClassC
				o.last, o.reboot, o.policy.Retries, o.threshold = 30*24*time.Hour, 0, 20, 30
				from := 8*60 + r.IntN(120)
				o.schedule.Windows = []fleet.Window{{From: fleet.ClockTime(from), To: fleet.ClockTime(from + 100 + r.IntN(80))}}
			})
			s.crash, s.steady, s.nervous = crash, 3000, seed%4 == 0
			if err := s.play(); err != nil {
				t.Fatalf("seed %d (crashes: %t), %s, after %d steps at +%s: %v", seed, crash, s.spec.Type, s.steps, s.now.Sub(base), err)
			}
			return s
		}
		s := play(false)
		if seed%8 == 0 {
			if have, want := storedOf(t, play(true).c), storedOf(t, s.c); !bytes.Equal(have, want) {
				t.Fatalf("seed %d: with crashes it ends as\n%s\nwithout as\n%s", seed, have, want)
			}
		}
		outcomes[s.c.Header().Status]++
		verified += s.c.Progress().Verified
		for g := range s.spec.Groups {
			further += s.c.Group(g).Reopened
		}
	}
	t.Logf("campaigns ended %v, %d devices verified, %d further sessions", outcomes, verified, further)
	if outcomes[fleet.Succeeded] < 2 || outcomes[fleet.Failed] < 5 || verified < 10 || further < 20 {
		t.Errorf("campaigns ended %v with %d devices verified in %d further sessions: the simulation is too kind or too cruel", outcomes, verified, further)
	}
}
