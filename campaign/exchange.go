package campaign

import (
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
)

// One command, one device, until it is answered:
//
//	            gate opens            uplink heard
//	 waiting ─────────────> listening ────────────┐
//	    │      (never heard in this campaign)     v       report "sent"          answer
//	    └──────────────────────────────────────> queued ───────────────> sent ─────────> judged
//	               (heard before)                 ^                        │
//	                                              │  no report in time,    │
//	                                              └── or heard without ────┘
//	                                                  an answer, or silence
//	                                                  (Policy.Attempts times, then failed)
//
// A class A device can be reached only right after an uplink (chance.go). So a command
// stands in the network's queue once, never twice (Flush), and is repeated when the device
// has just been heard without its answer: that downlink can still make the receive windows
// of the same uplink. The timer is for devices whose uplinks get lost.

// answerGrace is how long after a downlink an uplink without the answer does not mean
// that the answer is lost: devices take some seconds to answer, and may send
// something else first.
const answerGrace = 10 * time.Second

// answerMargin is added to every wait for an answer: network latency and the seconds
// that a device takes before it answers.
const answerMargin = 15 * time.Second

// begin lets device i work on its stage, whose gate is open.
func (c *Campaign) begin(i int) {
	d := &c.devices[i]
	switch d.Stage {
	case StageData:
		// The group sends; there is nothing to ask.
		return
	case StageStatus:
		c.beginStatus(i)
		return
	case StageVersion:
		c.beginVersion(i)
		return
	case StageProbe:
		c.beginProbe(i)
	case StageMcGroupSetup, StageFragSetup:
		if !c.toRightLane(i) {
			return
		}
	}
	if d.Heard.IsZero() {
		c.becomeListening(i)
		return
	}
	c.ask(i)
}

// becomeHolding waits until a time before it asks. A copy of the command that is still
// queued is taken back: it would be there twice when the time has come.
func (c *Campaign) becomeHolding(i int, until time.Time) {
	if c.devices[i].Phase == PhaseQueued {
		c.out.FlushDevices = append(c.out.FlushDevices, c.spec.Devices[i].DevEUI)
	}
	c.change(i, func(d *Device) { d.Phase, d.Deadline = PhaseHolding, c.patience(until) })
}

// ask sends the command of the device's stage, or gives up. While the campaign is paused
// it waits for the end of that.
func (c *Campaign) ask(i int) {
	d := &c.devices[i]
	if c.mute() {
		c.becomeHolding(i, c.now)
		return
	}
	if d.Attempts >= c.attempts(i) && c.awaitsReboot(i) {
		return
	}
	if d.Attempts >= c.attempts(i) {
		reason, text := ReasonNoAnswer, "no answer to %d commands"
		if d.Phase == PhaseQueued {
			reason, text = ReasonNotSent, "the network server did not send the last of %d commands"
		} else if d.ClockWrong {
			reason, text = ReasonClockWrong, "its clock is still wrong after %d commands"
		}
		c.becomeFailed(i, reason, fmt.Sprintf(text, d.Attempts))
		return
	}
	if !c.chance(i) {
		c.becomeListening(i)
		return
	}
	pkg, commands, refusal := c.request(i)
	switch refusal.kind {
	case refused:
		c.becomeFailed(i, refusal.reason, refusal.text)
		return
	case missing:
		c.missFurther(i)
		return
	}
	var down Downlink
	together := c.together(i)
	if together {
		down = c.withFragSetup(i, commands[0])
	} else {
		down = c.downlink(i, pkg, commands...)
	}
	down.question = true
	id := c.send(i, d.Attempts+1, down)
	c.noteAsked(i, down.Commands)
	c.change(i, func(d *Device) {
		d.Together = together
		if d.Attempts == 0 {
			d.Chance, d.Unsent = c.heardAt(i), 0
		}
		d.Phase, d.Frame, d.Since = PhaseQueued, id, c.now
		d.Attempts++
		d.Asked++
		// Three periods: an uplink can get lost without the device being away.
		d.Deadline = c.now.Add(3*c.period(i) + answerMargin)
	})
}

// send puts a downlink on its way to device i, in place of the command that may still be
// queued for it, and returns the ID.
func (c *Campaign) send(i, attempt int, d Downlink) string {
	d.Flush, d.Attempt = c.devices[i].Phase == PhaseQueued, attempt
	c.out.Downlinks = append(c.out.Downlinks, d)
	return d.ID
}

// reply answers a request of device i. A command that is queued for the device stays there.
func (c *Campaign) reply(i int, pkg lorawan.PackageID, ans lorawan.Command) {
	c.out.Downlinks = append(c.out.Downlinks, c.downlink(i, pkg, ans))
}

// downlink encodes commands of one package for device i.
func (c *Campaign) downlink(i int, pkg lorawan.PackageID, commands ...lorawan.Command) Downlink {
	payload := must(lorawan.AppendAll(nil, c.traits(i).Packages.Of(pkg), commands...)) // Plan made every field
	return c.frame(i, pkg, payload, commands...)
}

// frame makes a downlink for device i.
func (c *Campaign) frame(i int, pkg lorawan.PackageID, payload []byte, commands ...lorawan.Command) Downlink {
	c.head.UnicastSent++
	return Downlink{
		ID: c.nextID(), DevEUI: c.spec.Devices[i].DevEUI, FPort: c.traits(i).FPort(pkg), Payload: payload, Commands: commands, Attempt: 1,
	}
}

// request returns what device i is asked in its stage, or a refusal if asking makes no
// sense any more: for good, or (missing) until there is another session.
func (c *Campaign) request(i int) (lorawan.PackageID, []lorawan.Command, verdict) {
	switch c.devices[i].Stage {
	case StageProbe:
		return c.probeReq(i)
	case StageMcGroupSetup:
		return c.mcGroupSetupReq(i)
	case StageRebootTime:
		return c.rebootTimeReq(i)
	case StageFragSetup:
		return c.fragSessionSetupReq(i)
	case StageMcSession:
		return c.mcSessionReq(i)
	case StageStatus:
		return c.statusReq(i)
	case StageUpgradeImage:
		return c.upgradeImageReq()
	case StageReboot:
		return c.rebootReq(i)
	case StageVersion:
		return c.versionReq()
	case StageCancelReboot, StageDeleteImage, StageDeleteSession, StageDeleteGroup:
		return c.cleanUpReq(i)
	}
	panic(broken("stage %s asks nothing", c.devices[i].Stage))
}

// verdict is what an answer means for the stage of the device that gave it.
type verdict struct {
	kind   verdictKind
	reason Reason
	text   string
	until  time.Time // with hold
}

type verdictKind uint8

const (
	ignored  verdictKind = iota // not the answer to what is outstanding
	passed                      // the stage is done
	verified                    // the campaign is done for this device, with evidence
	refused                     // asking again would not help
	again                       // ask again now
	hold                        // ask again at until
	missing                     // fragments are missing; the stage is settled for now
)

// heard takes an uplink to its device.
func (c *Campaign) heard(in Heard) {
	i, ok := c.index[in.DevEUI]
	if !ok {
		return
	}
	if !c.started() {
		return
	}
	if c.devices[i].Heard.IsZero() {
		c.change(i, func(d *Device) { d.Heard = in.At })
	}
	if len(in.Commands) == 0 {
		c.learnPeriod(i, in.At)
	}
	if slices.ContainsFunc(in.Commands, func(cmd lorawan.Command) bool { _, clock := cmd.(clocksync.AppTimeReq); return !clock }) {
		c.change(i, func(d *Device) { d.Uplinks++ })
	}
	if c.probing(i) && c.probed(i, in) {
		return
	}
	settled := false
	for _, cmd := range in.Commands {
		if v := c.judge(i, in, cmd); v.kind != ignored {
			if d := &c.devices[i]; !settled && d.Answered < d.Asked {
				c.change(i, func(d *Device) { d.Answered++ })
			}
			c.follow(i, v)
			settled = true
		}
	}
	if d := &c.devices[i]; !settled {
		c.nextChance(i, d, in.At)
	}
}

// nextChance uses that a device has just been heard.
func (c *Campaign) nextChance(i int, d *Device, at time.Time) {
	switch d.Phase {
	case PhaseListening:
		c.ask(i)
	case PhaseQueued:
		if c.spec.NextChance && !c.chance(i) {
			c.becomeListening(i) // its windows were taken, and the next ones would be dear
		}
	case PhaseSent:
		if at.Sub(d.Since) > answerGrace+c.answerSpread(i) {
			c.ask(i)
		}
	}
}

// follow does what a verdict says.
func (c *Campaign) follow(i int, v verdict) {
	d := &c.devices[i]
	switch d.Outcome {
	case Verified, Stopped, ExcludedByOperator:
		return
	case Failed:
		// The version that runs is evidence whenever it comes; another answer counts only
		// while its stage is open.
		if v.kind != verified && (v.kind != passed || !c.mayRevive(d)) {
			return
		}
		c.change(i, func(d *Device) { d.Outcome, d.Reason, d.Detail = Active, ReasonNone, "" })
		c.tellDevice(i, "device.revived", "answered late")
	}
	switch v.kind {
	case passed:
		c.becomePassed(i)
	case verified:
		c.becomeVerified(i, v.text)
	case refused:
		c.becomeFailed(i, v.reason, v.text)
	case again:
		c.ask(i)
	case hold:
		c.becomeHolding(i, v.until)
	case missing:
		c.becomeIncomplete(i, v.reason, v.text)
	}
}

// mayRevive tells if a late answer still counts: the stage in which the device was given
// up for its silence is still open.
func (c *Campaign) mayRevive(d *Device) bool {
	silent := d.Reason == ReasonNoAnswer || d.Reason == ReasonNoUplink || d.Reason == ReasonNotSent
	return silent && d.Wave == c.head.Wave && c.head.Stages[c.at(d.Stage)].Closed.IsZero()
}

// sent takes a report that a downlink is on the air.
func (c *Campaign) sent(in Sent) {
	c.head.Airtime += in.Airtime
	if g, ok := c.groupOf(in.ID); ok {
		c.groups[g].Unreported = 0
		c.groups[g].Frames++
		c.groups[g].Airtime += in.Airtime
		c.groupSent(g, in)
		return
	}
	if i, ok := c.deviceOf(in.ID, PhaseQueued); ok {
		c.becomeSent(i, in.At)
	}
}

// becomeSent starts the wait for the answer when the command is on the air, not when it
// was queued: the queue of a class A device may be served much later.
func (c *Campaign) becomeSent(i int, at time.Time) {
	wait := c.period(i) + c.answerSpread(i) + answerMargin
	c.change(i, func(d *Device) {
		d.Phase, d.Since, d.Deadline = PhaseSent, at, c.patience(at.Add(wait))
	})
}

// notSent takes a report that a downlink will not go out.
func (c *Campaign) notSent(in NotSent) {
	if g, ok := c.groupOf(in.ID); ok {
		c.tellGroup(g, "network.not_sent", "frame %s was not sent: %s", in.ID, in.Reason)
		c.groups[g].Unreported = 0
		c.groupSent(g, Sent{ID: in.ID, At: c.now})
		return
	}
	if i, ok := c.deviceOf(in.ID, PhaseQueued); ok {
		c.tellDevice(i, "network.not_sent", "command %s was not sent: %s", in.ID, in.Reason)
		c.becomeUnsent(i)
	}
}

// becomeUnsent waits before the next attempt. The phase stays "queued", so that if this was
// the last attempt the network gets the blame.
func (c *Campaign) becomeUnsent(i int) {
	again := c.patience(c.now.Add(c.period(i)))
	c.change(i, func(d *Device) { d.Frame, d.Deadline, d.Unsent = "", again, d.Unsent+1 })
}

// deviceOf finds the device that waits in a phase for the downlink with this ID.
func (c *Campaign) deviceOf(id string, phase Phase) (int, bool) {
	i, ok := c.frames[id]
	return i, ok && c.devices[i].Frame == id && c.devices[i].Phase == phase
}

// deadline ends the patience of device i in its present phase.
func (c *Campaign) deadline(i int) {
	switch c.devices[i].Phase {
	case PhaseListening:
		if n := c.devices[i].Attempts; n > 0 {
			c.becomeFailed(i, ReasonNoAnswer, fmt.Sprintf("no answer to %d commands, and then no uplink for %s", n, c.silence(i).Round(time.Second)))
			return
		}
		c.becomeFailed(i, ReasonNoUplink, fmt.Sprintf("no uplink for %s", c.silence(i).Round(time.Second)))
	case PhaseHolding, PhaseQueued, PhaseSent:
		c.ask(i)
	}
}

// joined sends a device back to the first stage if it had anything in RAM that the
// campaign still needs. Once fragments are under way it is too late for this session.
func (c *Campaign) joined(in Joined) {
	i, ok := c.index[in.DevEUI]
	if !ok || !c.started() {
		return
	}
	d := &c.devices[i]
	if d.Outcome == Failed && (d.SetUp || d.Session) {
		c.change(i, func(d *Device) { d.SetUp, d.Session = false, false }) // for another wave
	}
	if d.Outcome != Active {
		return
	}
	if !d.SetUp || c.at(d.Stage) >= c.at(StageMcSession) && c.head.Gate > c.at(StageMcSession) {
		return
	}
	c.tellDevice(i, string(ReasonRejoined), "joined again: its groups and sessions are gone, set up again")
	if d.Phase == PhaseQueued {
		c.out.FlushDevices = append(c.out.FlushDevices, in.DevEUI)
	}
	c.change(i, func(d *Device) {
		d.Stage, d.Phase, d.Attempts = firstStage(c.stages, d.Probe.Done), PhaseWaiting, 0
		d.SetUp, d.Session, d.ClockWrong, d.RebootSet, d.Deadline, d.Heard = false, false, false, false, time.Time{}, c.now
	})
	c.begin(i)
}

// becomePassed moves device i to the next stage that concerns it.
func (c *Campaign) becomePassed(i int) {
	c.notePassed(i)
	if from := c.devices[i].Stage; c.next(from, i) < len(c.walk(i)) {
		c.tellDevice(i, "device.passed", "passed %s", from)
	}
	if c.devices[i].Stage == StageMcSession && !c.inSession(i) {
		grp := c.group(i)
		c.change(i, func(d *Device) {
			d.InSession = grp.Reopened + 1
			d.Listened += grp.SessionEnd.Sub(grp.SessionTime)
		})
	}
	c.moveOn(i)
}

// walk returns the stages that device i takes: those of the campaign, or of its clean-up.
func (c *Campaign) walk(i int) []Stage {
	if c.devices[i].Outcome == Stopping {
		return cleanUpStages
	}
	return c.stages
}

// next returns the index into walk of the first stage after from that concerns device i.
func (c *Campaign) next(from Stage, i int) int {
	walk := c.walk(i)
	next := slices.Index(walk, from) + 1
	for next < len(walk) && c.skips(i, walk[next]) {
		next++
	}
	return next
}

// moveOn takes device i to its next stage, or to its end.
func (c *Campaign) moveOn(i int) {
	d := &c.devices[i]
	next := c.next(d.Stage, i)
	if d.Phase == PhaseQueued {
		// The answer was to an earlier copy, or nobody waits for it any more: the command
		// that is queued must not follow.
		c.out.FlushDevices = append(c.out.FlushDevices, c.spec.Devices[i].DevEUI)
		c.change(i, func(d *Device) { d.Phase = PhaseWaiting })
	}
	walk := c.walk(i)
	if next == len(walk) {
		c.becomeDone(i)
		return
	}
	c.change(i, func(d *Device) {
		d.Stage, d.Phase, d.Attempts, d.Deadline, d.Frame = walk[next], PhaseWaiting, 0, time.Time{}, ""
		d.ClockWrong, d.LastUplink = false, time.Time{} // what it sends while nobody waits for it is not noted
		if d.Outcome == Active {
			d.Reason, d.Detail = ReasonNone, "" // of fragments that were missing
		}
	})
	switch {
	case d.Together && d.Stage == StageFragSetup:
		c.askedAlready(i)
	case d.Outcome == Stopping || next <= c.head.Gate:
		c.begin(i)
	}
}

// becomeDone ends the way of device i, which has passed its last stage.
func (c *Campaign) becomeDone(i int) {
	if c.devices[i].Outcome == Stopping {
		c.becomeStopped(i, "cleaned up")
		return
	}
	c.becomeVerified(i, fmt.Sprintf("passed %s, the last stage", c.devices[i].Stage))
}

// becomeVerified records the evidence that device i has what it should.
func (c *Campaign) becomeVerified(i int, text string) {
	if c.devices[i].Phase == PhaseQueued {
		c.out.FlushDevices = append(c.out.FlushDevices, c.spec.Devices[i].DevEUI)
	}
	c.tellDevice(i, "device.verified", "%s", text)
	if d := &c.devices[i]; d.Stage == c.stages[len(c.stages)-1] {
		c.notePassed(i) // evidence ends the last stage, and may come in any
	}
	c.noteProof(i)
	c.change(i, func(d *Device) {
		d.Outcome, d.Phase, d.Reason, d.Detail, d.Deadline, d.Frame = Verified, PhaseWaiting, ReasonNone, text, time.Time{}, ""
	})
}

// becomeFailed gives device i up, or, in a clean-up, says that it could not be proven.
func (c *Campaign) becomeFailed(i int, reason Reason, text string) {
	d := &c.devices[i]
	if d.Outcome == Stopping {
		c.cleanUpFailed(i, text)
		return
	}
	if c.probeSilent(i, reason, text) {
		return
	}
	if d.Phase == PhaseQueued {
		c.out.FlushDevices = append(c.out.FlushDevices, c.spec.Devices[i].DevEUI)
	}
	text = fmt.Sprintf("%s: %s", d.Stage, text)
	c.tellDevice(i, string(reason), "failed in %s", text)
	c.noteProof(i)
	c.change(i, func(d *Device) {
		d.Outcome, d.Phase, d.Reason, d.Detail, d.Deadline, d.Frame = Failed, PhaseWaiting, reason, text, time.Time{}, ""
	})
	c.judgeFailures()
}

// skips tells if a stage does not concern device i.
func (c *Campaign) skips(i int, s Stage) bool {
	d, t := &c.devices[i], c.traits(i)
	switch s {
	case StageUpgradeImage:
		// It may be rebooting this very moment, and forgets the image status when it does.
		return t.RebootsItself && c.spec.RebootAt.IsZero()
	case StageReboot:
		return t.RebootsItself
	case StageCancelReboot:
		return !d.RebootSet
	case StageDeleteImage:
		return !d.Block
	case StageDeleteSession:
		return !d.Session
	case StageDeleteGroup:
		return !d.SetUp
	}
	return false
}
