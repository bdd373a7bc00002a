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
	sessions []told
}

// told is a multicast session that the device was told of and can have.
type told struct {
	start, end time.Time
	listening  Listening
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
		if !s.listening.ClassB && !t.Before(s.start) && t.Before(s.end) {
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
		m.open(at, told{start: lorawan.TimeFromGPS32(c.SessionTime, at)}, multicast.ClassCDuration(c.TimeOut))
	case multicast.McClassBSessionReq:
		m.open(at, told{
			start: lorawan.TimeFromGPS32(c.SessionTime, at), listening: Listening{ClassB: true, Band: m.band, DR: c.DR, Periodicity: c.Periodicity},
		}, multicast.ClassBDuration(c.TimeOut))
	case multicast.McGroupDeleteReq:
		m.closeSessions(at)
	}
}

// open notes a session; the latest request wins. One whose start is past is refused.
func (m *Meter) open(at time.Time, s told, length time.Duration) {
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

// Listening is how a receiver listens in a multicast session.
type Listening struct {
	ClassB bool // else class C: without a pause, and what follows does not matter
	Band   region.Band
	DR     uint8
	// Periodicity is the ping period of class B, 2^n seconds.
	Periodicity uint8
}

// Receive returns how long the receiver is open in a session of a length if nothing comes. In class C
// what comes takes no longer; in class B it does.
func (l Listening) Receive(length time.Duration) time.Duration {
	if !l.ClassB {
		return length
	}
	perBeacon := beaconReceived + time.Duration(multicast.PingSlots(l.Periodicity))*emptyWindow(l.Band, l.DR)
	beacons := int64(length / lorawan.BeaconPeriod)
	return time.Duration(beacons) * perBeacon
}

// UplinkWindows returns how long a receiver is open in the two windows after an uplink at a data rate if
// nothing comes.
func UplinkWindows(band region.Band, uplinkDR uint8) time.Duration {
	_, rx2 := band.RX2()
	return emptyWindow(band, uplinkDR) + emptyWindow(band, rx2)
}

// emptyWindow returns how long a receiver waits in vain for a preamble of 8 symbols.
func emptyWindow(band region.Band, dr uint8) time.Duration {
	r, _ := band.DataRate(dr)
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
		r.Receive += k.listening.Receive(k.end.Sub(k.start))
	}
	return r
}

// Windows returns how long the receiver is open in the two windows after an uplink if nothing comes.
func (m *Meter) Windows() time.Duration {
	return UplinkWindows(m.band, m.uplinkDR)
}

var _ EndDevice = (*Meter)(nil)
