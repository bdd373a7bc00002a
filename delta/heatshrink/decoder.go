package heatshrink

import (
	"errors"
	"fmt"
	"io"
)

// Reader unpacks a stream. Its memory is the window, 2^Window bytes, and nothing that the stream says
// makes it more.
type Reader struct {
	src    io.ByteReader
	p      Params
	window []byte
	at     int // next byte of the window to be written
	held   uint64
	bits   int // of held, low ones, not yet used
	copies int // bytes of a back-reference that are still to be copied
	from   int // where in the window the next of them is
	out    int64
	err    error
}

// NewReader reads tokens from src until it returns io.EOF.
func NewReader(src io.ByteReader, p Params) (*Reader, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	return &Reader{src: src, p: p, window: make([]byte, 1<<p.Window)}, nil
}

// Read implements io.Reader. It returns ErrTruncated when the input ends inside a token, ErrPadding
// when the bits that fill the last byte are not zero, and errors of the source as they are.
func (r *Reader) Read(b []byte) (int, error) {
	for n := range b {
		if r.copies == 0 && r.err == nil {
			r.token()
		}
		if r.copies == 0 {
			if n > 0 {
				return n, nil
			}
			return 0, r.err
		}
		c := r.window[r.from]
		r.from = (r.from + 1) & (len(r.window) - 1)
		r.copies--
		r.window[r.at] = c
		r.at = (r.at + 1) & (len(r.window) - 1)
		r.out++
		b[n] = c
	}
	return len(b), nil
}

// token reads one token and leaves bytes to copy, or an error. A literal is put where it is copied from.
func (r *Reader) token() {
	tag, ok := r.take(1)
	if !ok {
		r.end(0)
		return
	}
	if tag == 1 {
		c, ok := r.take(8)
		if !ok {
			r.end(1 + 8)
			return
		}
		r.window[r.at] = byte(c)
		r.from, r.copies = r.at, 1
		return
	}
	v, ok := r.take(r.p.Window + r.p.Lookahead)
	if !ok {
		r.end(1 + r.bits)
		return
	}
	distance, length := int(v>>r.p.Lookahead)+1, int(v&(1<<r.p.Lookahead-1))+1
	r.from, r.copies = (r.at-distance)&(len(r.window)-1), length
}

// take returns the next n bits, n <= 29; false when the source ended before them.
func (r *Reader) take(n int) (uint32, bool) {
	for r.bits < n {
		c, err := r.src.ReadByte()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
			return 0, false
		}
		r.held = r.held<<8 | uint64(c)
		r.bits += 8
	}
	r.bits -= n
	v := r.held >> r.bits
	r.held &= 1<<r.bits - 1
	return uint32(v), true
}

// end is called when the source ended n bits into what might have become a token.
func (r *Reader) end(n int) {
	switch {
	case r.err != nil: // of the source
	case n >= 8:
		r.err = fmt.Errorf("after %d bytes of output: %w", r.out, ErrTruncated)
	case r.held != 0:
		r.err = fmt.Errorf("after %d bytes of output: %w", r.out, ErrPadding)
	default:
		r.err = io.EOF
	}
}
