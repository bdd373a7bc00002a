package heatshrink_test

import (
	"bytes"
	"fmt"
	"io"

	"github.com/starling-fuota/starling/delta/heatshrink"
)

// A device with 256 bytes to spare unpacks what a server packed for it.
func Example() {
	plain := append(make([]byte, 1000), "changed"...)
	packed, err := heatshrink.Append(nil, plain, heatshrink.Default)
	if err != nil {
		panic(err)
	}
	r, err := heatshrink.NewReader(bytes.NewReader(packed), heatshrink.Default)
	if err != nil {
		panic(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(heatshrink.Default, len(plain), "bytes in", len(packed), bytes.Equal(got, plain))
	// Output: w8 l7 1007 bytes in 24 true
}
