package campaign

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// A campaign goes through its devices in waves. Without phases and without catch-up there is one.
//
//	wave 0: canary ──> promotion ──> wave 1: 25 % ──> promotion ──> wave 2: the rest ──> catch-up
//	   all stages       soak, people     all stages                    all stages          wave 3: those who
//	   own session                       own session                   own session         failed for the radio
//
// A wave walks all stages, with its own gates, its own session, and fragments from number 1 in a new
// fragmentation session. Group frame counters go on. Devices of later waves wait (Outcome Later);
// those of earlier ones stay as they are, and the success threshold is held against all of them.

// WaveState is a wave that is over, for people.
type WaveState struct {
	Name     string       `json:"name,omitempty"`
	Wave     int          `json:"wave,omitempty"` // as in Device.Wave
	Started  time.Time    `json:"started"`
	Ended    time.Time    `json:"ended"`
	Devices  int          `json:"devices"`
	Verified int          `json:"verified"`         // when it ended
	Stages   []StageState `json:"stages,omitempty"` // as they were then; none: stored by a version that did not keep them
}

// Interval is the time between two waves. The zero value is: a wave is under way.
type Interval struct {
	Next int `json:"next,omitempty"` // the wave that follows; 0: none does
	// Until is the end of the soak or of the wait for devices that are away.
	Until   time.Time `json:"until,omitzero"`
	Manual  bool      `json:"manual,omitempty"`   // until somebody promotes it
	CatchUp bool      `json:"catch_up,omitempty"` // the wave that follows is for devices that failed
}

// ReasonOrderNotBetween refuses a promotion: there is nothing to promote, or something else is in the way.
const ReasonOrderNotBetween Reason = "order.not_between_phases"

// secondChance is the default of catching up: one more wave, and none but devices that have answered
// something take part. It costs the air time of a block, so it is for no link that has shown that it cannot
// carry one, and it waits for nobody who may be gone for good.
var secondChance = fleet.CatchUp{Rounds: 1}

// catchesUp tells if devices that fail for the radio get another wave.
func (c *Campaign) catchesUp() bool { return c.head.CaughtUp < c.spec.CatchUp.Rounds }

// helps tells if the waves that catch up are for a device that has failed.
func (c *Campaign) helps(d *Device) bool {
	if d.Outcome != Failed {
		return false
	}
	help := remedies[d.Reason].help
	if c.spec.CatchUp == secondChance {
		return help == helpNow && d.Answered > 0
	}
	return help != helpNone
}

// lost is how many devices have failed for good. A second chance is no reason to go on with a
// campaign that falls short.
func (c *Campaign) lost() int {
	if !c.catchesUp() || c.spec.CatchUp == secondChance {
		return c.tally[Failed]
	}
	return c.tally[Failed] - len(c.away())
}

// nextPhase returns the wave after the present one that has devices, or 0.
func (c *Campaign) nextPhase() int {
	next := 0
	for i := range c.devices {
		if d := &c.devices[i]; d.Outcome == Later && (next == 0 || d.Wave < next) {
			next = d.Wave
		}
	}
	return next
}

// waveName is what people call the present wave; "" if there is only one so far.
func (c *Campaign) waveName() string {
	switch w := c.head.Wave; {
	case c.head.CaughtUp > 0:
		return fmt.Sprintf("catch-up %d", c.head.CaughtUp)
	case w < len(c.spec.Phases):
		return c.spec.Phases[w].Label(w + 1)
	case len(c.spec.Phases) > 0:
		return "rest"
	case c.catchesUp() && c.spec.CatchUp != secondChance:
		return "first wave"
	}
	return ""
}

// fallShort ends the campaign because a stage has too few devices left; or halts it, if there are
// devices that wait for another phase: what is wrong with the first ones may be mended.
func (c *Campaign) fallShort(detail string) {
	if c.tally[Later] == 0 {
		c.finish(fleet.Failed, ReasonBelowThreshold, detail)
		return
	}
	c.halt(ReasonBelowThreshold, detail)
}

// waveOver goes on after the last stage of a wave: with the next phase, with those who failed, or
// with the end of the campaign.
func (c *Campaign) waveOver() {
	over := WaveState{Name: c.waveName(), Wave: c.head.Wave, Started: c.head.Started, Ended: c.now, Stages: slices.Clone(c.head.Stages)}
	if n := len(c.head.Waves); n > 0 {
		over.Started = c.head.WaveStarted
	}
	for i := range c.devices {
		if d := &c.devices[i]; d.Wave == c.head.Wave && d.Outcome != Later && !d.leftOut() {
			over.Devices++
			if d.Outcome == Verified {
				over.Verified++
			}
		}
	}
	if next := c.nextPhase(); next > 0 {
		c.promote(over, next)
		return
	}
	if away := c.away(); c.catchesUp() && len(away) > 0 {
		c.awaitAway(over, away)
		return
	}
	c.conclude(over)
}

// conclude ends the campaign after its last wave.
func (c *Campaign) conclude(over WaveState) {
	if len(c.head.Waves) > 0 && over.Devices > 0 {
		c.head.Waves = append(c.head.Waves, over)
	}
	if c.size() == 0 {
		c.nobodyLeft()
		return
	}
	if ok := c.size() - c.tally[Failed]; ok == 0 || !c.holds(ok) {
		c.finish(fleet.Failed, ReasonBelowThreshold, fmt.Sprintf("%d of %d devices, threshold %g %%", ok, c.size(), c.spec.Threshold))
		return
	}
	c.finish(fleet.Succeeded, ReasonNone, fmt.Sprintf("%d of %d devices verified", c.tally[Verified], c.size()))
}

// endWave puts the wave that is over into the history.
func (c *Campaign) endWave(over WaveState) {
	c.head.Waves = append(c.head.Waves, over)
	c.silenceGroups()
	for g := range c.groups {
		c.head.FragmentsPlan += c.planned(g)
		old := &c.groups[g]
		fresh := Group{
			NextFCnt: old.NextFCnt, MoreSessions: old.MoreSessions, MoreRounds: old.MoreRounds, Lanes: make([]LaneState, len(old.Lanes)),
			Frames: old.Frames, Airtime: old.Airtime, Before: old.sessions(),
		}
		for k, l := range c.groupLanes[g] {
			// What was ordered holds for the waves to come.
			fresh.Lanes[k] = LaneState{More: old.Lanes[k].More, Before: old.Lanes[k].done(&c.spec.Lanes[l])}
		}
		c.groups[g], c.touchedGroups[g] = fresh, true
	}
	c.tell("phase.over", "%s: %d of %d devices verified", over.Name, over.Verified, over.Devices)
}

// promote holds the wave that is over against its promotion rule.
func (c *Campaign) promote(over WaveState, next int) {
	c.endWave(over)
	p := c.spec.Phases[c.head.Wave].Promotion
	c.head.Interval = Interval{Next: next}
	if 100*float64(over.Verified) < (p.MinVerifiedPercent-1e-9)*float64(over.Devices) {
		c.halt(ReasonNotPromoted, fmt.Sprintf("%s: %d of %d devices verified, less than %g %%", over.Name, over.Verified, over.Devices, p.MinVerifiedPercent))
		return // whoever resumes it promotes it
	}
	if p.Soak > 0 {
		c.head.Interval.Until = c.now.Add(p.Soak)
		c.tell("phase.soaks", "%s soaks until %s", over.Name, c.head.Interval.Until.Format(time.RFC3339))
	}
	if p.Manual {
		c.head.Interval.Manual = true
		c.tell("phase.waits", "%s waits for somebody to promote it", over.Name)
	}
}

// away returns the devices that another wave can help. It is asked at every step between two waves, so
// it looks at those alone that have failed, which are few.
func (c *Campaign) away() []int {
	if !c.fallenKnown {
		c.fallen, c.fallenKnown = c.fallen[:0], true
		for i := range c.devices {
			if c.devices[i].Outcome == Failed {
				c.fallen = append(c.fallen, i)
			}
		}
	}
	var away []int
	for _, i := range c.fallen {
		if c.helps(&c.devices[i]) {
			away = append(away, i)
		}
	}
	return away
}

// awaitAway waits for devices that failed for the radio. Who is heard takes part in the next wave.
func (c *Campaign) awaitAway(over WaveState, away []int) {
	wait := c.spec.CatchUp.Wait
	if c.spec.CatchUp == secondChance {
		over.Name = cmp.Or(over.Name, "first wave")
		for _, i := range away {
			wait = max(wait, 2*c.slowness(i)+answerMargin)
		}
	}
	c.endWave(over)
	for _, i := range away {
		c.change(i, func(d *Device) { d.Heard = time.Time{} })
		if proof := c.devices[i].ProofAt; c.spec.CatchUp == secondChance && c.now.Sub(proof) <= c.slowness(i) {
			c.change(i, func(d *Device) { d.Heard = proof }) // it is back already
		}
	}
	c.head.Interval = Interval{Next: max(c.head.Wave, len(c.spec.Phases)) + 1, Until: c.now.Add(wait), CatchUp: true}
	c.tell("catchup.waits", "%d devices failed for the radio: those that are heard until %s get another session", len(away), c.head.Interval.Until.Format(time.RFC3339))
}

// waits tells if the campaign is between two waves, and begins the next one when it is time for that.
func (c *Campaign) waits() bool {
	b := c.head.Interval
	if b.Next == 0 {
		return false
	}
	if b.CatchUp {
		return c.waitsForAway(b)
	}
	if b.Manual || c.now.Before(b.Until) {
		return true
	}
	c.head.Wave = b.Next
	c.beginWave(func(d *Device) bool { return d.Outcome == Later && d.Wave == b.Next }, func(d *Device) { d.Outcome = Active })
	return false
}

// waitsForAway tells if devices that were away are still waited for. When all are back, or the time
// is over, those that are back begin the next wave.
func (c *Campaign) waitsForAway(b Interval) bool {
	away := c.away()
	back := 0
	for _, i := range away {
		if !c.devices[i].Heard.IsZero() {
			back++
		}
	}
	if back < len(away) && c.now.Before(b.Until) {
		return true
	}
	if back == 0 {
		c.head.Interval = Interval{}
		c.tell("catchup.over", "none of %d devices came back", len(away))
		c.conclude(WaveState{})
		return true
	}
	c.head.CaughtUp++
	c.head.Wave = b.Next
	c.beginWave(func(d *Device) bool { return c.helps(d) && !d.Heard.IsZero() }, func(d *Device) { d.again(b.Next, c.stages) })
	return false
}

// again lets a device that failed begin a wave. Who has the whole block keeps it, and goes on where it was; who
// has the group keeps that.
func (d *Device) again(wave int, stages []Stage) {
	was := *d
	*d = Device{
		Stage: firstStage(stages, was.Probe.Done), Wave: wave, Probe: was.Probe, Lane: was.Lane, Heard: was.Heard, SetUp: was.SetUp, Block: was.Block, Firmware: was.Firmware, Loss: was.Loss,
		SessionCnt: was.SessionCnt, FirstCnt: was.FirstCnt,
		Asked: was.Asked, Answered: was.Answered, Period: was.Period, Gaps: was.Gaps, ShortestGap: was.ShortestGap,
		Uplinks: was.Uplinks, Listened: was.Listened,
	}
	if was.Complete {
		d.Stage, d.Complete, d.Session = was.Stage, true, was.Session
		return
	}
	if was.SetUp && was.Reason != ReasonFragNoSession {
		d.Stage = stages[slices.Index(stages, StageMcGroupSetup)+1]
	}
	if was.Session || was.SessionCnt > 0 {
		d.FirstCnt = was.SessionCnt + 1
	}
}

// beginWave starts the wave Header.Wave with the devices that it is for.
func (c *Campaign) beginWave(belongs func(*Device) bool, enter func(*Device)) {
	c.head.Interval, c.head.Overruled, c.head.Gate = Interval{}, nil, -1
	c.head.WaveStarted, c.head.StoodStill = c.now, 0
	for k, s := range c.stages {
		c.head.Stages[k] = StageState{Stage: s}
	}
	n := 0
	for i := range c.devices {
		if belongs(&c.devices[i]) {
			c.change(i, enter)
			n++
		}
	}
	c.tell("phase.started", "%s: %d devices", c.waveName(), n)
}

// promoted ends the time between two waves because somebody says so.
func (c *Campaign) promoted(in PromoteRequested) {
	b := &c.head.Interval
	switch {
	case !c.obeys():
		return
	case b.Next == 0:
		c.refuse(lorawan.EUI64{}, lorawan.EUI64{}, ReasonOrderNotBetween, "no phase waits to be promoted")
		return
	case c.stands():
		c.refuse(lorawan.EUI64{}, lorawan.EUI64{}, ReasonOrderNotBetween, "the campaign is paused or halted: resume it")
		return
	}
	b.Manual, b.Until = false, time.Time{}
	c.tell("phase.promoted", "promoted by %s", in.By)
	c.out.Receipt.Reached++
}

// joinWave tells if device i, which failed in an earlier wave, can take part in the present one.
func (c *Campaign) joinWave(i int) bool {
	start := c.group(i).SessionTime
	return c.head.Interval.Next == 0 && (start.IsZero() || c.now.Before(start.Add(-sessionGuard)))
}

// earlier tells if device i failed in an earlier wave, or in one that is just over, and needs another session.
func (c *Campaign) earlier(i int) bool {
	d := &c.devices[i]
	return (d.Wave != c.head.Wave || c.head.Interval.Next > 0) && d.Stage <= StageStatus
}
