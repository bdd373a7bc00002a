package simulated

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"

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

	stock   Stock // nil: devices run whatever they are sent
	outfits map[outfitOf]*outfit
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
		spec := DeviceSpec(dev, profile, g)
		if err := n.growth.equip(ctx, &spec, dev, profile); err != nil {
			return fmt.Errorf("simulated device %s: %w", eui, err)
		}
		if err := n.do(func(s *sim.Network) error { return n.growth.add(s, spec) }); err != nil {
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

// DeviceSpec makes a member of a group of what the store knows, see sim.KnownDevice. Its session
// keys and DevAddr follow from its DevEUI; it has no links yet.
func DeviceSpec(d fleet.Device, p fleet.DeviceProfile, g network.Group) sim.DeviceSpec {
	spec := sim.KnownDevice(d, p, g.Band, region.Options{DwellTime400ms: g.DwellTime})
	spec.DevAddr = devAddr(uint32(hash(d.DevEUI, "DevAddr") >> 32))
	spec.NwkSKey, spec.AppSKey = sessionKey(d.DevEUI, "NwkSKey"), sessionKey(d.DevEUI, "AppSKey")
	return spec
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
