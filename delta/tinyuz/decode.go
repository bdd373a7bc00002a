package tinyuz

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits bound what a decoder does for a stream that somebody else made.
type Limits struct {
	// Window is the largest dictionary that is accepted, in bytes. 0 means MaxWindow:
	// memory is taken as output comes, never more than was put out.
	Window int

	// Size is the most bytes of output, 0 means 16 MiB.
	Size int

	// DictField is the number of bytes of the dictionary size, 1..4; 0 means 4.
	DictField int
}

const defaultSize = 16 << 20

func (l Limits) complete() (Limits, error) {
	if l.Window == 0 {
		l.Window = MaxWindow
	}
	if l.Size == 0 {
		l.Size = defaultSize
	}
	if l.DictField == 0 {
		l.DictField = 4
	}
	if l.Window < 0 || l.Size < 0 || l.DictField < 1 || l.DictField > 4 {
		return l, fmt.Errorf("limits %+v: %w", l, ErrRange)
	}
	return l, nil
}

// Decode returns what a whole stream holds. Bytes after its end are ErrFormat.
func Decode(stream []byte, limits Limits) ([]byte, error) {
	source := bytes.NewReader(stream)
	r, err := NewReader(source, limits)
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if source.Len() > 0 {
		return nil, fmt.Errorf("%d bytes after the end of the stream: %w", source.Len(), ErrFormat)
	}
	return out, nil
}

// Reader decodes a stream piece by piece, in the way of a device: besides the
// dictionary it holds a few numbers. It reads from its source no byte after the end of
// the stream if the source is an io.ByteReader.
type Reader struct {
	source io.ByteReader
	limits Limits
	window int
	taken  int // bytes of the source, for messages
	err    error

	bits  uint // the reservoir
	count uint // bits in it

	last    int  // distance of the last match
	literal bool // a literal came since the last match

	// dict holds the last bytes of output; it is a ring once it has window bytes.
	dict     []byte
	at       int // next place in the ring
	produced int

	copying int // bytes of a match that are still to be copied, from last
	plain   int // bytes of a literal line that are still to be read
}

// NewReader reads the dictionary size. It returns ErrLimit if that is beyond the limits.
func NewReader(source io.Reader, limits Limits) (*Reader, error) {
	limits, err := limits.complete()
	if err != nil {
		return nil, err
	}
	r := &Reader{limits: limits, last: 1}
	var ok bool
	if r.source, ok = source.(io.ByteReader); !ok {
		r.source = bufio.NewReader(source)
	}
	for k := range limits.DictField {
		b, err := r.plainByte()
		if err != nil {
			return nil, err
		}
		r.window |= int(b) << (8 * k)
	}
	switch {
	case r.window == 0:
		return nil, fmt.Errorf("dictionary of no bytes: %w", ErrFormat)
	case r.window > limits.Window:
		return nil, fmt.Errorf("dictionary of %d bytes, at most %d are allowed: %w", r.window, limits.Window, ErrLimit)
	}
	return r, nil
}

// Window is the size of the dictionary in bytes, as the stream declares it.
func (r *Reader) Window() int { return r.window }

// Read puts output into p. It returns io.EOF after the end marker only.
func (r *Reader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if r.err != nil {
			return n, r.err
		}
		switch {
		case r.copying > 0:
			r.copying--
			p[n] = r.back(r.last)
		case r.plain > 0:
			b, err := r.plainByte()
			if err != nil {
				r.err = err
				continue
			}
			r.plain--
			p[n] = b
		default:
			r.err = r.token()
			continue
		}
		r.put(p[n])
		n++
	}
	return n, nil
}

// back returns the byte of output that is distance bytes old.
func (r *Reader) back(distance int) byte {
	i := r.at - distance
	if i < 0 {
		i += len(r.dict)
	}
	return r.dict[i]
}

func (r *Reader) put(b byte) {
	r.produced++
	if len(r.dict) < r.window {
		r.dict = append(r.dict, b)
		r.at = len(r.dict)
	} else {
		if r.at == len(r.dict) {
			r.at = 0
		}
		r.dict[r.at] = b
		r.at++
	}
}

// token reads up to the next output.
func (r *Reader) token() error {
	literal, err := r.bit()
	if err != nil {
		return err
	}
	if literal == 1 {
		r.literal = true
		return r.expect(&r.plain, 1)
	}
	length, err := r.number(1, r.mostLength())
	if err != nil {
		return err
	}
	distance, repeated := r.last, uint(0)
	if r.literal {
		if repeated, err = r.bit(); err != nil {
			return err
		}
	}
	if repeated == 0 {
		if distance, err = r.distance(); err != nil {
			return err
		}
		if distance > farDistance {
			length++
		}
	}
	r.literal = false
	if distance == 0 {
		return r.control(length)
	}
	if distance > r.window || distance > r.produced {
		return fmt.Errorf("byte %d: distance %d with %d bytes of output and a dictionary of %d: %w", r.taken, distance, r.produced, r.window, ErrFormat)
	}
	r.last = distance
	return r.expect(&r.copying, length+minMatch)
}

func (r *Reader) control(code int) error {
	switch code {
	case controlLine:
		m, err := r.number(2, r.mostLength())
		if err != nil {
			return err
		}
		r.literal = true
		return r.expect(&r.plain, m+minLine)
	case controlClip:
		r.last = 1
		r.count = 0
		return nil
	case controlEnd:
		r.count = 0
		return io.EOF
	}
	return fmt.Errorf("byte %d: control code %d is unknown: %w", r.taken, code, ErrFormat)
}

// mostLength is a number that no length can exceed, control codes included.
func (r *Reader) mostLength() int { return r.limits.Size + controlEnd }

// expect announces n bytes of output.
func (r *Reader) expect(pending *int, n int) error {
	if n > r.limits.Size-r.produced {
		return fmt.Errorf("byte %d: %d bytes after %d of output, at most %d are allowed: %w", r.taken, n, r.produced, r.limits.Size, ErrLimit)
	}
	*pending = n
	return nil
}

// distance reads the distance of a match; 0 is a control code.
func (r *Reader) distance() (int, error) {
	b, err := r.plainByte()
	if err != nil || b < nearDistance {
		return int(b), err
	}
	high, err := r.number(2, MaxWindow>>7)
	if err != nil {
		return 0, err
	}
	return int(b&127) | high<<7 + nearDistance, nil
}

// number reads U(k). Numbers above most are ErrFormat.
func (r *Reader) number(k, most int) (int, error) {
	v := 0
	for {
		for i := range k {
			b, err := r.bit()
			if err != nil {
				return 0, err
			}
			// The groups come with the most significant first, the bits in them do not.
			if i == 0 {
				v <<= k
			}
			v += int(b) << i
		}
		more, err := r.bit()
		if err != nil {
			return 0, err
		}
		if v > most {
			return 0, fmt.Errorf("byte %d: number above %d: %w", r.taken, most, ErrFormat)
		}
		if more == 0 {
			return v, nil
		}
		v++
	}
}

func (r *Reader) bit() (uint, error) {
	if r.count == 0 {
		b, err := r.plainByte()
		if err != nil {
			return 0, err
		}
		r.bits, r.count = uint(b), 8
	}
	bit := r.bits & 1
	r.bits >>= 1
	r.count--
	return bit, nil
}

func (r *Reader) plainByte() (byte, error) {
	b, err := r.source.ReadByte()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("after %d bytes: %w", r.taken, ErrShort)
		}
		return 0, err
	}
	r.taken++
	return b, nil
}
