package crle_test

import (
	"bytes"
	"fmt"
	"io"

	"github.com/starling-fuota/starling/delta/crle"
)

// Two constants of a large image changed.
func Example() {
	plain := make([]byte, 100_000)
	copy(plain[40_000:], "\x05\x01")
	packed := crle.Append(nil, plain)
	got, err := io.ReadAll(crle.NewReader(bytes.NewReader(packed)))
	if err != nil {
		panic(err)
	}
	fmt.Println(len(plain), "bytes in", len(packed), bytes.Equal(got, plain))
	// Output: 100000 bytes in 14 true
}
