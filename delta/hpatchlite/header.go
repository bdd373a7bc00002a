package hpatchlite

import (
	"errors"
	"fmt"
	"io"

	"github.com/starling-fuota/starling/delta/tinyuz"
)

// Info is what the header of a patch says.
type Info struct {
	Compression Compression
	InPlace     bool
	NewSize     int // bytes of the new image
	PayloadSize int // bytes of the payload when uncompressed; of a payload that is not compressed, 0
	Extra       int // bytes of output that the device holds back; 0 if not InPlace
	HeaderSize  int // bytes before the payload

	// Window is the dictionary in bytes, as a field of four bytes says it; 0 if there is
	// none. It is the RAM that the device gives to the decompressor.
	Window int
}

// Inspect reads the header of a patch. The dictionary size is taken to have four bytes.
func Inspect(patch []byte) (Info, error) { return InspectField(patch, 4) }

// InspectField is Inspect for a dictionary size of that many bytes, 1..4; 0 means 4.
func InspectField(patch []byte, dictField int) (Info, error) {
	if dictField < 0 || dictField > 4 {
		return Info{}, fmt.Errorf("dictionary size of %d bytes, not 1..4: %w", dictField, ErrRange)
	}
	if dictField == 0 {
		dictField = 4
	}
	h, rest, err := parseHeader(patch)
	if err != nil {
		return Info{}, err
	}
	if h.Compression == Tinyuz {
		if len(rest) < dictField {
			return Info{}, fmt.Errorf("dictionary size: %d bytes left: %w", len(rest), ErrShort)
		}
		window := uint(0)
		for i := range dictField {
			window |= uint(rest[i]) << (8 * i)
		}
		if window == 0 || window > tinyuz.MaxWindow {
			return Info{}, fmt.Errorf("dictionary of %d bytes: %w", window, ErrFormat)
		}
		h.Window = int(window)
	}
	return h, nil
}

func (h Info) append(b []byte) []byte {
	version := versionPlain
	if h.InPlace {
		version = versionInPlace
	}
	b = append(b, 'h', 'I', byte(h.Compression), byte(version<<6|width(h.PayloadSize)<<3|width(h.NewSize)))
	if h.InPlace {
		b = append(b, byte(width(h.Extra)))
	}
	b = appendSize(b, h.NewSize)
	b = appendSize(b, h.PayloadSize)
	if h.InPlace {
		b = appendSize(b, h.Extra)
	}
	return b
}

func parseHeader(patch []byte) (Info, []byte, error) {
	s := &byteSlice{b: patch}
	h, err := readHeader(s)
	return h, s.b[s.at:], err
}

// readHeader reads a header byte by byte, as a device does.
func readHeader(r io.ByteReader) (Info, error) {
	var h Info
	var fixed [4]byte
	for i := range fixed {
		b, err := next(r, "header")
		if err != nil {
			return h, err
		}
		fixed[i] = b
	}
	if fixed[0] != 'h' || fixed[1] != 'I' {
		return h, fmt.Errorf("begins with %q, not with \"hI\": %w", fixed[:2], ErrFormat)
	}
	h.HeaderSize = len(fixed)
	h.Compression = Compression(fixed[2])
	if h.Compression > Tinyuz {
		return h, fmt.Errorf("%v: %w", h.Compression, ErrUnsupported)
	}
	extraWidth := 0
	switch version := fixed[3] >> 6; version {
	case versionPlain:
	case versionInPlace:
		b, err := next(r, "size of extra")
		if err != nil {
			return h, err
		}
		h.InPlace = true
		h.HeaderSize++
		extraWidth = int(b)
	default:
		return h, fmt.Errorf("version %d: %w", version, ErrUnsupported)
	}
	for _, field := range []struct {
		name  string
		width int
		value *int
	}{
		{"size of the new image", int(fixed[3] & 7), &h.NewSize},
		{"size of the payload", int(fixed[3] >> 3 & 7), &h.PayloadSize},
		{"extra", extraWidth, &h.Extra},
	} {
		v, err := readSize(r, field.width, field.name)
		if err != nil {
			return h, err
		}
		*field.value = v
		h.HeaderSize += field.width
	}
	if h.NewSize > maxImage {
		return h, fmt.Errorf("new image of %d bytes: %w", h.NewSize, ErrFormat)
	}
	if (h.PayloadSize == 0) != (h.Compression == None) {
		return h, fmt.Errorf("payload of %d bytes with compression %v: %w", h.PayloadSize, h.Compression, ErrFormat)
	}
	return h, nil
}

func readSize(r io.ByteReader, width int, name string) (int, error) {
	if width > 4 {
		return 0, fmt.Errorf("%s has %d bytes, at most 4: %w", name, width, ErrFormat)
	}
	v := 0
	for k := range width {
		b, err := next(r, name)
		if err != nil {
			return 0, err
		}
		v |= int(b) << (8 * k)
		if k == width-1 && b == 0 {
			return 0, fmt.Errorf("%s %d needs fewer than %d bytes: %w", name, v, width, ErrFormat)
		}
	}
	return v, nil
}

// next reads a byte of what.
func next(r io.ByteReader, what string) (byte, error) {
	b, err := r.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("%s: %w", what, ErrShort)
	}
	return b, err
}

// byteSlice reads from memory.
type byteSlice struct {
	b  []byte
	at int
}

func (s *byteSlice) ReadByte() (byte, error) {
	if s.at == len(s.b) {
		return 0, io.EOF
	}
	s.at++
	return s.b[s.at-1], nil
}

func (s *byteSlice) Read(p []byte) (int, error) {
	if s.at == len(s.b) {
		return 0, io.EOF
	}
	n := copy(p, s.b[s.at:])
	s.at += n
	return n, nil
}
