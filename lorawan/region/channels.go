package region

import (
	"slices"
	"time"

	"github.com/starling-fuota/starling/lorawan"
)

// The eight downlink channels of US915 and AU915.
const (
	hopFirst = 923300000 // Hz
	hopStep  = 600000    // Hz
	hopCount = 8
)

// Channel is an uplink channel and the data rates devices use on it.
type Channel struct {
	Frequency    uint32 // Hz
	MinDR, MaxDR uint8
}

// UplinkChannels returns the channels that a device joins on: all 72 of US915 and
// AU915, two or three elsewhere, none for CN470. The slice is the caller's.
func (b Band) UplinkChannels() []Channel { return slices.Clone(b.plan().channels) }

// RX1 returns the frequency (Hz) and data rate of the first receive window after an
// uplink on frequency at dr, with RX1DROffset 0. It returns false if b has no such
// uplink: a frequency outside of the band or off the grid of US915 and AU915, a
// data rate that is not for uplinks, LR-FHSS, or CN470, whose pairing depends on the sub-plan.
func (b Band) RX1(frequency uint32, dr uint8, o Options) (downFrequency uint32, downDR uint8, ok bool) {
	p := b.plan()
	r, ok := b.rate(dr)
	if !ok || r.dir&up == 0 || r.Modulation == LRFHSS || len(p.channels) == 0 {
		return 0, 0, false
	}
	if _, ok := b.SubBand(frequency); !ok {
		return 0, 0, false
	}
	if !p.fixed {
		return frequency, b.rx1DataRate(dr, o), true
	}
	i := slices.IndexFunc(p.channels, func(c Channel) bool {
		return c.Frequency == frequency && c.MinDR <= dr && dr <= c.MaxDR
	})
	if i < 0 {
		return 0, 0, false
	}
	return hopFirst + uint32(i%hopCount)*hopStep, b.rx1DataRate(dr, o), true
}

// rx1DataRate maps an uplink rate to the one of RX1 at RX1DROffset 0.
func (b Band) rx1DataRate(dr uint8, o Options) uint8 {
	switch b {
	case US915:
		return min(dr+10, 13) // SF10/125 is answered at SF10/500, and so on
	case AU915:
		return min(dr+8, 13)
	}
	if dwell := b.plan().dwell; o.DwellTime400ms && dwell != nil {
		return max(dr, 2) // nothing slower fits the dwell time
	}
	return dr
}

// RX2 returns the default frequency (Hz) and data rate of the second receive window,
// which class C keeps open. For CN470 the frequency is 0: the sub-plan decides it.
func (b Band) RX2() (frequency uint32, dr uint8) {
	s := b.plan().rx2
	return s.frequency, s.dr
}

// PingSlot returns the default frequency (Hz) and data rate of class B ping slots.
// Frequency 0 means that it hops: see PingSlotFrequency.
func (b Band) PingSlot() (frequency uint32, dr uint8) {
	s := b.plan().ping
	return s.frequency, s.dr
}

// Beacon returns the frequency (Hz) and data rate of class B beacons. Frequency 0
// means that it hops: see BeaconFrequency.
func (b Band) Beacon() (frequency uint32, dr uint8) {
	s := b.plan().beacon
	return s.frequency, s.dr
}

// PingSlotFrequency returns the frequency (Hz) of the ping slots of addr, a device or
// a multicast group, during the beacon period that t lies in. Where the band hops,
// the channel is (DevAddr + floor(beacon time / 128)) mod 8 (RP002). It returns 0 for
// CN470, whose hopping is not known well enough to be sent to a device.
func (b Band) PingSlotFrequency(addr lorawan.DevAddr, t time.Time) uint32 {
	p := b.plan()
	if p.fixed {
		return hopFrequency(addr, t)
	}
	return p.ping.frequency
}

// BeaconFrequency returns the frequency (Hz) of the beacon that begins the period t
// lies in, and 0 for CN470. Beacons hop as the ping slots of address 0 do.
func (b Band) BeaconFrequency(t time.Time) uint32 {
	p := b.plan()
	if p.fixed {
		return hopFrequency(lorawan.DevAddr{}, t)
	}
	return p.beacon.frequency
}

func hopFrequency(addr lorawan.DevAddr, t time.Time) uint32 {
	// Modulo 2^32 is harmless: 8 divides it. Shifting rounds down before the epoch too.
	const beaconPeriodLog2 = 7
	period := uint32(lorawan.GPSSeconds(t) >> beaconPeriodLog2)
	return hopFirst + (addr.Uint32()+period)%hopCount*hopStep
}
