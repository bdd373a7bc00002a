package hpatchlite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/starling-fuota/starling/delta/tinyuz"
)

// Limits bound what is done for a patch that somebody else made.
type Limits struct {
	// Size is the largest new image, in bytes; 0 means 16 MiB.
	Size int

	// Window is the largest dictionary, in bytes; 0 means that of tinyuz. What is taken
	// never exceeds the output of the decompressor so far.
	Window int

	// Extra is the most bytes of output that are held back in place; 0 means Size.
	Extra int

	// DictField is the number of bytes of the dictionary size, 1..4; 0 means 4.
	DictField int
}

const defaultSize = 16 << 20

func (l Limits) complete() Limits {
	if l.Size == 0 {
		l.Size = defaultSize
	}
	if l.Extra == 0 {
		l.Extra = l.Size
	}
	return l
}

// Decode returns the new image that patch makes of old.
func Decode(old, patch []byte, limits Limits) ([]byte, error) {
	var out bytes.Buffer
	if err := Apply(bytes.NewReader(old), int64(len(old)), &byteSlice{b: patch}, &out, limits); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// pieceSize is the memory for old bytes on their way, as on a device.
const pieceSize = 256

// Apply writes to out what patch makes of old, which has oldSize bytes. Besides the
// dictionary it takes some hundred bytes of memory: it shows how a device does it. The
// patch must end where its payload ends. What was written before an error is of no use.
func Apply(old io.ReaderAt, oldSize int64, patch io.Reader, out io.Writer, limits Limits) error {
	source, ok := patch.(byteSource)
	if !ok {
		source = bufio.NewReader(patch)
	}
	h, err := readHeader(source)
	if err != nil {
		return err
	}
	return apply(h, old, oldSize, source, out, limits)
}

// byteSource is an io.Reader that can be read byte by byte without taking more.
type byteSource interface {
	io.Reader
	io.ByteReader
}

func apply(h Info, old io.ReaderAt, oldSize int64, source byteSource, out io.Writer, limits Limits) error {
	limits = limits.complete()
	switch {
	case h.NewSize > limits.Size:
		return fmt.Errorf("new image of %d bytes, at most %d are allowed: %w", h.NewSize, limits.Size, ErrLimit)
	case h.Extra > limits.Extra:
		return fmt.Errorf("%d bytes held back, at most %d are allowed: %w", h.Extra, limits.Extra, ErrLimit)
	}
	a := &applier{header: h, old: old, oldSize: int(min(oldSize, maxNumber)), out: out, payload: source}
	if h.Compression == Tinyuz {
		r, err := tinyuz.NewReader(source, tinyuz.Limits{Window: limits.Window, Size: h.PayloadSize, DictField: limits.DictField})
		if err != nil {
			return decompressed(err)
		}
		a.payload = bufio.NewReaderSize(r, pieceSize)
	}
	if err := a.covers(); err != nil {
		return decompressed(err)
	}

	// Nothing may follow: neither in the payload, nor behind its end marker.
	if h.Compression == Tinyuz {
		if a.taken != h.PayloadSize {
			return fmt.Errorf("payload of %d bytes, %d of them are used: %w", h.PayloadSize, a.taken, ErrFormat)
		}
		if _, err := a.payload.ReadByte(); !errors.Is(err, io.EOF) {
			return decompressed(fmt.Errorf("no end after the last cover: %w", errors.Join(err, ErrFormat)))
		}
	}
	if _, err := source.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("bytes after the end: %w", ErrFormat)
	}
	return nil
}

// decompressed makes an error of the decompressor one of this package, too.
func decompressed(err error) error {
	for theirs, ours := range map[error]error{
		tinyuz.ErrFormat: ErrFormat,
		tinyuz.ErrShort:  ErrShort,
		tinyuz.ErrLimit:  ErrLimit,
		tinyuz.ErrRange:  ErrRange,
	} {
		if errors.Is(err, theirs) {
			return fmt.Errorf("payload: %w: %w", err, ours)
		}
	}
	return err
}

// applier goes through a payload.
type applier struct {
	header  Info
	old     io.ReaderAt
	oldSize int
	out     io.Writer
	payload byteSource
	taken   int // bytes of the payload

	oldEnd, newEnd int // ends of the last cover
	piece, differs [pieceSize]byte
}

func (a *applier) covers() error {
	count, err := a.number("number of covers")
	if err != nil {
		return err
	}
	if count == 0 && a.header.NewSize > 0 {
		return fmt.Errorf("no covers for %d bytes: %w", a.header.NewSize, ErrFormat)
	}
	for i := range count {
		if err := a.cover(i == count-1); err != nil {
			return fmt.Errorf("cover %d of %d: %w", i, count, err)
		}
	}
	if a.newEnd != a.header.NewSize {
		return fmt.Errorf("covers end at %d of %d bytes: %w", a.newEnd, a.header.NewSize, ErrFormat)
	}
	return nil
}

func (a *applier) cover(last bool) error {
	length, err := a.number("length")
	if err != nil {
		return err
	}
	distance, same, err := a.tag()
	if err != nil {
		return err
	}
	gap, err := a.number("gap")
	if err != nil {
		return err
	}
	room := a.header.NewSize - a.newEnd
	switch oldPos := a.oldEnd + distance; {
	case length == 0 && !last:
		return fmt.Errorf("length 0: %w", ErrFormat)
	case gap > room || length > room-gap:
		return fmt.Errorf("gap %d and length %d, %d bytes are left: %w", gap, length, room, ErrFormat)
	case oldPos < 0 || oldPos > a.oldSize || length > a.oldSize-oldPos:
		return fmt.Errorf("%d bytes from %d of an old image of %d bytes: %w", length, oldPos, a.oldSize, ErrBase)
	case a.header.InPlace && length > 0 && oldPos+a.header.Extra < a.newEnd+gap:
		return fmt.Errorf("old bytes from %d for new bytes from %d with %d held back: %w", oldPos, a.newEnd+gap, a.header.Extra, ErrInPlace)
	default:
		a.oldEnd = oldPos
	}
	if err := a.literal(gap); err != nil {
		return err
	}
	if err := a.copied(length, same); err != nil {
		return err
	}
	a.oldEnd += length
	a.newEnd += gap + length
	return nil
}

// literal writes gap bytes of the payload.
func (a *applier) literal(gap int) error {
	for gap > 0 {
		p := a.piece[:min(gap, pieceSize)]
		if err := a.read(p, "literal"); err != nil {
			return err
		}
		if _, err := a.out.Write(p); err != nil {
			return err
		}
		gap -= len(p)
	}
	return nil
}

// copied writes length old bytes from oldEnd on, and the difference on top of them.
func (a *applier) copied(length int, same bool) error {
	for from := a.oldEnd; length > 0; {
		p := a.piece[:min(length, pieceSize)]
		if n, err := a.old.ReadAt(p, int64(from)); n < len(p) {
			return fmt.Errorf("old image at %d: %w", from, err)
		}
		if !same {
			d := a.differs[:len(p)]
			if err := a.read(d, "difference"); err != nil {
				return err
			}
			for i := range p {
				p[i] += d[i]
			}
		}
		if _, err := a.out.Write(p); err != nil {
			return err
		}
		from += len(p)
		length -= len(p)
	}
	return nil
}

func (a *applier) read(p []byte, what string) error {
	n, err := io.ReadFull(a.payload, p)
	a.taken += n
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: %w", what, ErrShort)
	}
	return err
}

// number reads a varint of at most 32 bits.
func (a *applier) number(what string) (int, error) {
	v, err := a.groups(0, what)
	if err != nil {
		return 0, err
	}
	return v, nil
}

// groups reads groups of seven bits that continue v.
func (a *applier) groups(v int, what string) (int, error) {
	for first := v == 0; ; first = false {
		b, err := next(a.payload, what)
		if err != nil {
			return 0, err
		}
		a.taken++
		if first && b == 0x80 {
			return 0, fmt.Errorf("%s begins with an empty group: %w", what, ErrFormat)
		}
		if v > maxNumber>>7 {
			return 0, fmt.Errorf("%s has more than 32 bits: %w", what, ErrFormat)
		}
		v = v<<7 | int(b&0x7f)
		if b&0x80 == 0 {
			return v, nil
		}
	}
}

func (a *applier) tag() (distance int, same bool, err error) {
	b, err := next(a.payload, "tag")
	if err != nil {
		return 0, false, err
	}
	a.taken++
	distance = int(b & (1<<tagBits - 1))
	if b&tagMore != 0 {
		if distance, err = a.groups(distance, "distance"); err != nil {
			return 0, false, err
		}
	}
	if b&tagNegative != 0 {
		distance = -distance
	}
	return distance, b&tagSame != 0, nil
}
