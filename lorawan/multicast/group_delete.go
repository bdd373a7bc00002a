package multicast

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const deleteLen = 1

// McGroupDeleteReq removes a group, and any session of it.
// Downlink, CID 0x03, 1 byte follows (TS005-1.0.0 and TS005-2.0.0):
//
//	     0
//	+-----------+
//	| McGroupID |  RFU[7:2] McGroupID[1:0]
//	+-----------+
type McGroupDeleteReq struct {
	McGroupID uint8 // 0..3
}

// CID returns 0x03.
func (McGroupDeleteReq) CID() byte { return cidMcGroupDelete }

// Name returns "McGroupDeleteReq".
func (McGroupDeleteReq) Name() string { return "McGroupDeleteReq" }

// String gives the field for logs, such as "McGroupDeleteReq group=0".
func (c McGroupDeleteReq) String() string {
	return fmt.Sprintf("%s group=%d", c.Name(), c.McGroupID)
}

// Append appends the two bytes of the command. It returns ErrRange for a McGroupID above 3.
func (c McGroupDeleteReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := checkGroup(c.Name(), v, c.McGroupID); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.McGroupID), nil
}

func parseMcGroupDeleteReq(b []byte) (McGroupDeleteReq, []byte, error) {
	if len(b) < deleteLen {
		return McGroupDeleteReq{}, b, wire.TooShort("McGroupDeleteReq", len(b), deleteLen)
	}
	return McGroupDeleteReq{McGroupID: b[0] & 3}, b[deleteLen:], nil
}

// McGroupDeleteAns confirms that the group is gone. That it did not exist is no failure.
// Uplink, CID 0x03, 1 byte follows (TS005-1.0.0 and TS005-2.0.0):
//
//	    0
//	+-------+
//	| Param |  RFU[7:3] McGroupUndefined[2] McGroupID[1:0]
//	+-------+
type McGroupDeleteAns struct {
	McGroupID        uint8 // 0..3
	McGroupUndefined bool
}

// CID returns 0x03.
func (McGroupDeleteAns) CID() byte { return cidMcGroupDelete }

// Name returns "McGroupDeleteAns".
func (McGroupDeleteAns) Name() string { return "McGroupDeleteAns" }

// String gives the fields for logs, such as "McGroupDeleteAns group=0 McGroupUndefined".
func (c McGroupDeleteAns) String() string {
	return wire.Flag(fmt.Sprintf("%s group=%d", c.Name(), c.McGroupID), c.McGroupUndefined, "McGroupUndefined")
}

// Append appends the two bytes of the command. It returns ErrRange for a McGroupID above 3.
func (c McGroupDeleteAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := checkGroup(c.Name(), v, c.McGroupID); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.McGroupID|wire.Bit(c.McGroupUndefined, 1<<2)), nil
}

func parseMcGroupDeleteAns(b []byte) (McGroupDeleteAns, []byte, error) {
	if len(b) < deleteLen {
		return McGroupDeleteAns{}, b, wire.TooShort("McGroupDeleteAns", len(b), deleteLen)
	}
	return McGroupDeleteAns{McGroupID: b[0] & 3, McGroupUndefined: b[0]&(1<<2) != 0}, b[deleteLen:], nil
}
