package campaign

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

// What the timeline, the report and the evidence of a device are made of. There is an entry for
// every question and every change of a device, and none for a fragment: a campaign of 100,000
// devices has millions of those.

// noteAsked notes that device i is asked something.
func (c *Campaign) noteAsked(i int, commands []lorawan.Command) {
	names := make([]string, len(commands))
	for k, cmd := range commands {
		names[k] = cmd.Name()
	}
	text := strings.Join(names, ", ")
	if n := c.devices[i].Attempts + 1; n > 1 {
		c.head.Retried++
		text += fmt.Sprintf(", attempt %d", n)
	}
	c.tellDevice(i, "device.asked", "%s", text)
}

// notePassed notes when device i passes its stage.
func (c *Campaign) notePassed(i int) {
	if c.devices[i].Outcome != Active {
		return
	}
	at := c.at(c.devices[i].Stage)
	after := uint32((c.now.Sub(c.head.Started) + time.Second - 1) / time.Second)
	c.change(i, func(d *Device) {
		if short := at + 1 - len(d.Passed); short > 0 {
			// As many as there are stages: it does not grow again.
			d.Passed = append(slices.Grow(d.Passed, len(c.stages)-len(d.Passed)), make([]uint32, short)...)
		}
		d.Passed[at] = after
	})
}

// noteProof notes the uplink of device i that this step is about, if it is about one.
func (c *Campaign) noteProof(i int) {
	in, ok := c.input.(Heard)
	if !ok || in.DevEUI != c.spec.Devices[i].DevEUI {
		in = Heard{}
	}
	c.change(i, func(d *Device) { d.ProofAt, d.ProofFCnt = in.At, in.FCnt })
}
