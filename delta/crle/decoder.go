package crle

import (
	"errors"
	"fmt"
	"io"
)

// Errors of the decoder, wrapped with the place where the stream went wrong.
var (
	ErrKind      = errors.New("crle: no such kind of record")
	ErrCount     = errors.New("crle: count out of range")
	ErrTruncated = errors.New("crle: stream ends inside a record")
)

// Reader unpacks a stream. It keeps no more than a count and a byte, whatever the stream says; how much
// comes out of a few bytes is for its caller to bound.
type Reader struct {
	src  io.ByteReader
	left int // bytes of the record to come
	kind byte
	byte byte // to be repeated
	out  int64
	err  error
}

// NewReader reads records from src until it returns io.EOF.
func NewReader(src io.ByteReader) *Reader { return &Reader{src: src} }

// Read implements io.Reader. It returns ErrKind, ErrCount or ErrTruncated for a broken stream, and errors
// of the source as they are.
func (r *Reader) Read(b []byte) (int, error) {
	for n := range b {
		c, ok := r.next()
		if !ok && n == 0 {
			return 0, r.err
		}
		if !ok {
			return n, nil
		}
		b[n] = c
	}
	return len(b), nil
}

// next returns one byte; false: there is none, and err says why.
func (r *Reader) next() (byte, bool) {
	if r.left == 0 && r.err == nil {
		r.record()
	}
	if r.err != nil {
		return 0, false
	}
	c := r.byte
	if r.kind == scattered {
		if c, r.err = r.need(); r.err != nil {
			return 0, false
		}
	}
	r.left--
	r.out++
	return c, true
}

// record reads the head of a record, and the byte that is to be repeated.
func (r *Reader) record() {
	kind, err := r.src.ReadByte()
	if err != nil {
		r.err = err
		return
	}
	if kind > repeated {
		r.err = fmt.Errorf("after %d bytes of output: kind %d: %w", r.out, kind, ErrKind)
		return
	}
	if r.left, r.err = r.count(); r.err != nil {
		return
	}
	r.kind = kind
	switch {
	case r.left == 0:
		r.empty()
	case kind == repeated:
		r.byte, r.err = r.need()
	}
}

// empty is called after a record of no bytes, which only an empty stream has, and ends it.
func (r *Reader) empty() {
	_, err := r.src.ReadByte()
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		r.err = err
	case err == nil || r.out > 0 || r.kind == repeated:
		r.err = fmt.Errorf("after %d bytes of output: a record of no bytes: %w", r.out, ErrCount)
	default:
		r.err = io.EOF
	}
}

// count reads a count: one to five groups, in 31 bits, the last group not empty.
func (r *Reader) count() (int, error) {
	n := int64(0)
	for shift := 0; ; shift += 7 {
		b, err := r.need()
		if err != nil {
			return 0, err
		}
		n |= int64(b&0x7f) << shift
		if n > maxCount || shift > 28 || b == 0 && shift > 0 {
			return 0, fmt.Errorf("after %d bytes of output: %w", r.out, ErrCount)
		}
		if b < 1<<7 {
			return int(n), nil
		}
	}
}

// need reads a byte without which the record is not whole.
func (r *Reader) need() (byte, error) {
	b, err := r.src.ReadByte()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("after %d bytes of output: %w", r.out, ErrTruncated)
	}
	return b, err
}
