package fleet_test

import (
	"math"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

func TestEnergyIsCurrentTimesTimeTimesVoltage(t *testing.T) {
	e := fleet.Power{Volts: 3, TransmitMA: 40, ReceiveMA: 10, SleepMA: 1}
	if got, want := e.Joules(2*time.Second, 10*time.Second, 112*time.Second), 3*(0.040*2+0.010*10+0.001*100); math.Abs(got-want) > 1e-9 {
		t.Errorf("%g J, want %g", got, want)
	}
	// A session that was agreed goes on after the end of what is measured: no sleep then.
	if got, want := e.Joules(0, 10*time.Second, 5*time.Second), 3*0.010*10; math.Abs(got-want) > 1e-9 {
		t.Errorf("%g J, want %g", got, want)
	}
}

func TestBatteryShareNeedsACapacity(t *testing.T) {
	p := fleet.Power{Volts: 3, BatteryMAH: 1000}
	if got := p.BatteryPercent(108); math.Abs(got-1) > 1e-9 { // 3 V * 1 Ah = 10.8 kJ
		t.Errorf("%g %%, want 1", got)
	}
	if got := (fleet.Power{}).WithDefaults().BatteryPercent(108); got != 0 {
		t.Errorf("%g %% of a battery that nobody knows", got)
	}
}

func TestImpossiblePowerIsRefused(t *testing.T) {
	p := fleet.DeviceProfile{Name: "n", ProducerID: "p", ModuleID: "m"}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []fleet.Power{{Volts: -1}, {TransmitMA: math.NaN()}, {ReceiveMA: 1e6}, {SleepMA: -0.1}, {BatteryMAH: math.Inf(1)}} {
		if p.Power = bad; p.Validate() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}
