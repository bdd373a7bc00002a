package tinyuz

import "fmt"

// Options say what the decoder of a device can do.
type Options struct {
	// Window is the size of the dictionary in bytes, 1..MaxWindow. It is the RAM that
	// decoding takes; a shorter output needs no more than its length.
	Window int

	// LiteralLine says that the decoder knows literal lines: a build option there.
	LiteralLine bool

	// DictField is the number of bytes of the dictionary size, 1..4; 0 means 4.
	DictField int
}

// complete checks the options for data of size bytes and fills in what they leave out.
func (o Options) complete(size int) (Options, error) {
	if o.DictField == 0 {
		o.DictField = 4
	}
	if o.DictField < 1 || o.DictField > 4 {
		return o, fmt.Errorf("dictionary size field of %d bytes, not 1..4: %w", o.DictField, ErrRange)
	}
	if o.Window < 1 || o.Window > MaxWindow {
		return o, fmt.Errorf("dictionary of %d bytes, not 1..%d: %w", o.Window, MaxWindow, ErrRange)
	}
	o.Window = max(1, min(o.Window, size))
	if o.DictField < 4 && o.Window >= 1<<(8*o.DictField) {
		return o, fmt.Errorf("dictionary of %d bytes does not fit %d bytes of size: %w", o.Window, o.DictField, ErrRange)
	}
	return o, nil
}

// Encode returns the stream of data. The same data and options give the same bytes.
func Encode(data []byte, o Options) ([]byte, error) { return encode(data, o, thorough) }

// EncodeFast is Encode in half of the time, for large data: differences of firmware get larger
// by less than a tenth of a per cent.
func EncodeFast(data []byte, o Options) ([]byte, error) { return encode(data, o, fast) }

// EncodeQuick is Encode with less search: some ten times as fast, and larger by some
// per cent. It serves to compare ways to make the data.
func EncodeQuick(data []byte, o Options) ([]byte, error) { return encode(data, o, quick) }

// EncodeRough is EncodeQuick in half of the time, to compare large data.
func EncodeRough(data []byte, o Options) ([]byte, error) { return encode(data, o, rough) }

func encode(data []byte, o Options, e effort) ([]byte, error) {
	o, err := o.complete(len(data))
	if err != nil {
		return nil, err
	}
	tokens, bits := newParser(data, o, e).parse(0)
	out := make([]byte, 0, o.DictField+bits/8+2)
	for k := range o.DictField {
		out = append(out, byte(o.Window>>(8*k)))
	}
	return write(out, data, tokens), nil
}

// Cost returns how many bits the tokens of data[from:] take if data[:from] came before,
// as EncodeQuick would find them. The state of the decoder at from is taken as that of
// the beginning.
func Cost(data []byte, from int, o Options) (int, error) {
	o, err := o.complete(len(data))
	if err != nil {
		return 0, err
	}
	if from < 0 || from > len(data) {
		return 0, fmt.Errorf("cost from %d of %d bytes: %w", from, len(data), ErrRange)
	}
	_, bits := newParser(data, o, quick).parse(from)
	return bits, nil
}

func write(out, data []byte, tokens []token) []byte {
	w := newBitWriter(out)
	s := state{last: 1}
	at := 0
	for _, t := range tokens {
		here := data[at : at+int(t.length)]
		switch {
		case t.line:
			w.control(controlLine, s.literal)
			w.number(int(t.length)-minLine, 2)
			w.plain(here...)
		case t.distance == 0:
			w.bit(1)
			w.plain(here...)
		default:
			w.bit(0)
			coded := int(t.length) - minMatch
			if !t.repeat && t.distance > farDistance {
				coded--
			}
			w.number(coded, 1)
			if s.literal {
				if t.repeat {
					w.bit(1)
				} else {
					w.bit(0)
				}
			}
			if !t.repeat {
				w.distance(int(t.distance))
			}
		}
		s = s.after(t)
		at += int(t.length)
	}
	w.control(controlEnd, s.literal)
	return w.out
}
