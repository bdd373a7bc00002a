package firmware

import (
	"encoding/binary"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	upgradeAnsLen      = 1
	upgradeAnsValidLen = 5
)

// ImageStatus is UpImageStatus: what a device thinks of the image it holds.
type ImageStatus uint8

// The image states of DevUpgradeImageAns. A device forgets them at reboot.
const (
	ImageNone    ImageStatus = 0 // there is none
	ImageCorrupt ImageStatus = 1 // damaged, or its signature is wrong
	ImageForeign ImageStatus = 2 // authentic, but for other hardware
	ImageValid   ImageStatus = 3 // will be installed at the next reboot
)

// String returns "none", "corrupt", "foreign" or "valid".
func (s ImageStatus) String() string {
	switch s {
	case ImageNone:
		return "none"
	case ImageCorrupt:
		return "corrupt"
	case ImageForeign:
		return "foreign"
	case ImageValid:
		return "valid"
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// DevUpgradeImageReq asks about the image that waits for installation.
// Downlink, CID 0x04, no body (TS006-1.0.0).
type DevUpgradeImageReq struct{}

// CID returns 0x04.
func (DevUpgradeImageReq) CID() byte { return cidDevUpgradeImage }

// Name returns "DevUpgradeImageReq".
func (DevUpgradeImageReq) Name() string { return "DevUpgradeImageReq" }

// String returns "DevUpgradeImageReq".
func (c DevUpgradeImageReq) String() string { return c.Name() }

// Append appends the one byte of the command.
func (c DevUpgradeImageReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	return append(b, c.CID()), nil
}

// DevUpgradeImageAns tells about the image that waits for installation.
// Uplink, CID 0x04, 1 byte follows, or 5 if the image is valid (TS006-1.0.0):
//
//	    0          1..4
//	+--------+---------------------+
//	| Status | NextFirmwareVersion |  Status: RFU[7:2] UpImageStatus[1:0]
//	+--------+---------------------+
type DevUpgradeImageAns struct {
	UpImageStatus       ImageStatus
	NextFirmwareVersion uint32 // only if ImageValid, else 0; see ImageMatches
}

// CID returns 0x04.
func (DevUpgradeImageAns) CID() byte { return cidDevUpgradeImage }

// Name returns "DevUpgradeImageAns".
func (DevUpgradeImageAns) Name() string { return "DevUpgradeImageAns" }

// String gives the fields for logs, such as "DevUpgradeImageAns valid next=02030405".
func (c DevUpgradeImageAns) String() string {
	s := c.Name() + " " + c.UpImageStatus.String()
	if c.UpImageStatus == ImageValid {
		s += fmt.Sprintf(" next=%08x", c.NextFirmwareVersion)
	}
	return s
}

// Append appends the command. It returns ErrRange for an unknown status and for a
// version of an image that is not valid.
func (c DevUpgradeImageAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	switch {
	case c.UpImageStatus > ImageValid:
		return b, fmt.Errorf("%s: UpImageStatus %d is above 3: %w", c.Name(), uint8(c.UpImageStatus), lorawan.ErrRange)
	case c.UpImageStatus != ImageValid && c.NextFirmwareVersion != 0:
		return b, fmt.Errorf("%s: NextFirmwareVersion with status %s: %w", c.Name(), c.UpImageStatus, lorawan.ErrRange)
	}
	b = append(b, c.CID(), byte(c.UpImageStatus))
	if c.UpImageStatus != ImageValid {
		return b, nil
	}
	return binary.LittleEndian.AppendUint32(b, c.NextFirmwareVersion), nil
}

func parseDevUpgradeImageAns(b []byte) (DevUpgradeImageAns, []byte, error) {
	if len(b) < upgradeAnsLen {
		return DevUpgradeImageAns{}, b, wire.TooShort("DevUpgradeImageAns", len(b), upgradeAnsLen)
	}
	c := DevUpgradeImageAns{UpImageStatus: ImageStatus(b[0] & 3)}
	if c.UpImageStatus != ImageValid {
		return c, b[upgradeAnsLen:], nil
	}
	if len(b) < upgradeAnsValidLen {
		return DevUpgradeImageAns{}, b, wire.TooShort("DevUpgradeImageAns", len(b), upgradeAnsValidLen)
	}
	c.NextFirmwareVersion = binary.LittleEndian.Uint32(b[1:])
	return c, b[upgradeAnsValidLen:], nil
}
