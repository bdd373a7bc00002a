package multicast

import (
	"cmp"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	sessionAnsLen        = 4
	sessionAnsRefusedLen = 1
)

// TimeToStartMax is the largest TimeToStart. It means this much or more, which in
// practice is a device that does not know the time.
const TimeToStartMax = 1<<24 - 1

// Error bits of the session answers.
const (
	sessionDRError          = 1 << 2
	sessionFreqError        = 1 << 3
	sessionMcGroupUndefined = 1 << 4
	sessionStartMissed      = 1 << 5
	sessionReservedShift    = 6
)

// McClassCSessionAns accepts or refuses a class C window.
// Uplink, CID 0x04, 4 bytes follow, or 1 (TS005-1.0.0 and TS005-2.0.0):
//
//	     0           1..3
//	+---------+-------------+
//	| Status  | TimeToStart |  TimeToStart only if Status has no error bit
//	+---------+-------------+
//	Status: Reserved[7:6] StartMissed[5] (2.0.0) McGroupUndefined[4] FreqError[3]
//	        DRError[2] McGroupID[1:0]
//
// StartMissed is read in version 1.0.0 too: LoRa Basics Modem and Zephyr send it there,
// without TimeToStart. LoRaMac-node and Actility's first STM32WL55 firmware say
// McGroupUndefined when the start is in the past.
type McClassCSessionAns struct {
	McGroupID        uint8 // 0..3
	DRError          bool
	FreqError        bool
	McGroupUndefined bool
	StartMissed      bool
	Reserved         uint8  // 0..3, error bits without a name yet
	TimeToStart      uint32 // seconds from this uplink to the start, 0..TimeToStartMax; 0 if refused
}

// CID returns 0x04.
func (McClassCSessionAns) CID() byte { return cidMcClassCSession }

// Name returns "McClassCSessionAns".
func (McClassCSessionAns) Name() string { return "McClassCSessionAns" }

// Refused reports whether any error bit is set. TimeToStart is present exactly if not.
func (c McClassCSessionAns) Refused() bool {
	return c.DRError || c.FreqError || c.McGroupUndefined || c.StartMissed || c.Reserved != 0
}

// Busy reports the pattern 0x1C, all three errors at once, with which LoRaMac-node says
// that it is transmitting. The same request may be accepted a little later.
func (c McClassCSessionAns) Busy() bool {
	return c.DRError && c.FreqError && c.McGroupUndefined && !c.StartMissed && c.Reserved == 0
}

// StartsAt returns when the device believes the window opens, if it accepted and knows
// the time. receivedAt is when the network heard the answer.
func (c McClassCSessionAns) StartsAt(receivedAt time.Time) (time.Time, bool) {
	if c.Refused() || c.TimeToStart == TimeToStartMax {
		return time.Time{}, false
	}
	return receivedAt.Add(time.Duration(c.TimeToStart) * time.Second), true
}

// ClockAgrees reports whether the device's start is within tolerance of sessionTime, the
// GPS seconds modulo 2^32 of the request. If not, the remedy is ForceDeviceResyncReq
// (TS003) and the request once more.
func (c McClassCSessionAns) ClockAgrees(receivedAt time.Time, sessionTime uint32, tolerance time.Duration) bool {
	at, ok := c.StartsAt(receivedAt)
	return ok && at.Sub(lorawan.TimeFromGPS32(sessionTime, receivedAt)).Abs() <= tolerance
}

// String gives the fields for logs, such as "McClassCSessionAns group=0 in=17m4s".
func (c McClassCSessionAns) String() string { return c.format(c.Name()) }

func (c McClassCSessionAns) format(name string) string {
	s := fmt.Sprintf("%s group=%d", name, c.McGroupID)
	if !c.Refused() {
		return fmt.Sprintf("%s in=%s", s, time.Duration(c.TimeToStart)*time.Second)
	}
	s = wire.Flag(s, c.DRError, "DRError")
	s = wire.Flag(s, c.FreqError, "FreqError")
	s = wire.Flag(s, c.McGroupUndefined, "McGroupUndefined")
	s = wire.Flag(s, c.StartMissed, "StartMissed")
	if c.Reserved != 0 {
		s += fmt.Sprintf(" reserved=%d", c.Reserved)
	}
	return s
}

// Append appends the command. It returns ErrRange for a field beyond its bits and for a
// TimeToStart in a refusal. It writes StartMissed in version 1.0.0 too, as devices do.
func (c McClassCSessionAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	return c.append(c.Name(), c.CID(), b, v)
}

func (c McClassCSessionAns) append(name string, cid byte, b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(checkGroup(name, v, c.McGroupID),
		wire.CheckMax(name, "Reserved", c.Reserved, 3),
		wire.CheckMax(name, "TimeToStart", c.TimeToStart, TimeToStartMax)); err != nil {
		return b, err
	}
	if c.Refused() && c.TimeToStart != 0 {
		return b, fmt.Errorf("%s: TimeToStart in a refusal: %w", name, lorawan.ErrRange)
	}
	status := c.McGroupID | wire.Bit(c.DRError, sessionDRError) | wire.Bit(c.FreqError, sessionFreqError) |
		wire.Bit(c.McGroupUndefined, sessionMcGroupUndefined) | wire.Bit(c.StartMissed, sessionStartMissed) |
		c.Reserved<<sessionReservedShift
	b = append(b, cid, status)
	if c.Refused() {
		return b, nil
	}
	return wire.AppendUint24(b, c.TimeToStart), nil
}

func parseMcClassCSessionAns(b []byte) (McClassCSessionAns, []byte, error) {
	return parseSessionAns("McClassCSessionAns", b)
}

func parseSessionAns(name string, b []byte) (McClassCSessionAns, []byte, error) {
	if len(b) < sessionAnsRefusedLen {
		return McClassCSessionAns{}, b, wire.TooShort(name, len(b), sessionAnsRefusedLen)
	}
	c := McClassCSessionAns{
		McGroupID:        b[0] & 3,
		DRError:          b[0]&sessionDRError != 0,
		FreqError:        b[0]&sessionFreqError != 0,
		McGroupUndefined: b[0]&sessionMcGroupUndefined != 0,
		StartMissed:      b[0]&sessionStartMissed != 0,
		Reserved:         b[0] >> sessionReservedShift,
	}
	if c.Refused() {
		return c, b[sessionAnsRefusedLen:], nil
	}
	if len(b) < sessionAnsLen {
		return McClassCSessionAns{}, b, wire.TooShort(name, len(b), sessionAnsLen)
	}
	c.TimeToStart = wire.Uint24(b[1:])
	return c, b[sessionAnsLen:], nil
}

// McClassBSessionAns accepts or refuses a class B window. Uplink, CID 0x05; the fields
// and their meaning are those of McClassCSessionAns, and a value of one type converts to
// the other.
type McClassBSessionAns McClassCSessionAns

// CID returns 0x05.
func (McClassBSessionAns) CID() byte { return cidMcClassBSession }

// Name returns "McClassBSessionAns".
func (McClassBSessionAns) Name() string { return "McClassBSessionAns" }

// Refused reports whether any error bit is set. TimeToStart is present exactly if not.
func (c McClassBSessionAns) Refused() bool { return McClassCSessionAns(c).Refused() }

// Busy is McClassCSessionAns.Busy.
func (c McClassBSessionAns) Busy() bool { return McClassCSessionAns(c).Busy() }

// StartsAt is McClassCSessionAns.StartsAt.
func (c McClassBSessionAns) StartsAt(receivedAt time.Time) (time.Time, bool) {
	return McClassCSessionAns(c).StartsAt(receivedAt)
}

// ClockAgrees is McClassCSessionAns.ClockAgrees.
func (c McClassBSessionAns) ClockAgrees(receivedAt time.Time, sessionTime uint32, tolerance time.Duration) bool {
	return McClassCSessionAns(c).ClockAgrees(receivedAt, sessionTime, tolerance)
}

// String gives the fields for logs, such as "McClassBSessionAns group=0 StartMissed".
func (c McClassBSessionAns) String() string { return McClassCSessionAns(c).format(c.Name()) }

// Append is McClassCSessionAns.Append with the CID of class B.
func (c McClassBSessionAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	return McClassCSessionAns(c).append(c.Name(), c.CID(), b, v)
}
