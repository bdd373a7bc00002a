package simulated

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// Lookup finds a device that a group has as a member, and its profile.
type Lookup func(context.Context, lorawan.EUI64) (fleet.Device, fleet.DeviceProfile, error)

// growth is how a network gets the devices that it is asked to serve.
type growth struct {
	lookup Lookup
	loss   float64
	bands  map[region.Band]bool     // that have their gateway
	addrs  map[lorawan.DevAddr]bool // of devices and groups
}

// Grow lets the network make the members of every group that it learns of and does not
// have yet, as DeviceSpec says, with a gateway per band. loss is the share of frames that
// each link loses in each direction, 0 <= loss < 1. It is called before the engine runs.
func (n *Network) Grow(lookup Lookup, loss float64) {
	n.growth = &growth{lookup: lookup, loss: loss, bands: map[region.Band]bool{}, addrs: map[lorawan.DevAddr]bool{}}
}

// admit makes the members of a group that the network does not have yet.
func (n *Network) admit(ctx context.Context, g network.Group) error {
	if n.growth == nil {
		return nil
	}
	n.growth.addrs[g.McAddr] = true
	for _, eui := range g.Members {
		var known bool
		n.Inspect(func(s *sim.Network) { known = s.EndDevice(eui) != nil })
		if known {
			continue
		}
		dev, profile, err := n.growth.lookup(ctx, eui)
		if err != nil {
			return fmt.Errorf("simulated device %s: %w", eui, err)
		}
		if err := n.do(func(s *sim.Network) error { return n.growth.add(s, DeviceSpec(dev, profile, g)) }); err != nil {
			return err
		}
	}
	return nil
}

// add puts a device on the air, with a gateway in its reach.
func (gr *growth) add(s *sim.Network, spec sim.DeviceSpec) error {
	gateway := strings.ToLower(spec.Band.String())
	if !gr.bands[spec.Band] {
		if err := s.AddGateway(sim.Gateway{ID: gateway, Band: spec.Band}); err != nil {
			return err
		}
		gr.bands[spec.Band] = true
	}
	loss := sim.Independent{P: gr.loss}
	spec.Links = []sim.Link{{Gateway: gateway, Up: loss, Down: loss}}
	// There are fewer addresses than DevEUIs: who comes later takes the next free one.
	for gr.addrs[spec.DevAddr] {
		spec.DevAddr = devAddr(binary.BigEndian.Uint32(spec.DevAddr[:]) + 1)
	}
	gr.addrs[spec.DevAddr] = true
	return s.AddDevice(spec)
}

// Devices of this network have one data rate for uplinks, in the middle of what the bands have.
const uplinkDR = 3

// flashTime is how long the reboot into another image takes.
const flashTime = 30 * time.Second

// DeviceSpec makes a simulated device of what the store knows: it has the keys, packages,
// ports and firmware of the device, the manners of the stack that the profile's
// StatusStyle stands for, and the limits that the profile gives. It lives in the band of
// the device or, if that is open, of the group. Its session keys and DevAddr follow from its
// DevEUI; it has no links yet.
//
// Its clock is right: a clock that is off would need TS003, which not every device has.
func DeviceSpec(d fleet.Device, p fleet.DeviceProfile, g network.Group) sim.DeviceSpec {
	band := d.Band
	if band == 0 {
		band = g.Band
	}
	period := cmp.Or(p.DefaultUplinkPeriod, fleet.DefaultUplinkPeriod)
	spec := sim.DeviceSpec{Config: device.Config{
		DevEUI: d.DevEUI, DevAddr: devAddr(uint32(hash(d.DevEUI, "DevAddr") >> 32)), NwkSKey: sessionKey(d.DevEUI, "NwkSKey"), AppSKey: sessionKey(d.DevEUI, "AppSKey"),
		RootKey: d.RootKey, LoRaWAN11: d.LoRaWANVersion == fleet.LoRaWAN11,
		Band: band, Options: region.Options{DwellTime400ms: g.DwellTime}, UplinkDR: uplinkDR,
		ClassB: d.Classes.Has(fleet.ClassB), ClassC: d.Classes.Has(fleet.ClassC),
		Packages: d.Packages.Over(p.Packages), Ports: p.Ports, Stack: stackOf(p),
		Firmware: d.Firmware.Uint32(), HWVersion: p.HWVersion, FlashTime: flashTime,
		UplinkPeriod: period, UplinkJitter: period / 20,
	}}
	for dr := uint8(0); !band.Usable(spec.UplinkDR, lorawan.Uplink) && dr < 16; dr++ {
		spec.UplinkDR = dr
	}
	return spec
}

// stacks are the manners that a status style stands for.
var stacks = map[fleet.StatusStyle]device.Stack{
	fleet.StatusSpec:    device.Ideal,
	fleet.StatusLoRaMac: device.LoRaMacStock,
	fleet.StatusLBM:     device.LBM,
	fleet.StatusZephyr:  device.Zephyr,
	fleet.StatusWL55v2:  device.ActilityWL55v2,
}

// stackOf returns the stack of a profile. Limits are the profile's and not those that the
// stack ships with: every product changes them, and a campaign is planned by the profile.
func stackOf(p fleet.DeviceProfile) device.Stack {
	s := stacks[p.StatusStyle]
	s.Decoder.NbFrag, s.Decoder.BlockSize, s.Decoder.MaxLostPercent = int(p.Decoder.MaxNbFrag), 0, 0
	s.Decoder.FragSize, s.Decoder.MinFragSize = int(p.Decoder.MaxFragSize), int(p.Decoder.MinFragSize)
	s.Decoder.MaxLost = int(p.Decoder.MaxLost)
	s.RebootsItself = p.RebootsItself
	s.Groups = int(max(p.MaxGroups, 1))
	s.FirmwareDialect = device.TS006
	if p.FirmwareDialect == fleet.TS006RC1 {
		s.FirmwareDialect = device.RC1
	}
	return s
}

// devAddr keeps addresses out of the way of those that people give to multicast groups: it
// is an address below FC000000, of a network that nobody has, 25 bits of it free.
func devAddr(n uint32) (a lorawan.DevAddr) {
	binary.BigEndian.PutUint32(a[:], 0xfc<<24|n&(1<<25-1))
	return a
}

// sessionKey derives a key of the unicast session. It is as secret as the DevEUI, that is,
// not at all: nothing of this network is ever on the air.
func sessionKey(eui lorawan.EUI64, name string) (k lorawan.AES128Key) {
	binary.BigEndian.PutUint64(k[:8], hash(eui, name+" high"))
	binary.BigEndian.PutUint64(k[8:], hash(eui, name+" low"))
	return k
}

func hash(eui lorawan.EUI64, name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(eui[:])
	_, _ = h.Write([]byte(name))
	return h.Sum64()
}
