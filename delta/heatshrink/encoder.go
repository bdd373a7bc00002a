package heatshrink

// Append appends src, packed, to dst. No other sequence of tokens for the same pair is shorter.
//
// All back-references cost the same, and what follows a longer one never costs more than what follows a
// shorter one (drop the first byte of the shorter one's tail). So only the longest match counts at each
// byte, and a walk from the end to the start decides there: literal or longest match.
//
//	bits(i) = min(9 + bits(i+1), 1+w+l + bits(i+longest(i)))
func Append(dst, src []byte, p Params) ([]byte, error) {
	if err := p.Check(); err != nil {
		return dst, err
	}
	return NewMatches(src, p.Window).Append(dst, p.Lookahead)
}

// Bits returns the size that Append would give src, in bits before padding.
func Bits(src []byte, p Params) (int, error) {
	if err := p.Check(); err != nil {
		return 0, err
	}
	return NewMatches(src, p.Window).Bits(p.Lookahead)
}

// Estimate is about what Bits returns, and never less. It is for searches that weigh one patch against
// another, very often: it looks at few places for each byte, and at 4 KiB of large windows.
func Estimate(src []byte, p Params) (bits int, err error) {
	if err := p.Check(); err != nil {
		return 0, err
	}
	m := &Matches{src: src, window: min(p.Window, 12)}
	m.search(few)
	return int(m.parse(p)[0]), nil
}

// Matches holds the longest match at every byte of one input for one window, so that several lookaheads
// are tried for the price of one search. It takes 7 bytes for each byte of input, and 13 more while it is made.
type Matches struct {
	src      []byte
	window   int
	length   []int32  // longest match that some lookahead can use; 0: none that pays
	distance []uint16 // of that match, minus one
}

// NewMatches searches src. The window must be one of 4..15; any other finds nothing and is refused by
// the methods.
func NewMatches(src []byte, window int) *Matches {
	m := &Matches{src: src, window: window}
	if (Params{Window: window, Lookahead: 3}).Check() == nil {
		m.search(all(window))
	}
	return m
}

// QuickMatches is NewMatches with the effort of Estimate. Methods return about what they would of all matches.
func QuickMatches(src []byte, window int) *Matches {
	m := &Matches{src: src, window: window}
	if (Params{Window: window, Lookahead: 3}).Check() == nil {
		m.search(few)
	}
	return m
}

// Bits returns the size of the packed input in bits, before padding.
func (m *Matches) Bits(lookahead int) (int, error) {
	p := Params{Window: m.window, Lookahead: lookahead}
	if err := p.Check(); err != nil {
		return 0, err
	}
	return int(m.parse(p)[0]), nil
}

// Append appends the packed input to dst.
func (m *Matches) Append(dst []byte, lookahead int) ([]byte, error) {
	p := Params{Window: m.window, Lookahead: lookahead}
	if err := p.Check(); err != nil {
		return dst, err
	}
	bits := m.parse(p)
	out := bitWriter{b: dst}
	for i := 0; i < len(m.src); {
		n := min(int(m.length[i]), 1<<p.Lookahead)
		if n > 0 && bits[i] == bits[i+n]+int32(p.tokenBits()) {
			out.put(uint32(m.distance[i])<<p.Lookahead|uint32(n-1), p.tokenBits())
			i += n
			continue
		}
		out.put(1<<8|uint32(m.src[i]), literalBits)
		i++
	}
	return out.close(), nil
}

// Best returns the lookahead with the smallest result, the shortest of equals, and its bits.
func (m *Matches) Best() (lookahead, bits int, err error) {
	for l := 3; l < max(m.window, 4); l++ {
		n, err := m.Bits(l)
		if err != nil {
			return 0, 0, err
		}
		if lookahead == 0 || n < bits {
			lookahead, bits = l, n
		}
	}
	return lookahead, bits, nil
}

// parse returns the bits that each tail of the input costs; one more than bytes of input.
func (m *Matches) parse(p Params) []int32 {
	bits := make([]int32, len(m.src)+1)
	token, most := int32(p.tokenBits()), int32(1)<<p.Lookahead
	for i := len(m.src) - 1; i >= 0; i-- {
		bits[i] = bits[i+1] + literalBits
		if n := min(m.length[i], most); n > 0 {
			bits[i] = min(bits[i], bits[i+int(n)]+token)
		}
	}
	return bits
}

// bitWriter puts the most significant bit first.
type bitWriter struct {
	b    []byte
	acc  uint64
	held int
}

func (w *bitWriter) put(v uint32, n int) {
	w.acc = w.acc<<n | uint64(v)
	for w.held += n; w.held >= 8; w.held -= 8 {
		w.b = append(w.b, byte(w.acc>>(w.held-8)))
	}
}

func (w *bitWriter) close() []byte {
	if w.held > 0 {
		w.b = append(w.b, byte(w.acc<<(8-w.held)))
		w.held = 0
	}
	return w.b
}
