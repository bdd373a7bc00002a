package multipackage

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

// BufferSize is the largest answer buffer of a device, in bytes (TS007-1.0.0).
const BufferSize = 128

const (
	bufferReqLen  = 2
	bufferErrMark = 0xff // where BaseByte would be
)

// MultiPackBufferReq asks for a part of the answer buffer again. It is alone in its frame
// and has no token.
// Downlink, package 0, CID 0x02, 2 bytes follow (TS007-1.0.0):
//
//	     0           1
//	+-----------+----------+
//	| StartByte | StopByte |
//	+-----------+----------+
type MultiPackBufferReq struct {
	StartByte uint8 // first byte wanted, 0..127
	StopByte  uint8 // last byte wanted, StartByte..127; LoRa Basics Modem stops one short of it
}

// CID returns 0x02.
func (MultiPackBufferReq) CID() byte { return cidMultiPackBuffer }

// Name returns "MultiPackBufferReq".
func (MultiPackBufferReq) Name() string { return "MultiPackBufferReq" }

// String gives the range for logs, such as "MultiPackBufferReq 4..7".
func (c MultiPackBufferReq) String() string {
	return fmt.Sprintf("%s %d..%d", c.Name(), c.StartByte, c.StopByte)
}

// Append appends the three bytes of the command. It returns ErrRange for a range that is
// empty or leaves the buffer.
func (c MultiPackBufferReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	if c.StartByte > c.StopByte || c.StopByte >= BufferSize {
		return b, fmt.Errorf("%s: bytes %d to %d of %d: %w", c.Name(), c.StartByte, c.StopByte, BufferSize, lorawan.ErrRange)
	}
	return append(b, c.CID(), c.StartByte, c.StopByte), nil
}

// parseMultiPackBufferReq reports any range as it came: the device answers a bad one with
// the error form of MultiPackBufferFrag.
func parseMultiPackBufferReq(b []byte) (MultiPackBufferReq, []byte, error) {
	if len(b) < bufferReqLen {
		return MultiPackBufferReq{}, b, wire.TooShort("MultiPackBufferReq", len(b), bufferReqLen)
	}
	return MultiPackBufferReq{StartByte: b[0], StopByte: b[1]}, b[bufferReqLen:], nil
}

// MultiPackBufferFrag carries a piece of an answer buffer that is too large for one
// uplink, or the refusal of a MultiPackBufferReq. It is alone in its frame; its buffer is
// all there is up to the token.
// Uplink, package 0, CID 0x02 (TS007-1.0.0):
//
//	     0         1..              0
//	+----------+------------+   +------+
//	| BaseByte | Buffer ... |   | 0xFF |  error
//	+----------+------------+   +------+
type MultiPackBufferFrag struct {
	BaseByte uint8  // position of the piece in the answer buffer, 0..127
	Buffer   []byte // at least one byte; when parsed, a part of the payload, not a copy
	Error    bool   // the device has no such bytes; BaseByte and Buffer are absent
}

// CID returns 0x02.
func (MultiPackBufferFrag) CID() byte { return cidMultiPackBuffer }

// Name returns "MultiPackBufferFrag".
func (MultiPackBufferFrag) Name() string { return "MultiPackBufferFrag" }

// String gives position and length for logs, such as "MultiPackBufferFrag base=8 size=3".
func (c MultiPackBufferFrag) String() string {
	if c.Error {
		return c.Name() + " error"
	}
	return fmt.Sprintf("%s base=%d size=%d", c.Name(), c.BaseByte, len(c.Buffer))
}

// Append appends the command, without the token, which belongs to the Message. It returns
// ErrRange for a piece that is empty or leaves the buffer, and for an error with a piece.
func (c MultiPackBufferFrag) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	if c.Error {
		if c.BaseByte != 0 || len(c.Buffer) > 0 {
			return b, fmt.Errorf("%s: an error with %d bytes: %w", c.Name(), len(c.Buffer), lorawan.ErrRange)
		}
		return append(b, c.CID(), bufferErrMark), nil
	}
	if err := c.check(); err != nil {
		return b, err
	}
	return append(append(b, c.CID(), c.BaseByte), c.Buffer...), nil
}

func (c MultiPackBufferFrag) check() error {
	if len(c.Buffer) == 0 || int(c.BaseByte)+len(c.Buffer) > BufferSize {
		return fmt.Errorf("%s: %d bytes at %d of %d: %w", c.Name(), len(c.Buffer), c.BaseByte, BufferSize, lorawan.ErrRange)
	}
	return nil
}

// parseFragMessage reads a frame that holds a MultiPackBufferFrag, from after its CID on.
func parseFragMessage(b []byte) (Message, error) {
	if len(b) > 0 && b[0] == bufferErrMark {
		return parseFragError(b[1:])
	}
	const least = 3 // BaseByte, one byte, token
	if len(b) < least {
		return Message{}, wire.TooShort("MultiPackBufferFrag", len(b), least)
	}
	end := len(b) - 1
	frag := MultiPackBufferFrag{BaseByte: b[0], Buffer: b[1:end:end]}
	if err := frag.check(); err != nil {
		return Message{}, err
	}
	return Message{Items: []Item{{lorawan.MultiPackage, frag}}, Token: b[end] & tokenMask}, nil
}

// parseFragError accepts the error form with and without a token: the specification shows
// none, LoRa Basics Modem sends one.
func parseFragError(b []byte) (Message, error) {
	frag := MultiPackBufferFrag{Error: true}
	m := Message{Items: []Item{{lorawan.MultiPackage, frag}}}
	switch len(b) {
	case 0:
		m.NoToken = true
	case 1:
		m.Token = b[0] & tokenMask
	default:
		return Message{}, errNotAlone(frag)
	}
	return m, nil
}
