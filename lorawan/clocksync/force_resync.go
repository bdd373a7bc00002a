package clocksync

import (
	"cmp"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const forceResyncLen = 1

// ForceDeviceResyncReq makes the device send AppTimeReq now. There is no answer of its
// own: the AppTimeReq is the answer. TS003-2.0.0 renames it ForceDeviceResyncCmd for that
// reason; the bytes are the same, and it keeps its first name here.
// Downlink, CID 0x03, 1 byte follows (TS003-1.0.0 and TS003-2.0.0):
//
//	        0
//	+-----------------+
//	| NbTransmissions |  RFU[7:3] NbTransmissions[2:0]
//	+-----------------+
type ForceDeviceResyncReq struct {
	NbTransmissions uint8 // AppTimeReq to send, 0..7; Zephyr ignores the command if 0
}

// CID returns 0x03.
func (ForceDeviceResyncReq) CID() byte { return cidForceDeviceResync }

// Name returns "ForceDeviceResyncReq", in both versions.
func (ForceDeviceResyncReq) Name() string { return "ForceDeviceResyncReq" }

// String gives the field for logs, such as "ForceDeviceResyncReq nb=1".
func (c ForceDeviceResyncReq) String() string {
	return fmt.Sprintf("%s nb=%d", c.Name(), c.NbTransmissions)
}

// Append appends the two bytes of the command. It returns ErrRange for more than 7 transmissions.
func (c ForceDeviceResyncReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v), wire.CheckMax(c.Name(), "NbTransmissions", c.NbTransmissions, 7)); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.NbTransmissions), nil
}

func parseForceDeviceResyncReq(b []byte) (ForceDeviceResyncReq, []byte, error) {
	if len(b) < forceResyncLen {
		return ForceDeviceResyncReq{}, b, wire.TooShort("ForceDeviceResyncReq", len(b), forceResyncLen)
	}
	return ForceDeviceResyncReq{NbTransmissions: b[0] & 0x07}, b[forceResyncLen:], nil
}
