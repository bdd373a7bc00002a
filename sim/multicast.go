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

// Group is a multicast group as the network server sees it: a session and a way to send.
// The network server does not know when the devices listen: the caller sends within the session.
type Group struct {
	ID                   string
	Band                 region.Band
	Options              region.Options // dwell time shortens frames
	McAddr               lorawan.DevAddr
	McNwkSKey, McAppSKey lorawan.AES128Key

	// ClassB sends in the ping slots of McAddr; otherwise class C: as soon as possible.
	ClassB              bool
	PingSlotPeriodicity uint8 // class B: exponent 0..7, a slot every 2^p seconds

	Frequency uint32 // Hz; 0 with ClassB: the ping slot channel of the band, which may hop
	DataRate  uint8
	FCntDown  uint32   // counter of the first frame; the network server counts from there
	Gateways  []string // that transmit, in fan-out order; none: all of the band
}

// group is the state of a Group.
type group struct {
	Group
	keys     lorawan.Session
	gateways []*gateway
	room     int
	nextFCnt uint32
	queue    []*multicastFrame
	serveAt  moment // when it is planned to be served, or never
	notUntil moment // the pause after a frame
	deleted  bool
}

// multicastFrame is a frame on its way through the gateways of a group.
type multicastFrame struct {
	id        string
	fcnt      uint32
	phy       []byte
	airtime   time.Duration
	begun     bool
	frequency uint32     // Hz, of its latest transmission; 0: none yet
	since     moment     // when its first gateway, or the one whose turn it is, could have begun
	left      []*gateway // that still have to transmit it
	onAir     int        // that transmit it now
	ok        int        // that began to transmit it
}

// EnsureGroup creates a group, or changes the one that has the ID. The counter of an existing group
// with the same address and keys never goes back: FCntDown only raises it.
//
// It returns ErrConfig for parameters that cannot be, ErrUnknown for a gateway that does
// not exist, ErrPayload if the data rate carries nothing, and ErrBusy if frames of
// an existing group are queued under other parameters: flush them first.
func (n *Network) EnsureGroup(spec Group) error {
	g, err := n.newGroup(spec)
	if err != nil {
		return fmt.Errorf("group %q: %w", spec.ID, err)
	}
	old, exists := n.groups[spec.ID]
	if !exists {
		n.groups[spec.ID] = g
		return nil
	}
	same := old.McAddr == spec.McAddr && old.McNwkSKey.Equal(spec.McNwkSKey) && old.McAppSKey.Equal(spec.McAppSKey)
	if same {
		g.nextFCnt = max(g.nextFCnt, old.nextFCnt)
	}
	if len(old.queue) > 0 {
		if !same || !equalOnAir(old, g) {
			return fmt.Errorf("group %q: %d frames queued under other parameters, flush them first: %w", spec.ID, len(old.queue), ErrBusy)
		}
		old.nextFCnt = g.nextFCnt
		return nil
	}
	old.deleted = true // its plans are void
	n.groups[spec.ID] = g
	return nil
}

// equalOnAir reports whether frames of both would go out alike.
func equalOnAir(a, b *group) bool {
	return a.Band == b.Band && a.ClassB == b.ClassB && a.PingSlotPeriodicity == b.PingSlotPeriodicity &&
		a.Frequency == b.Frequency && a.DataRate == b.DataRate && slices.Equal(a.gateways, b.gateways)
}

func (n *Network) newGroup(spec Group) (*group, error) {
	g := &group{
		Group:    spec,
		keys:     lorawan.NewSession(spec.McAddr, spec.McNwkSKey, spec.McAppSKey),
		nextFCnt: spec.FCntDown,
		serveAt:  never,
	}
	if spec.ID == "" {
		return nil, fmt.Errorf("no ID: %w", ErrConfig)
	}
	if !spec.Band.Usable(spec.DataRate, lorawan.Downlink) {
		return nil, fmt.Errorf("DR %d is no downlink data rate of band %s: %w", spec.DataRate, spec.Band, ErrConfig)
	}
	if g.room = maxPayload(spec.Band, spec.DataRate, spec.Options); g.room == 0 {
		return nil, fmt.Errorf("DR %d of band %s carries no payload: %w", spec.DataRate, spec.Band, ErrPayload)
	}
	if spec.ClassB && spec.PingSlotPeriodicity > 7 {
		return nil, fmt.Errorf("ping slot periodicity %d: %w, want 0 to 7", spec.PingSlotPeriodicity, ErrConfig)
	}
	if _, ok := spec.Band.SubBand(g.frequency(n.Now())); !ok {
		return nil, fmt.Errorf("frequency %d Hz is not in band %s: %w", g.frequency(n.Now()), spec.Band, ErrConfig)
	}
	if len(spec.Gateways) == 0 {
		for _, gw := range n.gateways {
			if gw.Band == spec.Band {
				g.gateways = append(g.gateways, gw)
			}
		}
		return g, nil
	}
	for _, id := range spec.Gateways {
		gw := n.gateway(id)
		if gw == nil {
			return nil, fmt.Errorf("gateway %q: %w", id, ErrUnknown)
		}
		if gw.Band != spec.Band || slices.Contains(g.gateways, gw) {
			return nil, fmt.Errorf("gateway %q is of band %s or named twice: %w", id, gw.Band, ErrConfig)
		}
		g.gateways = append(g.gateways, gw)
	}
	return g, nil
}

// DeleteGroup removes a group with its queue, without events. It returns ErrUnknown if there is none.
func (n *Network) DeleteGroup(id string) error {
	g, ok := n.groups[id]
	if !ok {
		return fmt.Errorf("group %q: %w", id, ErrUnknown)
	}
	g.deleted = true
	g.queue = nil
	delete(n.groups, id)
	return nil
}

// SendMulticast puts f at the end of the group's queue and returns the counter that it
// will have on the air. Frames go out in this order, the next when the one before is done
// on all gateways and reported by a Summary. Class C sends as soon as gateways are free and within duty cycle,
// class B at ping slots only.
//
// It returns ErrUnknown for a group that does not exist, ErrPort for FPort 0,
// ErrPayload if the data rate has no room, and ErrCounter after the last counter.
func (n *Network) SendMulticast(id string, f Frame) (fcnt uint32, err error) {
	g, ok := n.groups[id]
	if !ok {
		return 0, fmt.Errorf("group %q: %w", id, ErrUnknown)
	}
	if f.FPort == 0 {
		return 0, fmt.Errorf("group %q, frame %q: FPort 0 carries MAC commands: %w", id, f.ID, ErrPort)
	}
	if len(f.Payload) > g.room {
		return 0, fmt.Errorf("group %q, frame %q: %d bytes, DR %d of %s carries %d: %w", id, f.ID, len(f.Payload), g.DataRate, g.Band, g.room, ErrPayload)
	}
	if g.nextFCnt == math.MaxUint32 {
		return 0, fmt.Errorf("group %q: %w, it needs another key", id, ErrCounter)
	}
	airtime, _ := g.Band.DownlinkAirtime(g.DataRate, len(f.Payload)) // the rate was checked by EnsureGroup
	fcnt = g.nextFCnt
	g.nextFCnt++
	g.queue = append(g.queue, &multicastFrame{
		id: f.ID, fcnt: fcnt, airtime: airtime,
		phy: g.keys.Seal(lorawan.DataFrame{Direction: lorawan.Downlink, FCnt: fcnt, FPort: f.FPort, FRMPayload: f.Payload}),
	})
	if len(g.queue) == 1 {
		n.planService(g, max(n.now, g.notUntil))
	}
	return fcnt, nil
}

// FlushMulticast empties the group's queue. A frame on the air stops its way through the gateways
// there and is reported by a Summary when it has ended; the others get no event, and their
// counters are not used again. It returns ErrUnknown for a group that does not exist.
func (n *Network) FlushMulticast(id string) error {
	g, ok := n.groups[id]
	if !ok {
		return fmt.Errorf("group %q: %w", id, ErrUnknown)
	}
	if len(g.queue) > 0 && g.queue[0].onAir > 0 {
		g.queue = g.queue[:1]
		g.queue[0].left = nil
		return nil
	}
	g.queue = nil
	return nil
}

// QueuedMulticast returns how many frames of the group are not done; 0 for an unknown group.
func (n *Network) QueuedMulticast(id string) int {
	if g, ok := n.groups[id]; ok {
		return len(g.queue)
	}
	return 0
}

// frequency returns where the group is sent at t, in Hz.
func (g *group) frequency(t time.Time) uint32 {
	if g.Frequency == 0 && g.ClassB {
		return g.Band.PingSlotFrequency(g.McAddr, t)
	}
	return g.Frequency
}

// planService makes serve run at a moment, once.
func (n *Network) planService(g *group, at moment) {
	g.serveAt = at
	n.agenda.plan(at, groupIsServed, func() {
		if g.serveAt == n.now && !g.deleted {
			g.serveAt = never
			n.serve(g)
		}
	})
}

// serve transmits the first frame of the group on the gateways that can, and plans when to
// try the others.
func (n *Network) serve(g *group) {
	if len(g.queue) == 0 {
		return
	}
	f := g.queue[0]
	if at := n.opportunity(g, n.now); at > n.now {
		n.planService(g, at)
		return
	}
	if !f.begun {
		f.begun, f.since, f.left = true, n.now, slices.Clone(g.gateways)
	}
	frequency := g.frequency(n.Now())
	again := never
	waiting := f.left[:0]
	for i, gw := range f.left {
		if n.cfg.FanOut == Staggered && (f.onAir > 0 || len(waiting) > 0) {
			waiting = append(waiting, f.left[i:]...) // one after the other
			break
		}
		at, possible := gw.earliest(n.now, frequency, f.airtime)
		patienceEnds := f.since + n.cfg.GatewayPatience
		switch {
		case possible && at == n.now:
			n.multicastOn(g, f, gw, frequency)
			continue
		case !possible, n.cfg.GatewayPatience > 0 && n.now >= patienceEnds:
			if n.cfg.FanOut == Staggered {
				f.since = n.now // the turn of the next one begins
			}
			continue // the frame goes without this gateway
		case n.cfg.GatewayPatience > 0:
			at = min(at, patienceEnds)
		}
		waiting = append(waiting, gw)
		again = min(again, at)
	}
	f.left = waiting
	switch {
	case len(f.left) == 0 && f.onAir == 0:
		n.finish(g, f)
	case again != never:
		n.planService(g, n.opportunity(g, again))
	}
}

// opportunity returns the first moment from at on when the class of the group permits a frame to
// begin.
//
// In class B the last slot begins 3.03 s before the next beacon, and no frame that a downlink
// may have is longer (SF12 with 51 bytes: 2.8 s): the beacon is never covered.
func (n *Network) opportunity(g *group, at moment) moment {
	if !g.ClassB {
		return at
	}
	return device.NextPingSlot(g.McAddr, n.clock(at), g.PingSlotPeriodicity).Sub(n.cfg.Start)
}

func (n *Network) multicastOn(g *group, f *multicastFrame, gw *gateway, frequency uint32) {
	f.onAir++
	f.ok++
	n.counts.MulticastTransmissions++
	n.transmit(gw, transmission{
		phy: f.phy, frequency: frequency, dr: g.DataRate, airtime: f.airtime, received: &n.counts.MulticastReceived,
		ended: func() {
			f.onAir--
			f.frequency = frequency
			switch {
			case g.deleted || f.onAir > 0:
			case len(f.left) == 0:
				n.finish(g, f)
			case n.cfg.FanOut == Staggered:
				f.since = n.now // the turn of the next gateway begins
				n.planService(g, n.opportunity(g, n.now))
			}
		},
	}, gw.links)
}

// finish reports a frame and turns to the next one.
func (n *Network) finish(g *group, f *multicastFrame) {
	g.queue = g.queue[1:]
	g.notUntil = n.now + n.cfg.MulticastGap
	n.counts.MulticastFrames++
	n.report(Event{Kind: Summary, Group: g.ID, FrameID: f.id, FCnt: f.fcnt, GwTotal: len(g.gateways), GwOK: f.ok, Airtime: time.Duration(f.ok) * f.airtime, Frequency: f.frequency})
	if len(g.queue) > 0 {
		n.planService(g, g.notUntil)
	}
}
