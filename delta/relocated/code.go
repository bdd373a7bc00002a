package relocated

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// version of the encoding, in the upper half of the first byte.
const version = 1

// hasRAM in the first byte says that there is a second list of segments.
const hasRAM = 0x01

// ramUnit is the unit of the size of RAM.
const ramUnit = 256

// maxShift is the largest unit that a list of segments may use: 2^15.
const maxShift = 15

// Errors.
var (
	ErrShort   = errors.New("relocated: map cut off")
	ErrUnknown = errors.New("relocated: map of another version")
	ErrRange   = errors.New("relocated: value out of range")
)

// AppendBinary appends the encoding of m to b. It returns ErrRange, and b unchanged, for a
// map that is not in order.
func (m Map) AppendBinary(b []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return b, err
	}
	first := byte(version << 4)
	if len(m.R) > 0 {
		first |= hasRAM
	}
	b = append(b, first)
	b = appendBase(b, m.FlashBase)
	b = appendSegments(b, m.F)
	if len(m.R) > 0 {
		b = appendBase(b, m.RAMBase)
		b = appendVarint(b, m.RAMSize/ramUnit)
		b = appendSegments(b, m.R)
	}
	return b, nil
}

// Parse reads a map from the beginning of b and returns what follows it. It returns
// ErrShort, ErrUnknown or ErrRange; a map has one encoding, and others are refused too.
// The map takes no more memory than four times b.
func Parse(b []byte) (Map, []byte, error) {
	p := parser{rest: b}
	first := p.byte()
	if p.err == nil && (first>>4 != version || first&0x0f&^hasRAM != 0) {
		return Map{}, nil, fmt.Errorf("map begins with %#02x: %w", first, ErrUnknown)
	}
	var m Map
	m.FlashBase = p.base()
	m.F = p.segments()
	if p.err == nil && first&hasRAM != 0 {
		m.RAMBase = p.base()
		if units := p.varint(); units <= math.MaxUint32/ramUnit {
			m.RAMSize = units * ramUnit
		} else {
			p.fail("size of RAM", ErrRange)
		}
		m.R = p.segments()
		if p.err == nil && len(m.R) == 0 {
			p.fail("R without segments", ErrRange)
		}
	}
	if p.err != nil {
		return Map{}, nil, fmt.Errorf("map at %d: %w", len(b)-len(p.rest), p.err)
	}
	if err := m.check(); err != nil {
		return Map{}, nil, err
	}
	return m, p.rest, nil
}

// appendBase writes an address as a shift and an odd number: bases of flash and RAM are
// round, and take two or three bytes.
func appendBase(b []byte, address uint32) []byte {
	shift := 0
	if address != 0 {
		shift = bits.TrailingZeros32(address)
	}
	return appendVarint(append(b, byte(shift)), address>>shift)
}

// units are what starts and deltas of a list are multiples of: 2 to the power of these.
type units struct{ start, delta int }

// unitsOf returns the largest units that a list can be written in.
func unitsOf(segments []Segment) units {
	var starts, deltas uint32
	for _, s := range segments {
		starts |= s.Start
		deltas |= uint32(s.Delta)
	}
	return units{shiftOf(starts), shiftOf(deltas)}
}

// append writes what s adds to the segment before it.
func (u units) append(b []byte, before, s Segment) []byte {
	b = appendVarint(b, (s.Start-before.Start)>>u.start)
	return appendVarint(b, zigzag((s.Delta-before.Delta)>>u.delta))
}

// size returns how many bytes the list takes from i on, up to the segment end included, if
// segments[i:end] are replaced by others.
func (u units) size(segments []Segment, i, end int, others []Segment) int {
	var buffer [16]byte
	var before Segment
	if i > 0 {
		before = segments[i-1]
	}
	n := 0
	for _, s := range others {
		n += len(u.append(buffer[:0], before, s))
		before = s
	}
	if end < len(segments) {
		n += len(u.append(buffer[:0], before, segments[end]))
	}
	return n
}

// appendSegments writes the number of segments and, if there are any, their units and
// what each adds to the one before.
func appendSegments(b []byte, segments []Segment) []byte {
	b = appendVarint(b, uint32(len(segments)))
	if len(segments) == 0 {
		return b
	}
	u := unitsOf(segments)
	b = append(b, byte(u.delta<<4|u.start))
	before := Segment{}
	for _, s := range segments {
		b = u.append(b, before, s)
		before = s
	}
	return b
}

// shiftOf returns how many low bits are zero in all numbers whose union is given.
func shiftOf(union uint32) int { return min(maxShift, bits.TrailingZeros32(union)) }

// zigzag maps 0, -1, 1, -2, ... to 0, 1, 2, 3, ...
func zigzag(v int32) uint32 { return uint32(v<<1) ^ uint32(v>>31) }

func unzigzag(u uint32) int32 { return int32(u>>1) ^ -int32(u&1) }

// appendVarint writes groups of seven bits, least significant first; bit 7 says that
// another one follows.
func appendVarint(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// parser reads the parts of a map. After the first error it returns zeros.
type parser struct {
	rest []byte
	err  error
}

func (p *parser) fail(what string, err error) {
	if p.err == nil {
		p.err = fmt.Errorf("%s: %w", what, err)
	}
}

func (p *parser) byte() byte {
	if p.err != nil {
		return 0
	}
	if len(p.rest) == 0 {
		p.fail("a byte is missing", ErrShort)
		return 0
	}
	v := p.rest[0]
	p.rest = p.rest[1:]
	return v
}

// varint reads a number of at most 32 bits in no more bytes than it needs.
func (p *parser) varint() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := p.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 != 0 {
			continue
		}
		if v > math.MaxUint32 || c == 0 && shift > 0 {
			break
		}
		return uint32(v)
	}
	p.fail("number of more than 32 bits, or with bytes to spare", ErrRange)
	return 0
}

// shifted reads a number in units of 2^shift, of at most 32 bits.
func (p *parser) shifted(shift byte) uint32 {
	v := p.varint()
	if bits.Len32(v)+int(shift) > 32 {
		p.fail("number of more than 32 bits", ErrRange)
		return 0
	}
	return v << shift
}

func (p *parser) base() uint32 {
	shift := p.byte()
	odd := p.varint()
	if shift > 31 || bits.Len32(odd)+int(shift) > 32 || odd&1 == 0 && (odd != 0 || shift != 0) {
		p.fail("base address", ErrRange)
		return 0
	}
	return odd << shift
}

func (p *parser) segments() []Segment {
	n := p.varint()
	if p.err != nil || n == 0 {
		return nil
	}
	shifts := p.byte()
	startShift, deltaShift := shifts&0x0f, shifts>>4
	if uint64(n) > uint64(len(p.rest)/2) {
		p.fail(fmt.Sprintf("%d segments in %d bytes", n, len(p.rest)), ErrShort)
		return nil
	}
	segments := make([]Segment, n)
	var before Segment
	for i := range segments {
		start := p.shifted(startShift)
		delta := unzigzag(p.varint())
		if p.err != nil {
			return nil
		}
		next := before
		next.Start += start
		next.Delta += delta << deltaShift
		if next.Start < before.Start || delta<<deltaShift>>deltaShift != delta {
			p.fail(fmt.Sprintf("segment %d", i), ErrRange)
			return nil
		}
		segments[i], before = next, next
	}
	if u := unitsOf(segments); u.start != int(startShift) || u.delta != int(deltaShift) {
		p.fail("units smaller than they could be", ErrRange)
		return nil
	}
	return segments
}
