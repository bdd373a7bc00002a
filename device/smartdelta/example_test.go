package smartdelta_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/device/smartdelta"
)

func Example() {
	old, target := blinky.Image(1), blinky.Image(2)
	maker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	patch, err := delta.Create(old, target, delta.Options{Format: delta.HPatchLite})
	if err != nil {
		panic(err)
	}
	block, err := delta.Sign(patch, old, target, delta.Identity{BaseVersion: 1, TargetVersion: 2}, maker)
	if err != nil {
		panic(err)
	}

	installer, err := smartdelta.New(smartdelta.Config{Key: &maker.PublicKey})
	if err != nil {
		panic(err)
	}
	update := device.Update{Block: block, Running: old, Version: 1}
	prepared, err := installer.Prepare(update)
	if err != nil {
		panic(err)
	}
	image, _, err := prepared.Boot()
	fmt.Println(sha256.Sum256(image) == sha256.Sum256(target), prepared.Version, err)

	// The same patch again is not newer than what runs.
	_, err = installer.Prepare(device.Update{Block: block, Running: image, Version: prepared.Version})
	fmt.Println(errors.Is(err, envelope.ErrReplay))
	// Output:
	// true 2 <nil>
	// true
}
