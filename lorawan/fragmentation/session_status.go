package fragmentation

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	statusReqLen        = 1
	statusAnsLen        = 4
	statusNoSessionLen  = 1 // version 2.0.0, SessionDoesNotExist
	statusDoesNotExist  = 1 << 2
	statusMICError      = 1 << 1
	statusMemoryError   = 1 << 0
	maxNbFragReceived   = 1<<14 - 1
	statusDefinedBitsV2 = statusDoesNotExist | statusMICError | statusMemoryError
)

// FragSessionStatusReq asks how far the reception is.
// Downlink, unicast or multicast, CID 0x01, 1 byte follows (TS004-1.0.0 and TS004-2.0.0):
//
//	      0
//	+---------------+
//	| FragStatusReq |  RFU[7:3] FragIndex[2:1] Participants[0]
//	+---------------+
type FragSessionStatusReq struct {
	Participants bool  // true: every receiver answers; false: only those that still miss fragments
	FragIndex    uint8 // 0..3
}

// CID returns 0x01.
func (FragSessionStatusReq) CID() byte { return cidFragSessionStatus }

// Name returns "FragSessionStatusReq".
func (FragSessionStatusReq) Name() string { return "FragSessionStatusReq" }

// String gives the fields for logs, such as "FragSessionStatusReq index=0 Participants".
func (c FragSessionStatusReq) String() string {
	return wire.Flag(fmt.Sprintf("%s index=%d", c.Name(), c.FragIndex), c.Participants, "Participants")
}

// Append appends the two bytes of the command. It returns ErrRange for a FragIndex above 3.
func (c FragSessionStatusReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v),
		wire.CheckMax(c.Name(), "FragIndex", c.FragIndex, maxFragIndex)); err != nil {
		return b, err
	}
	return append(b, c.CID(), c.FragIndex<<1|wire.Bit(c.Participants, 1)), nil
}

func parseFragSessionStatusReq(b []byte) (FragSessionStatusReq, []byte, error) {
	if len(b) < statusReqLen {
		return FragSessionStatusReq{}, b, wire.TooShort("FragSessionStatusReq", len(b), statusReqLen)
	}
	return FragSessionStatusReq{Participants: b[0]&1 != 0, FragIndex: b[0] >> 1 & 3}, b[statusReqLen:], nil
}

// FragSessionStatusAns tells how far the reception is. Uplink, CID 0x01. The versions
// have the same three parts in another order:
//
//	TS004-1.0.0, 4 bytes follow:           TS004-2.0.0, 4 bytes follow, or 1:
//
//	      0..1            2        3          0           1..2          3
//	+----------------+---------+--------+ +--------+----------------+---------+
//	| Received&Index | Missing | Status | | Status | Received&Index | Missing |
//	+----------------+---------+--------+ +--------+----------------+---------+
//	Received&Index: FragIndex[15:14] NbFragReceived[13:0]
//	Status:         RFU[7:3] SessionDoesNotExist[2] MICError[1] (both 2.0.0, else RFU)
//	                MemoryError[0] (NotEnoughMatrixMemory in 1.0.0)
//
// In version 2.0.0 the answer ends after Status if the session does not exist. LoRa
// Basics Modem sends three zero bytes more; they are skipped, because no command can
// begin so: it would be a PackageVersionAns of another package.
type FragSessionStatusAns struct {
	NbFragReceived      uint16 // coded, uncoded and repeated fragments, 0..16383
	FragIndex           uint8  // 0..3
	MissingFrag         uint8  // fragments still needed, 255 or more; see the package comment
	MemoryError         bool   // the parity matrix does not fit the device
	MICError            bool   // 2.0.0, meaningful only if MissingFrag is 0
	SessionDoesNotExist bool   // 2.0.0; the three numbers are absent
}

// CID returns 0x01.
func (FragSessionStatusAns) CID() byte { return cidFragSessionStatus }

// Name returns "FragSessionStatusAns".
func (FragSessionStatusAns) Name() string { return "FragSessionStatusAns" }

// String gives the fields for logs, such as "FragSessionStatusAns index=0 received=270 missing=5".
func (c FragSessionStatusAns) String() string {
	s := c.Name()
	if !c.SessionDoesNotExist {
		s += fmt.Sprintf(" index=%d received=%d", c.FragIndex, c.NbFragReceived)
	}
	if c.MissingFrag != 0 {
		s += fmt.Sprintf(" missing=%d", c.MissingFrag)
	}
	s = wire.Flag(s, c.MemoryError, "MemoryError")
	s = wire.Flag(s, c.MICError, "MICError")
	return wire.Flag(s, c.SessionDoesNotExist, "SessionDoesNotExist")
}

// Append appends the command. It returns ErrRange for a field beyond its bits, for
// MICError and SessionDoesNotExist in version 1.0.0, and for numbers about a session
// that does not exist.
func (c FragSessionStatusAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	name := c.Name()
	if err := cmp.Or(codec.CheckVersion(v),
		wire.CheckMax(name, "NbFragReceived", c.NbFragReceived, maxNbFragReceived),
		wire.CheckMax(name, "FragIndex", c.FragIndex, maxFragIndex)); err != nil {
		return b, err
	}
	status := wire.Bit(c.MemoryError, statusMemoryError) | wire.Bit(c.MICError, statusMICError) |
		wire.Bit(c.SessionDoesNotExist, statusDoesNotExist)
	received := uint16(c.FragIndex)<<14 | c.NbFragReceived

	if v == lorawan.V1 {
		if c.MICError || c.SessionDoesNotExist {
			return b, errNotInV1(name, "MICError and no SessionDoesNotExist")
		}
		b = binary.LittleEndian.AppendUint16(append(b, c.CID()), received)
		return append(b, c.MissingFrag, status), nil
	}
	if c.SessionDoesNotExist {
		if received != 0 || c.MissingFrag != 0 {
			return b, fmt.Errorf("%s: numbers about a session that does not exist: %w", name, lorawan.ErrRange)
		}
		return append(b, c.CID(), status), nil
	}
	b = binary.LittleEndian.AppendUint16(append(b, c.CID(), status), received)
	return append(b, c.MissingFrag), nil
}

func parseFragSessionStatusAns(v lorawan.Version, b []byte) (FragSessionStatusAns, []byte, error) {
	if v == lorawan.V2 && len(b) >= statusNoSessionLen && b[0]&statusDoesNotExist != 0 {
		c := statusFlags(b[0])
		rest := b[statusNoSessionLen:]
		if len(rest) >= 3 && isPadding(rest) {
			rest = rest[3:]
		}
		return c, rest, nil
	}
	if len(b) < statusAnsLen {
		return FragSessionStatusAns{}, b, wire.TooShort("FragSessionStatusAns", len(b), statusAnsLen)
	}
	if v == lorawan.V1 {
		return statusV1(b), b[statusAnsLen:], nil
	}
	return statusV2(b), b[statusAnsLen:], nil
}

// isPadding tells the three bytes that some devices send after "session does not exist"
// from the next command. Zeros, FragIndex aside, cannot be one; nor can what starts like
// no uplink command, if it is below the PackageIDs of TS007, which start at 0x80.
func isPadding(b []byte) bool {
	if b[0] == 0 && b[1]&0x3f == 0 && b[2] == 0 {
		return true
	}
	return b[0] > cidFragDataBlockReceived && b[0] < 0x80
}

func statusFlags(b byte) FragSessionStatusAns {
	return FragSessionStatusAns{
		MemoryError:         b&statusMemoryError != 0,
		MICError:            b&statusMICError != 0,
		SessionDoesNotExist: b&statusDoesNotExist != 0,
	}
}

// statusV1 reads four bytes in the order of version 1.0.0.
func statusV1(b []byte) FragSessionStatusAns {
	received := binary.LittleEndian.Uint16(b)
	return FragSessionStatusAns{
		NbFragReceived: received & maxNbFragReceived,
		FragIndex:      uint8(received >> 14),
		MissingFrag:    b[2],
		MemoryError:    b[3]&statusMemoryError != 0,
	}
}

// statusV2 reads four bytes in the order of version 2.0.0.
func statusV2(b []byte) FragSessionStatusAns {
	received := binary.LittleEndian.Uint16(b[1:])
	c := statusFlags(b[0])
	c.NbFragReceived = received & maxNbFragReceived
	c.FragIndex = uint8(received >> 14)
	c.MissingFrag = b[3]
	return c
}
