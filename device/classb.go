package device

import (
	"encoding/binary"
	"time"

	"github.com/starling-fuota/starling/lorawan"
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

	slotsPerBeaconLog2 = 12
	maxPeriodicity     = 7
)

// beaconCipher is AES under the zero key, which hashes beacon time and address.
var beaconCipher = lorawan.NewCipher(lorawan.AES128Key{})

// PingSlots returns when the ping slots of addr, a device or a multicast group, begin in the
// beacon period that t lies in: 2^(7-periodicity) times, ascending. It returns nil for
// a periodicity above 7.
func PingSlots(addr lorawan.DevAddr, t time.Time, periodicity uint8) []time.Time {
	if periodicity > maxPeriodicity {
		return nil
	}
	beacon := beaconAt(t)
	period := pingPeriod(periodicity)
	at := make([]time.Time, 0, 1<<(maxPeriodicity-periodicity))
	for slot := pingOffset(addr, beacon, period); slot < 1<<slotsPerBeaconLog2; slot += period {
		at = append(at, slotTime(beacon, slot))
	}
	return at
}

// NextPingSlot returns the first ping slot of addr at or after t. It returns the zero
// time for a periodicity above 7.
func NextPingSlot(addr lorawan.DevAddr, t time.Time, periodicity uint8) time.Time {
	if periodicity > maxPeriodicity {
		return time.Time{}
	}
	period := pingPeriod(periodicity)
	for beacon := beaconAt(t); ; beacon = beacon.Add(lorawan.BeaconPeriod) {
		slot := pingOffset(addr, beacon, period)
		if passed := t.Sub(slotTime(beacon, slot)); passed > 0 {
			length := time.Duration(period) * PingSlotLength
			slot += int((passed+length-1)/length) * period
		}
		if slot < 1<<slotsPerBeaconLog2 {
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

// pingPeriod returns the slots between two ping slots: 2^12 / pingNb.
func pingPeriod(periodicity uint8) int {
	return 1 << (slotsPerBeaconLog2 - maxPeriodicity + periodicity)
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
