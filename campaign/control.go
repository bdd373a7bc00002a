package campaign

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// Orders of people to a campaign that runs. Each does what can still be done and refuses the
// rest, device by device, with a code:
//
//	stage         retry                                       extend, redundancy
//	set-up        from the first command of the stage, until  more time; a higher ceiling for the
//	McSession     the session starts: who comes later would   rounds to come
//	              miss the uncoded fragments
//	DataFragment  nobody fails there                          a fixed share grows at once
//	Status        silent: asked again; fragments missing:     another round, in the session or in a
//	              another round if one is left; else the      further one; devices that had failed
//	              block would have to be sent again           for missing fragments are back for it
//	afterwards    from the first command of the stage         more time
//
// A closed stage is no obstacle, as for a device that joins again: the stages behind it wait
// for whoever is still before them. A paused campaign takes orders and acts on them when it
// is resumed; only its end, at the maximum duration, comes no earlier than that.

// Reasons why an order, or a part of it, is refused.
const (
	ReasonOrderNotRunning Reason = "order.not_running"
	ReasonOrderUnknown    Reason = "order.unknown"     // no such device or group in the campaign
	ReasonOrderNotFailed  Reason = "order.not_failed"  // retry: the device has not failed
	ReasonOrderTooLate    Reason = "order.too_late"    // retry: the session has started, or the reboot time has passed
	ReasonOrderNeedsBlock Reason = "order.needs_block" // retry: the device needs the whole block again
	ReasonOrderNoneLeft   Reason = "order.none_left"   // retry: no round or no fragment is left
	ReasonOrderOut        Reason = "order.out"         // exclude: the device is verified or out already
	ReasonOrderNobodyLeft Reason = "order.nobody_left" // exclude: would leave no device
	ReasonOrderNoCoded    Reason = "order.no_coded"    // redundancy: the group sends no coded fragments
	ReasonOrderLimit      Reason = "order.limit"       // redundancy: no more fragments can be numbered, or counted
)

// Refusal says why an order, or the part of it that concerns one device or group, is not obeyed.
type Refusal struct {
	DevEUI lorawan.EUI64 // zero: not about one device
	Group  lorawan.EUI64 // zero: not about one group
	Code   Reason
	Text   string // why, and what to do instead
}

// Receipt is what has become of an order.
type Receipt struct {
	Reached int       // devices or groups that it changed something for
	Refused []Refusal // the rest
}

// Err returns a RefusedError if nothing came of the order, else nil.
func (r Receipt) Err() error {
	if r.Reached > 0 || len(r.Refused) == 0 {
		return nil
	}
	return &RefusedError{r.Refused}
}

// RefusedError is an order that nothing could follow from.
type RefusedError struct{ Refused []Refusal } // at least one

// Error names the first reason, and how many there are beside it.
func (e *RefusedError) Error() string {
	r := e.Refused[0]
	who := ""
	switch {
	case !r.DevEUI.IsZero():
		who = "device " + r.DevEUI.String() + " "
	case !r.Group.IsZero():
		who = "group " + r.Group.String() + " "
	}
	text := fmt.Sprintf("%s%s (%s)", who, r.Text, r.Code)
	if n := len(e.Refused) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return text
}

// refuse notes that an order, or a part of it, is not obeyed.
func (c *Campaign) refuse(dev, group lorawan.EUI64, code Reason, format string, args ...any) {
	c.out.Receipt.Refused = append(c.out.Receipt.Refused, Refusal{DevEUI: dev, Group: group, Code: code, Text: fmt.Sprintf(format, args...)})
}

// obeys tells if the campaign takes orders at all.
func (c *Campaign) obeys() bool {
	if c.head.Status != fleet.Running {
		c.refuse(lorawan.EUI64{}, lorawan.EUI64{}, ReasonOrderNotRunning, "the campaign is %s: copy it, or make one for the devices that have failed", c.head.Status)
		return false
	}
	return true
}

// membersOf finds the devices of an order, in the order of Spec.Devices, each once. Unknown ones are refused.
func (c *Campaign) membersOf(devices []lorawan.EUI64) []int {
	var found []int
	for _, dev := range devices {
		if i, ok := c.index[dev]; ok {
			found = append(found, i)
			continue
		}
		c.refuse(dev, lorawan.EUI64{}, ReasonOrderUnknown, "takes no part in this campaign")
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// groupsOf finds the groups of an order; none stands for all. Unknown ones are refused.
func (c *Campaign) groupsOf(groups []lorawan.EUI64) []int {
	var found []int
	for _, eui := range groups {
		if g, ok := c.groupIndex[eui]; ok {
			found = append(found, g)
			continue
		}
		c.refuse(lorawan.EUI64{}, eui, ReasonOrderUnknown, "is no group of this campaign")
	}
	if len(groups) == 0 {
		for g := range c.groups {
			found = append(found, g)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// extend obeys ExtendRequested.
//
// TS005 has no command that makes a session longer. A second request for a group replaces the
// first on some stacks and, while they listen, is answered by none of those we know as one
// would hope; so what is open ends as the devices were told, and a further session follows
// for those who need it.
func (c *Campaign) extend(in ExtendRequested) {
	if !c.obeys() || in.For <= 0 {
		return
	}
	groups := c.groupsOf(in.Groups)
	if len(groups) == 0 {
		return
	}
	c.head.Extended += in.For
	c.tell("campaign.extended", "given %s more by %s", in.For, in.By)
	for _, g := range groups {
		c.out.Receipt.Reached++
		c.goOn(g)
	}
}

// goOn gives group g one more session and as many rounds as it had to begin with. Devices
// that had failed because fragments were missing are back for them.
func (c *Campaign) goOn(g int) {
	grp := &c.groups[g]
	grp.MoreSessions++
	grp.MoreRounds += int(c.spec.Policy.MaxRounds)
	c.touchedGroups[g] = true
	for k, l := range c.groupLanes[g] {
		if c.head.Interval.Next > 0 || !c.mayExtend(g, &grp.Lanes[k], l) {
			continue
		}
		for _, i := range c.members[l] {
			if d := &c.devices[i]; d.Outcome == Failed && d.lacksFragments() && !c.earlier(i) {
				c.takeUpIncomplete(i)
			}
		}
	}
}

// lacksFragments tells if a device has failed for nothing but fragments that it misses: no more
// could be sent, or it has not confirmed the further session for them.
func (d *Device) lacksFragments() bool {
	return d.Stage == StageStatus && d.Reason == ReasonFragIncomplete || d.Stage == StageMcSession && d.Missing > 0
}

// takeUp makes device i, which has failed, active again in its stage.
func (c *Campaign) takeUp(i int) {
	d := &c.devices[i]
	c.tellDevice(i, "device.retried", "tried again; it had failed in %s", d.Detail)
	c.change(i, func(d *Device) {
		d.Outcome, d.Phase, d.Attempts, d.Reason, d.Detail = Active, PhaseWaiting, 0, ReasonNone, ""
		d.Mismatches, d.ClockWrong = 0, false
	})
}

// takeUpIncomplete makes device i active again for the fragments that it misses, and has its
// group see what it can do.
func (c *Campaign) takeUpIncomplete(i int) {
	c.takeUp(i)
	c.change(i, func(d *Device) {
		d.Stage, d.Phase, d.Reason = StageStatus, PhaseIncomplete, ReasonFragIncomplete
		d.Detail = fmt.Sprintf("%d of %d fragments are missing", d.Missing, c.lane(i).NbFrag)
	})
	c.wakeGroup(c.lane(i).Group)
}

// wakeGroup has a group that was done look at its devices again.
func (c *Campaign) wakeGroup(g int) {
	if grp := &c.groups[g]; grp.Phase == GroupDone {
		grp.Phase = GroupPolling // decides at once, see polled
		c.touchedGroups[g] = true
	}
}

// addRedundancy obeys RedundancyRequested.
func (c *Campaign) addRedundancy(in RedundancyRequested) {
	if !c.obeys() {
		return
	}
	for _, g := range c.groupsOf(in.Groups) {
		more := 0
		for k, l := range c.groupLanes[g] {
			more += c.raise(g, &c.groups[g].Lanes[k], &c.spec.Lanes[l], in)
		}
		if more == 0 {
			continue
		}
		c.out.Receipt.Reached++
		c.tellGroup(g, "transfer.redundancy_added", "%d more coded fragments allowed by %s", more, in.By)
		c.goOn(g)
	}
}

// maxMoreFold is how many times the planned fragments may be ordered on top of them. Devices
// were given a counter range of fCntValidity times these, and networks burn some.
const maxMoreFold = fCntValidity / 2

// raise allows a lane more coded fragments, and returns how many.
func (c *Campaign) raise(g int, ls *LaneState, lane *Lane, in RedundancyRequested) int {
	group := c.spec.Groups[g].DevEUI
	planned := int(lane.NbFrag) + int(max(lane.Coded, lane.MaxCoded))
	want := max(in.Fragments, int(math.Ceil(float64(lane.NbFrag)*in.Percent/100)))
	more := min(want, maxMoreFold*planned-ls.More, fec.MaxFragments-lane.ceiling(ls))
	switch {
	case lane.NbFrag == 0 || lane.Redundancy == fleet.Carousel:
		c.refuse(lorawan.EUI64{}, group, ReasonOrderNoCoded, "sends no coded fragments: extend it, for more rounds")
		return 0
	case more <= 0:
		c.refuse(lorawan.EUI64{}, group, ReasonOrderLimit, "%d coded fragments were added already, and no more can be: make a campaign for the devices that have failed", ls.More)
		return 0
	}
	before := lane.ceiling(ls)
	ls.More += more
	if lane.Redundancy == fleet.FixedRedundancy && ls.Last == before {
		ls.Last = lane.ceiling(ls) // of the round that is under way
	}
	return more
}

// retry obeys RetryRequested.
func (c *Campaign) retry(in RetryRequested) {
	if !c.obeys() {
		return
	}
	devices := c.membersOf(in.Devices)
	if len(in.Devices) == 0 {
		for i := range c.devices {
			if c.devices[i].Outcome == Failed {
				devices = append(devices, i)
			}
		}
	}
	for _, i := range devices {
		d := &c.devices[i]
		if len(in.Kinds) > 0 && !slices.Contains(in.Kinds, d.Reason) {
			continue
		}
		if code, text := c.barred(i); code != ReasonNone {
			c.refuse(c.spec.Devices[i].DevEUI, lorawan.EUI64{}, code, "%s", text)
			continue
		}
		c.out.Receipt.Reached++
		switch {
		case c.earlier(i):
			c.takeUp(i)
			c.change(i, func(d *Device) { d.again(c.head.Wave, c.stages) })
			if c.at(d.Stage) <= c.head.Gate {
				c.begin(i)
			}
		case d.lacksFragments() && !c.ahead(i):
			c.takeUpIncomplete(i)
		case d.Stage == StageStatus || d.Stage == StageData:
			c.takeUp(i)
			c.change(i, func(d *Device) { d.Stage = StageStatus }) // what it has received will tell
			c.wakeGroup(c.lane(i).Group)
		default:
			c.takeUp(i)
			if c.at(d.Stage) <= c.head.Gate {
				c.begin(i)
			}
		}
	}
	if c.out.Receipt.Reached == 0 && len(c.out.Receipt.Refused) == 0 {
		c.refuse(lorawan.EUI64{}, lorawan.EUI64{}, ReasonOrderNotFailed, "no device has failed for such a reason")
	}
}

// barred tells why a device cannot be taken up again where it has failed; ReasonNone: it can.
func (c *Campaign) barred(i int) (Reason, string) {
	d := &c.devices[i]
	if d.Outcome != Failed {
		return ReasonOrderNotFailed, fmt.Sprintf("has not failed: it is %s", d.Outcome)
	}
	const instead = ": make a campaign for the devices that have failed"
	switch {
	case c.earlier(i):
		if !c.joinWave(i) {
			return ReasonOrderTooLate, "has failed in a phase that is over: it can join the next one until the session of that starts"
		}
	case d.lacksFragments():
		if g := c.lane(i).Group; !c.ahead(i) && (!c.mayExtend(g, c.laneState(i), c.laneOf(i)) || !c.mayOpen(i)) {
			return ReasonOrderNoneLeft, "no further round is allowed: add redundancy, or extend the campaign"
		}
	case c.at(d.Stage) <= c.at(StageMcSession):
		if start := c.group(i).SessionTime; !start.IsZero() && !c.ahead(i) {
			return ReasonOrderTooLate, "has missed the session that started at " + start.Format(time.RFC3339) + instead
		}
		if d.Stage == StageRebootTime && !c.now.Before(c.spec.RebootAt) {
			return ReasonOrderTooLate, "the reboot time " + c.spec.RebootAt.Format(time.RFC3339) + " has passed" + instead
		}
	case d.Stage == StageStatus:
		switch d.Reason {
		case ReasonNoAnswer, ReasonNoUplink, ReasonNotSent, ReasonLate:
		default:
			return ReasonOrderNeedsBlock, "needs the whole block again" + instead
		}
	}
	return ReasonNone, ""
}

// ahead tells if device i can still be told of the session of its group.
func (c *Campaign) ahead(i int) bool {
	d, start := &c.devices[i], c.group(i).SessionTime
	return c.at(d.Stage) <= c.at(StageMcSession) && c.now.Before(start.Add(-sessionGuard))
}

// mayOpen tells if device i has a session for another round: the one it is in, or a further one.
func (c *Campaign) mayOpen(i int) bool {
	g := c.lane(i).Group
	return c.inSession(i) && c.sessionHolds(g, 2*c.spec.Groups[g].FrameInterval) || c.maySession(g)
}

// exclude obeys ExcludeRequested.
func (c *Campaign) exclude(in ExcludeRequested) {
	if !c.obeys() {
		return
	}
	var leaving []int
	for _, i := range c.membersOf(in.Devices) {
		if o := c.devices[i].Outcome; o != Active && o != Failed && o != Later {
			text := "is out already"
			if o == Verified {
				text = "is verified: there is nothing to take it out of"
			}
			c.refuse(c.spec.Devices[i].DevEUI, lorawan.EUI64{}, ReasonOrderOut, "%s", text)
			continue
		}
		leaving = append(leaving, i)
	}
	if len(leaving) == c.size()+c.tally[Later] {
		c.refuse(lorawan.EUI64{}, lorawan.EUI64{}, ReasonOrderNobodyLeft, "would leave no device: stop the campaign")
		return
	}
	for _, i := range leaving {
		c.out.Receipt.Reached++
		c.tellDevice(i, string(ReasonExcluded), "excluded by %s", in.By)
		c.withdraw(i, ReasonExcluded)
	}
}
