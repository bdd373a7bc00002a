package fleet

import (
	"cmp"
	"time"
)

// Power is what the radio of a kind of device draws in each state, and what its battery
// holds: it turns the air time of a campaign into joules and into a share of the battery.
// The microcontroller comes on top and is not counted, unless the figures are those of a whole board.
// 0: the default, see WithDefaults.
type Power struct {
	Volts      float64 `json:"volts,omitempty"`
	TransmitMA float64 `json:"transmit_ma,omitempty"` // milliampere
	ReceiveMA  float64 `json:"receive_ma,omitempty"`  // milliampere
	SleepMA    float64 `json:"sleep_ma,omitempty"`    // milliampere
	BatteryMAH float64 `json:"battery_mah,omitempty"` // milliampere hours; 0: not known, there is no share
}

// WithDefaults fills in what is not given. The defaults are those of an SX1261 at 3.3 V with
// its DC-DC converter (Semtech, data sheet SX1261/2, "Power consumption"): 25.5 mA transmitting
// +14 dBm, 5.3 mA receiving LoRa at 125 kHz with boosted gain, 1.2 uA asleep with its 64 kHz
// clock running. The battery has no default.
func (p Power) WithDefaults() Power {
	return Power{cmp.Or(p.Volts, 3.3), cmp.Or(p.TransmitMA, 25.5), cmp.Or(p.ReceiveMA, 5.3), cmp.Or(p.SleepMA, 0.0012), p.BatteryMAH}
}

// Joules returns what a radio uses that transmits and receives for these times out of total. It
// takes p as it is, without defaults.
func (p Power) Joules(transmit, receive, total time.Duration) float64 {
	sleep := max(total-transmit-receive, 0)
	milliampereSeconds := p.TransmitMA*transmit.Seconds() + p.ReceiveMA*receive.Seconds() + p.SleepMA*sleep.Seconds()
	return p.Volts * milliampereSeconds / 1000
}

// BatteryPercent returns the share of a full battery that joules are, in percent; 0 if its
// capacity is not known.
func (p Power) BatteryPercent(joules float64) float64 {
	full := p.Volts * p.BatteryMAH * 3.6 // mAh are 3.6 coulombs
	if full == 0 {
		return 0
	}
	return 100 * joules / full
}

// check adds what is wrong with p to c.
func (p Power) check(c *checks) {
	for _, x := range []struct {
		field string
		v     float64
		most  float64
	}{
		{"volts", p.Volts, 100}, {"transmit_ma", p.TransmitMA, 10_000}, {"receive_ma", p.ReceiveMA, 10_000}, {"sleep_ma", p.SleepMA, 10_000},
		{"battery_mah", p.BatteryMAH, 10_000_000},
	} {
		// The negation also catches NaN.
		c.that(x.v >= 0 && x.v <= x.most, "power."+x.field, "is negative or impossibly large", "give volts, milliamperes and milliampere hours; 0 is the default")
	}
}
