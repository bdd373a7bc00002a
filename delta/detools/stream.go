package detools

import (
	"errors"
	"fmt"
	"io"

	"github.com/starling-fuota/starling/delta/crle"
	"github.com/starling-fuota/starling/delta/heatshrink"
)

// Limits bound what a decoder takes on because of a patch. The zero value stands for DefaultLimits.
type Limits struct {
	Image  int // bytes of the new image, and of the memory of an in-place patch
	Window int // RAM for the window of heatshrink, as the exponent of two: 4..15

	// Heatshrink is the pair that a decoder with static memory was built for: no other is taken.
	// Zero: every pair within Window.
	Heatshrink heatshrink.Params
}

// DefaultLimits are those of a decoder on a computer.
var DefaultLimits = Limits{Image: 64 << 20, Window: 15}

func (l Limits) withDefaults() Limits {
	if l.Image <= 0 {
		l.Image = DefaultLimits.Image
	}
	if l.Window <= 0 {
		l.Window = DefaultLimits.Window
	}
	return l
}

// source is the patch as it arrives, one byte at a time.
type source struct {
	r    io.Reader
	buf  [256]byte
	held []byte
	at   int64
	err  error
}

// ReadByte implements io.ByteReader.
func (s *source) ReadByte() (byte, error) {
	if len(s.held) == 0 && s.err == nil {
		var n int
		for tries := 0; n == 0 && s.err == nil; tries++ {
			if n, s.err = s.r.Read(s.buf[:]); tries == 100 {
				s.err = io.ErrNoProgress
			}
		}
		s.held = s.buf[:n]
	}
	if len(s.held) == 0 {
		return 0, s.err
	}
	b := s.held[0]
	s.held = s.held[1:]
	s.at++
	return b, nil
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	for n := range p {
		b, err := s.ReadByte()
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		p[n] = b
	}
	return len(p), nil
}

// wrap adds the place in the patch, and makes what compressions and sources say one of the errors of
// this package.
func (s *source) wrap(err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = ErrTruncated
	case errors.Is(err, heatshrink.ErrTruncated) || errors.Is(err, crle.ErrTruncated) || errors.Is(err, heatshrink.ErrPadding):
		err = fmt.Errorf("%w: %w", err, ErrTruncated)
	case errors.Is(err, crle.ErrKind) || errors.Is(err, crle.ErrCount):
		err = fmt.Errorf("%w: %w", err, ErrFormat)
	}
	return fmt.Errorf("byte %d of the patch: %w", s.at, err)
}

// readHeader reads everything ahead of the stream, and the pair of heatshrink, which is its first byte.
func readHeader(s *source) (Info, error) {
	b, err := s.ReadByte()
	if err != nil {
		return Info{}, err
	}
	i := Info{Type: Type(b >> 4), Compression: Compression(b & 15)}
	fields := []*int{&i.ToSize}
	switch i.Type {
	case InPlace:
		fields = []*int{&i.Memory, &i.Segment, &i.Shift, &i.FromSize, &i.ToSize}
	case Sequential:
	case HDiffPatch:
	default:
		return i, supported(i.Type, i.Compression)
	}
	for _, f := range fields {
		if *f, err = readSize(s); err != nil {
			return i, err
		}
		if *f < 0 {
			return i, fmt.Errorf("a size of %d: %w", *f, ErrFormat)
		}
	}
	if err := i.check(); err != nil {
		return i, err
	}
	if i.Compression == Heatshrink && i.ToSize > 0 {
		if b, err = s.ReadByte(); err != nil {
			return i, err
		}
		if i.Heatshrink, err = heatshrink.ParseByte(b); err != nil {
			return i, fmt.Errorf("%w: %w", err, ErrFormat)
		}
	}
	return i, nil
}

// stream is the unpacked content of a patch.
type stream struct {
	Info
	src *source
	r   io.Reader
	buf [128]byte
	old [128]byte
}

// openStream reads the header and checks it against the limits before anything is set aside for it.
func openStream(patch io.Reader, limits Limits) (*stream, error) {
	s := &stream{src: &source{r: patch}}
	var err error
	if s.Info, err = readHeader(s.src); err != nil {
		return nil, s.src.wrap(err)
	}
	if err := supported(s.Type, s.Compression); err != nil {
		return nil, err
	}
	limits = limits.withDefaults()
	switch {
	case s.ToSize > limits.Image || s.Memory > limits.Image:
		return nil, fmt.Errorf("an image of %d bytes, memory of %d, limit %d: %w", s.ToSize, s.Memory, limits.Image, ErrLimit)
	case s.Heatshrink.Window > limits.Window:
		return nil, fmt.Errorf("heatshrink %v, limit is window %d: %w", s.Heatshrink, limits.Window, ErrLimit)
	case limits.Heatshrink != (heatshrink.Params{}) && s.Heatshrink != (heatshrink.Params{}) && s.Heatshrink != limits.Heatshrink:
		return nil, fmt.Errorf("heatshrink %v, the decoder is built for %v: %w", s.Heatshrink, limits.Heatshrink, ErrLimit)
	}
	s.r = s.src
	if s.ToSize == 0 {
		return s, nil
	}
	switch s.Compression {
	case CRLE:
		s.r = crle.NewReader(s.src)
	case Heatshrink:
		if s.r, err = heatshrink.NewReader(s.src, s.Heatshrink); err != nil {
			return nil, s.src.wrap(err)
		}
	}
	return s, nil
}

// ReadByte implements io.ByteReader for the unpacked content.
func (s *stream) ReadByte() (byte, error) {
	_, err := io.ReadFull(s.r, s.buf[:1])
	return s.buf[0], err
}

// image is where a part of the new image comes from and goes to: the whole of it, or one segment.
type image struct {
	size        int                             // bytes to be made
	from        int                             // where in the old image the first chunk begins
	floor, ceil int                             // old bytes that may be read
	read        func(old []byte, at int) error  // of the old image
	write       func(made []byte, at int) error // of this part
}

// build makes one image or segment: a data-format size of 0, and chunks until it is whole.
func (s *stream) build(m image) error {
	if err := s.chunks(m); err != nil {
		return s.src.wrap(err)
	}
	return nil
}

func (s *stream) chunks(m image) error {
	n, err := readSize(s)
	if err != nil {
		return err
	}
	if n != 0 {
		return fmt.Errorf("a data-format patch of %d bytes: %w", n, ErrUnsupported)
	}
	from := m.from
	idle := false
	for made := 0; made < m.size; {
		begin := made
		if err = s.part(m, &made, &from); err != nil {
			return fmt.Errorf("difference: %w", err)
		}
		if err = s.part(m, &made, nil); err != nil {
			return fmt.Errorf("extra data: %w", err)
		}
		if n, err = readSize(s); err != nil {
			return fmt.Errorf("adjustment: %w", err)
		}
		if made == m.size {
			break // where the old image would be read next is of no use, and some encoders write junk
		}
		// One chunk may only move; two in a row could go on for ever.
		if idle && made == begin {
			return fmt.Errorf("two chunks without data at byte %d of %d: %w", made, m.size, ErrFormat)
		}
		idle = made == begin
		if from += n; from < 0 {
			return fmt.Errorf("adjustment of %d to byte %d of the old image: %w", n, from, ErrBase)
		}
	}
	return nil
}

// part copies the differences (from is where in the old image) or the extra data (nil) of a chunk.
func (s *stream) part(m image, made, from *int) error {
	n, err := readSize(s)
	if err != nil {
		return err
	}
	if n < 0 || n > m.size-*made {
		return fmt.Errorf("%d bytes at byte %d of %d: %w", n, *made, m.size, ErrFormat)
	}
	if from != nil && n > 0 && (*from < m.floor || n > m.ceil-*from) {
		return fmt.Errorf("%d bytes at byte %d of the old image, where %d..%d can be read: %w", n, *from, m.floor, m.ceil, ErrBase)
	}
	for n > 0 {
		b := s.buf[:min(n, len(s.buf))]
		if _, err := io.ReadFull(s.r, b); err != nil {
			return err
		}
		if from != nil {
			old := s.old[:len(b)]
			if err := m.read(old, *from); err != nil {
				return err
			}
			for i := range b {
				b[i] += old[i]
			}
			*from += len(b)
		}
		if err := m.write(b, *made); err != nil {
			return err
		}
		*made += len(b)
		n -= len(b)
	}
	return nil
}

// end checks that nothing follows.
func (s *stream) end() error {
	_, err := s.ReadByte()
	switch {
	case err == nil:
		return fmt.Errorf("byte %d of the patch: data after the image is whole: %w", s.src.at, ErrFormat)
	case errors.Is(err, io.EOF):
		return nil
	case s.src.err != nil && !errors.Is(s.src.err, io.EOF):
		return s.src.wrap(err) // the patch could not be read
	}
	return fmt.Errorf("byte %d of the patch: after the image is whole: %w: %w", s.src.at, err, ErrFormat)
}
