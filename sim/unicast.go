package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
)

// Receive windows of class A after the end of an uplink, the defaults of TS001.
const (
	rx1Delay = 1 * time.Second
	rx2Delay = 2 * time.Second
)

// session is what the network server knows of a device.
type session struct {
	keys     *lorawan.Session
	nextUp   uint32 // lowest uplink counter that is new
	nextDown uint32 // of the next downlink
	reboots  int    // of the device, when it was last heard
	joins    bool   // its next uplink is the first since it was added
	queue    []queued
	window   window
	room     int // bytes that the larger of its receive windows carries
}

// queued is a frame that waits for a receive window.
type queued struct {
	Frame
	since moment
}

// window is the latest uplink as far as answering it goes.
type window struct {
	uplink    uint32     // counter of the uplink; tells windows of a superseded uplink apart
	heard     []*gateway // that may answer
	confirmed bool       // the next downlink acknowledges
	rx        [2]receiveWindow
}

// receiveWindow is RX1 or RX2.
type receiveWindow struct {
	frequency uint32 // Hz; 0: the band does not say where
	dr        uint8
	room      int // bytes of application payload
}

func newSession(cfg device.Config) session {
	s := session{keys: cfg.Session}
	// Until it is heard, whatever the band can carry may be queued.
	for dr := range uint8(16) {
		if cfg.Band.Usable(dr, lorawan.Downlink) {
			s.room = max(s.room, maxPayload(cfg.Band, dr, cfg.Options))
		}
	}
	return s
}

// SendUnicast puts f at the end of the device's queue. One frame of the queue goes out
// per uplink: in RX1 if a gateway that heard the uplink is free then and has duty cycle
// left, else in RX2, else after a later uplink. Sent is reported when it was transmitted;
// Failed, if it fits neither window of an uplink. A confirmed uplink is acknowledged by the
// frame that answers it; without one there is no acknowledgement.
//
// It returns ErrUnknown for a device that does not exist, ErrPort for FPort 0, and
// ErrPayload if neither window after the device's latest uplink has room.
func (n *Network) SendUnicast(dev lorawan.EUI64, f Frame) error {
	d, ok := n.byEUI[dev]
	if !ok {
		return fmt.Errorf("device %s: %w", dev, ErrUnknown)
	}
	if f.FPort == 0 {
		return fmt.Errorf("device %s, frame %q: FPort 0 carries MAC commands: %w", dev, f.ID, ErrPort)
	}
	if len(f.Payload) > d.room {
		return fmt.Errorf("device %s, frame %q: %d bytes, receive windows carry %d: %w", dev, f.ID, len(f.Payload), d.room, ErrPayload)
	}
	f.Payload = slices.Clone(f.Payload)
	d.queue = append(d.queue, queued{f, n.now})
	return nil
}

// FlushUnicast empties the device's queue. No event follows for the frames that were
// in it. A frame on the air is not affected. An unknown device has nothing to flush.
func (n *Network) FlushUnicast(dev lorawan.EUI64) {
	if d, ok := n.byEUI[dev]; ok {
		d.queue = nil
	}
}

// QueuedUnicast returns the identifiers of the frames that wait for dev, in sending order.
func (n *Network) QueuedUnicast(dev lorawan.EUI64) []string {
	d, ok := n.byEUI[dev]
	if !ok {
		return nil
	}
	ids := make([]string, 0, len(d.queue))
	for _, q := range d.queue {
		ids = append(ids, q.ID)
	}
	return ids
}

// receive is the network server's part of an uplink: check, report, open the windows.
func (n *Network) receive(up *uplink, heard []*gateway) {
	d := up.dev
	f, err := d.keys.Open(up.PHYPayload, d.nextUp)
	if err != nil || f.Direction != lorawan.Uplink {
		if f, err = d.keys.Open(up.PHYPayload, 0); err != nil || f.Direction != lorawan.Uplink || f.FCnt+1 == d.nextUp {
			n.counts.UplinksRejected++ // a copy of the latest frame, or forged
			return
		}
		d.nextUp, d.nextDown = 0, 0
		n.rejoin(d)
	} else if r := d.rebooted(); r != d.reboots || d.joins {
		d.reboots, d.joins = r, false
		n.rejoin(d)
	}
	d.nextUp = f.FCnt + 1
	n.counts.UplinksReceived++
	n.counts.UplinkCopies += len(heard)
	n.report(Event{
		Kind: Uplink, DevEUI: d.DevEUI, FCnt: f.FCnt, FPort: f.FPort, Payload: f.FRMPayload,
		Gateways: namesOf(heard), Frequency: up.Frequency, DataRate: up.DR, GwTotal: len(d.links), GwOK: len(heard),
	})
	d.window = newWindow(d, up, heard, f)
	d.room = max(d.window.rx[0].room, d.window.rx[1].room)
	for i, delay := range []time.Duration{rx1Delay, rx2Delay} {
		n.agenda.plan(n.now+delay, windowOpens, func() { n.openWindow(d, f.FCnt, i) })
	}
}

// rejoin reports that a device began anew. It stands for a join: the keys of devices here are
// fixed, so what tells is a counter that began anew or, if the device has Counters, a reboot. The
// report comes with the first uplink that is heard after it. What was queued for the old
// session is void.
func (n *Network) rejoin(d *node) {
	n.counts.Joins++
	n.report(Event{Kind: Joined, DevEUI: d.DevEUI})
	for _, q := range d.queue {
		n.fail(d, q.Frame, "the device joined again")
	}
	d.queue = nil
}

// rebooted returns how often a device has rebooted, 0 for one that does not say.
func (d *node) rebooted() int {
	if s, ok := d.radio.(interface{ Counters() device.Counters }); ok {
		return s.Counters().Reboots
	}
	return 0
}

func newWindow(d *node, up *uplink, heard []*gateway, f lorawan.DataFrame) window {
	w := window{uplink: f.FCnt, heard: heard, confirmed: f.Confirmed}
	if frequency, dr, ok := d.Band.RX1(up.Frequency, up.DR, d.Options); ok {
		w.rx[0] = receiveWindow{frequency, dr, maxPayload(d.Band, dr, d.Options)}
	}
	if frequency, dr := d.Band.RX2(); frequency != 0 {
		w.rx[1] = receiveWindow{frequency, dr, maxPayload(d.Band, dr, d.Options)}
	}
	return w
}

// openWindow transmits the head of the queue in window i (0: RX1, 1: RX2) of an uplink if it can.
func (n *Network) openWindow(d *node, uplink uint32, i int) {
	w := &d.window
	if w.uplink != uplink || w.heard == nil {
		return // superseded by a later uplink, or used
	}
	for len(d.queue) > 0 && len(d.queue[0].Payload) > d.room {
		n.fail(d, d.queue[0].Frame, fmt.Sprintf("%d bytes, receive windows carry %d", len(d.queue[0].Payload), d.room))
		d.queue = d.queue[1:]
	}
	if len(d.queue) == 0 || d.queue[0].since > n.now-n.cfg.DownlinkLead {
		return
	}
	f, rx := d.queue[0].Frame, w.rx[i]
	if rx.frequency == 0 || len(f.Payload) > rx.room {
		return
	}
	airtime, _ := d.Band.DownlinkAirtime(rx.dr, len(f.Payload)) // a receive window has a downlink rate
	gw := leastUsed(w.heard, n.now, rx.frequency, airtime)
	if gw == nil {
		n.counts.WindowsMissed++
		return
	}
	fcnt := d.nextDown
	phy := d.keys.Seal(lorawan.DataFrame{
		Direction: lorawan.Downlink, ACK: w.confirmed, FCnt: fcnt, FPort: f.FPort, FRMPayload: f.Payload,
	})
	d.nextDown++
	d.queue = d.queue[1:]
	w.heard = nil
	n.counts.UnicastSent++
	n.transmit(gw, transmission{
		phy: phy, frequency: rx.frequency, dr: rx.dr, airtime: airtime, received: &n.counts.UnicastReceived,
		ended: func() {
			n.report(Event{
				Kind: Sent, DevEUI: d.DevEUI, FrameID: f.ID, FCnt: fcnt,
				Gateways: gw.names, Frequency: rx.frequency, DataRate: rx.dr, Window: uint8(i + 1), Airtime: airtime,
			})
		},
	}, d.linksTo(gw))
}

// leastUsed returns the free gateway that has used the least air time in the sub-band,
// the first of equals, nil if none is free. A real server would look at signal
// quality, which does not exist here; sparing the duty cycle is what is left to choose by.
func leastUsed(gateways []*gateway, now moment, frequency uint32, airtime time.Duration) *gateway {
	var best *gateway
	for _, gw := range gateways {
		if gw.free(now, frequency, airtime) && (best == nil || gw.budget(frequency).Total() < best.budget(frequency).Total()) {
			best = gw
		}
	}
	return best
}

// linksTo returns the device's link to gw. Other devices would drop its unicast frames for the address:
// not asking them keeps the cost of a fleet proportional to its size.
func (d *node) linksTo(gw *gateway) []*link {
	i := slices.IndexFunc(d.links, func(l *link) bool { return l.gw == gw })
	return d.links[i : i+1]
}

func (n *Network) fail(d *node, f Frame, why string) {
	n.counts.UnicastFailed++
	n.report(Event{Kind: Failed, DevEUI: d.DevEUI, FrameID: f.ID, Err: why})
}
