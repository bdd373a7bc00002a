package detools_test

import (
	"bytes"
	"fmt"

	"github.com/starling-fuota/starling/delta/detools"
)

// A server makes a patch for devices with an Espressif style decoder, and a device applies it.
func Example() {
	old := bytes.Repeat([]byte("every line of this firmware stays as it is. "), 100)
	target := bytes.Replace(old, []byte("stays"), []byte("moves"), 1)

	patch, err := detools.Create(old, target, detools.Options{Compression: detools.Heatshrink, Window: 8, Lookahead: 7})
	if err != nil {
		panic(err)
	}
	info, err := detools.Inspect(patch)
	if err != nil {
		panic(err)
	}
	got, err := detools.Decode(old, patch, detools.Limits{})
	if err != nil {
		panic(err)
	}
	fmt.Println(info.Type, info.Compression, info.Heatshrink, "with", info.RAM(), "bytes of RAM")
	fmt.Println(len(target), "bytes in", len(patch), bytes.Equal(got, target))
	// Output:
	// sequential heatshrink w8 l7 with 256 bytes of RAM
	// 4400 bytes in 84 true
}
