package envelope_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"

	"github.com/starling-fuota/starling/delta/envelope"
)

func Example() {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{1}, 32)) // of a test: yours is secret
	if err != nil {
		fmt.Println(err)
		return
	}
	base, target := []byte("version one"), []byte("version two")
	patch := []byte("the difference")

	signed, err := envelope.Sign(patch, envelope.Header{
		Codec: envelope.HPatchLite, WindowLog: 11,
		BaseSize: uint32(len(base)), Base: envelope.DigestOf(base), BaseVersion: 1,
		TargetSize: uint32(len(target)), Target: envelope.DigestOf(target), TargetVersion: 2,
		Profile: envelope.ProfileOf("acme", "meter", 3),
	}, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(patch), "bytes became", len(signed))

	device := envelope.Device{MaxTarget: 1 << 20, Profile: envelope.ProfileOf("acme", "meter", 3), Version: 1, OnlyNewer: true}
	_, payload, err := envelope.Open(signed, &key.PublicKey, device, base)
	fmt.Printf("%s, %v\n", payload, err)

	device.Version = 2
	_, _, err = envelope.Open(signed, &key.PublicKey, device, target)
	fmt.Println(err)
	// Output:
	// 14 bytes became 147
	// the difference, <nil>
	// target 2.0.0.0, the device runs 2.0.0.0: envelope: no newer than what the device runs
}
