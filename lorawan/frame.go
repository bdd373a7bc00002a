package lorawan

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Errors of the data frame codec.
var (
	ErrFrame = errors.New("not a LoRaWAN data frame")
	ErrMIC   = errors.New("wrong message integrity code")
)

// Direction of a data frame. It is part of the MIC and of the keystream.
type Direction uint8

// Directions as TS001-1.0.4 §4.3.3 numbers them.
const (
	Uplink   Direction = 0
	Downlink Direction = 1
)

// FrameOverhead is what a data frame without FOpts adds to its FRMPayload, in bytes:
// MHDR 1, DevAddr 4, FCtrl 1, FCnt 2, FPort 1, MIC 4 (TS001-1.0.4 §4).
const FrameOverhead = 13

const mhdrLen = 1

// Session is what both ends of a LoRaWAN 1.0 session share. A multicast group is a
// session too: McAddr, McNwkSKey, McAppSKey (TS005 §4).
type Session struct {
	addr     DevAddr
	nwk, app Cipher
}

// NewSession expands the keys of a session.
func NewSession(addr DevAddr, nwkSKey, appSKey AES128Key) Session {
	return Session{addr, NewCipher(nwkSKey), NewCipher(appSKey)}
}

// DevAddr returns the address the session was made for.
func (s Session) DevAddr() DevAddr { return s.addr }

// Format prints "session of" and the address under every verb: what is inside are keys.
func (s Session) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "session of %s", s.addr) }

// DataFrame is a data frame without FOpts, its payload in clear.
type DataFrame struct {
	Direction  Direction
	Confirmed  bool
	ACK        bool
	FCnt       uint32 // all 32 bits; the air carries the lower 16
	FPort      uint8
	FRMPayload []byte
}

// Seal encrypts and signs f into a PHYPayload.
func (s Session) Seal(f DataFrame) []byte {
	b := make([]byte, 0, len(f.FRMPayload)+FrameOverhead)
	mtype := byte(0x40) // unconfirmed data up
	if f.Direction == Downlink {
		mtype = 0x60
	}
	if f.Confirmed {
		mtype += 0x40
	}
	var fctrl byte
	if f.ACK {
		fctrl = 0x20
	}
	b = append(b, mtype)
	b, _ = s.addr.AppendBinary(b)
	b = append(b, fctrl)
	b = binary.LittleEndian.AppendUint16(b, uint16(f.FCnt))
	b = append(b, f.FPort)
	b = append(b, f.FRMPayload...)
	s.crypt(b[len(b)-len(f.FRMPayload):], f.Direction, f.FCnt)
	mic := s.mic(b, f.Direction, f.FCnt)
	return append(b, mic[:]...)
}

// Open checks and decrypts a PHYPayload. next is the lowest counter that is still
// acceptable; the upper 16 bits of FCnt are chosen so that FCnt is the first
// candidate at or above it. It returns ErrFrame for other kinds of frame or
// another address, and ErrMIC when keys or counter do not match.
func (s Session) Open(phy []byte, next uint32) (DataFrame, error) {
	addr, err := FrameAddr(phy)
	if err != nil {
		return DataFrame{}, err
	}
	if addr != s.addr {
		return DataFrame{}, fmt.Errorf("address %s, session of %s: %w", addr, s.addr, ErrFrame)
	}
	var f DataFrame
	switch phy[0] >> 5 {
	case 2, 4:
		f.Direction = Uplink
	case 3, 5:
		f.Direction = Downlink
	}
	f.Confirmed = phy[0]>>5 >= 4
	f.ACK = phy[5]&0x20 != 0
	foptsLen := int(phy[5] & 0x0f)
	f.FCnt = next&^0xffff | uint32(binary.LittleEndian.Uint16(phy[6:8]))
	if f.FCnt < next {
		// At the end of the counter's life there is no candidate left. Wrapping to a
		// small one would accept a frame from the beginning a second time.
		if f.FCnt > math.MaxUint32-1<<16 {
			return DataFrame{}, fmt.Errorf("address %s, no FCnt left above %d: %w", addr, next, ErrMIC)
		}
		f.FCnt += 1 << 16
	}
	body, mic := phy[:len(phy)-4], phy[len(phy)-4:]
	want := s.mic(body, f.Direction, f.FCnt)
	if subtle.ConstantTimeCompare(mic, want[:]) != 1 {
		return DataFrame{}, fmt.Errorf("address %s, FCnt %d: %w", addr, f.FCnt, ErrMIC)
	}
	if rest := body[8+min(foptsLen, len(body)-8):]; len(rest) > 0 {
		f.FPort = rest[0]
		f.FRMPayload = append([]byte(nil), rest[1:]...)
		s.crypt(f.FRMPayload, f.Direction, f.FCnt)
	}
	return f, nil
}

// FrameAddr returns the address of a data frame without checking it, so that the
// receiver can find the session. It returns ErrFrame for anything else.
func FrameAddr(phy []byte) (DevAddr, error) {
	if len(phy) < FrameOverhead-1 { // FPort may be absent
		return DevAddr{}, fmt.Errorf("%d bytes: %w", len(phy), ErrFrame)
	}
	if t := phy[0] >> 5; t < 2 || t > 5 {
		return DevAddr{}, fmt.Errorf("MType %d: %w", t, ErrFrame)
	}
	return DevAddrFromWire([4]byte(phy[mhdrLen : mhdrLen+4])), nil
}

// crypt applies the keystream of TS001-1.0.4 §4.3.3.1 to payload in place: counter mode,
// with the number of the block in the last byte of A_i, from 1 on.
func (s Session) crypt(payload []byte, dir Direction, fcnt uint32) {
	a := s.block(0x01, dir, fcnt)
	a[15] = 1
	s.app.xorCTR(a, payload)
}

// mic computes the code of TS001-1.0.4 §4.4.
func (s Session) mic(msg []byte, dir Direction, fcnt uint32) [4]byte {
	b0 := s.block(0x49, dir, fcnt)
	b0[15] = byte(len(msg))
	cmac := s.nwk.CMAC(b0[:], msg)
	return [4]byte(cmac[:4])
}

// block lays out the 16 bytes that both A_i and B0 start from.
func (s Session) block(tag byte, dir Direction, fcnt uint32) (b [16]byte) {
	b[0], b[5] = tag, byte(dir)
	binary.LittleEndian.PutUint32(b[6:], s.addr.Uint32())
	binary.LittleEndian.PutUint32(b[10:], fcnt)
	return b
}
