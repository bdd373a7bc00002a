package firmware

import (
	"encoding/binary"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	deleteReqLen = 4
	deleteAnsLen = 1
)

// DevDeleteImageReq drops the image that waits for installation, if it is valid and of
// this version. Actility's STM32WL55 firmware ignores the version and drops any.
// Downlink, CID 0x05, 4 bytes follow (TS006-1.0.0):
//
//	          0..3
//	+-------------------------+
//	| FirmwareToDeleteVersion |
//	+-------------------------+
type DevDeleteImageReq struct {
	FirmwareToDeleteVersion uint32
}

// CID returns 0x05.
func (DevDeleteImageReq) CID() byte { return cidDevDeleteImage }

// Name returns "DevDeleteImageReq".
func (DevDeleteImageReq) Name() string { return "DevDeleteImageReq" }

// String gives the field for logs, such as "DevDeleteImageReq version=01020304".
func (c DevDeleteImageReq) String() string {
	return fmt.Sprintf("%s version=%08x", c.Name(), c.FirmwareToDeleteVersion)
}

// Append appends the five bytes of the command.
func (c DevDeleteImageReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	return binary.LittleEndian.AppendUint32(append(b, c.CID()), c.FirmwareToDeleteVersion), nil
}

func parseDevDeleteImageReq(b []byte) (DevDeleteImageReq, []byte, error) {
	if len(b) < deleteReqLen {
		return DevDeleteImageReq{}, b, wire.TooShort("DevDeleteImageReq", len(b), deleteReqLen)
	}
	return DevDeleteImageReq{FirmwareToDeleteVersion: binary.LittleEndian.Uint32(b)}, b[deleteReqLen:], nil
}

// DevDeleteImageAns tells whether the image was dropped; both flags off means yes.
// Uplink, CID 0x05, 1 byte follows (TS006-1.0.0):
//
//	    0
//	+--------+
//	| Status |  RFU[7:2] ErrorInvalidVersion[1] ErrorNoValidImage[0]
//	+--------+
type DevDeleteImageAns struct {
	ErrorNoValidImage   bool
	ErrorInvalidVersion bool
}

// CID returns 0x05.
func (DevDeleteImageAns) CID() byte { return cidDevDeleteImage }

// Name returns "DevDeleteImageAns".
func (DevDeleteImageAns) Name() string { return "DevDeleteImageAns" }

// String gives the flags for logs, such as "DevDeleteImageAns ErrorNoValidImage".
func (c DevDeleteImageAns) String() string {
	s := wire.Flag(c.Name(), c.ErrorNoValidImage, "ErrorNoValidImage")
	return wire.Flag(s, c.ErrorInvalidVersion, "ErrorInvalidVersion")
}

// Append appends the two bytes of the command.
func (c DevDeleteImageAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	return append(b, c.CID(), wire.Bit(c.ErrorNoValidImage, 1<<0)|wire.Bit(c.ErrorInvalidVersion, 1<<1)), nil
}

func parseDevDeleteImageAns(b []byte) (DevDeleteImageAns, []byte, error) {
	if len(b) < deleteAnsLen {
		return DevDeleteImageAns{}, b, wire.TooShort("DevDeleteImageAns", len(b), deleteAnsLen)
	}
	return DevDeleteImageAns{
		ErrorNoValidImage:   b[0]&(1<<0) != 0,
		ErrorInvalidVersion: b[0]&(1<<1) != 0,
	}, b[deleteAnsLen:], nil
}
