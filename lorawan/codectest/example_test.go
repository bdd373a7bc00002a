package codectest_test

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/codectest"
)

// A test gives the same Direction to RoundTrip, a fuzz target to Fuzz.
func Example() {
	downlinks := codectest.Direction{
		Versions: []lorawan.Version{lorawan.V1, lorawan.V2},
		Parse:    clocksync.ParseDownlink, Next: clocksync.NextDownlink,
		Wires: []codectest.Wire{{Command: clocksync.ForceDeviceResyncReq{NbTransmissions: 3}, Hex: "0303", RFU: "03fb"}},
	}
	fmt.Println(downlinks.CheckWires(), downlinks.CheckBytes(lorawan.V1, []byte{3, 0xff, 2}))

	downlinks.Versions = downlinks.Versions[:1]
	downlinks.Wires[0].RFU = "03fc"
	fmt.Println(downlinks.CheckWires())
	// Output:
	// <nil> <nil>
	// 1.0.0 03fc: read [ForceDeviceResyncReq nb=4], <nil>; want ForceDeviceResyncReq nb=3
}
