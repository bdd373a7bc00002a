package device

import (
	"encoding/binary"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// Class B timing (TS001). All of it is tied to the beacon, which is tied to GPS time:
//
//	beacon          first slot                                        next beacon
//	  |<-- 2.12 s -->|<-------------- 4096 slots of 30 ms ---------->|    |
//	  |--------------|-- x ---------- x ---------- x ---------- x ---|----|
//	                   pingOffset     + pingPeriod ...
const (
	BeaconReserved = 2120 * time.Millisecond // from the beacon to the first slot
	PingSlotLength = 30 * time.Millisecond

	slotsPerBeacon = 1 << 12
)

// beaconSearch is how long a device takes to find the beacon: two beacon periods, as LoRa
// Basics Modem plans for. It starts early enough before a session, if it is told in time.
const beaconSearch = 2 * lorawan.BeaconPeriod

// beaconCipher is AES under the zero key, which hashes beacon time and address.
var beaconCipher = lorawan.NewCipher(lorawan.AES128Key{})

// PingSlots returns when the ping slots of addr, a device or a multicast group, begin in the
// beacon period that t lies in: 2^(7-periodicity) times, ascending. It returns nil for
// a periodicity above 7.
func PingSlots(addr lorawan.DevAddr, t time.Time, periodicity uint8) []time.Time {
	period := multicast.PingPeriodSlots(periodicity)
	if period == 0 {
		return nil
	}
	beacon := beaconAt(t)
	at := make([]time.Time, 0, multicast.PingSlots(periodicity))
	for slot := pingOffset(addr, beacon, period); slot < slotsPerBeacon; slot += period {
		at = append(at, slotTime(beacon, slot))
	}
	return at
}

// NextPingSlot returns the first ping slot of addr at or after t. It returns the zero
// time for a periodicity above 7.
func NextPingSlot(addr lorawan.DevAddr, t time.Time, periodicity uint8) time.Time {
	period := multicast.PingPeriodSlots(periodicity)
	if period == 0 {
		return time.Time{}
	}
	for beacon := beaconAt(t); ; beacon = beacon.Add(lorawan.BeaconPeriod) {
		slot := pingOffset(addr, beacon, period)
		if passed := t.Sub(slotTime(beacon, slot)); passed > 0 {
			length := time.Duration(period) * PingSlotLength
			slot += int((passed+length-1)/length) * period
		}
		if slot < slotsPerBeacon {
			return slotTime(beacon, slot)
		}
	}
}

// beaconAt returns the beacon that begins the period of t.
func beaconAt(t time.Time) time.Time {
	const seconds = int64(lorawan.BeaconPeriod / time.Second)
	s := lorawan.GPSSeconds(t)
	return lorawan.TimeFromGPS(s - ((s%seconds)+seconds)%seconds)
}

func slotTime(beacon time.Time, slot int) time.Time {
	return beacon.Add(BeaconReserved + time.Duration(slot)*PingSlotLength)
}

// pingOffset returns the first slot of a beacon period: with Rand the encryption under
// the zero key of BeaconTime(4) | DevAddr(4) | pad, (Rand[0] + 256 Rand[1]) mod pingPeriod.
func pingOffset(addr lorawan.DevAddr, beacon time.Time, period int) int {
	var in [16]byte
	binary.LittleEndian.PutUint32(in[:], lorawan.GPSSeconds32(beacon))
	binary.LittleEndian.PutUint32(in[4:], addr.Uint32())
	rand := beaconCipher.Encrypt(in)
	return (int(rand[0]) + 256*int(rand[1])) % period
}

// setUpClassB accepts or refuses a class B window.
func (d *Device) setUpClassB(at time.Time, c multicast.McClassBSessionReq) *reply {
	s := mcSession{
		class: classB, frequency: c.DLFrequency, dr: c.DR,
		periodicity: c.Periodicity, lockedAt: at.Add(beaconSearch),
	}
	ans := d.accept(at, c.McGroupID, c.SessionTime, s, multicast.ClassBDuration(c.TimeOut))
	return d.sessionReply(ans, func(a multicast.McClassCSessionAns) lorawan.Command {
		return multicast.McClassBSessionAns(a)
	})
}

// hearsClassB: in a class B session the receiver opens at the ping slots of the group.
// The device's clock decides which beacon periods belong to the session; inside one the
// slots follow the beacon that was heard, so they are exact. A class C session has the radio
// all the time and leaves nothing for ping slots.
func (d *Device) hearsClassB(tx Transmission) bool {
	if d.inClassC(tx.Start) {
		return false
	}
	shown := d.clock.read(tx.Start)
	for i := range d.groups {
		g := &d.groups[i]
		s := &g.session
		if s.class != classB || s.dr != tx.DR || !s.during(shown) || tx.Start.Before(s.lockedAt) {
			continue
		}
		frequency := s.frequency
		if frequency == 0 {
			frequency = d.cfg.Band.PingSlotFrequency(g.addr, tx.Start)
		}
		slot := NextPingSlot(g.addr, tx.Start.Add(-windowTolerance), s.periodicity)
		if frequency == tx.Frequency && slot.Sub(tx.Start).Abs() <= windowTolerance {
			return true
		}
	}
	return false
}
