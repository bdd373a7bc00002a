package detools_test

import (
	"encoding/binary"
	"errors"
)

// Most patches that the format's authors ship are packed with lzma, which no small device unpacks and this
// package refuses. Tests unpack them, so that what is inside is tried as well.

var errLZMA = errors.New("not a stream of lzma")

// unlzma unpacks a stream of the old format ("alone"): properties, dictionary, size, range coder.
func unlzma(b []byte) (out []byte, err error) {
	defer func() { // bytes that are not there
		if recover() != nil {
			err = errLZMA
		}
	}()
	if len(b) < 18 || b[0] >= 9*5*5 {
		return nil, errLZMA
	}
	d := &unpacker{in: b[18:], code: binary.BigEndian.Uint32(b[14:]), width: 1<<32 - 1, probs: map[[3]int]uint16{}}
	return d.run(int(b[0])%9, int(b[0])/9%5, int(b[0])/45), nil
}

type unpacker struct {
	in          []byte
	code, width uint32
	probs       map[[3]int]uint16
}

// Kinds of probabilities, the first of three coordinates.
const (
	isMatch = iota
	isRep
	isRepG0
	isRepG1
	isRepG2
	isRep0Long
	literals
	slots
	special
	aligned
	lengths
	repLengths = lengths + 10
)

func (d *unpacker) fill() {
	if d.width < 1<<24 {
		d.width <<= 8
		d.code = d.code<<8 | uint32(d.in[0])
		d.in = d.in[1:]
	}
}

func (d *unpacker) bit(kind, a, b int) int {
	d.fill()
	key := [3]int{kind, a, b}
	p, ok := d.probs[key]
	if !ok {
		p = 1 << 10
	}
	bound := d.width >> 11 * uint32(p)
	if d.code < bound {
		d.width = bound
		d.probs[key] = p + (1<<11-p)>>5
		return 0
	}
	d.code -= bound
	d.width -= bound
	d.probs[key] = p - p>>5
	return 1
}

// tree reads bits, most significant first.
func (d *unpacker) tree(kind, a, bits int) int {
	m := 1
	for range bits {
		m = m<<1 | d.bit(kind, a, m)
	}
	return m - 1<<bits
}

// reverse reads bits, least significant first; from is the first of the tree.
func (d *unpacker) reverse(kind, a, bits int) int {
	m, v := 1, 0
	for i := range bits {
		b := d.bit(kind, a, m)
		m = m<<1 | b
		v |= b << i
	}
	return v
}

func (d *unpacker) direct(bits int) int {
	v := 0
	for range bits {
		d.fill()
		d.width >>= 1
		v <<= 1
		if d.code >= d.width {
			d.code -= d.width
			v |= 1
		}
	}
	return v
}

func (d *unpacker) length(kind, posState int) int {
	switch {
	case d.bit(kind, 0, 0) == 0:
		return 2 + d.tree(kind+1, posState, 3)
	case d.bit(kind, 0, 1) == 0:
		return 10 + d.tree(kind+2, posState, 3)
	}
	return 18 + d.tree(kind+3, 0, 8)
}

func (d *unpacker) distance(length int) (int, bool) {
	slot := d.tree(slots, min(length-2, 3), 6)
	if slot < 4 {
		return slot, true
	}
	n := slot>>1 - 1
	v := (2 | slot&1) << n
	if slot < 14 {
		return v + d.reverse(special, slot, n), true
	}
	v += d.direct(n-4) << 4
	v += d.reverse(aligned, 0, 4)
	return v, v != 1<<32-1
}

func (d *unpacker) run(lc, lp, pb int) []byte {
	var out []byte
	state := 0
	var reps [4]int
	for {
		posState := len(out) & (1<<pb - 1)
		if d.bit(isMatch, state, posState) == 0 {
			before := 0
			if len(out) > 0 {
				before = int(out[len(out)-1])
			}
			context := (len(out)&(1<<lp-1))<<lc | before>>(8-lc)
			symbol := 1
			if state >= 7 {
				match := int(out[len(out)-1-reps[0]])
				for symbol < 0x100 {
					matched := match >> 7 & 1
					match <<= 1
					b := d.bit(literals, context, (1+matched)<<8|symbol)
					symbol = symbol<<1 | b
					if matched != b {
						break
					}
				}
			}
			for symbol < 0x100 {
				symbol = symbol<<1 | d.bit(literals, context, symbol)
			}
			out = append(out, byte(symbol))
			state = [12]int{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5}[state]
			continue
		}
		var n int
		if d.bit(isRep, state, 0) == 0 {
			reps[3], reps[2], reps[1] = reps[2], reps[1], reps[0]
			n = d.length(lengths, posState)
			state = [12]int{7, 7, 7, 7, 7, 7, 7, 10, 10, 10, 10, 10}[state]
			var more bool
			if reps[0], more = d.distance(n); !more {
				return out
			}
		} else {
			k := 0
			switch {
			case d.bit(isRepG0, state, 0) == 0:
				if d.bit(isRep0Long, state, posState) == 0 {
					out = append(out, out[len(out)-1-reps[0]])
					state = [12]int{9, 9, 9, 9, 9, 9, 9, 11, 11, 11, 11, 11}[state]
					continue
				}
			case d.bit(isRepG1, state, 0) == 0:
				k = 1
			default:
				k = 2 + d.bit(isRepG2, state, 0)
			}
			r := reps[k]
			copy(reps[1:], reps[:k])
			reps[0] = r
			n = d.length(repLengths, posState)
			state = [12]int{8, 8, 8, 8, 8, 8, 8, 11, 11, 11, 11, 11}[state]
		}
		for range n {
			out = append(out, out[len(out)-1-reps[0]])
		}
	}
}

// stored returns a patch that is packed with lzma as the same patch, stored. headerSize is what is ahead
// of the stream.
func stored(patch []byte, headerSize int) ([]byte, error) {
	plain, err := unlzma(patch[headerSize:])
	if err != nil {
		return nil, err
	}
	return append(append([]byte{patch[0] &^ 15}, patch[1:headerSize]...), plain...), nil
}
