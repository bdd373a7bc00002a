package multicast

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const sessionReqLen = 10

// McClassCSessionReq opens a class C window: from SessionTime on, the device listens
// continuously. A repeated request replaces the earlier one of the group.
// Downlink, CID 0x04, 10 bytes follow (TS005-1.0.0 and TS005-2.0.0):
//
//	     0           1..4           5          6..8    9
//	+-----------+-------------+-------------+--------+----+
//	| McGroupID | SessionTime | SessionTO   | DLFreq | DR |
//	+-----------+-------------+-------------+--------+----+
//	McGroupID: RFU[7:2] McGroupID[1:0]
//	SessionTO: RFU[7:4] TimeOut[3:0]
//	DLFreq:    units of 100 Hz
type McClassCSessionReq struct {
	McGroupID   uint8  // 0..3
	SessionTime uint32 // start, GPS seconds modulo 2^32
	TimeOut     uint8  // 0..15, the window lasts at most ClassCDuration(TimeOut)
	DLFrequency uint32 // Hz, see Append for what can be sent
	DR          uint8  // downlink data rate index of the region, 0..15
}

// CID returns 0x04.
func (McClassCSessionReq) CID() byte { return cidMcClassCSession }

// Name returns "McClassCSessionReq".
func (McClassCSessionReq) Name() string { return "McClassCSessionReq" }

// String gives the fields for logs, such as
// "McClassCSessionReq group=0 start=1468238400 for=4m16s freq=869525000 dr=0".
func (c McClassCSessionReq) String() string {
	return fmt.Sprintf("%s group=%d start=%d for=%s freq=%d dr=%d", c.Name(), c.McGroupID,
		c.SessionTime, ClassCDuration(c.TimeOut), c.DLFrequency, c.DR)
}

// Append appends the 11 bytes of the command. It returns ErrRange for a field beyond its
// bits and for a frequency that is not a multiple of the wire step: 100 Hz below
// 1.2 GHz, 200 Hz from 2.4 GHz on. There is no LoRaWAN band between the two, and a
// number from there would be read as the double.
func (c McClassCSessionReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := checkSession(c.Name(), v, c.McGroupID, c.TimeOut, c.DR); err != nil {
		return b, err
	}
	freq, err := wireFrequency(c.Name(), c.DLFrequency)
	if err != nil {
		return b, err
	}
	b = binary.LittleEndian.AppendUint32(append(b, c.CID(), c.McGroupID), c.SessionTime)
	return append(wire.AppendUint24(append(b, c.TimeOut), freq), c.DR), nil
}

func parseMcClassCSessionReq(b []byte) (McClassCSessionReq, []byte, error) {
	if len(b) < sessionReqLen {
		return McClassCSessionReq{}, b, wire.TooShort("McClassCSessionReq", len(b), sessionReqLen)
	}
	return McClassCSessionReq{
		McGroupID:   b[0] & 3,
		SessionTime: binary.LittleEndian.Uint32(b[1:]),
		TimeOut:     b[5] & 15,
		DLFrequency: frequencyFromWire(wire.Uint24(b[6:])),
		DR:          b[9] & maxDR, // a data rate index has 4 bits; what is above is ignored
	}, b[sessionReqLen:], nil
}

// McClassBSessionReq opens a class B window: from SessionTime on, the device listens in
// the ping slots of the group. A device needs beacon lock first, which takes several
// beacon periods; LoRa Basics Modem begins two of them early.
// Downlink, CID 0x05, 10 bytes follow (TS005-1.0.0 and TS005-2.0.0):
//
//	     0           1..4           5          6..8    9
//	+-----------+-------------+-------------+--------+----+
//	| McGroupID | SessionTime | TimeOutPer  | DLFreq | DR |
//	+-----------+-------------+-------------+--------+----+
//	McGroupID:  RFU[7:2] McGroupID[1:0]
//	TimeOutPer: RFU[7] Periodicity[6:4] TimeOut[3:0]
//	DLFreq:     units of 100 Hz; 0 means the hopping ping channels of the region
type McClassBSessionReq struct {
	McGroupID   uint8  // 0..3
	SessionTime uint32 // start, GPS seconds modulo 2^32, a multiple of 128
	TimeOut     uint8  // 0..15, the window lasts at most ClassBDuration(TimeOut)
	Periodicity uint8  // 0..7, one ping slot every PingPeriod(Periodicity)
	DLFrequency uint32 // Hz, 0 for the default channels
	DR          uint8  // downlink data rate index of the region, 0..15
}

// CID returns 0x05.
func (McClassBSessionReq) CID() byte { return cidMcClassBSession }

// Name returns "McClassBSessionReq".
func (McClassBSessionReq) Name() string { return "McClassBSessionReq" }

// String gives the fields for logs, such as
// "McClassBSessionReq group=0 start=1468238464 for=17m4s ping=1s freq=869525000 dr=3".
func (c McClassBSessionReq) String() string {
	s := fmt.Sprintf("%s group=%d start=%d for=%s ping=%s", c.Name(), c.McGroupID,
		c.SessionTime, ClassBDuration(c.TimeOut), PingPeriod(c.Periodicity))
	if c.DLFrequency != 0 {
		s += fmt.Sprintf(" freq=%d", c.DLFrequency)
	}
	return fmt.Sprintf("%s dr=%d", s, c.DR)
}

// Append appends the 11 bytes of the command. It returns ErrRange for a field beyond its
// bits, for a SessionTime that is no beacon time, and for frequencies as
// McClassCSessionReq does.
func (c McClassBSessionReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := cmp.Or(checkSession(c.Name(), v, c.McGroupID, c.TimeOut, c.DR),
		wire.CheckMax(c.Name(), "Periodicity", c.Periodicity, maxPeriodicity)); err != nil {
		return b, err
	}
	if c.SessionTime%beaconSeconds != 0 {
		return b, fmt.Errorf("%s: SessionTime %d is not a multiple of %d: %w",
			c.Name(), c.SessionTime, beaconSeconds, lorawan.ErrRange)
	}
	freq, err := wireFrequency(c.Name(), c.DLFrequency)
	if err != nil {
		return b, err
	}
	b = binary.LittleEndian.AppendUint32(append(b, c.CID(), c.McGroupID), c.SessionTime)
	return append(wire.AppendUint24(append(b, c.Periodicity<<4|c.TimeOut), freq), c.DR), nil
}

// parseMcClassBSessionReq reports SessionTime as it came: what to do about one that is no
// beacon time is the device's decision.
func parseMcClassBSessionReq(b []byte) (McClassBSessionReq, []byte, error) {
	if len(b) < sessionReqLen {
		return McClassBSessionReq{}, b, wire.TooShort("McClassBSessionReq", len(b), sessionReqLen)
	}
	return McClassBSessionReq{
		McGroupID:   b[0] & 3,
		SessionTime: binary.LittleEndian.Uint32(b[1:]),
		TimeOut:     b[5] & 15,
		Periodicity: b[5] >> 4 & maxPeriodicity,
		DLFrequency: frequencyFromWire(wire.Uint24(b[6:])),
		DR:          b[9] & maxDR,
	}, b[sessionReqLen:], nil
}

const maxDR = 15

func checkSession(name string, v lorawan.Version, mcGroupID, timeOut, dr uint8) error {
	return cmp.Or(checkGroup(name, v, mcGroupID),
		wire.CheckMax(name, "TimeOut", timeOut, maxTimeOut),
		wire.CheckMax(name, "DR", dr, maxDR))
}

// The 24 bits of DLFreq count 100 Hz, which ends at 1.68 GHz. The 2.4 GHz band counts
// 200 Hz instead, and its numbers begin where 100 Hz would mean 1.2 GHz.
const (
	freqStep      = 100
	freqStep24GHz = 200
	freqFrom24GHz = 2_400_000_000
	wireFrom24GHz = freqFrom24GHz / freqStep24GHz
	maxWireFreq   = 1<<24 - 1
)

func wireFrequency(name string, hz uint32) (uint32, error) {
	step := uint32(freqStep)
	if hz >= freqFrom24GHz {
		step = freqStep24GHz
	}
	n := hz / step
	switch {
	case hz%step != 0:
		return 0, fmt.Errorf("%s: DLFrequency %d Hz is not a multiple of %d Hz: %w", name, hz, step, lorawan.ErrRange)
	case n > maxWireFreq, step == freqStep && n >= wireFrom24GHz:
		return 0, fmt.Errorf("%s: DLFrequency %d Hz cannot be sent: %w", name, hz, lorawan.ErrRange)
	}
	return n, nil
}

func frequencyFromWire(n uint32) uint32 {
	if n >= wireFrom24GHz {
		return n * freqStep24GHz
	}
	return n * freqStep
}
