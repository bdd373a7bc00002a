package hpatchlite_test

import (
	"bytes"
	"fmt"

	"github.com/starling-fuota/starling/delta/hpatchlite"
)

func Example() {
	old := bytes.Repeat([]byte("a firmware image that is mostly the same in the next release. "), 50)
	target := bytes.Clone(old)
	copy(target[1000:], "but not here")

	device := hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 512, LiteralLine: true}
	patch, err := hpatchlite.Create(old, target, device)
	if err != nil {
		fmt.Println(err)
		return
	}
	info, _ := hpatchlite.Inspect(patch)
	made, err := hpatchlite.Decode(old, patch, hpatchlite.Limits{Size: 1 << 20, Window: 512})
	fmt.Println(info.Compression, info.NewSize, "bytes by", len(patch), bytes.Equal(made, target), err)
	// Output:
	// tinyuz 3100 bytes by 39 true <nil>
}
