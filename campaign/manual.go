package campaign

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// With a manual reboot the operator or the device itself decides when the new firmware starts. The
// campaign asks for nothing but the version, now and then, because not every firmware tells it
// after boot; and it waits much longer than for any answer:
//
//	image checked ──manualPoll──> which version? ── the new one ──> verified
//	                   ^               │ the old one, or silence
//	                   └───────────────┘ until Schedule.RebootPatience is over: failed

// manualPoll is how often a device is asked.
const manualPoll = 6 * time.Hour

// manual tells if device i waits for a reboot that nobody asks it for.
func (c *Campaign) manual(i int) bool {
	return c.spec.Schedule.Reboot == fleet.RebootManual && c.devices[i].Stage == StageVersion && !c.head.CleaningUp
}

// beginManual starts the wait of device i.
func (c *Campaign) beginManual(i int) {
	patience := c.spec.Schedule.WithDefaults().RebootPatience
	c.change(i, func(d *Device) { d.RebootAt = c.now.Add(patience) }) // at the latest
	c.tellDevice(i, "device.awaits_reboot", "has its image: it is rebooted by hand, or by itself, until %s", c.devices[i].RebootAt.Format(time.RFC3339))
	c.becomeHolding(i, c.now.Add(manualPoll))
}

// awaitsReboot tells if device i, which did not answer, is left alone for another while.
func (c *Campaign) awaitsReboot(i int) bool {
	d := &c.devices[i]
	if !c.manual(i) || !c.now.Before(d.RebootAt) {
		return false
	}
	c.becomeHolding(i, c.now.Add(manualPoll))
	c.change(i, func(d *Device) { d.Attempts, d.Frame = 0, "" })
	return true
}

// notYet judges the old version of a device that waits for its manual reboot.
func (c *Campaign) notYet(i int, text string) verdict {
	if d := &c.devices[i]; !c.now.Before(d.RebootAt) {
		return verdict{kind: refused, reason: ReasonVersionMismatch, text: fmt.Sprintf("%s: nobody has rebooted it in time", text)}
	}
	c.change(i, func(d *Device) { d.Attempts = 0 })
	return verdict{kind: hold, until: c.now.Add(manualPoll)}
}
