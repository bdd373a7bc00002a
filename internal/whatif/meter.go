package whatif

import (
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// meter is a device with a look at its radio and at its decoder.
type meter struct {
	*sim.Meter
	addr lorawan.DevAddr
	tap  *tap

	complete bool // the decoder was done when last looked at
}

func newMeter(cfg device.Config, t *tap) *meter {
	return &meter{Meter: sim.NewMeter(cfg), addr: cfg.DevAddr, tap: t}
}

// Receive looks at what the device made of what it got.
func (m *meter) Receive(at time.Time, phy []byte) {
	m.Meter.Receive(at, phy)
	addr, err := lorawan.FrameAddr(phy)
	if err != nil {
		return
	}
	if addr == m.addr {
		m.complete = m.Complete() // a new session begins incomplete
		return
	}
	if place := m.tap.fragment(phy); place > 0 && !m.complete && m.Complete() {
		m.complete = true
		m.tap.completed(place)
	}
}
