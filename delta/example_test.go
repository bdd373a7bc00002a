package delta_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
)

func Example() {
	old := bytes.Repeat([]byte("a firmware image that is mostly the same in the next release. "), 50)
	target := bytes.Clone(old)
	copy(target[1000:], "but not here")

	// The server makes a patch for devices that can spare 2^9 bytes, and signs it.
	patch, err := delta.Create(old, target, delta.Options{Format: delta.HPatchLite, Compression: 9, LiteralLine: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed, err := delta.Sign(patch, old, target, delta.Identity{}, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(patch.Format, len(patch.Bytes) < 50, "instead of", patch.To)

	// The device checks all it can before it decodes.
	made, header, err := delta.Open(sealed, &key.PublicKey, envelope.Device{}, old, delta.Limits{})
	fmt.Println(header.Codec, bytes.Equal(made, target), err)
	// Output:
	// hpatchlite true instead of 3100
	// hpatchlite true <nil>
}
