package clocksync

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const appTimeLen = 5

// AppTimeReq tells the device's idea of the time and asks for a correction.
// Uplink, CID 0x01, 5 bytes follow (TS003-1.0.0 and TS003-2.0.0, AppTimeReq):
//
//	  0..3          4
//	+------------+-------+
//	| DeviceTime | Param |
//	+------------+-------+
//	Param: RFU[7:5] AnsRequired[4] TokenReq[3:0]
type AppTimeReq struct {
	DeviceTime  uint32 // GPS seconds modulo 2^32, taken just before transmission
	TokenReq    uint8  // 0..15, counts processed answers; the answer must repeat it
	AnsRequired bool   // the device wants an answer even if its clock is right
}

// CID returns 0x01.
func (AppTimeReq) CID() byte { return cidAppTime }

// Name returns "AppTimeReq".
func (AppTimeReq) Name() string { return "AppTimeReq" }

// String gives the fields for logs, such as "AppTimeReq time=1468238400 token=3 AnsRequired".
func (c AppTimeReq) String() string {
	return wire.Flag(fmt.Sprintf("%s time=%d token=%d", c.Name(), c.DeviceTime, c.TokenReq), c.AnsRequired, "AnsRequired")
}

// Append appends the six bytes of the command. It returns ErrRange for a token above 15.
func (c AppTimeReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v), wire.CheckMax(c.Name(), "TokenReq", c.TokenReq, 15)); err != nil {
		return b, err
	}
	param := c.TokenReq | wire.Bit(c.AnsRequired, 1<<4)
	b = append(b, c.CID())
	b = binary.LittleEndian.AppendUint32(b, c.DeviceTime)
	return append(b, param), nil
}

func parseAppTimeReq(b []byte) (AppTimeReq, []byte, error) {
	if len(b) < appTimeLen {
		return AppTimeReq{}, b, wire.TooShort("AppTimeReq", len(b), appTimeLen)
	}
	return AppTimeReq{
		DeviceTime:  binary.LittleEndian.Uint32(b),
		TokenReq:    b[4] & 0x0f,
		AnsRequired: b[4]&(1<<4) != 0,
	}, b[appTimeLen:], nil
}

// AppTimeAns carries the correction that the device adds to its clock.
// Downlink, CID 0x01, 5 bytes follow (TS003-1.0.0 and TS003-2.0.0, AppTimeAns):
//
//	  0..3              4
//	+----------------+-------+
//	| TimeCorrection | Param |
//	+----------------+-------+
//	Param: RFU[7:4] TokenAns[3:0]
type AppTimeAns struct {
	TimeCorrection int32 // seconds; the two extremes mean "or more"
	TokenAns       uint8 // 0..15, TokenReq of the request; the device ignores any other
}

// CID returns 0x01.
func (AppTimeAns) CID() byte { return cidAppTime }

// Name returns "AppTimeAns".
func (AppTimeAns) Name() string { return "AppTimeAns" }

// String gives the fields for logs, such as "AppTimeAns correction=-10 token=3".
func (c AppTimeAns) String() string {
	return fmt.Sprintf("%s correction=%d token=%d", c.Name(), c.TimeCorrection, c.TokenAns)
}

// Append appends the six bytes of the command. It returns ErrRange for a token above 15.
func (c AppTimeAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v), wire.CheckMax(c.Name(), "TokenAns", c.TokenAns, 15)); err != nil {
		return b, err
	}
	b = append(b, c.CID())
	b = binary.LittleEndian.AppendUint32(b, uint32(c.TimeCorrection))
	return append(b, c.TokenAns), nil
}

func parseAppTimeAns(b []byte) (AppTimeAns, []byte, error) {
	if len(b) < appTimeLen {
		return AppTimeAns{}, b, wire.TooShort("AppTimeAns", len(b), appTimeLen)
	}
	return AppTimeAns{
		TimeCorrection: int32(binary.LittleEndian.Uint32(b)),
		TokenAns:       b[4] & 0x0f,
	}, b[appTimeLen:], nil
}
