package sim

import (
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/region"
)

// Meter is a device with a look at its radio. It reads the session requests that the device
// gets, because when a receiver is open is decided there. It is made by DeviceSpec.New.
type Meter struct {
	*device.Device
	addr     lorawan.DevAddr
	band     region.Band
	uplinkDR uint8
	port     uint8           // of TS005
	version  lorawan.Version // of TS005
	unicast  *lorawan.Session
	next     uint32 // lowest counter of a downlink that is new

	receive  time.Duration // outside of class C sessions
	heard    time.Time     // start of the frame counted last: another gateway may send it too
	sessions []listening
}

// listening is a multicast session that the device was told of and can have.
type listening struct {
	start, end time.Time
	classB     bool
	slot       time.Duration // class B: an empty ping slot
	perBeacon  int           // class B: ping slots
}

// NewMeter switches a device on under a meter.
func NewMeter(cfg device.Config) *Meter {
	return &Meter{
		Device: device.New(cfg), addr: cfg.DevAddr, band: cfg.Band, uplinkDR: cfg.UplinkDR,
		port: cfg.Ports.Of(lorawan.McSetup), version: cfg.Packages.McSetup, unicast: cfg.UnicastSession(),
	}
}

// Hears counts the time that the receiver takes for what it hears. In class C it is
// open anyway.
func (m *Meter) Hears(tx device.Transmission) bool {
	hears := m.Device.Hears(tx)
	if hears && !m.heard.Equal(tx.Start) && !m.inClassC(tx.Start) {
		m.receive, m.heard = m.receive+tx.Airtime, tx.Start
	}
	return hears
}

func (m *Meter) inClassC(t time.Time) bool {
	for _, s := range m.sessions {
		if !s.classB && !t.Before(s.start) && t.Before(s.end) {
			return true
		}
	}
	return false
}

// Receive looks at what the device gets.
func (m *Meter) Receive(at time.Time, phy []byte) {
	m.Device.Receive(at, phy)
	if addr, err := lorawan.FrameAddr(phy); err == nil && addr == m.addr {
		m.readUnicast(at, phy)
	}
}

func (m *Meter) readUnicast(at time.Time, phy []byte) {
	f, err := m.unicast.Open(phy, m.next)
	if err != nil || f.Direction != lorawan.Downlink {
		return
	}
	m.next = f.FCnt + 1
	if f.FPort != m.port {
		return
	}
	commands, _ := multicast.ParseDownlink(m.version, f.FRMPayload) // what was understood counts
	for _, c := range commands {
		m.command(at, c)
	}
}

func (m *Meter) command(at time.Time, c lorawan.Command) {
	switch c := c.(type) {
	case multicast.McClassCSessionReq:
		m.open(at, listening{start: lorawan.TimeFromGPS32(c.SessionTime, at)}, multicast.ClassCDuration(c.TimeOut))
	case multicast.McClassBSessionReq:
		m.open(at, listening{
			start: lorawan.TimeFromGPS32(c.SessionTime, at), classB: true, perBeacon: multicast.PingSlots(c.Periodicity), slot: m.emptyWindow(c.DR),
		}, multicast.ClassBDuration(c.TimeOut))
	case multicast.McGroupDeleteReq:
		m.closeSessions(at)
	}
}

// open notes a session; the latest request wins. One whose start is past is refused.
func (m *Meter) open(at time.Time, s listening, length time.Duration) {
	if s.start.Before(at) {
		return
	}
	m.closeSessions(at)
	s.end = s.start.Add(length)
	m.sessions = append(m.sessions, s)
}

func (m *Meter) closeSessions(at time.Time) {
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
func (m *Meter) emptyWindow(dr uint8) time.Duration {
	r, _ := m.band.DataRate(dr)
	if r.Bandwidth == 0 {
		return time.Millisecond // the preamble of FSK, 5 bytes at 50 kbit/s
	}
	return 8 * (time.Second << r.SF) / time.Duration(r.Bandwidth)
}

// beaconReceived is how long the receiver is open for one beacon: 152.6 ms on the air in
// EU868 (SF9, 17 bytes, implicit header), and some symbols before it.
const beaconReceived = 180 * time.Millisecond

// Reading is what a meter shows: times since the device was switched on. Readings are
// subtracted from one another.
type Reading struct {
	Transmit, Receive time.Duration
}

// Sub returns what was used since an earlier reading.
func (r Reading) Sub(earlier Reading) Reading {
	return Reading{r.Transmit - earlier.Transmit, r.Receive - earlier.Receive}
}

// Read returns the totals so far. A session counts in full from the moment it is told:
// the device keeps to it whether or not anybody still needs it.
func (m *Meter) Read() Reading {
	s := m.Counters()
	r := Reading{Transmit: s.Airtime, Receive: m.receive}
	// RX1 and RX2 after every uplink. That a frame in RX1 spares the second is left out.
	r.Receive += time.Duration(s.Uplinks) * m.Windows()
	for _, k := range m.sessions {
		length := k.end.Sub(k.start)
		if k.classB {
			beacons := int64(length / lorawan.BeaconPeriod)
			length = time.Duration(beacons) * (beaconReceived + time.Duration(k.perBeacon)*k.slot)
		}
		r.Receive += length
	}
	return r
}

// Windows returns how long the receiver is open in the two windows after an uplink if nothing comes.
func (m *Meter) Windows() time.Duration {
	_, rx2 := m.band.RX2()
	return m.emptyWindow(m.uplinkDR) + m.emptyWindow(rx2)
}

var _ EndDevice = (*Meter)(nil)
