package firmware

import (
	"encoding/binary"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const rebootTimeLen = 4

// RebootTime values that are no time.
const (
	RebootNow    uint32 = 0          // at once; the device sends no answer
	RebootCancel uint32 = 0xffffffff // drop the planned reboot; as an answer: dropped
)

// DevRebootTimeReq plans a reboot, replacing one planned before.
// Downlink, CID 0x02, 4 bytes follow (TS006-1.0.0):
//
//	     0..3
//	+------------+
//	| RebootTime |
//	+------------+
type DevRebootTimeReq struct {
	RebootTime uint32 // GPS seconds modulo 2^32, RebootNow or RebootCancel
}

// CID returns 0x02.
func (DevRebootTimeReq) CID() byte { return cidDevRebootTime }

// Name returns "DevRebootTimeReq".
func (DevRebootTimeReq) Name() string { return "DevRebootTimeReq" }

// String gives the field for logs, such as "DevRebootTimeReq at=1468238400" or
// "DevRebootTimeReq cancel".
func (c DevRebootTimeReq) String() string {
	switch c.RebootTime {
	case RebootNow:
		return c.Name() + " now"
	case RebootCancel:
		return c.Name() + " cancel"
	}
	return fmt.Sprintf("%s at=%d", c.Name(), c.RebootTime)
}

// Append appends the five bytes of the command.
func (c DevRebootTimeReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	return binary.LittleEndian.AppendUint32(append(b, c.CID()), c.RebootTime), nil
}

func parseDevRebootTimeReq(b []byte) (DevRebootTimeReq, []byte, error) {
	if len(b) < rebootTimeLen {
		return DevRebootTimeReq{}, b, wire.TooShort("DevRebootTimeReq", len(b), rebootTimeLen)
	}
	return DevRebootTimeReq{RebootTime: binary.LittleEndian.Uint32(b)}, b[rebootTimeLen:], nil
}

// DevRebootTimeAns confirms a planned reboot. What the number means differs between
// devices: see RebootAnsAccepts.
// Uplink, CID 0x02, 4 bytes follow (TS006-1.0.0):
//
//	     0..3
//	+------------+
//	| RebootTime |
//	+------------+
type DevRebootTimeAns struct {
	RebootTime uint32 // seconds until the reboot, or the requested time; 0: refused
}

// CID returns 0x02.
func (DevRebootTimeAns) CID() byte { return cidDevRebootTime }

// Name returns "DevRebootTimeAns".
func (DevRebootTimeAns) Name() string { return "DevRebootTimeAns" }

// String gives the field for logs, such as "DevRebootTimeAns time=3600".
func (c DevRebootTimeAns) String() string {
	if c.RebootTime == RebootCancel {
		return c.Name() + " cancelled"
	}
	return fmt.Sprintf("%s time=%d", c.Name(), c.RebootTime)
}

// Append appends the five bytes of the command.
func (c DevRebootTimeAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	return binary.LittleEndian.AppendUint32(append(b, c.CID()), c.RebootTime), nil
}

func parseDevRebootTimeAns(b []byte) (DevRebootTimeAns, []byte, error) {
	if len(b) < rebootTimeLen {
		return DevRebootTimeAns{}, b, wire.TooShort("DevRebootTimeAns", len(b), rebootTimeLen)
	}
	return DevRebootTimeAns{RebootTime: binary.LittleEndian.Uint32(b)}, b[rebootTimeLen:], nil
}
