package lorawan

import "time"

// GPS time counts seconds without leap seconds from its epoch. The packages carry
// it modulo 2^32 (TS003 DeviceTime, TS005 SessionTime, TS006 RebootTime).

// gpsEpochUnix is 1980-01-06T00:00:00Z.
const gpsEpochUnix = 315964800

// gpsLeapSeconds is GPS minus UTC since 2017-01-01. Campaigns happen now, so only
// the present offset is needed; a new leap second is announced half a year ahead
// and changes this one line.
const gpsLeapSeconds = 18

// GPSSeconds returns whole GPS seconds of t, rounded down.
func GPSSeconds(t time.Time) int64 { return t.Unix() - gpsEpochUnix + gpsLeapSeconds }

// GPSSeconds32 returns GPS seconds of t modulo 2^32, as the wire carries them.
func GPSSeconds32(t time.Time) uint32 { return uint32(GPSSeconds(t)) }

// TimeFromGPS returns the UTC time of whole GPS seconds.
func TimeFromGPS(s int64) time.Time { return time.Unix(s+gpsEpochUnix-gpsLeapSeconds, 0).UTC() }

// TimeFromGPS32 returns the time nearest to near whose GPS seconds are s modulo
// 2^32: the wire value wraps every 136 years, first in 2116.
func TimeFromGPS32(s uint32, near time.Time) time.Time {
	base := GPSSeconds(near)
	return TimeFromGPS(base + int64(int32(s-uint32(base))))
}

// BeaconPeriod is the class B beacon interval (TS001-1.0.4 §12). Class B session
// times are multiples of it in GPS time.
const BeaconPeriod = 128 * time.Second

// CeilBeacon returns the first beacon time (GPS seconds divisible by 128) at or after t.
func CeilBeacon(t time.Time) time.Time {
	s := GPSSeconds(t)
	if t.Nanosecond() > 0 {
		s++
	}
	const p = int64(BeaconPeriod / time.Second)
	return TimeFromGPS((s + p - 1) / p * p)
}
