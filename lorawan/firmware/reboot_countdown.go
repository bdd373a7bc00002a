package firmware

import (
	"cmp"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const countdownLen = 3

// Countdown values that are no duration.
const (
	CountdownNow    uint32 = 0        // at once; the device sends no answer
	CountdownCancel uint32 = 0xffffff // drop the planned reboot; as an answer: dropped
)

// DevRebootCountdownReq plans a reboot a while after reception, replacing one planned
// before. It needs no clock on the device; Actility's STM32L476 firmware does not know it.
// Downlink, CID 0x03, 3 bytes follow (TS006-1.0.0):
//
//	    0..2
//	+-----------+
//	| Countdown |
//	+-----------+
type DevRebootCountdownReq struct {
	Countdown uint32 // seconds from reception, 24 bits; or CountdownNow, CountdownCancel
}

// CID returns 0x03.
func (DevRebootCountdownReq) CID() byte { return cidDevRebootCountdown }

// Name returns "DevRebootCountdownReq".
func (DevRebootCountdownReq) Name() string { return "DevRebootCountdownReq" }

// String gives the field for logs, such as "DevRebootCountdownReq in=3600".
func (c DevRebootCountdownReq) String() string {
	switch c.Countdown {
	case CountdownNow:
		return c.Name() + " now"
	case CountdownCancel:
		return c.Name() + " cancel"
	}
	return fmt.Sprintf("%s in=%d", c.Name(), c.Countdown)
}

// Append appends the four bytes of the command. It returns ErrRange for more than 24 bits.
func (c DevRebootCountdownReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	return appendCountdown(b, c, v, c.Countdown)
}

func parseDevRebootCountdownReq(b []byte) (DevRebootCountdownReq, []byte, error) {
	if len(b) < countdownLen {
		return DevRebootCountdownReq{}, b, wire.TooShort("DevRebootCountdownReq", len(b), countdownLen)
	}
	return DevRebootCountdownReq{Countdown: wire.Uint24(b)}, b[countdownLen:], nil
}

// DevRebootCountdownAns confirms a planned reboot.
// Uplink, CID 0x03, 3 bytes follow (TS006-1.0.0):
//
//	    0..2
//	+-----------+
//	| Countdown |
//	+-----------+
type DevRebootCountdownAns struct {
	Countdown uint32 // seconds until the reboot, 24 bits; 0: refused
}

// CID returns 0x03.
func (DevRebootCountdownAns) CID() byte { return cidDevRebootCountdown }

// Name returns "DevRebootCountdownAns".
func (DevRebootCountdownAns) Name() string { return "DevRebootCountdownAns" }

// String gives the field for logs, such as "DevRebootCountdownAns in=3600".
func (c DevRebootCountdownAns) String() string {
	if c.Countdown == CountdownCancel {
		return c.Name() + " cancelled"
	}
	return fmt.Sprintf("%s in=%d", c.Name(), c.Countdown)
}

// Append appends the four bytes of the command. It returns ErrRange for more than 24 bits.
func (c DevRebootCountdownAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	return appendCountdown(b, c, v, c.Countdown)
}

func parseDevRebootCountdownAns(b []byte) (DevRebootCountdownAns, []byte, error) {
	if len(b) < countdownLen {
		return DevRebootCountdownAns{}, b, wire.TooShort("DevRebootCountdownAns", len(b), countdownLen)
	}
	return DevRebootCountdownAns{Countdown: wire.Uint24(b)}, b[countdownLen:], nil
}

func appendCountdown(b []byte, c lorawan.Command, v lorawan.Version, n uint32) ([]byte, error) {
	if err := cmp.Or(codec.CheckVersion(v), wire.CheckMax(c.Name(), "Countdown", n, CountdownCancel)); err != nil {
		return b, err
	}
	return wire.AppendUint24(append(b, c.CID()), n), nil
}
