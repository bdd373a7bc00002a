package firmware

import (
	"encoding/binary"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const devVersionAnsLen = 8

// DevVersionReq asks which firmware runs on which hardware.
// Downlink, CID 0x01, no body (TS006-1.0.0).
type DevVersionReq struct{}

// CID returns 0x01.
func (DevVersionReq) CID() byte { return cidDevVersion }

// Name returns "DevVersionReq".
func (DevVersionReq) Name() string { return "DevVersionReq" }

// String returns "DevVersionReq".
func (c DevVersionReq) String() string { return c.Name() }

// Append appends the one byte of the command.
func (c DevVersionReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	return append(b, c.CID()), nil
}

// DevVersionAns tells which firmware runs on which hardware. It is the strongest proof of
// an update. The numbers are the manufacturer's: compare them for equality only, unless
// the device profile says how they are ordered. Release candidate devices send it once
// after boot without being asked.
// Uplink, CID 0x01, 8 bytes follow (TS006-1.0.0):
//
//	    0..3        4..7
//	+-----------+-----------+
//	| FWversion | HWversion |
//	+-----------+-----------+
type DevVersionAns struct {
	FWVersion uint32
	HWVersion uint32 // 0 on Actility's STM32WL55 firmware
}

// CID returns 0x01.
func (DevVersionAns) CID() byte { return cidDevVersion }

// Name returns "DevVersionAns".
func (DevVersionAns) Name() string { return "DevVersionAns" }

// String gives the fields for logs, such as "DevVersionAns fw=01020304 hw=11223344".
func (c DevVersionAns) String() string {
	s := fmt.Sprintf("%s fw=%08x", c.Name(), c.FWVersion)
	if c.HWVersion != 0 {
		s += fmt.Sprintf(" hw=%08x", c.HWVersion)
	}
	return s
}

// Append appends the nine bytes of the command.
func (c DevVersionAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	b = binary.LittleEndian.AppendUint32(append(b, c.CID()), c.FWVersion)
	return binary.LittleEndian.AppendUint32(b, c.HWVersion), nil
}

func parseDevVersionAns(b []byte) (DevVersionAns, []byte, error) {
	if len(b) < devVersionAnsLen {
		return DevVersionAns{}, b, wire.TooShort("DevVersionAns", len(b), devVersionAnsLen)
	}
	return DevVersionAns{
		FWVersion: binary.LittleEndian.Uint32(b),
		HWVersion: binary.LittleEndian.Uint32(b[4:]),
	}, b[devVersionAnsLen:], nil
}
