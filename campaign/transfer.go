package campaign

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// What a group does during its session:
//
//	armed ──session time──> sending ──last fragment──> asking ──answers are in──┐
//	                           ^                          ^                     │
//	                           │                          └─ many still silent ─┤
//	                           ├──── some miss fragments, and more can help ────┤
//	                           │                                                v
//	                           └────────────── polling <── few still silent ── (what now?)
//	                                              │                             │
//	                                              └──── all answered ──> done <─┘
//
// A block that is too long for one session, or for one window of the schedule, goes on in the next one: as long as
// its last uncoded fragment has not been sent, nobody can have it, and nobody is asked.
//
//	armed ──> sending 1..400 ──session over──> armed ──> sending 401..800 ──session over──> armed ──> sending 801..1000 ──> asking
//
// One frame at a time is with the network: its report brings the next one, so the
// network's pace is ours. Within a session fragment numbers only rise, whatever was
// lost: most decoders drop a fragment below the highest number they have seen.

// armGroups makes every group with devices wait for its session.
func (c *Campaign) armGroups() {
	for g := range c.groups {
		grp := &c.groups[g]
		grp.Phase = GroupArmed
		grp.Deadline = grp.SessionTime.Add(c.spec.Policy.FirstFragmentDelay)
		for k, l := range c.groupLanes[g] {
			lane := &c.spec.Lanes[l]
			ls := LaneState{Next: 1, Last: int(lane.NbFrag) + int(lane.Coded), More: grp.Lanes[k].More, Before: grp.Lanes[k].Before}
			if lane.Redundancy == fleet.FixedRedundancy {
				ls.Last = lane.ceiling(&ls)
			}
			grp.Lanes[k] = ls
		}
		c.touchedGroups[g] = true
	}
}

// groupDeadline goes on with group g when its deadline has come.
func (c *Campaign) groupDeadline(g int) {
	grp := &c.groups[g]
	grp.Deadline = time.Time{}
	c.touchedGroups[g] = true
	switch grp.Phase {
	case GroupArmed:
		c.missSession(g)
		if c.head.Stages[c.at(StageMcSession)].Closed.IsZero() {
			return // it closes now, and arms the group again
		}
		if grp.Reopened > 0 && !c.someoneListens(g) {
			switch {
			case c.reopen(g):
			case c.someoneWaits(g):
				c.roundOver(g)
			default:
				c.groupDone(g)
			}
			return
		}
		grp.Phase = GroupSending
		c.tellGroup(g, "transfer.started", "session has started")
		c.sendNext(g)
	case GroupSending:
		if grp.Frame != "" {
			c.tellGroup(g, "network.no_report", "no report for frame %s, going on", grp.Frame)
			grp.Frame = ""
			grp.Unreported++
		}
		c.sendNext(g)
	case GroupAsking:
		if grp.Frame != "" {
			grp.Unreported++
			c.groupSent(g, Sent{ID: grp.Frame, At: c.now})
			return
		}
		c.askNextLane(g)
	}
}

// groupOf finds the group whose frame under way has this ID.
func (c *Campaign) groupOf(id string) (int, bool) {
	for g := range c.groups {
		if c.groups[g].Frame == id && id != "" {
			return g, true
		}
	}
	return 0, false
}

// groupSent takes the network's report for a multicast frame.
func (c *Campaign) groupSent(g int, in Sent) {
	grp := &c.groups[g]
	c.touchedGroups[g] = true
	grp.Frame, grp.Deadline = "", time.Time{}
	grp.NextFCnt = max(grp.NextFCnt, in.FCnt+1)
	if grp.Phase == GroupAsking {
		lane := &c.spec.Lanes[c.groupLanes[g][grp.Lane]]
		if by := in.At.Add(answerSpread(lane) + 2*answerMargin); by.After(grp.AnswersBy) {
			grp.AnswersBy = by
		}
		grp.Lane++
	}
	if c.stands() {
		grp.Deadline = c.standsSince() // goes on with resume
		return
	}
	switch grp.Phase {
	case GroupSending:
		if next := in.At.Add(c.spec.Policy.MulticastDelay); next.After(c.now) {
			grp.Deadline = next
			return
		}
		c.sendNext(g)
	case GroupAsking:
		c.askNextLane(g)
	}
}

// sendNext sends the next fragment of group g, or ends the round.
func (c *Campaign) sendNext(g int) {
	next := slices.IndexFunc(c.groupLanes[g], func(l int) bool {
		ls := c.laneStateOf(l)
		return ls.Next <= ls.Last && !c.laneComplete(l)
	})
	switch {
	case next < 0:
		c.roundOver(g)
	case c.sessionHolds(g, c.spec.Groups[g].FrameInterval):
		c.sendFragment(g, next)
	default:
		c.tellGroup(g, "session.over", "the session ended before all fragments were sent")
		if !c.blockCut(g) || !c.reopen(g) {
			c.roundOver(g)
		}
	}
}

// sendFragment sends the next fragment of lane k of group g.
func (c *Campaign) sendFragment(g, k int) {
	grp, ls := &c.groups[g], &c.groups[g].Lanes[k]
	l := c.groupLanes[g][k]
	lane := &c.spec.Lanes[l]
	data := must(c.encoder(l).Fragment(ls.Next, nil))
	c.sendMulticast(g, lane, fragmentation.DataFragment{FragIndex: lane.FragIndex, N: uint16(ls.Next), Data: data})
	c.head.FragmentsSent++
	if ls.Next > int(lane.NbFrag) {
		c.head.CodedSent++
	}
	ls.High = max(ls.High, ls.Next)
	ls.Next++
	grp.Lane = k
}

// sendMulticast puts one command on its way to group g.
func (c *Campaign) sendMulticast(g int, lane *Lane, cmd lorawan.Command) {
	grp := &c.groups[g]
	payload := must(cmd.Append(nil, lane.Version))
	grp.Frame = c.nextID()
	grp.Deadline = c.now.Add(c.reportPatience(g))
	c.touchedGroups[g] = true
	c.out.Downlinks = append(c.out.Downlinks, Downlink{
		ID: grp.Frame, Group: c.spec.Groups[g].DevEUI, FPort: lane.FPort, Payload: payload,
		Commands: []lorawan.Command{cmd}, Attempt: 1,
	})
}

// mostPatience is enough for a network that says nothing because it may not send, with a few frames in its queue, and not too long
// for one whose reports are lost.
const mostPatience = 15 * time.Minute

// reportPatience is how long group g waits for the report of a frame: much longer than it should take, and twice as long
// after each frame without one. A network that has sent within minutes what it may send in an hour is silent for the rest of it, and
// would have to take in whatever we do not wait for.
func (c *Campaign) reportPatience(g int) time.Duration {
	once := 10*c.spec.Groups[g].FrameInterval + time.Minute
	return max(once, min(once<<min(c.groups[g].Unreported, 4), mostPatience))
}

// encoder returns the encoder of a lane. The parameters were checked by Plan.
func (c *Campaign) encoder(l int) *fec.Encoder {
	if c.encoders[l] == nil {
		lane := &c.spec.Lanes[l]
		c.encoders[l] = must(fec.NewEncoder(lane.Version, c.material.Payloads[lane.Payload], int(lane.FragSize)))
	}
	return c.encoders[l]
}

// sessionHolds tells if the session of group g will still be open after d.
func (c *Campaign) sessionHolds(g int, d time.Duration) bool {
	return c.now.Add(d).Before(c.groups[g].SessionEnd)
}

// laneComplete tells if no device of the lane needs another fragment, as far as they have told.
func (c *Campaign) laneComplete(l int) bool { return c.needing[l] == 0 }

// roundOver ends a round of fragments: the devices are asked what they have.
func (c *Campaign) roundOver(g int) {
	grp := &c.groups[g]
	grp.Asked, grp.AnswersBy = 0, time.Time{}
	c.touchedGroups[g] = true
	c.tellGroup(g, "transfer.round_over", "%s", c.roundText(g))
	grp.Phase = GroupAsking
	c.eachMember(g, func(i int, d *Device) {
		if d.Stage == StageData {
			deaf := d.Rides || !c.inSession(i)
			c.becomePassed(i)
			if deaf && d.Phase == PhaseWaiting {
				c.ask(i) // what the group is asked it may never hear
			}
		} else if d.Stage == StageStatus && d.Phase == PhaseIncomplete {
			c.change(i, func(d *Device) { d.Phase, d.Attempts = PhaseWaiting, 0 })
		}
	})
	c.askGroup(g)
}

func (c *Campaign) roundText(g int) string {
	var fragments, coded int
	for k, l := range c.groupLanes[g] {
		high, nb := c.groups[g].Lanes[k].High, int(c.spec.Lanes[l].NbFrag)
		fragments += high
		coded += max(high-nb, 0)
	}
	return fmt.Sprintf("%d fragments sent, %d of them coded", fragments, coded)
}

// eachMember calls f for every device of group g that is still under way.
func (c *Campaign) eachMember(g int, f func(i int, d *Device)) {
	for _, l := range c.groupLanes[g] {
		for _, i := range c.members[l] {
			if d := &c.devices[i]; d.Outcome == Active {
				f(i, d)
			}
		}
	}
}

// statusCount is what a group knows of its devices in the status stage.
type statusCount struct {
	silent     int // nothing known since the last round
	incomplete int // said that they miss fragments
	underWay   int // being asked
	aside      int // riders that are being asked: nobody waits for them but the end
}

// askGroup asks the silent devices of group g what they have, over multicast if they are
// many and the session has room for the answers, else one by one.
func (c *Campaign) askGroup(g int) {
	grp := &c.groups[g]
	n := c.status[g]
	var spread time.Duration
	for _, l := range c.groupLanes[g] {
		spread = max(spread, answerSpread(&c.spec.Lanes[l]))
	}
	if c.asksAgain(g) &&
		c.sessionHolds(g, 2*c.spec.Groups[g].FrameInterval+spread) {
		grp.Phase, grp.Lane = GroupAsking, 0
		grp.Asked, grp.Silent = grp.Asked+1, n.silent
		c.askNextLane(g)
		return
	}
	if n.silent == 0 {
		c.whatNow(g)
		return
	}
	c.poll(g)
}

// How often the status is asked over multicast in one round: at least minAsked times, and at
// most maxAsked times as long as that brings new answers. What is left is asked one by one,
// which costs each of them some uplink periods.
const (
	minAsked = 6
	maxAsked = 12
)

// asksAgain tells if the silent devices of group g are to be asked over multicast once more.
func (c *Campaign) asksAgain(g int) bool {
	grp, silent := &c.groups[g], c.status[g].silent
	return silent > c.spec.Policy.StatusByMulticastAbove && (grp.Asked < minAsked || grp.Asked < maxAsked && silent < grp.Silent)
}

// askNextLane asks the next lane that has silent devices; after the last one it waits for
// the answers, and then goes on.
func (c *Campaign) askNextLane(g int) {
	grp := &c.groups[g]
	c.touchedGroups[g] = true
	for ; grp.Lane < len(grp.Lanes); grp.Lane++ {
		l := c.groupLanes[g][grp.Lane]
		lane := &c.spec.Lanes[l]
		asked := 0
		for _, i := range c.members[l] {
			if d := &c.devices[i]; d.Outcome == Active && d.Stage == StageStatus && d.Phase == PhaseWaiting {
				c.change(i, func(d *Device) { d.Phase = PhaseAsked })
				asked++
			}
		}
		if asked > 0 {
			// Everyone answers: with Participants=0, silence would mean "complete" or
			// "did not hear the question", and only one of them is true.
			c.sendMulticast(g, lane, fragmentation.FragSessionStatusReq{FragIndex: lane.FragIndex, Participants: true})
			return
		}
	}
	if !grp.AnswersBy.After(c.now) {
		c.whatNow(g)
		return
	}
	grp.Deadline = grp.AnswersBy
}

// poll asks the silent devices one by one.
func (c *Campaign) poll(g int) {
	grp := &c.groups[g]
	grp.Phase, grp.Deadline = GroupPolling, time.Time{}
	c.touchedGroups[g] = true
	c.eachMember(g, func(i int, d *Device) {
		if d.Stage == StageStatus && d.Phase == PhaseWaiting {
			c.ask(i)
		}
	})
}

// whatNow decides how group g goes on when the answers of a round are in.
func (c *Campaign) whatNow(g int) {
	grp := &c.groups[g]
	c.eachMember(g, func(i int, d *Device) {
		if d.Phase == PhaseAsked {
			c.change(i, func(d *Device) { d.Phase = PhaseWaiting })
		}
	})
	n := c.status[g]
	switch {
	case c.asksAgain(g) && n.incomplete == 0:
		c.askGroup(g)
	case n.incomplete > 0 && n.underWay == 0 && c.moreFragments(g):
		grp.Phase = GroupSending
		c.touchedGroups[g] = true
		c.sendNext(g)
	case n.silent+n.underWay+n.aside > 0:
		c.poll(g)
	case n.incomplete > 0 && c.reopen(g):
		// Its devices are told of the new session first.
	default:
		c.groupDone(g)
	}
}

// polled looks after group g when one of its devices has settled. Riders alone are waited for: nothing is
// decided then until something is heard of a device, which most uplinks of a large fleet tell nothing of.
func (c *Campaign) polled(g int) {
	n := c.status[g]
	if c.groups[g].Phase == GroupPolling && n.underWay == 0 && (n.aside == 0 || len(c.touched) > 0) && !c.stands() {
		c.whatNow(g)
	}
}

// groupDone ends the work of group g. Who still misses fragments has failed.
func (c *Campaign) groupDone(g int) {
	grp := &c.groups[g]
	grp.Phase, grp.Deadline = GroupDone, time.Time{}
	c.touchedGroups[g] = true
	c.eachMember(g, func(i int, d *Device) {
		if d.Stage == StageStatus && d.Phase == PhaseIncomplete {
			c.becomeFailed(i, cmp.Or(d.Reason, ReasonFragIncomplete), d.Detail)
		}
	})
}

// moreFragments plans another round for group g and tells if there is one.
func (c *Campaign) moreFragments(g int) bool {
	return c.someoneHears(g) && c.sessionHolds(g, 2*c.spec.Groups[g].FrameInterval) && c.planRound(g)
}

// inSession tells if device i has confirmed the latest session of its group.
func (c *Campaign) inSession(i int) bool { return c.devices[i].InSession == c.group(i).Reopened+1 }

// someoneHears tells if a device that misses fragments is in the session of group g: who has
// not confirmed it waits for the next one.
func (c *Campaign) someoneHears(g int) bool {
	found := false
	c.eachMember(g, func(i int, d *Device) {
		found = found || d.Stage == StageStatus && d.Phase == PhaseIncomplete && c.inSession(i)
	})
	return found
}

// planRound extends the lanes of group g whose devices miss fragments and tells if there are any.
func (c *Campaign) planRound(g int) bool {
	more := false
	for k, l := range c.groupLanes[g] {
		if c.extendLane(g, &c.groups[g].Lanes[k], l) {
			more = true
		}
	}
	c.touchedGroups[g] = true
	return more
}

// maxReopened is how many further sessions a group may have for repair.
const maxReopened = 3

// maySession tells if group g may have a further session: those that its block needs, and some for repair.
func (c *Campaign) maySession(g int) bool {
	grp := &c.groups[g]
	return grp.Reopened < c.plannedSessions(g)-1+maxReopened+grp.MoreSessions
}

// blockCut tells if a lane of group g with devices that need it has not been sent once.
func (c *Campaign) blockCut(g int) bool {
	for k, l := range c.groupLanes[g] {
		if c.laneCut(&c.groups[g].Lanes[k], l) {
			return true
		}
	}
	return false
}

func (c *Campaign) laneCut(ls *LaneState, l int) bool {
	return ls.Round == 0 && ls.Next <= int(c.spec.Lanes[l].NbFrag) && !c.laneComplete(l)
}

// goesOn tells if a further session is for device i: it said that it misses fragments, or its lane has
// not been sent once.
func (c *Campaign) goesOn(i int) bool {
	d := &c.devices[i]
	if d.Stage == StageData {
		return c.laneCut(c.laneState(i), c.laneOf(i))
	}
	return d.Stage == StageStatus && d.Phase == PhaseIncomplete
}

// reopen gives the devices of group g that still miss fragments another session, because
// theirs is over. They keep what they have: their fragmentation session outlives the
// multicast one.
func (c *Campaign) reopen(g int) bool {
	grp := &c.groups[g]
	if !c.maySession(g) || !c.blockCut(g) && !c.planRound(g) {
		return false
	}
	grp.Reopened++
	frames := 0
	for _, ls := range grp.Lanes {
		frames += max(ls.Last-ls.Next+1, 0)
	}
	length := c.sessionSpan(g, 2*frames)
	c.fixSession(g, c.slot(c.sessionLead(g), length), length)
	grp.Phase, grp.Deadline = GroupArmed, grp.SessionTime.Add(c.spec.Policy.FirstFragmentDelay)
	c.eachMember(g, func(i int, d *Device) {
		if c.goesOn(i) {
			c.tellDevice(i, "device.reopened", "further session %d is for it", grp.Reopened)
			c.change(i, func(d *Device) {
				d.Stage, d.Phase, d.Attempts, d.ClockWrong = StageMcSession, PhaseWaiting, 0, false
			})
			c.begin(i)
		}
	})
	return true
}

// someoneWaits tells if a device of group g has not been asked for its block: its lane was through before the
// session of the others began.
func (c *Campaign) someoneWaits(g int) bool {
	found := false
	c.eachMember(g, func(_ int, d *Device) { found = found || d.Stage == StageData })
	return found
}

// someoneListens tells if a device of group g is in its session and waits for fragments.
func (c *Campaign) someoneListens(g int) bool {
	found := false
	c.eachMember(g, func(i int, d *Device) { found = found || d.Stage == StageData && c.inSession(i) })
	return found
}

// extendLane plans another round of a lane.
//
// Fixed redundancy has none, unless more was ordered. The carousel starts again at fragment 1, which only helps
// decoders that take any order. Adaptive redundancy sends new coded fragments for the device
// that needs most (need.go).
func (c *Campaign) extendLane(g int, ls *LaneState, l int) bool {
	lane, p := &c.spec.Lanes[l], &c.spec.Policy
	told := c.shortfalls(l)
	dear := ls.Round+2 == int(p.MaxRounds)+c.groups[g].MoreRounds || c.status[g].incomplete <= max(p.StatusByMulticastAbove, fewLeft) ||
		!c.holdsRounds(g, l, need(told, int(lane.NbFrag), false)) // else the next round is in another session
	more := need(told, int(lane.NbFrag), dear)
	if more == 0 || !c.mayExtend(g, ls, l) {
		return false
	}
	switch lane.Redundancy {
	case fleet.Carousel:
		ls.Next, ls.Last = 1, int(lane.NbFrag)
	case fleet.AdaptiveRedundancy:
		ls.Next, ls.Last = ls.High+1, min(ls.High+more, lane.ceiling(ls))
	default:
		ls.Next, ls.Last = ls.High+1, lane.ceiling(ls)
	}
	ls.Round++
	return true
}

// holdsRounds tells if the session of group g has time for so many fragments, for asking about
// them, and for another round.
func (c *Campaign) holdsRounds(g, l, fragments int) bool {
	interval := max(c.spec.Groups[g].FrameInterval, c.spec.Policy.MulticastDelay)
	ask := minAsked * (answerSpread(&c.spec.Lanes[l]) + 2*answerMargin + 2*interval)
	return c.sessionHolds(g, time.Duration(fragments)*interval+2*ask)
}

// mayExtend tells if lane l of group g has a round, and fragments for it, left.
func (c *Campaign) mayExtend(g int, ls *LaneState, l int) bool {
	lane := &c.spec.Lanes[l]
	return ls.Round+1 < int(c.spec.Policy.MaxRounds)+c.groups[g].MoreRounds &&
		(lane.Redundancy == fleet.Carousel || ls.High < lane.ceiling(ls))
}

// ceiling is the highest fragment number that the lane may send.
func (l *Lane) ceiling(ls *LaneState) int {
	return min(int(l.NbFrag)+int(max(l.Coded, l.MaxCoded))+ls.More, fec.MaxFragments)
}

// shortfalls returns what the devices of lane l have told of their block.
func (c *Campaign) shortfalls(l int) []shortfall {
	var told []shortfall
	for _, i := range c.members[l] {
		d := &c.devices[i]
		switch {
		case d.Outcome == Active && d.Stage == StageStatus && d.Phase == PhaseIncomplete:
			told = append(told, shortfall{d.Loss, int(d.Missing)})
		case d.Complete:
			told = append(told, shortfall{d.Loss, 0})
		}
	}
	return told
}

// answerSpread is the time over which the devices of a lane spread their answers.
func answerSpread(l *Lane) time.Duration { return fragmentation.AckDelay(l.BlockAckDelay) }

// answerSpread is how much longer than usual the answer of device i may take in its stage.
func (c *Campaign) answerSpread(i int) time.Duration {
	if c.devices[i].Stage == StageStatus {
		return answerSpread(c.lane(i))
	}
	return 0
}
