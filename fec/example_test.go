package fec_test

import (
	"fmt"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

// A server cuts an image, sends it with redundancy, and a device that misses every
// seventh fragment rebuilds it.
func Example() {
	image := make([]byte, 10_000)
	copy(image, "firmware 1.2.3")

	choice, err := fec.ChooseFragSize(lorawan.V1, len(image), 112, fec.Multiple(8))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d fragments of %d bytes, %d bytes of padding\n", choice.NbFrag, choice.FragSize, choice.Padding)
	fmt.Println("coded fragments for 100 devices at 10 % loss:", fec.RedundancyFor(choice.NbFrag, 0.1, 100, 0.99))

	server, err := fec.NewEncoder(lorawan.V1, image, choice.FragSize)
	if err != nil {
		panic(err)
	}
	device, err := fec.NewDecoder(lorawan.V1, choice.NbFrag, choice.FragSize, fec.LBMDefault)
	if err != nil {
		panic(err)
	}
	var frag []byte
	for n := 1; !device.Done(); n++ {
		if frag, err = server.Fragment(n, frag[:0]); err != nil {
			panic(err)
		}
		if n%7 == 0 {
			continue // lost on the air
		}
		if _, err := device.Add(n, frag); err != nil {
			panic(err)
		}
	}
	block := device.Bytes()[:len(image)]
	fmt.Printf("%s: done after N=%d, %d uncoded fragments lost\n", block[:14], device.LastN(), device.Lost())
	// Output:
	// 90 fragments of 112 bytes, 80 bytes of padding
	// coded fragments for 100 devices at 10 % loss: 30
	// firmware 1.2.3: done after N=107, 12 uncoded fragments lost
}
