package forecast

import (
	"time"

	"github.com/starling-fuota/starling/sim"
)

// readings reads the meters of all devices.
func (d *driver) readings() []sim.Reading {
	all := make([]sim.Reading, len(d.members))
	for i := range d.members {
		all[i] = d.members[i].meter.Read()
	}
	return all
}

// idle returns the joules that the device would use in this time without a campaign: application
// uplinks with their receive windows, and sleep.
func (m *member) idle(length time.Duration) float64 {
	uplinks := length.Seconds() / m.period.Seconds()
	transmit := time.Duration(uplinks * float64(m.uplink))
	receive := time.Duration(uplinks * float64(m.meter.Windows()))
	return m.power.Joules(transmit, receive, length)
}
