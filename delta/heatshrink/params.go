package heatshrink

import (
	"errors"
	"fmt"
)

// Errors of the package. Those of a decoder are wrapped with the place where the stream went wrong.
var (
	ErrParams    = errors.New("heatshrink: no such window and lookahead")
	ErrTruncated = errors.New("heatshrink: stream ends inside a token")
	ErrPadding   = errors.New("heatshrink: padding is not zero")
)

// Params is the pair that encoder and decoder must share. Both are exponents of two.
type Params struct {
	Window    int // 4..15: the decoder keeps the last 2^Window bytes
	Lookahead int // 3..Window-1: a back-reference copies at most 2^Lookahead bytes
}

// Default is what most devices are built with: 256 bytes of window, copies of up to 128.
var Default = Params{Window: 8, Lookahead: 7}

// Check returns ErrParams unless the pair is one that decoders know.
func (p Params) Check() error {
	if p.Window < 4 || p.Window > 15 || p.Lookahead < 3 || p.Lookahead >= p.Window {
		return fmt.Errorf("window %d, lookahead %d: want window 4..15 and lookahead 3..window-1: %w", p.Window, p.Lookahead, ErrParams)
	}
	return nil
}

// String returns the pair as users of the format write it: "w8 l7".
func (p Params) String() string { return fmt.Sprintf("w%d l%d", p.Window, p.Lookahead) }

// Byte returns the pair as one byte, window-4 above lookahead-3, as detools puts it ahead of a stream.
// The pair must be one that Check takes.
func (p Params) Byte() byte { return byte(p.Window-4)<<4 | byte(p.Lookahead-3) }

// ParseByte reads what Byte wrote.
func ParseByte(b byte) (Params, error) {
	p := Params{Window: int(b>>4) + 4, Lookahead: int(b&15) + 3}
	return p, p.Check()
}

// tokenBits is the size of a back-reference.
func (p Params) tokenBits() int { return 1 + p.Window + p.Lookahead }

// literalBits is the size of a literal.
const literalBits = 9
