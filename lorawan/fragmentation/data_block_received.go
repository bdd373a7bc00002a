package fragmentation

import (
	"cmp"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const blockReceivedLen = 1

// FragDataBlockReceivedReq announces a complete block: here the device asks and the
// server answers. A device repeats it until it hears the answer, so every copy is to be
// answered. Only if the set-up had AckReception. Version 2.0.0 only.
// Uplink, CID 0x04, 1 byte follows (TS004-2.0.0):
//
//	    0
//	+-------+
//	| Param |  RFU[7:3] MICError[2] FragIndex[1:0]
//	+-------+
type FragDataBlockReceivedReq struct {
	FragIndex uint8 // 0..3
	MICError  bool  // complete, but not the block that the set-up announced
}

// CID returns 0x04.
func (FragDataBlockReceivedReq) CID() byte { return cidFragDataBlockReceived }

// Name returns "FragDataBlockReceivedReq".
func (FragDataBlockReceivedReq) Name() string { return "FragDataBlockReceivedReq" }

// String gives the fields for logs, such as "FragDataBlockReceivedReq index=0 MICError".
func (c FragDataBlockReceivedReq) String() string {
	return wire.Flag(fmt.Sprintf("%s index=%d", c.Name(), c.FragIndex), c.MICError, "MICError")
}

// Append appends the two bytes of the command. It returns ErrVersion before 2.0.0 and
// ErrRange for a FragIndex above 3.
func (c FragDataBlockReceivedReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := checkBlockReceived(c.Name(), c.FragIndex, v); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.FragIndex|wire.Bit(c.MICError, 1<<2)), nil
}

func parseFragDataBlockReceivedReq(b []byte) (FragDataBlockReceivedReq, []byte, error) {
	if len(b) < blockReceivedLen {
		return FragDataBlockReceivedReq{}, b, wire.TooShort("FragDataBlockReceivedReq", len(b), blockReceivedLen)
	}
	return FragDataBlockReceivedReq{FragIndex: b[0] & 3, MICError: b[0]&(1<<2) != 0}, b[blockReceivedLen:], nil
}

// FragDataBlockReceivedAns stops the repetitions of FragDataBlockReceivedReq. Version
// 2.0.0 only.
// Downlink, CID 0x04, 1 byte follows (TS004-2.0.0):
//
//	    0
//	+-------+
//	| Param |  RFU[7:2] FragIndex[1:0]
//	+-------+
type FragDataBlockReceivedAns struct {
	FragIndex uint8 // 0..3
}

// CID returns 0x04.
func (FragDataBlockReceivedAns) CID() byte { return cidFragDataBlockReceived }

// Name returns "FragDataBlockReceivedAns".
func (FragDataBlockReceivedAns) Name() string { return "FragDataBlockReceivedAns" }

// String gives the field for logs, such as "FragDataBlockReceivedAns index=0".
func (c FragDataBlockReceivedAns) String() string {
	return fmt.Sprintf("%s index=%d", c.Name(), c.FragIndex)
}

// Append appends the two bytes of the command. It returns ErrVersion before 2.0.0 and
// ErrRange for a FragIndex above 3.
func (c FragDataBlockReceivedAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := checkBlockReceived(c.Name(), c.FragIndex, v); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.FragIndex), nil
}

func parseFragDataBlockReceivedAns(b []byte) (FragDataBlockReceivedAns, []byte, error) {
	if len(b) < blockReceivedLen {
		return FragDataBlockReceivedAns{}, b, wire.TooShort("FragDataBlockReceivedAns", len(b), blockReceivedLen)
	}
	return FragDataBlockReceivedAns{FragIndex: b[0] & 3}, b[blockReceivedLen:], nil
}

func checkBlockReceived(name string, fragIndex uint8, v lorawan.Version) error {
	if v == lorawan.V1 {
		return fmt.Errorf("%s in version %s: %w", name, v, lorawan.ErrVersion)
	}
	return cmp.Or(codec.CheckVersion(v), wire.CheckMax(name, "FragIndex", fragIndex, maxFragIndex))
}
