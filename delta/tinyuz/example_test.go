package tinyuz_test

import (
	"bytes"
	"fmt"

	"github.com/starling-fuota/starling/delta/tinyuz"
)

func Example() {
	data := bytes.Repeat([]byte("one fragment at a time, "), 40)
	stream, err := tinyuz.Encode(data, tinyuz.Options{Window: 64, LiteralLine: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := tinyuz.Decode(stream, tinyuz.Limits{Window: 64})
	fmt.Println(len(data), "bytes in", len(stream), bytes.Equal(back, data), err)
	// Output:
	// 960 bytes in 34 true <nil>
}
