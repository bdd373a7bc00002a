package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// benchFleet is a fleet whose every uplink is answered by the server's clock, one gateway per 100 devices.
func benchFleet(t testing.TB, devices int) *sim.Network {
	f := newFleet(t, sim.FleetConfig{
		Devices: devices, Seed: 1, Start: start, Gateways: max(1, devices/100), Reach: 2,
		Up: sim.Independent{P: 0.1}, Down: sim.Independent{P: 0.1},
		UplinkDRs: []uint8{5}, UplinkPeriod: 10 * time.Minute, UplinkJitter: time.Minute,
	})
	n, err := sim.New(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hourOf runs an hour in which each uplink is answered and 100 multicast frames go out.
func hourOf(t testing.TB, n *sim.Network) {
	g := sim.Group{ID: "g", Band: region.EU868, Frequency: rx2EU, DataRate: 3}
	if err := n.EnsureGroup(g); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := n.SendMulticast("g", sim.Frame{FPort: 201, Payload: make([]byte, 100)}); err != nil {
			t.Fatal(err)
		}
	}
	advance(n, time.Hour, func(e sim.Event) {
		if e.Kind == sim.Uplink {
			if err := n.SendUnicast(e.DevEUI, sim.Frame{FPort: 99, Payload: e.Payload}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWorkGrowsWithTheFleetAndNotFaster(t *testing.T) {
	steps := func(devices int) int {
		n := benchFleet(t, devices)
		hourOf(t, n)
		return n.Stats().Steps
	}
	if small, large := steps(200), steps(2000); large > 11*small {
		t.Errorf("%d steps for 200 devices, %d for 2000", small, large)
	}
}

// BenchmarkHour runs one hour of a fleet: an uplink and an answer every ten minutes per
// device, and 100 multicast frames. ns/device must not depend on the number of devices.
func BenchmarkHour(b *testing.B) {
	for _, devices := range []int{200, 2000} {
		b.Run(fmt.Sprint(devices), func(b *testing.B) {
			n := benchFleet(b, devices)
			before := n.Stats().Steps
			for b.Loop() {
				hourOf(b, n)
			}
			b.ReportMetric(float64(n.Stats().Steps-before)/b.Elapsed().Seconds(), "steps/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(devices), "ns/device-hour")
		})
	}
}

// BenchmarkQuiet is the cost of a day in which a fleet sends nothing.
func BenchmarkQuiet(b *testing.B) {
	f := newFleet(b, sim.FleetConfig{Devices: 2000, Start: start, Mix: []sim.Model{{}}})
	n, err := sim.New(f.Config())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n.Advance(n.Now().Add(24 * time.Hour))
	}
}
