package multicast

import (
	"encoding/binary"
	"fmt"
	"log/slog"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	setupReqLen = 29
	setupAnsLen = 1
)

// McGroupSetupReq creates a multicast group on a device, or replaces it.
// Downlink, CID 0x02, 29 bytes follow (TS005-1.0.0 and TS005-2.0.0):
//
//	     0         1..4       5..20          21..24      25..28
//	+-----------+--------+----------------+-----------+-----------+
//	| McGroupID | McAddr | McKeyEncrypted | minMcFCnt | maxMcFCnt |
//	+-----------+--------+----------------+-----------+-----------+
//	McGroupID: RFU[7:2] McGroupID[1:0]
//
// The device accepts frames with MinMcFCnt <= FCnt < MaxMcFCnt (LoRaMac-node also
// FCnt = MaxMcFCnt). MinMcFCnt must be the next counter of the group: the air carries
// only 16 bits of it, devices guess the rest from here, and some reset their replay
// protection to it.
type McGroupSetupReq struct {
	McGroupID      uint8 // 0..3
	McAddr         lorawan.DevAddr
	McKeyEncrypted [16]byte // WrapMcKey; never printed
	MinMcFCnt      uint32   // next counter the server will use
	MaxMcFCnt      uint32   // first counter no longer valid
}

// CID returns 0x02.
func (McGroupSetupReq) CID() byte { return cidMcGroupSetup }

// Name returns "McGroupSetupReq".
func (McGroupSetupReq) Name() string { return "McGroupSetupReq" }

// String gives the fields for logs, such as
// "McGroupSetupReq group=0 addr=01020304 fcnt=0..4294967295". It leaves out the key:
// who knows the device's root key could unwrap it.
func (c McGroupSetupReq) String() string {
	return fmt.Sprintf("%s group=%d addr=%s fcnt=%d..%d", c.Name(), c.McGroupID, c.McAddr, c.MinMcFCnt, c.MaxMcFCnt)
}

// LogValue returns String, so that a structured log does not print the fields one by one.
func (c McGroupSetupReq) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Append appends the 30 bytes of the command. It returns ErrRange for a McGroupID above 3.
func (c McGroupSetupReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := checkGroup(c.Name(), v, c.McGroupID); err != nil {
		return b, err
	}
	b = append(b, c.CID(), c.McGroupID)
	b, _ = c.McAddr.AppendBinary(b)
	b = append(b, c.McKeyEncrypted[:]...)
	b = binary.LittleEndian.AppendUint32(b, c.MinMcFCnt)
	return binary.LittleEndian.AppendUint32(b, c.MaxMcFCnt), nil
}

func parseMcGroupSetupReq(b []byte) (McGroupSetupReq, []byte, error) {
	if len(b) < setupReqLen {
		return McGroupSetupReq{}, b, wire.TooShort("McGroupSetupReq", len(b), setupReqLen)
	}
	return McGroupSetupReq{
		McGroupID:      b[0] & 3,
		McAddr:         lorawan.DevAddrFromWire([4]byte(b[1:5])),
		McKeyEncrypted: [16]byte(b[5:21]),
		MinMcFCnt:      binary.LittleEndian.Uint32(b[21:]),
		MaxMcFCnt:      binary.LittleEndian.Uint32(b[25:]),
	}, b[setupReqLen:], nil
}

// McGroupSetupAns accepts or refuses the group. It says nothing about the key, which
// nothing in the protocol verifies.
// Uplink, CID 0x02, 1 byte follows (TS005-1.0.0 and TS005-2.0.0):
//
//	    0
//	+-------+
//	| Param |  RFU[7:3] IDError[2] McGroupID[1:0]
//	+-------+
type McGroupSetupAns struct {
	McGroupID uint8 // 0..3
	IDError   bool  // the device has no group of this number
}

// CID returns 0x02.
func (McGroupSetupAns) CID() byte { return cidMcGroupSetup }

// Name returns "McGroupSetupAns".
func (McGroupSetupAns) Name() string { return "McGroupSetupAns" }

// String gives the fields for logs, such as "McGroupSetupAns group=1 IDError".
func (c McGroupSetupAns) String() string {
	return wire.Flag(fmt.Sprintf("%s group=%d", c.Name(), c.McGroupID), c.IDError, "IDError")
}

// Append appends the two bytes of the command. It returns ErrRange for a McGroupID above 3.
func (c McGroupSetupAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := checkGroup(c.Name(), v, c.McGroupID); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.McGroupID|wire.Bit(c.IDError, 1<<2)), nil
}

func parseMcGroupSetupAns(b []byte) (McGroupSetupAns, []byte, error) {
	if len(b) < setupAnsLen {
		return McGroupSetupAns{}, b, wire.TooShort("McGroupSetupAns", len(b), setupAnsLen)
	}
	return McGroupSetupAns{McGroupID: b[0] & 3, IDError: b[0]&(1<<2) != 0}, b[setupAnsLen:], nil
}
