package simulated_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

func eui(n uint64) (e lorawan.EUI64) {
	binary.BigEndian.PutUint64(e[:], n)
	return e
}

// growing is a network that has nothing yet.
func growing(t *testing.T, lookup simulated.Lookup) *simulated.Network {
	t.Helper()
	s, err := sim.New(sim.Config{Seed: 1, Start: time.Date(2026, 7, 20, 10, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	n := simulated.New(s, time.Now)
	n.Grow(lookup, 0.1)
	return n
}

// anyDevice finds every device.
func anyDevice(_ context.Context, e lorawan.EUI64) (fleet.Device, fleet.DeviceProfile, error) {
	return fleet.Device{DevEUI: e, Classes: fleet.ClassesOf(fleet.ClassC)}, fleet.DeviceProfile{}, nil
}

func group(members ...lorawan.EUI64) network.Group {
	return network.Group{DevEUI: eui(0xfe), Band: region.EU868, McAddr: lorawan.DevAddr{1, 0, 0, 1}, Frequency: 869525000, DataRate: 5, Members: members}
}

// has tells if the network has a device.
func has(n *simulated.Network, e lorawan.EUI64) (found bool) {
	n.Inspect(func(s *sim.Network) { found = s.Device(e) != nil })
	return found
}

func TestADeviceIsWhatItsServerKnowsOfIt(t *testing.T) {
	dev := fleet.Device{
		DevEUI: eui(7), Classes: fleet.ClassesOf(fleet.ClassB), LoRaWANVersion: fleet.LoRaWAN11, RootKey: lorawan.AES128Key{1},
		Packages: fleet.Packages{McSetup: lorawan.V1}, Firmware: fleet.MustParseFirmware("1.2.3.4"),
	}
	profile := fleet.DeviceProfile{
		Packages: fleet.Packages{McSetup: lorawan.V2, Fragmentation: lorawan.V2}, Ports: fleet.Ports{Fragmentation: 17}, HWVersion: 9,
		Decoder:     fleet.Decoder{MaxNbFrag: 1000, MinFragSize: 40, MaxFragSize: 200, MaxLost: 60},
		StatusStyle: fleet.StatusLoRaMac, FirmwareDialect: fleet.TS006RC1, RebootsItself: true, MaxGroups: 2, DefaultUplinkPeriod: 20 * time.Minute,
	}
	g := group()
	g.DwellTime = true
	spec := simulated.DeviceSpec(dev, profile, g)
	if spec.DevEUI != dev.DevEUI || !spec.RootKey.Equal(dev.RootKey) || !spec.LoRaWAN11 || !spec.ClassB || spec.ClassC || spec.Firmware != dev.Firmware.Uint32() {
		t.Errorf("device: %+v", spec.Config)
	}
	if spec.Packages.McSetup != lorawan.V1 || spec.Packages.Fragmentation != lorawan.V2 || spec.Ports.Fragmentation != 17 || spec.HWVersion != 9 || spec.UplinkPeriod != 20*time.Minute {
		t.Errorf("profile: %+v", spec.Config)
	}
	if spec.Band != region.EU868 || !spec.Options.DwellTime400ms {
		t.Errorf("group: %+v", spec.Config)
	}
	// The manners of the stack, the limits of the profile.
	want := device.LoRaMacStock
	want.Decoder.NbFrag, want.Decoder.MinFragSize, want.Decoder.FragSize, want.Decoder.MaxLost = 1000, 40, 200, 60
	want.Groups, want.FirmwareDialect, want.RebootsItself = 2, device.RC1, true
	if spec.Stack != want {
		t.Errorf("stack:\n%+v, want\n%+v", spec.Stack, want)
	}

	dev.Band = region.US915
	if spec := simulated.DeviceSpec(dev, profile, g); spec.Band != region.US915 {
		t.Errorf("a device of US915 lives in %s", spec.Band)
	}
	bare := simulated.DeviceSpec(fleet.Device{DevEUI: eui(7)}, fleet.DeviceProfile{}, g)
	if bare.UplinkPeriod != fleet.DefaultUplinkPeriod || bare.Stack.Groups != 1 || bare.DevAddr != spec.DevAddr || !bare.NwkSKey.Equal(spec.NwkSKey) {
		t.Errorf("defaults: %+v", bare.Config)
	}
	if other := simulated.DeviceSpec(fleet.Device{DevEUI: eui(8)}, fleet.DeviceProfile{}, g); other.NwkSKey.Equal(bare.NwkSKey) || other.AppSKey.Equal(other.NwkSKey) {
		t.Error("keys are shared")
	}
}

// Every band whose channels are known can be lived in, at a data rate that it has.
func TestDevicesLiveInEveryBand(t *testing.T) {
	for _, band := range region.Bands() {
		lookup := func(_ context.Context, e lorawan.EUI64) (fleet.Device, fleet.DeviceProfile, error) {
			return fleet.Device{DevEUI: e, Band: band}, fleet.DeviceProfile{}, nil
		}
		err := growing(t, lookup).EnsureGroup(t.Context(), group(eui(1)))
		if known := band != region.CN470; known != (err == nil) || err != nil && !errors.Is(err, network.ErrRejected) {
			t.Errorf("%s: %v", band, err)
		}
	}
}

func TestMembersAreMadeOnce(t *testing.T) {
	asked := map[lorawan.EUI64]int{}
	n := growing(t, func(ctx context.Context, e lorawan.EUI64) (fleet.Device, fleet.DeviceProfile, error) {
		asked[e]++
		return anyDevice(ctx, e)
	})
	if err := n.EnsureGroup(t.Context(), group(eui(1), eui(2))); err != nil {
		t.Fatal(err)
	}
	if err := n.EnsureGroup(t.Context(), group(eui(2), eui(3))); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(3) {
		if e := eui(i + 1); asked[e] != 1 || !has(n, e) {
			t.Errorf("%s was asked for %d times", e, asked[e])
		}
	}
	broken := errors.New("the store is gone")
	n = growing(t, func(context.Context, lorawan.EUI64) (fleet.Device, fleet.DeviceProfile, error) {
		return fleet.Device{}, fleet.DeviceProfile{}, broken
	})
	if err := n.EnsureGroup(t.Context(), group(eui(1))); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// A DevAddr has fewer bits than a DevEUI: devices that would share one, or that of a
// group, get another.
func TestDevicesThatWouldShareAnAddressAreKeptApart(t *testing.T) {
	first := map[lorawan.DevAddr]uint64{}
	var a, b uint64
	var addr lorawan.DevAddr
	for b = 1; ; b += 0x9e3779b97f4a7c15 { // far apart, as those of several makers
		addr = simulated.DeviceSpec(fleet.Device{DevEUI: eui(b)}, fleet.DeviceProfile{}, group()).DevAddr
		if a = first[addr]; a != 0 {
			break
		}
		first[addr] = b
	}
	g := group(eui(a), eui(b))
	g.McAddr = addr
	n := growing(t, anyDevice)
	if err := n.EnsureGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if !has(n, eui(a)) || !has(n, eui(b)) {
		t.Error("one of them is missing")
	}
}
