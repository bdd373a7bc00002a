package region_test

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan/region"
)

// How long does an image take over class C in Europe, if one gateway sends all of it
// and keeps to the duty cycle?
func Example() {
	const image = 64 << 10
	band := region.EU868
	frequency, _ := band.RX2()
	limit, _ := band.SubBand(frequency)

	for _, dr := range []uint8{0, 3, 5} {
		size, _ := band.MaxFragSize(dr, region.Options{})
		frames := (image + size - 1) / size
		each, _ := band.DownlinkAirtime(dr, size+3)
		perHour := limit.Airtime(time.Hour) / each
		rate, _ := band.DataRate(dr)
		fmt.Printf("%-11v FragSize %3d: %4d frames of %v, %d an hour\n", rate, size, frames, each, perHour)
	}
	// Output:
	// SF12/125kHz FragSize  48: 1366 frames of 2.793472s, 128 an hour
	// SF9/125kHz  FragSize 112:  586 frames of 676.864ms, 531 an hour
	// SF7/125kHz  FragSize 239:  275 frames of 394.496ms, 912 an hour
}

func ExampleBand_PingSlotFrequency() {
	// Fixed in Europe.
	f, dr := region.EU868.PingSlot()
	fmt.Println(f, dr)
	// Output: 869525000 3
}
