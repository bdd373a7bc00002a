package lorawan_test

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

// A multicast frame as the server hands it to gateways, and as a device reads it.
func Example() {
	group := lorawan.NewSession(
		lorawan.MustParseDevAddr("260b1234"),
		lorawan.MustParseAES128Key("79e226c720597bcdea3298d4a6122858"), // McNwkSKey
		lorawan.MustParseAES128Key("ac993f5f214a8546b2e42341c91a7cc1"), // McAppSKey
	)
	phy := group.Seal(lorawan.DataFrame{
		Direction: lorawan.Downlink, FCnt: 70000, FPort: 201, FRMPayload: []byte("hello"),
	})

	const next = 69990 // the device has heard up to 69989
	frame, err := group.Open(phy, next)
	fmt.Println(frame.FCnt, frame.FPort, string(frame.FRMPayload), err)
	// Output: 70000 201 hello <nil>
}

func ExampleAES128Key() {
	k := lorawan.MustParseAES128Key("79e226c720597bcdea3298d4a6122858")
	fmt.Printf("%v %x %s\n", k, k, k)
	// Output: [redacted] [redacted] [redacted]
}

func ExampleCeilBeacon() {
	t := time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)
	fmt.Println(lorawan.CeilBeacon(t).Format(time.TimeOnly), lorawan.GPSSeconds32(lorawan.CeilBeacon(t)))
	// Output: 10:01:18 1468576896
}
