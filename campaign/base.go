package campaign

import (
	"fmt"
	"slices"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// A delta is for devices that run its base. What a device runs is known from before, or is asked in the probe; whatever
// it says by itself until its fragmentation session is set up counts as well:
//
//	                 DevVersionAns
//	delta from 1.0 ────────────────> delta from 1.1       there is one, of the same kind
//	               ────────────────> full image           else
//	               ────────────────> out, or failed       if there is no full image: only deltas are sent
//
// After that it is too late: the device has a session for the other lane's fragments, and refuses the patch.

// Reasons of devices that run something else than was thought.
const (
	ReasonBaseChanged Reason = "delta.moved"     // to the lane for what it runs
	ReasonFragBase    Reason = "frag.wrong_base" // no lane is for what it runs
)

// laneFor returns the lane for devices like those of lane l, but with version v of TS004, that run base: the delta from
// that, or the full image; -1: there is none.
func (s *Spec) laneFor(l int, v lorawan.Version, base uint32) int {
	own, full := &s.Lanes[l], -1
	for k := range s.Lanes {
		o := &s.Lanes[k]
		switch {
		case o.Group != own.Group || o.Kind != own.Kind || o.Version != v: // versions that knew no kinds stored 0
		case o.Base.IsZero():
			if full < 0 || k == l {
				full = k
			}
		case o.Base.Uint32() == base:
			return k
		}
	}
	return full
}

// toVersion moves device i to its lane for a version of TS004, if there is one.
func (c *Campaign) toVersion(i int, v lorawan.Version) bool {
	base := c.lane(i).Base.Uint32()
	if told := c.devices[i].Firmware; told != 0 {
		base = told
	}
	to := c.spec.laneFor(c.laneOf(i), v, base)
	if to >= 0 {
		c.toLane(i, to)
	}
	return to >= 0
}

// toRightLane moves device i to the lane for what it has told to run, until its fragmentation session is asked for. It
// returns false if the device has failed over that.
func (c *Campaign) toRightLane(i int) bool {
	d := &c.devices[i]
	if d.Firmware == 0 || c.spec.Type != fleet.FOTACampaign {
		return true
	}
	before := d.Outcome == Active && d.Stage != StageProbe && !d.Session && c.at(d.Stage) <= c.at(StageFragSetup) && (d.Stage != StageFragSetup || d.Attempts == 0)
	if !before || c.toBase(i) {
		return true
	}
	c.becomeFailed(i, ReasonFragBase, c.noBase(i))
	return false
}

// toBase moves device i to the lane for what it has told to run, if there is one.
func (c *Campaign) toBase(i int) bool {
	from := c.laneOf(i)
	to := c.spec.laneFor(from, c.lane(i).Version, c.devices[i].Firmware)
	if to < 0 {
		return false
	}
	if to != from {
		c.toLane(i, to)
		gets := "the full image"
		if base := c.spec.Lanes[to].Base; !base.IsZero() {
			gets = "the delta from " + base.String()
		}
		c.tellDevice(i, string(ReasonBaseChanged), "runs %s: gets %s", c.told(i), gets)
	}
	return true
}

// toLane moves device i to another lane of its group.
func (c *Campaign) toLane(i, to int) {
	from := c.laneOf(i)
	c.change(i, func(d *Device) {
		d.Lane, d.Replays, d.Together = to+1, 0, false
		d.FirstCnt = max(d.FirstCnt, d.SessionCnt) // no counter comes twice, whatever its FragIndex
	})
	at, _ := slices.BinarySearch(c.members[from], i)
	c.members[from] = slices.Delete(c.members[from], at, at+1)
	at, _ = slices.BinarySearch(c.members[to], i)
	c.members[to] = slices.Insert(c.members[to], at, i)
}

// baseless takes device i out of the campaign if no lane is for what it says it runs, and else moves it there.
func (c *Campaign) baseless(i int) bool {
	if c.spec.Type != fleet.FOTACampaign || c.toBase(i) {
		return false
	}
	reason := ReasonWrongBase
	if c.spec.Delta == fleet.DeltaOnly {
		reason = ReasonNoDelta
	}
	c.leaveOut(i, reason, c.noBase(i))
	return true
}

// noBase says that there is nothing for what device i runs.
func (c *Campaign) noBase(i int) string {
	return fmt.Sprintf("runs %s, and the campaign has no delta from that and no full image", c.told(i))
}

// told is the version that device i has told.
func (c *Campaign) told(i int) fleet.Firmware { return c.spec.Firmware.With(c.devices[i].Firmware) }

// mustTell tells if device i can get nothing before it has said what it runs.
func (c *Campaign) mustTell(i int) bool {
	return c.spec.Devices[i].Ask && c.devices[i].Firmware == 0 && !c.lane(i).Base.IsZero()
}

// nobodyLeft ends a campaign whose probe has left no device.
func (c *Campaign) nobodyLeft() {
	if i := slices.IndexFunc(c.devices, func(d Device) bool { return d.leftOut() && d.Reason != ReasonUpToDate }); i >= 0 {
		c.finish(fleet.Failed, c.devices[i].Reason, "no device runs what one of its deltas is for")
		return
	}
	c.finish(fleet.Succeeded, ReasonUpToDate, "no device needed it: they run the version already")
}

// planned is how many fragments group g is to send in the rounds so far.
func (c *Campaign) planned(g int) (fragments int) {
	for k, l := range c.groupLanes[g] {
		if len(c.members[l]) > 0 {
			fragments += c.groups[g].Lanes[k].Last
		}
	}
	return fragments
}
