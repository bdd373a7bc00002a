package simulated

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/sim"
)

// shelf is a stock of one image, for version 1.0.0.0 or of the free form 00000001, and one key.
type shelf struct {
	image []byte
	key   *ecdsa.PublicKey
	asked int
	err   error
}

func (s *shelf) Firmware(_ context.Context, profileID string, v fleet.Firmware) (fleet.File, []byte, error) {
	s.asked++
	if profileID != "p" || v.Uint32() != 1 {
		return fleet.File{}, nil, s.err
	}
	return fleet.File{Version: v}, s.image, s.err
}

func (s *shelf) PublicKey(_ context.Context, id string) (*ecdsa.PublicKey, error) {
	if id != "k" {
		return nil, errors.New("no such key")
	}
	return s.key, nil
}

// equipped is a network with a stock and nothing else.
func equipped(s Stock) *Network {
	n := New(nil, time.Now)
	n.Grow(nil, 0)
	n.Equip(s)
	return n
}

func TestDevicesAreMadeWithWhatTheirServerHas(t *testing.T) {
	old, target := blinky.Image(1), blinky.Image(2)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dotted, free := fleet.MustParseFirmware("1.0.0.0"), fleet.FreeFirmware(1)
	create := func(f delta.Format) (bare, signed []byte) {
		p, err := delta.Create(old, target, delta.Options{Format: f})
		if err != nil {
			t.Fatal(err)
		}
		if signed, err = delta.Sign(p, old, target, delta.Identity{BaseVersion: 1, TargetVersion: 2, Profile: envelope.ProfileOf("acme", "meter", 3)}, key); err != nil {
			t.Fatal(err)
		}
		return p.Bytes, signed
	}
	bare, signed := create(delta.HPatchLite)
	behind, err := envelope.SignBare(bare, key)
	if err != nil {
		t.Fatal(err)
	}
	_, inPlace := create(delta.DetoolsInPlace)
	_, heldBack := create(delta.HPatchLiteInPlace)
	for name, x := range map[string]struct {
		change  func(*fleet.Device, *fleet.DeviceProfile)
		block   []byte
		without bool // an installer
		refused bool
	}{
		"signed":                    {func(*fleet.Device, *fleet.DeviceProfile) {}, signed, false, false},
		"signature behind it":       {func(*fleet.Device, *fleet.DeviceProfile) {}, behind, false, false},
		"not signed":                {func(*fleet.Device, *fleet.DeviceProfile) {}, bare, false, true},
		"not signed, without a key": {func(_ *fleet.Device, p *fleet.DeviceProfile) { p.SmartDeltaKeyID = "" }, bare, false, false},
		"signed, without a key":     {func(_ *fleet.Device, p *fleet.DeviceProfile) { p.SmartDeltaKeyID = "" }, signed, false, true},
		"other hardware":            {func(_ *fleet.Device, p *fleet.DeviceProfile) { p.HWRevision = 4 }, signed, false, true},
		"versions without an order": {func(d *fleet.Device, _ *fleet.DeviceProfile) { d.Firmware = free }, signed, false, false},
		"one slot":                  {func(_ *fleet.Device, p *fleet.DeviceProfile) { p.DeltaFormats = []delta.Format{delta.DetoolsInPlace} }, inPlace, false, false},
		"one slot, held back": {func(_ *fleet.Device, p *fleet.DeviceProfile) {
			p.DeltaFormats = []delta.Format{delta.HPatchLiteInPlace}
		}, heldBack, false, false},
		"one slot, no such decoder":  {func(_ *fleet.Device, p *fleet.DeviceProfile) { p.DeltaFormats = []delta.Format{delta.DetoolsInPlace} }, heldBack, false, true},
		"two slots, no such decoder": {func(_ *fleet.Device, p *fleet.DeviceProfile) { p.DeltaFormats = []delta.Format{delta.Detools} }, signed, false, true},
		"no Smart Delta":             {func(_ *fleet.Device, p *fleet.DeviceProfile) { p.Library = fleet.OtherLibrary }, nil, true, false},
		"nobody knows what it runs":  {func(d *fleet.Device, _ *fleet.DeviceProfile) { d.Firmware = fleet.Firmware{} }, nil, true, false},
		"nobody has what it runs":    {func(d *fleet.Device, _ *fleet.DeviceProfile) { d.Firmware = fleet.MustParseFirmware("1.1.0.0") }, nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			dev := fleet.Device{Classes: fleet.ClassesOf(fleet.ClassC), Firmware: dotted}
			profile := fleet.DeviceProfile{ID: "p", ProducerID: "acme", ModuleID: "meter", HWRevision: 3, Library: fleet.SmartDelta, SmartDeltaKeyID: "k"}
			x.change(&dev, &profile)
			stock := &shelf{image: old, key: &key.PublicKey}
			n := equipped(stock)
			var specs [2]sim.DeviceSpec
			for i := range specs {
				if err := n.growth.equip(t.Context(), &specs[i], dev, profile); err != nil {
					t.Fatal(err)
				}
			}
			if (specs[1].Install == nil) != x.without || x.without != (specs[1].Image == nil) {
				t.Fatalf("image of %d bytes, installer %v", len(specs[1].Image), specs[1].Install)
			}
			if x.without {
				return
			}
			if stock.asked != 1 || specs[0].Install != specs[1].Install {
				t.Errorf("%d look-ups for two devices of a kind", stock.asked)
			}
			p, err := specs[1].Install.Prepare(device.Update{Block: x.block, Running: specs[1].Image, Version: dev.Firmware.Uint32()})
			if (err != nil) != x.refused {
				t.Fatal(err)
			}
			if err == nil {
				if image, _, err := p.Boot(); err != nil || !bytes.Equal(image, target) {
					t.Errorf("%d bytes, %v", len(image), err)
				}
			}
		})
	}
}

func TestAStockThatCannotBeReadStopsItsDevices(t *testing.T) {
	for name, x := range map[string]struct {
		stock shelf
		key   string
	}{
		"store":  {shelf{err: errors.New("the store is gone")}, "k"},
		"no key": {shelf{image: []byte("image")}, "other"},
	} {
		dev := fleet.Device{Firmware: fleet.MustParseFirmware("1.0.0.0")}
		profile := fleet.DeviceProfile{ID: "p", Library: fleet.SmartDelta, SmartDeltaKeyID: x.key}
		var spec sim.DeviceSpec
		if err := equipped(&x.stock).growth.equip(t.Context(), &spec, dev, profile); err == nil || spec.Install != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
