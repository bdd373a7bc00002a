package campaign

import (
	"time"
)

// When a device is asked. A class A device can be reached only right after an uplink, and
// what that costs depends on the window that is left:
//
//	                    heard, not crowded
//	 listening ───────────────────────────────> queued ───> sent ───> answered
//	   │   ^  │                                                │
//	   │   │  └ heard, crowded: it listens on, for a while     │
//	   │   └───────── heard without its answer, or silence ────┘
//	   v
//	 failed, when it is silent for silentPeriods
//
// A network that can take a command in the moment of the uplink (Spec.NextChance) is given
// none before: nothing is queued that could go out at a bad time, come twice, or have to be
// flushed. Other networks get the command ahead, and send it with the next uplink.

// silentPeriods is for how many of its uplink periods a device may be silent while it is
// waited for: at 30 % loss, so many uplinks in a row are lost once in 15 000 times.
const silentPeriods = 8

// chance tells if device i can be asked now.
func (c *Campaign) chance(i int) bool {
	if !c.spec.NextChance {
		return true
	}
	in, ok := c.input.(Heard)
	if !ok || in.DevEUI != c.spec.Devices[i].DevEUI {
		return false
	}
	d, wait := &c.devices[i], in.Crowded
	if start := c.group(i).SessionTime; c.now.Before(start) {
		wait = min(wait, c.period(i)) // to miss the session is dearer
	}
	return wait == 0 || d.Phase == PhaseListening && c.now.Sub(d.Since) >= wait
}

// heardAt returns when the network received the uplink of device i that is being handled, or zero.
func (c *Campaign) heardAt(i int) time.Time {
	if in, ok := c.input.(Heard); ok && in.DevEUI == c.spec.Devices[i].DevEUI {
		return in.At
	}
	return time.Time{}
}

// becomeListening waits for an uplink of device i: a command for a device that is not there
// would cost an attempt.
func (c *Campaign) becomeListening(i int) {
	if c.devices[i].Phase == PhaseQueued {
		c.out.FlushDevices = append(c.out.FlushDevices, c.spec.Devices[i].DevEUI)
	}
	deadline := c.patience(c.now.Add(c.silence(i)))
	c.change(i, func(d *Device) {
		if d.Phase != PhaseListening {
			d.Since = c.now
		}
		d.Phase, d.Frame, d.Deadline = PhaseListening, "", deadline
	})
}

// silence is how long device i may be silent before it is given up.
func (c *Campaign) silence(i int) time.Duration {
	periods := silentPeriods
	if !c.spec.NextChance {
		periods = c.spec.Policy.Attempts()
	}
	if c.devices[i].Stage == StageProbe && !c.decides(i) {
		periods = min(periods, probePeriods)
	}
	return time.Duration(periods)*c.period(i) + answerMargin
}

// period is how often device i sends: what its profile says, or less often if it has shown so.
func (c *Campaign) period(i int) time.Duration {
	return max(c.traits(i).UplinkPeriod, c.devices[i].Period)
}

// learnPeriod takes an application uplink of device i, while it is waited for, as evidence of
// how often it sends. Each gap counts by a quarter: uplinks get lost, and devices are away.
func (c *Campaign) learnPeriod(i int, at time.Time) {
	d, known := &c.devices[i], c.period(i)
	if d.Outcome != Active || d.Phase == PhaseWaiting || !at.After(d.LastUplink) {
		return
	}
	c.change(i, func(d *Device) {
		if gap := at.Sub(d.LastUplink); !d.LastUplink.IsZero() {
			d.Period = (3*known + gap) / 4
			if d.Gaps++; d.Gaps == 1 || gap < d.ShortestGap {
				d.ShortestGap = gap
			}
		}
		d.LastUplink = at
	})
}
