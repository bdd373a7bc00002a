package clocksync

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	periodicityReqLen = 1
	periodicityAnsLen = 5
	maxPeriod         = 15
	shortestInterval  = 128 * time.Second
)

// AppTimeJitter is how far, either way, a device strays from the interval it was given.
const AppTimeJitter = 30 * time.Second

// AppTimeInterval returns 128·2^period seconds, 128 s to 4194304 s (48.5 days), or 0 if
// period is above 15.
func AppTimeInterval(period uint8) time.Duration {
	if period > maxPeriod {
		return 0
	}
	return shortestInterval << period
}

// AppTimePeriod returns the smallest Period whose interval is d or longer. It returns
// ErrRange if even the longest is shorter than d.
func AppTimePeriod(d time.Duration) (uint8, error) {
	for p := range uint8(maxPeriod + 1) {
		if AppTimeInterval(p) >= d {
			return p, nil
		}
	}
	return 0, fmt.Errorf("interval %s is above %s: %w", d, AppTimeInterval(maxPeriod), lorawan.ErrRange)
}

// DeviceAppTimePeriodicityReq asks the device to send AppTimeReq regularly.
// Downlink, CID 0x02, 1 byte follows (TS003-1.0.0 and TS003-2.0.0):
//
//	   0
//	+--------+
//	| Period |  RFU[7:4] Period[3:0]
//	+--------+
type DeviceAppTimePeriodicityReq struct {
	Period uint8 // 0..15, see AppTimeInterval
}

// CID returns 0x02.
func (DeviceAppTimePeriodicityReq) CID() byte { return cidDeviceAppTimePeriodicity }

// Name returns "DeviceAppTimePeriodicityReq".
func (DeviceAppTimePeriodicityReq) Name() string { return "DeviceAppTimePeriodicityReq" }

// String gives the interval for logs, such as "DeviceAppTimePeriodicityReq interval=2m8s".
func (c DeviceAppTimePeriodicityReq) String() string {
	return fmt.Sprintf("%s interval=%s", c.Name(), AppTimeInterval(c.Period))
}

// Append appends the two bytes of the command. It returns ErrRange for a Period above 15.
func (c DeviceAppTimePeriodicityReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v), wire.CheckMax(c.Name(), "Period", c.Period, maxPeriod)); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.Period), nil
}

func parseDeviceAppTimePeriodicityReq(b []byte) (DeviceAppTimePeriodicityReq, []byte, error) {
	if len(b) < periodicityReqLen {
		return DeviceAppTimePeriodicityReq{}, b, wire.TooShort("DeviceAppTimePeriodicityReq", len(b), periodicityReqLen)
	}
	return DeviceAppTimePeriodicityReq{Period: b[0] & 0x0f}, b[periodicityReqLen:], nil
}

// DeviceAppTimePeriodicityAns tells whether the device took the interval, and its time.
// LoRaMac-node answers NotSupported always.
// Uplink, CID 0x02, 5 bytes follow (TS003-1.0.0 and TS003-2.0.0):
//
//	   0        1..4
//	+--------+------+
//	| Status | Time |  Status: RFU[7:1] NotSupported[0]
//	+--------+------+
type DeviceAppTimePeriodicityAns struct {
	NotSupported bool
	Time         uint32 // device time, GPS seconds modulo 2^32
}

// CID returns 0x02.
func (DeviceAppTimePeriodicityAns) CID() byte { return cidDeviceAppTimePeriodicity }

// Name returns "DeviceAppTimePeriodicityAns".
func (DeviceAppTimePeriodicityAns) Name() string { return "DeviceAppTimePeriodicityAns" }

// String gives the fields for logs, such as "DeviceAppTimePeriodicityAns time=1468238400 NotSupported".
func (c DeviceAppTimePeriodicityAns) String() string {
	return wire.Flag(fmt.Sprintf("%s time=%d", c.Name(), c.Time), c.NotSupported, "NotSupported")
}

// Append appends the six bytes of the command.
func (c DeviceAppTimePeriodicityAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	return binary.LittleEndian.AppendUint32(append(b, c.CID(), wire.Bit(c.NotSupported, 1)), c.Time), nil
}

func parseDeviceAppTimePeriodicityAns(b []byte) (DeviceAppTimePeriodicityAns, []byte, error) {
	if len(b) < periodicityAnsLen {
		return DeviceAppTimePeriodicityAns{}, b, wire.TooShort("DeviceAppTimePeriodicityAns", len(b), periodicityAnsLen)
	}
	return DeviceAppTimePeriodicityAns{
		NotSupported: b[0]&1 != 0,
		Time:         binary.LittleEndian.Uint32(b[1:]),
	}, b[periodicityAnsLen:], nil
}
