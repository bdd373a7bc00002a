package sim_test

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/sim"
)

// A server's side of the network: wait for something to happen, answer it.
func Example() {
	fleet, err := sim.NewFleet(sim.FleetConfig{
		Devices: 1, Seed: 42, Start: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		UplinkDRs: []uint8{5},
	})
	if err != nil {
		panic(err)
	}
	net, err := sim.New(fleet.Config())
	if err != nil {
		panic(err)
	}

	// The device asks for the time after boot. PackageVersionReq (00) on FPort 201, sent at that
	// instant, is in time for RX1; the answer follows.
	asked := false
	for until := net.Now().Add(time.Minute); net.Now().Before(until); {
		for _, e := range net.Advance(until) {
			switch {
			case e.Kind == sim.Uplink && !asked:
				asked = true
				fmt.Printf("uplink on FPort %d\n", e.FPort)
				frame := sim.Frame{ID: "version?", FPort: 201, Payload: []byte{0x00}}
				if err := net.SendUnicast(e.DevEUI, frame); err != nil {
					panic(err)
				}
			case e.Kind == sim.Uplink:
				fmt.Printf("uplink on FPort %d: % x\n", e.FPort, e.Payload)
			case e.Kind == sim.Sent:
				fmt.Printf("sent %s\n", e.FrameID)
			}
		}
	}
	// Output:
	// uplink on FPort 202
	// sent version?
	// uplink on FPort 201: 00 03 02
}
