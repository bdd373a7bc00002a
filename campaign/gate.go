package campaign

import (
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// Stages are gates. Devices work on every stage up to Header.Gate, each at its own
// pace; a stage closes when no device has anything left to do in it, and then the share
// of devices that are still in the campaign is held against the success threshold.
//
//	sequential:  one gate at a time, as the reference server does
//	pipelined:   the set-up stages before McSession open together, and so do all stages
//	             from DataFragment on; McSession is a gate of its own, because its
//	             request names the start time that the stages before it decide. It opens
//	             when most devices stand before it: the last ones follow meanwhile
//
// Between "settled" and "closed" lies the late-answer time: a device that was given up
// for its silence comes back if its answer arrives in it.

// start opens the first gate.
func (c *Campaign) start() {
	if c.head.Status != fleet.Configured {
		return
	}
	c.head.Status, c.head.Started = fleet.Running, c.now
	c.tell("campaign.started", "started with %d devices in %d groups", len(c.devices), len(c.groups))
	if n := c.size(); n < len(c.devices) {
		c.tell("phase.started", "%s: %d devices", c.waveName(), n)
	}
	c.watchClock()
	c.openNext()
}

// started tells if there is anything to do with an uplink or a report.
func (c *Campaign) started() bool { return c.head.Status == fleet.Running || c.head.CleaningUp }

// openNext opens the gate behind the present one, and with it those that open together.
func (c *Campaign) openNext() {
	from := c.head.Gate + 1
	to := from
	if c.spec.Policy.Setup == fleet.PipelinedSetup {
		switch {
		case c.stages[from] == StageMcSession:
		case from < c.at(StageMcSession):
			to = c.at(StageMcSession) - 1
		default:
			to = len(c.stages) - 1
		}
	} else if c.stages[from] == StageData {
		// Fragments and status requests alternate: one is no use without the other.
		to = from + 1
	}
	c.head.Gate = to
	for s := from; s <= to; s++ {
		c.open(c.stages[s])
	}
	for i := range c.devices {
		if d := &c.devices[i]; d.Outcome == Active && d.Phase == PhaseWaiting && c.at(d.Stage) >= from && c.at(d.Stage) <= to {
			c.begin(i)
		}
	}
}

// open prepares a stage for its devices.
func (c *Campaign) open(s Stage) {
	c.head.Stages[c.at(s)].Opened = c.now
	c.tell("stage.opened", "%s: %d devices", s, c.unsettled[c.at(s)])
	switch s {
	case StageMcSession:
		c.fixSessions()
	case StageData:
		c.armGroups()
	}
}

// firstOpen returns the index of the first stage that is open and not closed, or -1.
func (c *Campaign) firstOpen() int {
	for s := 0; s <= c.head.Gate; s++ {
		if c.head.Stages[s].Closed.IsZero() {
			return s
		}
	}
	return -1
}

// advance closes every stage that is settled and opens what follows.
func (c *Campaign) advance() {
	if c.head.CleaningUp {
		c.advanceCleanUp()
		return
	}
	for c.head.Status == fleet.Running && !c.stands() && !c.waits() {
		s := c.firstOpen()
		if s < 0 || c.mostAreReady() {
			c.openNext()
			continue
		}
		if !c.settled(s) {
			// A device came back: the late-answer time starts anew when it is through.
			c.head.Stages[s].Grace = time.Time{}
			return
		}
		if !c.graceOver(s) {
			return
		}
		c.close(s)
	}
}

// readyShare of the devices are enough to fix the session: by then it shows how long the rest
// will take.
const readyShare = 0.9

// mostAreReady tells if it is time to fix the session although some devices are still being
// set up.
func (c *Campaign) mostAreReady() bool {
	session := c.at(StageMcSession)
	if c.spec.Policy.Setup != fleet.PipelinedSetup || !c.spec.NextChance || c.head.Gate != session-1 {
		return false
	}
	ready := c.unsettled[session]
	return ready < c.tally[Active] && float64(ready) >= readyShare*float64(c.tally[Active])
}

// settled tells if stage s needs no more time.
func (c *Campaign) settled(s int) bool {
	waiting := 0
	for k := range s + 1 {
		waiting += c.unsettled[k]
	}
	if waiting == 0 {
		return true
	}
	return c.spec.Policy.CloseAtThreshold && c.stages[s] != StageData && c.holds(c.size()-c.tally[Failed]-waiting)
}

// graceOver starts the late-answer time of a settled stage and tells if it is over.
// Without a silent device there is nothing to wait for.
func (c *Campaign) graceOver(s int) bool {
	st := &c.head.Stages[s]
	if st.Grace.IsZero() {
		if !c.someSilent(s) {
			return true
		}
		st.Grace = c.patience(c.now.Add(c.spec.Policy.LateAnswer))
		if start := c.groups[0].SessionTime; c.stages[s] == StageMcSession && st.Grace.After(start) {
			st.Grace = start // who answers later has missed it
		}
	}
	return !c.mute() && !c.now.Before(st.Grace)
}

// someSilent tells if a late answer could still change stage s.
func (c *Campaign) someSilent(s int) bool {
	for i := range c.devices {
		d := &c.devices[i]
		if (d.Outcome == Active || d.Outcome == Failed && c.mayRevive(d)) && c.at(d.Stage) == s {
			return true
		}
	}
	return false
}

// size is how many devices thresholds are held against: all of the waves so far that no operator has
// excluded. While the campaign runs, only they are stopping.
func (c *Campaign) size() int {
	return len(c.devices) - c.tally[ExcludedByOperator] - c.tally[Stopping] - c.tally[Later]
}

// holds tells if n devices reach the success threshold. A small epsilon keeps 100 % of
// 3 devices from failing on rounding.
func (c *Campaign) holds(n int) bool {
	return 100*float64(n)/float64(c.size()) >= c.spec.Threshold-1e-9
}

// close ends stage s and holds it against the threshold.
func (c *Campaign) close(s int) {
	for i := range c.devices {
		if d := &c.devices[i]; d.Outcome == Active && c.at(d.Stage) <= s {
			c.becomeFailed(i, ReasonLate, "not ready when the stage closed")
		}
	}
	st := &c.head.Stages[s]
	st.Closed = c.now
	if c.size() == 0 {
		c.waveOver() // the probe has left nobody
		return
	}
	ok := c.size() - c.lost()
	c.tell("stage.closed", "%s: %d of %d devices", st.Stage, ok, c.size())
	if (ok == 0 || !c.holds(ok)) && !slices.Contains(c.head.Overruled, byThreshold) {
		c.fallShort(fmt.Sprintf("%s: %d of %d devices, threshold %g %%", st.Stage, ok, c.size(), c.spec.Threshold))
	}
	if c.head.Status == fleet.Running && (s == len(c.stages)-1 || c.tally[Active] == 0) {
		c.waveOver()
	}
}

// runOut ends the campaign when its maximum duration is over. What is verified by then counts.
func (c *Campaign) runOut() {
	verified := c.tally[Verified]
	if verified > 0 && c.tally[Later] == 0 && c.holds(verified) {
		c.finish(fleet.Succeeded, ReasonMaxDuration, fmt.Sprintf("%d of %d devices verified when the maximum duration was over", verified, c.size()))
		return
	}
	later := ""
	if n := c.tally[Later]; n > 0 {
		later = fmt.Sprintf(", %d devices in phases that had not begun", n)
	}
	c.finish(fleet.Failed, ReasonMaxDuration, fmt.Sprintf("%d of %d devices verified within %s, threshold %g %%%s", verified, c.size(), c.spec.MaxDuration+c.head.Extended, c.spec.Threshold, later))
}

// finish ends the campaign. Devices that are still under way end with it. What a failed
// campaign has left on its devices is cleaned up, unless its policy says otherwise.
func (c *Campaign) finish(status fleet.Status, reason Reason, detail string) {
	c.head.Status, c.head.Reason, c.head.Detail, c.head.Ended = status, reason, detail, c.now
	c.endDevices(func(i int) { c.becomeFailed(i, ReasonEnded, "the campaign ended") })
	c.silenceGroups()
	c.tell("campaign.ended", "%s: %s", status, detail)
	if status == fleet.Failed && !c.spec.Policy.KeepOnFailure {
		c.withdrawAll(ReasonNone)
	}
	c.head.CleaningUp = c.tally[Stopping] > 0
}

// endDevices calls end for every device that is still under way.
func (c *Campaign) endDevices(end func(i int)) {
	for i := range c.devices {
		if o := c.devices[i].Outcome; o == Active || o == Later {
			end(i)
		}
	}
}

// silenceGroups takes back what the groups still have queued.
func (c *Campaign) silenceGroups() {
	for g := range c.groups {
		grp := &c.groups[g]
		if grp.Frame != "" {
			c.out.FlushGroups = append(c.out.FlushGroups, c.spec.Groups[g].DevEUI)
		}
		if grp.Phase != GroupIdle || !grp.Deadline.IsZero() {
			grp.Phase, grp.Frame, grp.Deadline = GroupDone, "", time.Time{}
			c.touchedGroups[g] = true
		}
	}
}
