package whatif

import (
	"fmt"

	"github.com/starling-fuota/starling/fleet"
)

// Energy is what the radio of a device draws in each state. The defaults are those of a
// device profile, fleet.Power; measurements of whole boards in class C are nearer to 8 mA.
type Energy struct {
	Volts      float64 `json:"volts" yaml:"volts"`
	TransmitMA float64 `json:"transmit_ma" yaml:"transmit_ma"`
	ReceiveMA  float64 `json:"receive_ma" yaml:"receive_ma"`
	SleepMA    float64 `json:"sleep_ma" yaml:"sleep_ma"`
}

func (e Energy) withDefaults() Energy {
	p := e.power().WithDefaults()
	return Energy{p.Volts, p.TransmitMA, p.ReceiveMA, p.SleepMA}
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

// power returns the same as a device profile has it.
func (e Energy) power() fleet.Power {
	return fleet.Power{Volts: e.Volts, TransmitMA: e.TransmitMA, ReceiveMA: e.ReceiveMA, SleepMA: e.SleepMA}
}
