package multipackage

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
)

// ErrToken is returned for a piece of answers to other commands than the last.
var ErrToken = errors.New("piece of another answer")

// Reassembly joins the pieces of one answer buffer, in any order. It has a fixed size and
// does not grow with what devices send. The zero value expects token 0. It is not safe
// for concurrent use.
type Reassembly struct {
	token uint8
	buf   [BufferSize]byte
	have  [BufferSize]bool
}

// Start forgets everything and expects the answers to the commands sent with token.
func (r *Reassembly) Start(token uint8) { *r = Reassembly{token: token & tokenMask} }

// Add takes one piece. It returns ErrToken for a piece with another token, which is late,
// and ErrRange for one that does not fit the buffer; neither changes anything. Repeated
// pieces are harmless. One that contradicts what is here shows that the device has built
// a new buffer, four commands later with the same token: the old pieces are dropped.
func (r *Reassembly) Add(token uint8, frag MultiPackBufferFrag) error {
	if token != r.token {
		return fmt.Errorf("token %d, want %d: %w", token, r.token, ErrToken)
	}
	if frag.Error {
		return fmt.Errorf("%s: the device has no such bytes: %w", frag.Name(), lorawan.ErrRange)
	}
	if err := frag.check(); err != nil {
		return err
	}
	base := int(frag.BaseByte)
	for i, v := range frag.Buffer {
		if r.have[base+i] && r.buf[base+i] != v {
			r.Start(token)
			break
		}
	}
	copy(r.buf[base:], frag.Buffer)
	for i := range frag.Buffer {
		r.have[base+i] = true
	}
	return nil
}

// Bytes returns a copy of the buffer from its beginning up to the first hole. The pieces
// do not tell how long the buffer is: it is complete when Items finds every answer.
func (r *Reassembly) Bytes() []byte {
	n := 0
	for n < BufferSize && r.have[n] {
		n++
	}
	return bytes.Clone(r.buf[:n])
}

// Items reads the answers that are complete so far. It returns ErrShort with them if the
// last one is cut, that is, if more is to come.
func (r *Reassembly) Items(vs Versions) ([]Item, error) {
	return parseItems(r.Bytes(), vs, uplinkParser)
}

// Missing returns the request for the first hole, if there is one before the last byte
// received. It asks for one byte more than the hole has, because LoRa Basics Modem sends
// one less than it is asked for.
func (r *Reassembly) Missing() (MultiPackBufferReq, bool) {
	start := len(r.Bytes())
	for stop := start; stop < BufferSize; stop++ {
		if r.have[stop] {
			return MultiPackBufferReq{StartByte: uint8(start), StopByte: uint8(stop)}, true
		}
	}
	return MultiPackBufferReq{}, false
}
