package whatif

import (
	"fmt"
	"time"
)

// Energy is what the radio of a device draws in each state. The defaults are those of an
// SX1261 at 3.3 V with its DC-DC converter (Semtech, data sheet SX1261/2, "Power
// consumption"): 25.5 mA transmitting +14 dBm, 5.3 mA receiving LoRa at 125 kHz with boosted
// gain, 1.2 uA asleep with its 64 kHz clock running. The microcontroller comes on top and is
// not counted; measurements of whole boards in class C are nearer to 8 mA.
type Energy struct {
	Volts      float64 `json:"volts" yaml:"volts"`
	TransmitMA float64 `json:"transmit_ma" yaml:"transmit_ma"`
	ReceiveMA  float64 `json:"receive_ma" yaml:"receive_ma"`
	SleepMA    float64 `json:"sleep_ma" yaml:"sleep_ma"`
}

func (e Energy) withDefaults() Energy {
	return Energy{or(e.Volts, 3.3), or(e.TransmitMA, 25.5), or(e.ReceiveMA, 5.3), or(e.SleepMA, 0.0012)}
}

func (e Energy) check() []error {
	var wrong []error
	for name, v := range map[string]float64{"volts": e.Volts, "transmit_ma": e.TransmitMA, "receive_ma": e.ReceiveMA, "sleep_ma": e.SleepMA} {
		if !(v > 0 && v < 1000) {
			wrong = append(wrong, fmt.Errorf("energy.%s: %g, use more than 0", name, v))
		}
	}
	return wrong
}

// joules returns what a radio uses that transmits and receives for these times out of total.
func (e Energy) joules(transmit, receive, total time.Duration) float64 {
	sleep := max(total-transmit-receive, 0)
	milliampereSeconds := e.TransmitMA*transmit.Seconds() + e.ReceiveMA*receive.Seconds() + e.SleepMA*sleep.Seconds()
	return e.Volts * milliampereSeconds / 1000
}
