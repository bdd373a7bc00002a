package whatif

import (
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// meter is a device with a look at its radio and at its decoder. It reads the session
// requests that the device gets, because when a receiver is open is decided there.
type meter struct {
	*device.Device
	cfg     device.Config
	unicast lorawan.Session
	next    uint32 // lowest counter of a downlink that is new
	tap     *tap

	receive  time.Duration // outside of class C sessions
	heard    time.Time     // start of the frame counted last: another gateway may send it too
	sessions []session

	complete bool // the decoder was done when last looked at
}

// session is a multicast session that the device was told of and can have.
type session struct {
	start, end time.Time
	classB     bool
	slot       time.Duration // class B: an empty ping slot
	perBeacon  int           // class B: ping slots
}

func newMeter(cfg device.Config, t *tap) *meter {
	return &meter{Device: device.New(cfg), cfg: cfg, unicast: lorawan.NewSession(cfg.DevAddr, cfg.NwkSKey, cfg.AppSKey), tap: t}
}

// Hears counts the time that the receiver takes for what it hears. In class C it is
// open anyway.
func (m *meter) Hears(tx device.Transmission) bool {
	hears := m.Device.Hears(tx)
	if hears && !m.heard.Equal(tx.Start) && !m.inClassC(tx.Start) {
		m.receive, m.heard = m.receive+tx.Airtime, tx.Start
	}
	return hears
}

func (m *meter) inClassC(t time.Time) bool {
	for _, s := range m.sessions {
		if !s.classB && !t.Before(s.start) && t.Before(s.end) {
			return true
		}
	}
	return false
}

// Receive looks at what the device gets, and at what it made of it.
func (m *meter) Receive(at time.Time, phy []byte) {
	m.Device.Receive(at, phy)
	addr, err := lorawan.FrameAddr(phy)
	if err != nil {
		return
	}
	if addr == m.cfg.DevAddr {
		m.readUnicast(at, phy)
		return
	}
	if place := m.tap.fragment(phy); place > 0 && !m.complete && m.Status().Complete {
		m.complete = true
		m.tap.completed(place)
	}
}

func (m *meter) readUnicast(at time.Time, phy []byte) {
	f, err := m.unicast.Open(phy, m.next)
	if err != nil || f.Direction != lorawan.Downlink {
		return
	}
	m.next = f.FCnt + 1
	switch f.FPort {
	case m.cfg.Ports.Of(lorawan.McSetup):
		commands, _ := multicast.ParseDownlink(m.cfg.Packages.McSetup, f.FRMPayload) // what was understood counts
		for _, c := range commands {
			m.command(at, c)
		}
	case m.cfg.Ports.Of(lorawan.Fragmentation):
		m.complete = m.Status().Complete // a new session begins incomplete
	}
}

func (m *meter) command(at time.Time, c lorawan.Command) {
	switch c := c.(type) {
	case multicast.McClassCSessionReq:
		m.open(at, session{start: lorawan.TimeFromGPS32(c.SessionTime, at)}, multicast.ClassCDuration(c.TimeOut))
	case multicast.McClassBSessionReq:
		m.open(at, session{
			start: lorawan.TimeFromGPS32(c.SessionTime, at), classB: true, perBeacon: multicast.PingSlots(c.Periodicity), slot: m.emptyWindow(c.DR),
		}, multicast.ClassBDuration(c.TimeOut))
	case multicast.McGroupDeleteReq:
		m.closeSessions(at)
	}
}

// open notes a session; the latest request wins. One whose start is past is refused.
func (m *meter) open(at time.Time, s session, length time.Duration) {
	if s.start.Before(at) {
		return
	}
	m.closeSessions(at)
	s.end = s.start.Add(length)
	m.sessions = append(m.sessions, s)
}

func (m *meter) closeSessions(at time.Time) {
	kept := m.sessions[:0]
	for _, s := range m.sessions {
		if s.start.Before(at) {
			if at.Before(s.end) {
				s.end = at
			}
			kept = append(kept, s)
		}
	}
	m.sessions = kept
}

// emptyWindow returns how long a receiver waits in vain for a preamble of 8 symbols.
func (m *meter) emptyWindow(dr uint8) time.Duration {
	r, _ := m.cfg.Band.DataRate(dr)
	if r.Bandwidth == 0 {
		return time.Millisecond // the preamble of FSK, 5 bytes at 50 kbit/s
	}
	return 8 * (time.Second << r.SF) / time.Duration(r.Bandwidth)
}

// beaconReceived is how long the receiver is open for one beacon: 152.6 ms on the air in
// EU868 (SF9, 17 bytes, implicit header), and some symbols before it.
const beaconReceived = 180 * time.Millisecond

// reading is what a meter shows. Readings are subtracted from one another.
type reading struct {
	transmit, receive time.Duration
}

// read returns the totals so far. A session counts in full from the moment it is told:
// the device keeps to it whether or not anybody still needs it.
func (m *meter) read() reading {
	s := m.Status()
	r := reading{transmit: s.Airtime, receive: m.receive}
	// RX1 and RX2 after every uplink. That a frame in RX1 spares the second is left out.
	_, rx2 := m.cfg.Band.RX2()
	r.receive += time.Duration(s.Uplinks) * (m.emptyWindow(m.cfg.UplinkDR) + m.emptyWindow(rx2))
	for _, k := range m.sessions {
		length := k.end.Sub(k.start)
		if k.classB {
			beacons := int64(length / lorawan.BeaconPeriod)
			length = time.Duration(beacons) * (beaconReceived + time.Duration(k.perBeacon)*k.slot)
		}
		r.receive += length
	}
	return r
}
