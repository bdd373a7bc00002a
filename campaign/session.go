package campaign

import (
	"fmt"
	"math"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// sessionGuard is how long before a session nobody new is told of it: the request has
// to reach the device before the device has to open its receiver.
const sessionGuard = 5 * time.Second

// fixSessions decides when the session of each group starts and how long it lasts.
// It is decided once: a device that is told later gets the same time or none. All groups
// start together: McSession is one gate, and a group that started before the slowest one
// is told would spend its session waiting at it.
func (c *Campaign) fixSessions() {
	start := c.spec.SessionStart
	if start.IsZero() || c.head.Wave > 0 {
		var lead, length time.Duration
		for g := range c.groups {
			lead, length = max(lead, c.sessionLead(g)), max(length, c.sessionNeeds(g))
		}
		start = c.slot(lead, length)
	}
	for g := range c.spec.Groups {
		if c.spec.Groups[g].Class == fleet.ClassB {
			start = lorawan.CeilBeacon(start)
		}
	}
	for g := range c.groups {
		c.fixSession(g, start, c.sessionSpan(g, c.allFrames(g)))
		c.groups[g].Phase, c.groups[g].Deadline = GroupArmed, c.groups[g].SessionTime
	}
}

// missSession leaves those behind who have not confirmed the session of group g by the
// time it starts: waiting for them would cost the others their session. Of a further
// session, they wait for the next one, unless the block goes on in it.
func (c *Campaign) missSession(g int) {
	c.eachMember(g, func(i int, d *Device) {
		switch {
		case c.at(d.Stage) > c.at(StageMcSession):
		case (c.groups[g].Reopened == 0 || c.blockCut(g)) && c.mayRide(d):
			c.tellDevice(i, string(ReasonUnconfirmed), "has not confirmed the session and may have heard of it: stays in")
			c.change(i, func(d *Device) { d.Rides = true })
			c.becomePassed(i)
		case c.groups[g].Reopened == 0 && d.ClockWrong:
			c.becomeFailed(i, ReasonClockWrong, "its clock was still wrong when the session started")
		case c.groups[g].Reopened == 0:
			c.becomeFailed(i, ReasonSessionMissed, "had not confirmed the session when it started")
		default:
			c.missFurther(i)
		}
	})
}

// missFurther lets device i wait for the session after the present further one.
func (c *Campaign) missFurther(i int) {
	c.becomeIncomplete(i, ReasonFragIncomplete, fmt.Sprintf("had not confirmed further session %d when it started", c.group(i).Reopened))
	c.change(i, func(d *Device) { d.Stage = StageStatus })
}

// mayRide tells if a device may know of the session although it has not confirmed it: an answer
// is lost as easily as a question. What it has received will tell.
func (c *Campaign) mayRide(d *Device) bool {
	left := d.Attempts - d.Unsent
	sent := left > 1 || left == 1 && d.Phase != PhaseQueued
	return c.spec.Policy.Setup == fleet.PipelinedSetup && c.spec.NextChance && c.spec.Type != fleet.MCGroupCampaign && d.Stage == StageMcSession && sent && !d.ClockWrong
}

// fixSession gives group g a session from start on, of at least length.
func (c *Campaign) fixSession(g int, start time.Time, length time.Duration) {
	gs, grp := &c.spec.Groups[g], &c.groups[g]
	if gs.Class == fleet.ClassB {
		// A class B session starts with a beacon. Rounding down would start it early.
		start = lorawan.CeilBeacon(start)
	} else {
		// The request carries whole seconds.
		start = lorawan.TimeFromGPS(lorawan.GPSSeconds(start))
	}
	if end := c.end(); !end.IsZero() && end.Sub(start) < length {
		length = max(end.Sub(start), time.Second)
	}
	grp.SessionTime = start
	grp.TimeOut, grp.SessionEnd = sessionTimeOut(gs.Class, start, length)
	c.touchedGroups[g] = true
	c.tellGroup(g, "session.fixed", "class %s session from %s for %s", gs.Class, start.Format(time.RFC3339), grp.SessionEnd.Sub(start))
}

// sessionNeeds is how long a window must be for the first session of group g, which starts
// with a whole second or with the next beacon.
func (c *Campaign) sessionNeeds(g int) time.Duration {
	length := c.sessionSpan(g, c.allFrames(g))
	if c.spec.Groups[g].Class == fleet.ClassB {
		length += lorawan.BeaconPeriod
	}
	return length
}

// sessionSpan is how long a session of group g is that has so many fragments before it: as long as these
// need, or as TS005 and the windows of the schedule allow. Of a session that is cut by a window, devices
// would listen on after it for what does not come, so such a one ends in time: what is left follows in a further one.
func (c *Campaign) sessionSpan(g, frames int) time.Duration {
	class := c.spec.Groups[g].Class
	span, window := min(c.sessionLength(g, frames), maxSession(class)), c.window
	if class == fleet.ClassB {
		window -= lorawan.BeaconPeriod // it starts with the next one
	}
	if span <= window {
		return span
	}
	duration := durationOf(class)
	for t := uint8(maxTimeOut); t > 0; t-- {
		if span = duration(t); span <= window {
			return span
		}
	}
	return duration(0)
}

// plannedSessions is how many sessions the fragments of group g need, as far as can be known before.
func (c *Campaign) plannedSessions(g int) int {
	frames := c.allFrames(g)
	return int(math.Ceil(float64(c.sessionLength(g, frames)) / float64(c.sessionSpan(g, frames))))
}

// sessionLead is the time from now to the session: what the devices of the group need
// to learn of it.
func (c *Campaign) sessionLead(g int) time.Duration {
	lead := c.slowLead(g)
	if c.spec.Policy.Setup == fleet.PipelinedSetup && c.spec.NextChance {
		lead = c.quickLead(g)
	}
	lead += c.spec.Policy.SessionLead
	if c.spec.Groups[g].Class == fleet.ClassB {
		lead += time.Duration(c.spec.Policy.BeaconsToWait) * lorawan.BeaconPeriod
	}
	return lead
}

// Bounds of quickLead.
const (
	leadMiss       = 0.05 // devices that may not hear of the session in time, of all that are under way
	lateMiss       = 0.1  // the same of a wave that catches up: everybody waits for a few devices
	maxLeadPeriods = 14
	priorAsked     = 8   // commands that a device counts as asked and answered like all others: the worst one has had bad luck too
	poorRate       = 0.6 // of a fleet whose links are so bad that the last devices may take twice as long
)

// quickLead waits for the device that needs longest, by how well each one has answered so
// far. A device that answers the share q of its commands hears the root of q of them, because
// answers get lost as easily, and as many of its uplinks get through. So it learns of the
// session in a period with probability q, and has not in n periods with (1-q)^n. Each stage that
// is left before takes 1/q periods more.
//
// A group campaign ends with the session, so there the answer has to get through as well: that takes
// another root of q, and twice as long at most.
//
// If set-up took long because the gateways have little air time, the rest and the session
// itself take as long again. A further session is for the devices that still miss fragments: they
// take their share of that time, however long the campaign has run since.
func (c *Campaign) quickLead(g int) time.Duration {
	var asked, answered int
	for i := range c.devices {
		asked, answered = asked+c.devices[i].judged(), answered+c.devices[i].Answered
	}
	miss, most := leadMiss, float64(maxLeadPeriods)
	if c.head.CaughtUp > 0 {
		miss = lateMiss
	}
	miss /= float64(c.tally[Active])
	rate := float64(answered+1) / float64(asked+1) // of all
	if c.spec.Type == fleet.MCGroupCampaign || rate < poorRate {
		most *= 2
	}
	session := c.at(StageMcSession)
	var lead time.Duration
	c.eachMember(g, func(i int, d *Device) {
		q := min((float64(d.Answered)+priorAsked*rate)/(float64(d.judged())+priorAsked), 1-miss)
		if c.spec.Type == fleet.MCGroupCampaign {
			q *= math.Sqrt(q)
		}
		periods := math.Ceil(math.Log(miss)/math.Log(1-q)) + float64(max(session-c.at(d.Stage), 0))/q
		periods = min(periods, most) + 0.5 // an uplink may be a little late
		lead = max(lead, time.Duration(periods*float64(c.slowness(i))))
	})
	began := c.head.Started
	if !c.head.WaveStarted.IsZero() {
		began = c.head.WaveStarted
	}
	took := c.head.Stages[session].Opened.Sub(began) - c.head.StoodStill
	if c.groups[g].Reopened > 0 {
		took = time.Duration(c.shareLeft(g) * float64(took))
	}
	return max(lead, took)
}

// shareLeft is the part of the devices of group g that a further session is for, 0..1.
func (c *Campaign) shareLeft(g int) float64 {
	members, left := 0, 0
	for _, l := range c.groupLanes[g] {
		members += len(c.members[l])
	}
	c.eachMember(g, func(i int, _ *Device) {
		if c.goesOn(i) {
			left++
		}
	})
	return float64(left) / float64(members)
}

// judged is how many commands d has had the time to answer.
func (d *Device) judged() int {
	if d.Asked > d.Answered && (d.Phase == PhaseQueued || d.Phase == PhaseSent) {
		return d.Asked - 1
	}
	return d.Asked
}

// surelySlow is how many gaps between the uplinks of a device must all be long before the device
// counts as slow.
const surelySlow = 6

// slowness is the period of device i without the uplinks that it loses: they are in q. So it is
// that of its profile, unless there is no doubt that the device is slower.
func (c *Campaign) slowness(i int) time.Duration {
	d, p := &c.devices[i], c.traits(i).UplinkPeriod
	if d.Gaps < surelySlow {
		return p
	}
	return max(p, d.ShortestGap)
}

// slowLead is for networks that send a command with the next uplink, whenever that is, and for
// stages that open one after the other. The set-up that has just been through tells how long that takes here,
// losses and all; a quarter of them would still be late without the margin, and a device
// that learns too late is lost to this session.
func (c *Campaign) slowLead(g int) time.Duration {
	var period, took time.Duration
	for _, l := range c.groupLanes[g] {
		for _, i := range c.members[l] {
			period = max(period, c.traits(i).UplinkPeriod)
		}
	}
	for s := range c.at(StageMcSession) {
		if st := c.head.Stages[s]; !st.Closed.IsZero() {
			took = max(took, st.Closed.Sub(st.Opened))
		}
	}
	lead := 2*took + 4*period
	return min(lead, time.Duration(c.spec.Policy.Attempts())*(period+2*answerMargin)+period)
}

// allFrames returns how many fragments group g may have to send in all.
func (c *Campaign) allFrames(g int) (frames int) {
	for _, i := range c.groupLanes[g] {
		l := &c.spec.Lanes[i]
		if len(c.members[i]) == 0 {
			continue // it is there for what a probe may find
		}
		switch l.Redundancy {
		case fleet.Carousel:
			frames += int(l.NbFrag) * int(c.spec.Policy.MaxRounds)
		default:
			frames += l.ceiling(c.laneStateOf(i))
		}
	}
	return frames
}

// sessionLength is what a number of fragments and the status rounds need, with half as
// much again for frames that the network delays. Class C costs the device its battery for
// as long as the session lasts, so no more than that.
func (c *Campaign) sessionLength(g, frames int) time.Duration {
	var spread time.Duration
	for _, l := range c.groupLanes[g] {
		if len(c.members[l]) > 0 {
			spread += answerSpread(&c.spec.Lanes[l])
		}
	}
	interval := max(c.spec.Groups[g].FrameInterval, c.spec.Policy.MulticastDelay)
	rounds := time.Duration(min(c.spec.Policy.MaxRounds, usualRounds)) * (spread + 2*answerMargin + 2*interval)
	return time.Duration(frames)*interval*3/2 + rounds + c.spec.Policy.FirstFragmentDelay + time.Minute
}

// usualRounds is how many rounds a session leaves time for. More are short ones, of a fragment or two.
const usualRounds = 5

// sessionTimeOut returns the TimeOut exponent of TS005 for a session of at least length,
// and when such a session ends. The longest ones the field can say are 2^15 s in class C
// and 2^15 beacon periods in class B.
func sessionTimeOut(class fleet.Class, start time.Time, length time.Duration) (uint8, time.Time) {
	exponent := multicast.ClassCTimeOut
	if class == fleet.ClassB {
		exponent = multicast.ClassBTimeOut
	}
	t := must(exponent(length)) // sessionSpan knows what is too long
	return t, start.Add(durationOf(class)(t))
}

// durationOf returns how long a session of a class is for a TimeOut exponent.
func durationOf(class fleet.Class) func(uint8) time.Duration {
	if class == fleet.ClassB {
		return multicast.ClassBDuration
	}
	return multicast.ClassCDuration
}

const maxTimeOut = 15

// mcSessionReq tells device i when and where to listen, unless it is too late for that.
func (c *Campaign) mcSessionReq(i int) (lorawan.PackageID, []lorawan.Command, verdict) {
	l := c.lane(i)
	gs, grp := &c.spec.Groups[l.Group], &c.groups[l.Group]
	if !c.now.Before(grp.SessionTime.Add(-sessionGuard)) {
		if grp.Reopened > 0 {
			return 0, nil, verdict{kind: missing}
		}
		return 0, nil, verdict{kind: refused, reason: ReasonSessionMissed, text: fmt.Sprintf("not told of the session before it started at %s", grp.SessionTime.Format(time.RFC3339))}
	}
	start := lorawan.GPSSeconds32(grp.SessionTime)
	if gs.Class == fleet.ClassB {
		return lorawan.McSetup, []lorawan.Command{multicast.McClassBSessionReq{
			McGroupID: mcGroupID, SessionTime: start, TimeOut: grp.TimeOut, Periodicity: gs.Periodicity, DLFrequency: gs.Frequency, DR: gs.DataRate,
		}}, verdict{}
	}
	return lorawan.McSetup, []lorawan.Command{multicast.McClassCSessionReq{
		McGroupID: mcGroupID, SessionTime: start, TimeOut: grp.TimeOut, DLFrequency: gs.Frequency, DR: gs.DataRate,
	}}, verdict{}
}

// onSessionAns judges the answer of either class: the fields are the same.
//
//	server                              device
//	  | McClassCSessionReq start=T        |
//	  | --------------------------------> |   its clock decides when T is
//	  |        McClassCSessionAns in=S    |
//	  | <-------------------------------- |   heard at H: H+S must be T, else its
//	  | ForceDeviceResyncReq              |   receiver will be closed when we send
//	  | --------------------------------> |
//	  |        AppTimeReq, three times    |
//	  | <-------------------------------- |   answered at once, campaign or not; one with
//	  |                                   |   the right time is as good as an answer
//	  | McClassCSessionReq start=T        |   if none came
func (c *Campaign) onSessionAns(i int, in Heard, ans multicast.McClassCSessionAns) verdict {
	d, t := &c.devices[i], c.traits(i)
	grp := c.group(i)
	if d.Stage != StageMcSession || !c.outstanding(i) || ans.McGroupID != mcGroupID {
		return verdict{}
	}
	switch {
	case ans.Busy():
		return verdict{kind: hold, until: c.now.Add(answerMargin)}
	case ans.DRError:
		return verdict{kind: refused, reason: ReasonDataRateRefused, text: fmt.Sprintf("the device has no downlink data rate DR%d", c.spec.Groups[c.lane(i).Group].DataRate)}
	case ans.FreqError:
		return verdict{kind: refused, reason: ReasonFrequencyRefused, text: fmt.Sprintf("the device cannot use %d Hz", c.spec.Groups[c.lane(i).Group].Frequency)}
	case ans.StartMissed, ans.McGroupUndefined, ans.Refused():
		// McGroupUndefined after a good set-up is how LoRaMac says "too late".
		return c.resync(i, ReasonSessionMissed, fmt.Sprintf("the device says %s", ans))
	case !ans.ClockAgrees(in.At, lorawan.GPSSeconds32(grp.SessionTime), t.TimeTolerance+time.Second):
		// TimeToStart has whole seconds: one more is not the clock's fault.
		return c.resync(i, ReasonClockWrong, fmt.Sprintf("the device would start in %ds, the session in %s", ans.TimeToStart, grp.SessionTime.Sub(in.At).Round(time.Second)))
	}
	return verdict{kind: passed}
}

// resync has device i correct its clock and asks again, if there is time for both.
func (c *Campaign) resync(i int, reason Reason, text string) verdict {
	d, t := &c.devices[i], c.traits(i)
	if d.Phase == PhaseHolding || d.Outcome != Active {
		return verdict{} // a second copy: the correction is on its way; or too late
	}
	if t.Packages.ClockSync == 0 {
		return verdict{kind: refused, reason: reason, text: text + ", and it has no clock synchronisation package"}
	}
	if d.Attempts >= c.spec.Policy.Attempts() {
		return verdict{kind: refused, reason: reason, text: text}
	}
	if c.mute() {
		return verdict{kind: again} // with resume; it will say the same then
	}
	c.tellDevice(i, string(reason), "%s: asked to synchronise its clock", text)
	c.send(i, 1, c.downlink(i, lorawan.ClockSync, clocksync.ForceDeviceResyncReq{NbTransmissions: resyncTransmissions}))
	c.change(i, func(d *Device) { d.ClockWrong = reason == ReasonClockWrong })
	return verdict{kind: hold, until: c.now.Add(t.UplinkPeriod + answerMargin)}
}

// resyncTransmissions is how many AppTimeReq a device shall send: one to be corrected by,
// one to show that it was, and one to lose.
const resyncTransmissions = 3

// onAppTimeReq looks at the clock of a device that accepted its session with a wrong one:
// as soon as it is right, so is the start of the session.
func (c *Campaign) onAppTimeReq(i int, in Heard, req clocksync.AppTimeReq) verdict {
	d := &c.devices[i]
	if d.Stage != StageMcSession || !d.ClockWrong {
		return verdict{}
	}
	// The uplink itself takes up to three seconds.
	off := in.At.Sub(lorawan.TimeFromGPS32(req.DeviceTime, in.At)).Abs()
	if off > c.traits(i).TimeTolerance+3*time.Second {
		return verdict{}
	}
	return verdict{kind: passed}
}
