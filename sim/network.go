package sim

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

const never = moment(math.MaxInt64)

// Network is a running network.
type Network struct {
	cfg      Config
	now      moment
	agenda   agenda
	out      []Event // of the present instant, not yet returned
	gateways []*gateway
	devices  []*node
	byEUI    map[lorawan.EUI64]*node
	byAddr   map[lorawan.DevAddr]*node
	groups   map[string]*group
	onAir    map[channelKey][]*uplink // only with Collisions
	counts   Counts
}

// node is a device with what the radio and the network server know of it. There may be a hundred
// thousand: the rest of its configuration is with the device only.
type node struct {
	DevEUI  lorawan.EUI64
	Band    region.Band
	Options region.Options

	radio EndDevice
	links []*link

	planned    moment // earliest wake-up on the agenda, or never
	actedAt    moment // latest wake-up
	acts       int    // wake-ups at that instant
	airUntil   moment // end of its latest transmission
	heardUntil moment // end of the latest frame it received

	session // the network server's side
}

// link is one Link at work.
type link struct {
	dev      *node
	gw       *gateway
	up, down channel
	upDeaf   int // uplinks while the gateway was transmitting
	downDeaf int // downlinks that the device talked over
	collided int // uplinks destroyed by another
}

// New builds a network at Config.Start. It returns ErrConfig, and which gateway or
// device is meant, for a start that is zero, a negative duration, a name or address used twice, a link to nowhere or across
// bands, an uplink data rate that the band does not have, impossible losses, and a band
// whose channels region does not know (CN470).
func New(cfg Config) (*Network, error) {
	if cfg.Start.IsZero() {
		return nil, fmt.Errorf("no time to start at: %w", ErrConfig)
	}
	if cfg.DownlinkLead < 0 || cfg.MulticastGap < 0 || cfg.GatewayPatience < 0 {
		return nil, fmt.Errorf("lead %s, gap %s or patience %s is negative: %w",
			cfg.DownlinkLead, cfg.MulticastGap, cfg.GatewayPatience, ErrConfig)
	}
	cfg.Start = cfg.Start.UTC()
	if cfg.DownlinkLead == 0 {
		cfg.DownlinkLead = DefaultDownlinkLead
	}
	n := &Network{
		cfg:    cfg,
		byEUI:  make(map[lorawan.EUI64]*node, len(cfg.Devices)),
		byAddr: make(map[lorawan.DevAddr]*node, len(cfg.Devices)),
		groups: map[string]*group{},
		onAir:  map[channelKey][]*uplink{},
	}
	for _, g := range cfg.Gateways {
		if err := n.AddGateway(g); err != nil {
			return nil, err
		}
	}
	for _, spec := range cfg.Devices {
		if _, err := n.add(spec); err != nil {
			return nil, err
		}
	}
	n.cfg.Devices, n.cfg.Gateways = nil, nil // the nodes hold them
	return n, nil
}

func (n *Network) newNode(spec DeviceSpec) (*node, error) {
	if !spec.Band.Usable(spec.UplinkDR, lorawan.Uplink) {
		return nil, fmt.Errorf("DR %d is no uplink data rate of band %s: %w", spec.UplinkDR, spec.Band, ErrConfig)
	}
	if spec.Seed == 0 {
		spec.Seed = stream("device", spec.DevEUI.String()) ^ n.cfg.Seed
	}
	if spec.Start.IsZero() {
		spec.Start = n.Now()
	}
	spec.Session = spec.UnicastSession() // expanded once, for the device, the network server and whoever looks on
	d := &node{DevEUI: spec.DevEUI, Band: spec.Band, Options: spec.Options, planned: never, actedAt: -1}
	for _, l := range spec.Links {
		gw := n.gateway(l.Gateway)
		if gw == nil {
			return nil, fmt.Errorf("link to gateway %q, which does not exist: %w", l.Gateway, ErrConfig)
		}
		if gw.Band != spec.Band {
			return nil, fmt.Errorf("link to gateway %q of band %s, device of band %s: %w", l.Gateway, gw.Band, spec.Band, ErrConfig)
		}
		if slices.ContainsFunc(d.links, func(o *link) bool { return o.gw == gw }) {
			return nil, fmt.Errorf("two links to gateway %q: %w", l.Gateway, ErrConfig)
		}
		k := &link{dev: d, gw: gw}
		var err error
		if k.up, err = newChannel(l.Up, n.cfg.Seed, stream("up", spec.DevEUI.String(), gw.ID)); err != nil {
			return nil, fmt.Errorf("uplinks to gateway %q: %w", gw.ID, err)
		}
		if k.down, err = newChannel(l.Down, n.cfg.Seed, stream("down", spec.DevEUI.String(), gw.ID)); err != nil {
			return nil, fmt.Errorf("downlinks from gateway %q: %w", gw.ID, err)
		}
		d.links = append(d.links, k)
	}
	d.session = newSession(spec.Config)
	if spec.New != nil {
		d.radio = spec.New(spec.Config)
	} else {
		d.radio = device.New(spec.Config)
	}
	return d, nil
}

// Format prints virtual time and size under every verb: the keys of devices and groups are
// behind unexported fields, where fmt would print them in clear.
func (n *Network) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "simulated network of %d devices at %s", len(n.devices), n.Now().Format(time.RFC3339))
}

// Now returns the present virtual time, in UTC.
func (n *Network) Now() time.Time { return n.clock(n.now) }

func (n *Network) clock(m moment) time.Time { return n.cfg.Start.Add(m) }

// Advance runs virtual time until the first instant at which the network server has
// something to report, and returns all of that instant, in the order in which it happened; Now
// is that instant. If nothing is reported up to and including until, it returns nil and Now is
// until. A time in the past changes nothing.
//
// What the caller sends upon an event belongs to the same instant: a SendUnicast upon
// an Uplink is in time for RX1.
func (n *Network) Advance(until time.Time) []Event {
	end := until.Sub(n.cfg.Start)
	if end < n.now {
		return nil
	}
	for {
		at, ok := n.agenda.next()
		if !ok || at > end {
			n.now = end
			return nil
		}
		n.now = at
		for ok && at == n.now {
			n.agenda.take().run()
			n.counts.Steps++
			at, ok = n.agenda.next()
		}
		if len(n.out) > 0 {
			events := n.out
			n.out = nil
			return events
		}
	}
}

// Device returns a device, nil if the network has none with this DevEUI or it is of another make (DeviceSpec.New).
func (n *Network) Device(eui lorawan.EUI64) *device.Device {
	d, ok := n.byEUI[eui]
	if !ok {
		return nil
	}
	dev, _ := d.radio.(*device.Device)
	return dev
}

// EndDevice returns a device of any make, nil if the network has none with this DevEUI.
func (n *Network) EndDevice(eui lorawan.EUI64) EndDevice {
	d, ok := n.byEUI[eui]
	if !ok {
		return nil
	}
	return d.radio
}

// report adds an event at the present instant.
func (n *Network) report(e Event) {
	e.Time = n.Now()
	n.out = append(n.out, e)
}

// planWake puts the device's next wake-up on the agenda. A wake-up that is there and earlier
// is left: it finds nothing to do and plans the next one. So the agenda holds few wake-ups per
// device however often its plans change.
func (n *Network) planWake(d *node) {
	t := d.radio.NextWake()
	if t.IsZero() {
		return
	}
	at := max(t.Sub(n.cfg.Start), n.now)
	if at >= d.planned {
		return
	}
	d.planned = at
	n.agenda.plan(at, deviceActs, func() { n.wake(d) })
}

// maxActs is how often a device may act at one instant before it counts as broken: it would never let time pass.
const maxActs = 1000

func (n *Network) wake(d *node) {
	if d.planned == n.now {
		d.planned = never
	}
	now := n.Now()
	if t := d.radio.NextWake(); !t.IsZero() && !t.After(now) {
		if d.actedAt != n.now {
			d.actedAt, d.acts = n.now, 0
		}
		if d.acts++; d.acts > maxActs {
			panic(fmt.Sprintf("sim: device %s wants to wake at %s for ever", d.DevEUI, now))
		}
		for _, u := range d.radio.Wake(now) {
			n.beginUplink(d, u)
		}
	}
	n.planWake(d)
}
