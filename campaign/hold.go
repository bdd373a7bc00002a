package campaign

import (
	"cmp"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// Three things keep a campaign from sending:
//
//	pause   a person wants it   nothing is sent; patience stands still
//	halt    a rule wants it     the same (halt.go)
//	hold    the clock wants it  no command to a single device is sent, and their patience stands still;
//	                            a session that is under way goes on, because it was fitted into its
//	                            window, and devices that listen for nothing lose their batteries
//
// Answers count all the while. A clean-up is held by the clock too; its campaign is over all the same. Resume ends a pause and a halt; a hold ends when a window of the
// schedule opens or quiet hours end.
//
//	window    ______######__________######____
//	hold      ======______==========______====
//	session             ####                     what does not fit waits for the next window

// stands tells if nothing at all is sent.
func (c *Campaign) stands() bool { return !c.head.Paused.IsZero() || !c.head.Halted.At.IsZero() }

// mute tells if no command to a single device is sent.
func (c *Campaign) mute() bool { return c.stands() || !c.head.Held.IsZero() }

// standsSince returns since when nothing at all is sent; zero: things are sent.
func (c *Campaign) standsSince() time.Time {
	paused, halted := c.head.Paused, c.head.Halted.At
	if paused.IsZero() || !halted.IsZero() && halted.Before(paused) {
		return halted
	}
	return paused
}

// pause holds all sending.
func (c *Campaign) pause() {
	if c.head.Status == fleet.Running && c.head.Paused.IsZero() {
		c.becomeStill()
		c.head.Paused = c.now
		c.tell("campaign.paused", "paused: nothing is sent; answers still count")
	}
}

// becomeStill lets the patience with devices stand still, if it does not yet.
func (c *Campaign) becomeStill() {
	if c.head.Still.IsZero() {
		c.head.Still = c.now
	}
}

// patience turns the end of a patience into a deadline. When devices may be asked again, every
// deadline moves by all of the time in which they may not, so one that is set within it starts
// from its beginning.
func (c *Campaign) patience(end time.Time) time.Time {
	if c.head.Still.IsZero() {
		return end
	}
	return end.Add(c.head.Still.Sub(c.now))
}

// resume goes on after a pause or a halt. Patience stood still meanwhile: every deadline moves, and
// a session that has not started yet keeps its time, because devices know it already.
func (c *Campaign) resume() {
	since := c.standsSince()
	if since.IsZero() {
		return
	}
	stood := c.now.Sub(since)
	c.overrule()
	c.head.Paused, c.head.Halted = time.Time{}, Halt{}
	for g := range c.groups {
		if grp := &c.groups[g]; !grp.Deadline.IsZero() && grp.Phase != GroupArmed {
			grp.Deadline = grp.Deadline.Add(stood)
			c.touchedGroups[g] = true
		}
	}
	c.becomeMoving()
	c.tell("campaign.resumed", "resumed after %s", stood.Round(time.Second))
}

// becomeMoving lets the patience with devices go on, unless something else still keeps them from
// being asked.
func (c *Campaign) becomeMoving() {
	if c.mute() || c.head.Still.IsZero() {
		return
	}
	stood := c.now.Sub(c.head.Still)
	c.head.Still = time.Time{}
	for i := range c.devices {
		if !c.devices[i].Deadline.IsZero() {
			c.change(i, func(d *Device) { d.Deadline = d.Deadline.Add(stood) })
		}
	}
	for s := range c.head.Stages {
		if st := &c.head.Stages[s]; !st.Grace.IsZero() && st.Closed.IsZero() {
			st.Grace = st.Grace.Add(stood)
		}
	}
	c.head.StoodStill += stood
}

// watchClock begins and ends holds.
func (c *Campaign) watchClock() {
	if c.calendar.Always() || c.head.Status != fleet.Running && !c.head.CleaningUp || c.watched && (c.turns.IsZero() || c.now.Before(c.turns)) {
		return
	}
	c.watched, c.turns = true, c.calendar.Next(c.now)
	switch open := c.calendar.Open(c.now); {
	case !open && c.head.Held.IsZero():
		c.hold()
		why := "outside of its windows"
		if c.calendar.Quiet(c.now) {
			why = "in quiet hours"
		}
		c.tell("campaign.held", "%s: devices are not asked until %s", why, c.turns.Format(time.RFC3339))
	case open && !c.head.Held.IsZero():
		held := c.now.Sub(c.head.Held)
		c.head.Held = time.Time{}
		c.becomeMoving()
		c.tell("campaign.released", "goes on after %s until %s", held.Round(time.Second), c.turns.Format(time.RFC3339))
	}
}

// hold keeps devices from being asked. What the network still has for them is taken back: it would
// send that with their next uplink, whenever that is. That is not counted as asked, as long as it does
// not come again and again: windows that are shorter than any patience must not keep it up for ever.
func (c *Campaign) hold() {
	c.becomeStill()
	c.head.Held = c.now
	for i := range c.devices {
		if d := &c.devices[i]; (d.Outcome == Active || d.Outcome == Stopping) && d.Phase == PhaseQueued {
			c.becomeHolding(i, c.now)
			c.change(i, func(d *Device) {
				d.Frame = ""
				if d.Recalled < c.spec.Policy.Attempts() {
					d.Attempts, d.Recalled = d.Attempts-1, d.Recalled+1
				}
			})
		}
	}
}

// slot returns when a session of a length can start that devices have to be told of before, which
// takes lead while they can be asked.
func (c *Campaign) slot(lead, length time.Duration) time.Time {
	if c.calendar.Always() {
		return c.now.Add(lead)
	}
	told := c.calendar.After(c.now, lead)
	return cmp.Or(c.calendar.Fit(told, length), told) // sessionSpan has seen to it that it fits
}
