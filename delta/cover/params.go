package cover

// Params are the costs by which Find and Greedy choose. The zero value is a good
// default for machine code and a compressed patch. Costs are in eighths of a bit;
// a zero cost stands for its default, a negative one for nothing at all.
type Params struct {
	// Switch is the cost of another alignment: the header of a cover. Default 320 (40 bits).
	Switch int

	// FirstMismatch is the cost of a byte that differs after one that did not. It ends
	// a run of zeros in the difference, which costs a token. Default 96 (12 bits).
	FirstMismatch int

	// Mismatch is the cost of each further byte that differs. Default 64 (8 bits).
	Mismatch int

	// Equal is the cost of a byte that does not differ. Default 0.
	Equal int

	// Literal is the cost of a byte outside of covers. Default 68 (8.5 bits).
	Literal int

	// Repeat is the cost of a byte that differs as in a period of 4, 8, 12 or 16 bytes
	// before: the entries of a table of addresses that moved. Compressors with a window
	// copy them; for others Mismatch or more turns it off. Default 2 (a quarter of a bit).
	Repeat int

	// Difference, if not nil, holds for each difference (new - old, modulo 256) what is
	// added to FirstMismatch or Mismatch; entry 0 is not used. Negative entries are
	// differences that the compressor has seen often.
	Difference *[256]int

	// Byte, if not nil, holds for each literal byte what is added to Literal.
	Byte *[256]int

	// MinLength is the number of equal bytes that make an alignment worth following.
	// Default 6, at least 4.
	MinLength int

	// Floor, if not nil, says which part of the old image is still there when the byte
	// newPos of the new image is written: bytes from Floor(newPos) on. It must not
	// decrease. In-place formats need it: HPatchLite has newPos - extra, detools a step
	// per segment.
	Floor func(newPos int) int
}

// Defaults of Params, in eighths of a bit, from a search over images for Cortex-M.
const (
	defaultSwitch        = 320
	defaultFirstMismatch = 96
	defaultMismatch      = 64
	defaultLiteral       = 68
	defaultRepeat        = 2
	defaultMinLength     = 6
)

// costs are Params with the defaults filled in and one table per kind of byte.
type costs struct {
	change  int
	equal   int
	first   [256]int // by difference
	further [256]int // by difference
	literal [256]int // by byte
	minimum int
	repeat  int
	floor   func(int) int
}

func (p Params) costs() *costs {
	c := &costs{
		change:  choose(p.Switch, defaultSwitch),
		equal:   choose(p.Equal, 0),
		repeat:  choose(p.Repeat, defaultRepeat),
		minimum: max(4, choose(p.MinLength, defaultMinLength)),
		floor:   p.Floor,
	}
	first := choose(p.FirstMismatch, defaultFirstMismatch)
	further := choose(p.Mismatch, defaultMismatch)
	literal := choose(p.Literal, defaultLiteral)
	for v := range 256 {
		c.first[v], c.further[v], c.literal[v] = first, further, literal
		if p.Difference != nil {
			c.first[v] = max(0, first+p.Difference[v])
			c.further[v] = max(0, further+p.Difference[v])
		}
		if p.Byte != nil {
			c.literal[v] = max(0, literal+p.Byte[v])
		}
	}
	return c
}

// choose gives the value that a cost stands for.
func choose(v, standard int) int {
	switch {
	case v == 0:
		return standard
	case v < 0:
		return 0
	}
	return v
}
