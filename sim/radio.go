package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// uplink is a frame of a device on the air.
type uplink struct {
	device.Uplink
	dev        *node
	start, end moment
	destroyed  []*gateway // where it collided
}

// channelKey is what two uplinks must share to destroy each other.
type channelKey struct {
	band      region.Band
	frequency uint32
	dr        uint8
}

// beginUplink puts a frame on the air. A device has one transmitter: a second frame of
// one wake-up follows when the first has ended.
func (n *Network) beginUplink(d *node, u device.Uplink) {
	airtime, ok := d.Band.UplinkAirtime(u.DR, len(u.PHYPayload)-lorawan.FrameOverhead)
	if !ok {
		panic(fmt.Sprintf("sim: device %s transmits at DR %d, which is no uplink data rate of %s", d.DevEUI, u.DR, d.Band))
	}
	start := max(n.now, d.airUntil)
	up := &uplink{Uplink: u, dev: d, start: start, end: start + airtime}
	d.airUntil = up.end
	n.counts.UplinksSent++
	n.counts.UplinkAirtime += airtime
	if n.cfg.Collisions {
		n.collide(up)
	}
	n.agenda.plan(up.end, transmissionEnds, func() { n.endUplink(up) })
}

// collide marks up, and what it overlaps, as destroyed at the gateways that both reach.
func (n *Network) collide(up *uplink) {
	key := channelKey{up.dev.Band, up.Frequency, up.DR}
	others := slices.DeleteFunc(n.onAir[key], func(o *uplink) bool { return o.end <= n.now })
	for _, o := range others {
		if o.end <= up.start || up.end <= o.start {
			continue
		}
		for _, a := range up.dev.links {
			for _, b := range o.dev.links {
				if a.gw == b.gw {
					up.destroyed = append(up.destroyed, a.gw)
					o.destroyed = append(o.destroyed, a.gw)
				}
			}
		}
	}
	n.onAir[key] = append(others, up)
}

// endUplink decides which gateways heard the whole frame and hands it to the network server.
func (n *Network) endUplink(up *uplink) {
	var heard []*gateway
	for _, l := range up.dev.links {
		switch {
		case l.gw.airUntil > up.start: // its latest transmission overlapped
			l.upDeaf++
		case slices.Contains(up.destroyed, l.gw):
			l.collided++
		case !l.up.loses():
			heard = append(heard, l.gw)
		}
	}
	if len(heard) == 0 {
		n.counts.UplinksLost++
		return
	}
	n.receive(up, heard)
}

// transmission is a downlink to be put on the air.
type transmission struct {
	phy       []byte
	frequency uint32 // Hz
	dr        uint8
	airtime   time.Duration
	received  *int   // counts the devices that received it
	ended     func() // what the network server does next
}

// transmit begins a downlink at the present instant on a gateway that is free. Of the devices
// behind links, those whose receivers are open now will get it at its end, unless it is
// lost or they talk over it.
func (n *Network) transmit(gw *gateway, t transmission, links []*link) {
	start := n.now
	end := start + t.airtime
	gw.airUntil = end
	gw.budget(t.frequency).Spend(start, t.airtime)

	tx := device.Transmission{Frequency: t.frequency, DR: t.dr, Start: n.Now(), Airtime: t.airtime}
	listening := gw.listening[:0] // the gateway's transmission before this one has ended
	for _, l := range links {
		if l.dev.radio.Hears(tx) {
			listening = append(listening, l)
		}
	}
	gw.listening = listening
	n.agenda.plan(end, transmissionEnds, func() {
		at := n.Now()
		for _, l := range listening {
			d := l.dev
			if d.airUntil > start { // its latest transmission overlapped
				l.downDeaf++
				continue
			}
			// Drawn before anything else is asked, so that a link's luck does not depend on other links.
			if l.down.loses() || d.heardUntil > start {
				continue // lost, or the receiver was taken by another gateway's frame
			}
			d.heardUntil = end
			*t.received++
			d.radio.Receive(at, t.phy)
			n.planWake(d)
		}
		t.ended()
	})
}
