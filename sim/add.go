package sim

import (
	"fmt"
	"slices"
)

// AddGateway adds a gateway at the present instant. A group that was made before does not
// use it until EnsureGroup is called for it again.
//
// It returns ErrConfig, and adds nothing, for a name that is empty or used, no band, and a
// band whose channels region does not know (CN470).
func (n *Network) AddGateway(g Gateway) error {
	if g.ID == "" || n.gateway(g.ID) != nil {
		return fmt.Errorf("gateway %q: name is empty or used twice: %w", g.ID, ErrConfig)
	}
	if g.Band == 0 {
		return fmt.Errorf("gateway %q: no band: %w", g.ID, ErrConfig)
	}
	if frequency, _ := g.Band.RX2(); frequency == 0 {
		return fmt.Errorf("gateway %q: band %s leaves the frequency of RX2 to the network, which is not modelled: %w", g.ID, g.Band, ErrConfig)
	}
	n.gateways = append(n.gateways, &gateway{Gateway: g, names: []string{g.ID}})
	return nil
}

// AddDevice adds a device that is switched on now, unless its Start says otherwise. It
// joins: Joined is reported with the first uplink that is heard. What happens to the other
// devices does not depend on it, but for the air time that it takes.
//
// It returns ErrConfig, and adds nothing, for whatever New would refuse.
func (n *Network) AddDevice(spec DeviceSpec) error {
	d, err := n.add(spec)
	if err != nil {
		return err
	}
	d.joins = true
	return nil
}

func (n *Network) add(spec DeviceSpec) (*node, error) {
	if n.byEUI[spec.DevEUI] != nil {
		return nil, fmt.Errorf("device %s: DevEUI used twice: %w", spec.DevEUI, ErrConfig)
	}
	if other := n.byAddr[spec.DevAddr]; other != nil {
		return nil, fmt.Errorf("device %s: DevAddr %s is that of %s: %w", spec.DevEUI, spec.DevAddr, other.DevEUI, ErrConfig)
	}
	d, err := n.newNode(spec)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", spec.DevEUI, err)
	}
	n.byEUI[spec.DevEUI], n.byAddr[spec.DevAddr] = d, d
	n.devices = append(n.devices, d)
	for _, l := range d.links {
		l.gw.links = append(l.gw.links, l)
	}
	n.planWake(d)
	return d, nil
}

// gateway returns the gateway of a name, or nil.
func (n *Network) gateway(id string) *gateway {
	i := slices.IndexFunc(n.gateways, func(g *gateway) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return n.gateways[i]
}
