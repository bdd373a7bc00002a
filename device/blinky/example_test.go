package blinky_test

import (
	"fmt"

	"github.com/starling-fuota/starling/device/blinky"
)

func ExampleImage() {
	image := blinky.Image(0x00000002) // version 2.0.0.0
	fmt.Printf("%d bytes, header %q\n", len(image), image[0xc0:0xc4])
	// Output: 4760 bytes, header "BLNK"
}
