package fragmentation

import (
	"cmp"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const deleteLen = 1

// FragSessionDeleteReq frees a session slot.
// Downlink, CID 0x03, 1 byte follows (TS004-1.0.0 and TS004-2.0.0):
//
//	    0
//	+-------+
//	| Param |  RFU[7:2] FragIndex[1:0]
//	+-------+
type FragSessionDeleteReq struct {
	FragIndex uint8 // 0..3
}

// CID returns 0x03.
func (FragSessionDeleteReq) CID() byte { return cidFragSessionDelete }

// Name returns "FragSessionDeleteReq".
func (FragSessionDeleteReq) Name() string { return "FragSessionDeleteReq" }

// String gives the field for logs, such as "FragSessionDeleteReq index=0".
func (c FragSessionDeleteReq) String() string {
	return fmt.Sprintf("%s index=%d", c.Name(), c.FragIndex)
}

// Append appends the two bytes of the command. It returns ErrRange for a FragIndex above 3.
func (c FragSessionDeleteReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v),
		wire.CheckMax(c.Name(), "FragIndex", c.FragIndex, maxFragIndex)); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.FragIndex), nil
}

func parseFragSessionDeleteReq(b []byte) (FragSessionDeleteReq, []byte, error) {
	if len(b) < deleteLen {
		return FragSessionDeleteReq{}, b, wire.TooShort("FragSessionDeleteReq", len(b), deleteLen)
	}
	return FragSessionDeleteReq{FragIndex: b[0] & 3}, b[deleteLen:], nil
}

// FragSessionDeleteAns confirms that the slot is free. That the session did not exist is
// no failure: it is gone, which is what was asked.
// Uplink, CID 0x03, 1 byte follows (TS004-1.0.0 and TS004-2.0.0):
//
//	    0
//	+--------+
//	| Status |  RFU[7:3] SessionDoesNotExist[2] FragIndex[1:0]
//	+--------+
type FragSessionDeleteAns struct {
	FragIndex           uint8 // 0..3
	SessionDoesNotExist bool
}

// CID returns 0x03.
func (FragSessionDeleteAns) CID() byte { return cidFragSessionDelete }

// Name returns "FragSessionDeleteAns".
func (FragSessionDeleteAns) Name() string { return "FragSessionDeleteAns" }

// String gives the fields for logs, such as "FragSessionDeleteAns index=0 SessionDoesNotExist".
func (c FragSessionDeleteAns) String() string {
	return wire.Flag(fmt.Sprintf("%s index=%d", c.Name(), c.FragIndex), c.SessionDoesNotExist, "SessionDoesNotExist")
}

// Append appends the two bytes of the command. It returns ErrRange for a FragIndex above 3.
func (c FragSessionDeleteAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v),
		wire.CheckMax(c.Name(), "FragIndex", c.FragIndex, maxFragIndex)); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.FragIndex|wire.Bit(c.SessionDoesNotExist, 1<<2)), nil
}

func parseFragSessionDeleteAns(b []byte) (FragSessionDeleteAns, []byte, error) {
	if len(b) < deleteLen {
		return FragSessionDeleteAns{}, b, wire.TooShort("FragSessionDeleteAns", len(b), deleteLen)
	}
	return FragSessionDeleteAns{FragIndex: b[0] & 3, SessionDoesNotExist: b[0]&(1<<2) != 0}, b[deleteLen:], nil
}
