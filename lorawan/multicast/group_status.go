package multicast

import (
	"cmp"
	"fmt"
	"math/bits"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	groupStatusReqLen = 1
	groupRecordLen    = 5
)

// McGroupStatusReq asks which groups a device has. LoRaMac-node and Zephyr do not know
// it, and LoRaMac-node then takes the mask for a command: send it alone, if at all.
// Downlink, CID 0x01, 1 byte follows (TS005-1.0.0 and TS005-2.0.0):
//
//	     0
//	+---------+
//	| CmdMask |  RFU[7:4] ReqGroupMask[3:0]
//	+---------+
type McGroupStatusReq struct {
	ReqGroupMask uint8 // bit x asks about group x
}

// CID returns 0x01.
func (McGroupStatusReq) CID() byte { return cidMcGroupStatus }

// Name returns "McGroupStatusReq".
func (McGroupStatusReq) Name() string { return "McGroupStatusReq" }

// String gives the field for logs, such as "McGroupStatusReq groups=0101".
func (c McGroupStatusReq) String() string {
	return fmt.Sprintf("%s groups=%04b", c.Name(), c.ReqGroupMask)
}

// Append appends the two bytes of the command. It returns ErrRange for a mask above 15.
func (c McGroupStatusReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v),
		wire.CheckMax(c.Name(), "ReqGroupMask", c.ReqGroupMask, 15)); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.ReqGroupMask), nil
}

func parseMcGroupStatusReq(b []byte) (McGroupStatusReq, []byte, error) {
	if len(b) < groupStatusReqLen {
		return McGroupStatusReq{}, b, wire.TooShort("McGroupStatusReq", len(b), groupStatusReqLen)
	}
	return McGroupStatusReq{ReqGroupMask: b[0] & 15}, b[groupStatusReqLen:], nil
}

// McGroup is one record of McGroupStatusAns.
type McGroup struct {
	McGroupID uint8 // 0..3
	McAddr    lorawan.DevAddr
}

// McGroupStatusAns lists the groups that were asked for and exist. If the list does not
// fit the uplink the device drops the highest numbers.
// Uplink, CID 0x01, 1 byte and one record per bit of AnsGroupMask follow (TS005-1.0.0
// and TS005-2.0.0):
//
//	     0          1          2..5
//	+--------+ +-----------+--------+
//	| Status | | McGroupID | McAddr | ...
//	+--------+ +-----------+--------+
//	Status: RFU[7] NbTotalGroups[6:4] AnsGroupMask[3:0]
type McGroupStatusAns struct {
	AnsGroupMask  uint8     // bit x: group x is in the list
	NbTotalGroups uint8     // groups on the device, 0..4
	Groups        []McGroup // one per bit of AnsGroupMask
}

// CID returns 0x01.
func (McGroupStatusAns) CID() byte { return cidMcGroupStatus }

// Name returns "McGroupStatusAns".
func (McGroupStatusAns) Name() string { return "McGroupStatusAns" }

// String gives the fields for logs, such as "McGroupStatusAns total=2 0=6b81b6cc 2=881b8814".
func (c McGroupStatusAns) String() string {
	s := fmt.Sprintf("%s total=%d", c.Name(), c.NbTotalGroups)
	for _, g := range c.Groups {
		s += fmt.Sprintf(" %d=%s", g.McGroupID, g.McAddr)
	}
	return s
}

// Append appends the command. It returns ErrRange for a field beyond its bits and for a
// list that has more or fewer records than the mask has bits.
func (c McGroupStatusAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v),
		wire.CheckMax(c.Name(), "AnsGroupMask", c.AnsGroupMask, 15),
		wire.CheckMax(c.Name(), "NbTotalGroups", c.NbTotalGroups, 7)); err != nil {
		return b, err
	}
	if k := bits.OnesCount8(c.AnsGroupMask); k != len(c.Groups) {
		return b, fmt.Errorf("%s: %d records for %d bits of AnsGroupMask: %w",
			c.Name(), len(c.Groups), k, lorawan.ErrRange)
	}
	out := append(b, c.CID(), c.NbTotalGroups<<4|c.AnsGroupMask)
	for _, g := range c.Groups {
		if err := wire.CheckMax(c.Name(), "McGroupID", g.McGroupID, MaxMcGroupID); err != nil {
			return b, err
		}
		out = append(out, g.McGroupID)
		out, _ = g.McAddr.AppendBinary(out)
	}
	return out, nil
}

func parseMcGroupStatusAns(b []byte) (McGroupStatusAns, []byte, error) {
	if len(b) < 1 {
		return McGroupStatusAns{}, b, wire.TooShort("McGroupStatusAns", len(b), 1)
	}
	c := McGroupStatusAns{AnsGroupMask: b[0] & 15, NbTotalGroups: b[0] >> 4 & 7}
	k := bits.OnesCount8(c.AnsGroupMask)
	if want := 1 + k*groupRecordLen; len(b) < want {
		return McGroupStatusAns{}, b, wire.TooShort("McGroupStatusAns", len(b), want)
	}
	b = b[1:]
	for range k {
		c.Groups = append(c.Groups, McGroup{
			McGroupID: b[0] & 3,
			McAddr:    lorawan.DevAddrFromWire([4]byte(b[1:groupRecordLen])),
		})
		b = b[groupRecordLen:]
	}
	return c, b, nil
}
