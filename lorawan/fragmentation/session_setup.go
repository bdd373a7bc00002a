package fragmentation

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	setupReqLenV1 = 10
	setupReqLenV2 = 16
	setupAnsLen   = 1
)

// MaxNbFrag is the largest number of a fragment, coded ones included: N has 14 bits.
const MaxNbFrag = 1<<14 - 1

// FragSessionSetupReq opens a fragmentation session on a device.
// Downlink, CID 0x02, 10 bytes follow in version 1.0.0 and 16 in 2.0.0
// (TS004-1.0.0 and TS004-2.0.0, FragSessionSetupReq):
//
//	      0        1..2      3         4        5        6..9       10..11     12..15
//	+-------------+-------+---------+--------+--------+-----------+-----------+-----+
//	| FragSession |NbFrag |FragSize |Control |Padding |Descriptor |SessionCnt | MIC |
//	+-------------+-------+---------+--------+--------+-----------+-----------+-----+
//	                                                              \---- 2.0.0 ------/
//	FragSession: RFU[7:6] FragIndex[5:4] McGroupBitMask[3:0]
//	Control:     RFU[7] AckReception[6] (2.0.0, else RFU) FragAlgo[5:3] BlockAckDelay[2:0]
//
// A version 1.0.0 device given the longer form takes its tail for further commands.
//
// SessionCnt must exceed the last one used with this FragIndex on this device, and a
// device uses it up with the first fragment, not with the set-up: repeating the same
// set-up before any fragment is the right retry.
type FragSessionSetupReq struct {
	FragIndex      uint8   // session slot, 0..3
	McGroupBitMask uint8   // bit x lets multicast group x feed the session; unicast always may
	NbFrag         uint16  // uncoded fragments in the block, 1..16383
	FragSize       uint8   // bytes per fragment, 1..255
	FragAlgo       uint8   // 0..7; 0 is the parity code of the specification (FragmentationMatrix in 1.0.0)
	BlockAckDelay  uint8   // 0..7; answers are spread over 2^(BlockAckDelay+4) seconds, see AckDelay
	AckReception   bool    // 2.0.0: the device announces the complete block by itself
	Padding        uint8   // bytes added to fill the last fragment
	Descriptor     [4]byte // free use, as on the wire
	SessionCnt     uint16  // 2.0.0
	MIC            [4]byte // 2.0.0: DataBlockMIC, different for each device
}

// CID returns 0x02.
func (FragSessionSetupReq) CID() byte { return cidFragSessionSetup }

// Name returns "FragSessionSetupReq".
func (FragSessionSetupReq) Name() string { return "FragSessionSetupReq" }

// BlockSize returns the length of the data block in bytes: NbFrag·FragSize − Padding. It
// is negative if Padding exceeds everything, as only a damaged command can say.
func (c FragSessionSetupReq) BlockSize() int {
	return int(c.NbFrag)*int(c.FragSize) - int(c.Padding)
}

// String gives the fields for logs, such as "FragSessionSetupReq index=0 nb=275 size=239 pad=9".
func (c FragSessionSetupReq) String() string {
	s := fmt.Sprintf("%s index=%d", c.Name(), c.FragIndex)
	if c.McGroupBitMask != 0 {
		s += fmt.Sprintf(" groups=%04b", c.McGroupBitMask)
	}
	s += fmt.Sprintf(" nb=%d size=%d", c.NbFrag, c.FragSize)
	if c.Padding != 0 {
		s += fmt.Sprintf(" pad=%d", c.Padding)
	}
	if c.FragAlgo != 0 {
		s += fmt.Sprintf(" algo=%d", c.FragAlgo)
	}
	if c.BlockAckDelay != 0 {
		s += fmt.Sprintf(" ackdelay=%d", c.BlockAckDelay)
	}
	if c.Descriptor != [4]byte{} {
		s += fmt.Sprintf(" descriptor=%x", c.Descriptor)
	}
	if c.SessionCnt != 0 {
		s += fmt.Sprintf(" cnt=%d", c.SessionCnt)
	}
	if c.MIC != [4]byte{} {
		s += fmt.Sprintf(" mic=%x", c.MIC)
	}
	return wire.Flag(s, c.AckReception, "AckReception")
}

// Append appends the command. It returns ErrRange for a field beyond its bits, for a
// block without fragments, for fragments without bytes, for more fragments than N can
// number, and for fields of version 2.0.0 that are set in a version 1.0.0 command.
func (c FragSessionSetupReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v), c.check(v)); err != nil {
		return b, err
	}
	b = append(b, c.CID(), c.FragIndex<<4|c.McGroupBitMask)
	b = binary.LittleEndian.AppendUint16(b, c.NbFrag)
	control := wire.Bit(c.AckReception, 1<<6) | c.FragAlgo<<3 | c.BlockAckDelay
	b = append(b, c.FragSize, control, c.Padding)
	b = append(b, c.Descriptor[:]...)
	if v == lorawan.V1 {
		return b, nil
	}
	b = binary.LittleEndian.AppendUint16(b, c.SessionCnt)
	return append(b, c.MIC[:]...), nil
}

func (c FragSessionSetupReq) check(v lorawan.Version) error {
	name := c.Name()
	switch {
	case c.NbFrag == 0:
		return fmt.Errorf("%s: NbFrag 0, want 1 or more: %w", name, lorawan.ErrRange)
	case c.FragSize == 0:
		return fmt.Errorf("%s: FragSize 0, want 1 or more: %w", name, lorawan.ErrRange)
	case v == lorawan.V1 && c.AckReception:
		return errNotInV1(name, "AckReception")
	case v == lorawan.V1 && c.SessionCnt != 0:
		return errNotInV1(name, "SessionCnt")
	case v == lorawan.V1 && c.MIC != [4]byte{}:
		return errNotInV1(name, "MIC")
	}
	return cmp.Or(
		wire.CheckMax(name, "FragIndex", c.FragIndex, maxFragIndex),
		wire.CheckMax(name, "McGroupBitMask", c.McGroupBitMask, 15),
		wire.CheckMax(name, "NbFrag", c.NbFrag, MaxNbFrag),
		wire.CheckMax(name, "FragAlgo", c.FragAlgo, 7),
		wire.CheckMax(name, "BlockAckDelay", c.BlockAckDelay, maxBlockAckDelay),
	)
}

// parseFragSessionSetupReq reports NbFrag and FragSize as they came, out of range or not:
// a device answers such a command with an error, and must be able to read it for that.
func parseFragSessionSetupReq(v lorawan.Version, b []byte) (FragSessionSetupReq, []byte, error) {
	want := setupReqLenV1
	if v == lorawan.V2 {
		want = setupReqLenV2
	}
	if len(b) < want {
		return FragSessionSetupReq{}, b, wire.TooShort("FragSessionSetupReq", len(b), want)
	}
	c := FragSessionSetupReq{
		FragIndex:      b[0] >> 4 & 3,
		McGroupBitMask: b[0] & 0x0f,
		NbFrag:         binary.LittleEndian.Uint16(b[1:]),
		FragSize:       b[3],
		FragAlgo:       b[4] >> 3 & 7,
		BlockAckDelay:  b[4] & 7,
		Padding:        b[5],
		Descriptor:     [4]byte(b[6:10]),
	}
	if v == lorawan.V2 {
		c.AckReception = b[4]&(1<<6) != 0
		c.SessionCnt = binary.LittleEndian.Uint16(b[10:])
		c.MIC = [4]byte(b[12:16])
	}
	return c, b[want:], nil
}

// FragSessionSetupAns accepts or refuses a session.
// Uplink, CID 0x02, 1 byte follows (TS004-1.0.0 and TS004-2.0.0, FragSessionSetupAns):
//
//	   0
//	+--------+
//	| Status |
//	+--------+
//	Status: FragIndex[7:6] RFU[5] SessionCntReplay[4] (2.0.0, else RFU) WrongDescriptor[3]
//	        FragIndexUnsupported[2] NotEnoughMemory[1] FragAlgoUnsupported[0]
//
// FragIndex is in the top bits here, unlike in the other one-byte bodies.
type FragSessionSetupAns struct {
	FragIndex            uint8 // 0..3
	FragAlgoUnsupported  bool
	NotEnoughMemory      bool // some devices mean: FragSize below my smallest
	FragIndexUnsupported bool // Zephyr 1.0.0 means: delete the other session first
	WrongDescriptor      bool
	SessionCntReplay     bool // 2.0.0: the counter must go up, and the MIC with it
}

// CID returns 0x02.
func (FragSessionSetupAns) CID() byte { return cidFragSessionSetup }

// Name returns "FragSessionSetupAns".
func (FragSessionSetupAns) Name() string { return "FragSessionSetupAns" }

// Refused reports whether the device did not open the session.
func (c FragSessionSetupAns) Refused() bool {
	return c.FragAlgoUnsupported || c.NotEnoughMemory || c.FragIndexUnsupported ||
		c.WrongDescriptor || c.SessionCntReplay
}

// String gives the fields for logs, such as "FragSessionSetupAns index=0 NotEnoughMemory".
func (c FragSessionSetupAns) String() string {
	s := fmt.Sprintf("%s index=%d", c.Name(), c.FragIndex)
	s = wire.Flag(s, c.FragAlgoUnsupported, "FragAlgoUnsupported")
	s = wire.Flag(s, c.NotEnoughMemory, "NotEnoughMemory")
	s = wire.Flag(s, c.FragIndexUnsupported, "FragIndexUnsupported")
	s = wire.Flag(s, c.WrongDescriptor, "WrongDescriptor")
	return wire.Flag(s, c.SessionCntReplay, "SessionCntReplay")
}

// Append appends the two bytes of the command. It returns ErrRange for a FragIndex above
// 3 and for SessionCntReplay in version 1.0.0.
func (c FragSessionSetupAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v),
		wire.CheckMax(c.Name(), "FragIndex", c.FragIndex, maxFragIndex)); err != nil {
		return b, err
	}
	if v == lorawan.V1 && c.SessionCntReplay {
		return b, errNotInV1(c.Name(), "SessionCntReplay")
	}
	status := c.FragIndex<<6 |
		wire.Bit(c.FragAlgoUnsupported, 1<<0) | wire.Bit(c.NotEnoughMemory, 1<<1) |
		wire.Bit(c.FragIndexUnsupported, 1<<2) | wire.Bit(c.WrongDescriptor, 1<<3) |
		wire.Bit(c.SessionCntReplay, 1<<4)
	return append(b, c.CID(), status), nil
}

func parseFragSessionSetupAns(v lorawan.Version, b []byte) (FragSessionSetupAns, []byte, error) {
	if len(b) < setupAnsLen {
		return FragSessionSetupAns{}, b, wire.TooShort("FragSessionSetupAns", len(b), setupAnsLen)
	}
	return FragSessionSetupAns{
		FragIndex:            b[0] >> 6,
		FragAlgoUnsupported:  b[0]&(1<<0) != 0,
		NotEnoughMemory:      b[0]&(1<<1) != 0,
		FragIndexUnsupported: b[0]&(1<<2) != 0,
		WrongDescriptor:      b[0]&(1<<3) != 0,
		SessionCntReplay:     v == lorawan.V2 && b[0]&(1<<4) != 0,
	}, b[setupAnsLen:], nil
}
