package fec

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
)

// Choice is how a block is cut.
type Choice struct {
	FragSize int  // bytes, 1..255
	NbFrag   int  // uncoded fragments, 1..MaxFragments
	Padding  int  // zero bytes at the end of the last fragment, 0..254
	Weak     bool // NbFrag is a weak count, and no other was possible
}

// Option narrows ChooseFragSize.
type Option func(*chooser)

type chooser struct {
	multiple int
	strict   bool // no other size than a multiple
	minSize  int
	room     int
	limits   Limits
}

// Multiple prefers a FragSize that is a multiple of n bytes: the flash of many devices is
// written in words of 4 or 8. It is a preference: rather than a weak count, another size.
func Multiple(n int) Option { return func(c *chooser) { c.multiple = max(n, 1) } }

// MultipleOf demands a FragSize that is a multiple of n bytes, whatever becomes of the
// count: some decoders write fragments to flash as they come.
func MultipleOf(n int) Option {
	return func(c *chooser) { c.multiple, c.strict = max(n, 1), true }
}

// MinFragSize demands a FragSize of at least n bytes.
func MinFragSize(n int) Option { return func(c *chooser) { c.minSize = n } }

// Within demands that a decoder with limits l takes the session.
func Within(l Limits) Option { return func(c *chooser) { c.limits = l } }

// Room keeps n fragment numbers free for coded fragments.
func Room(n int) Option { return func(c *chooser) { c.room = max(n, 0) } }

// ChooseFragSize returns how to cut a block of blockLen bytes so that a fragment is as
// large as possible, at most maxFragSize (N-3 of the data rate), and the number of
// fragments is not weak (WeakCount). In this order it wants: a count that is not weak, the
// multiple asked for, the largest size. NbFrag is 8 or more if the block can be cut so.
//
// If every possible count is weak, as for a block of a few bytes, it returns the largest
// size with Weak set. If no size meets the demands it returns ErrChoice, saying which one
// is in the way; an empty block is ErrBlock.
func ChooseFragSize(v lorawan.Version, blockLen, maxFragSize int, opts ...Option) (Choice, error) {
	if err := checkVersion(v); err != nil {
		return Choice{}, err
	}
	c := chooser{multiple: 1, minSize: 1}
	for _, o := range opts {
		o(&c)
	}
	if blockLen < 1 {
		return Choice{}, fmt.Errorf("fec: the block is empty: %w", ErrBlock)
	}
	lo, hi, err := c.bounds(blockLen, maxFragSize)
	if err != nil {
		return Choice{}, err
	}
	for _, multiple := range c.multiples() {
		for size := hi / multiple * multiple; size >= lo; size -= multiple {
			if choice := cut(blockLen, size); c.allows(choice) && !WeakCount(v, choice.NbFrag) {
				return choice, nil
			}
		}
	}
	for _, multiple := range c.multiples() {
		for size := hi / multiple * multiple; size >= lo; size -= multiple {
			if choice := cut(blockLen, size); c.allows(choice) {
				choice.Weak = true
				return choice, nil
			}
		}
	}
	if c.strict && hi/c.multiple*c.multiple < lo {
		return Choice{}, fmt.Errorf("fec: no FragSize of %d to %d is a multiple of %d: %w", lo, hi, c.multiple, ErrChoice)
	}
	// bounds left sizes, so only the slot can have refused them all.
	return Choice{}, fmt.Errorf("fec: block of %d bytes and its padding, the device holds %d bytes: %w", blockLen, c.limits.BlockSize, ErrChoice)
}

// bounds returns the smallest and largest FragSize that the demands leave.
func (c *chooser) bounds(blockLen, maxFragSize int) (lo, hi int, err error) {
	hi = min(maxFragSize, MaxFragSize)
	if c.limits.FragSize > 0 {
		hi = min(hi, c.limits.FragSize)
	}
	most := MaxFragments - c.room
	if c.limits.NbFrag > 0 {
		most = min(most, c.limits.NbFrag)
	}
	if most < 1 {
		return 0, 0, fmt.Errorf("fec: %d coded fragments leave no number for uncoded ones: %w", c.room, ErrChoice)
	}
	lo = max(1, c.minSize, c.limits.MinFragSize)
	if lo > hi {
		return 0, 0, fmt.Errorf("fec: FragSize must be %d or more and %d or less: %w", lo, hi, ErrChoice)
	}
	fits := (blockLen + most - 1) / most
	if fits > hi {
		return 0, 0, fmt.Errorf("fec: block of %d bytes in %d fragments needs FragSize %d, have %d: %w",
			blockLen, most, fits, hi, ErrChoice)
	}
	// A fragment larger than the block would carry padding only.
	useful := max(lo, blockLen)
	if c.strict {
		useful = (useful + c.multiple - 1) / c.multiple * c.multiple
	}
	return max(lo, fits), min(hi, useful), nil
}

// multiples returns the steps in which sizes are tried.
func (c *chooser) multiples() []int {
	if c.strict {
		return []int{c.multiple}
	}
	return []int{c.multiple, 1}
}

func (c *chooser) allows(choice Choice) bool {
	return c.limits.BlockSize == 0 || choice.NbFrag*choice.FragSize <= c.limits.BlockSize
}

func cut(blockLen, size int) Choice {
	n := (blockLen + size - 1) / size
	return Choice{FragSize: size, NbFrag: n, Padding: n*size - blockLen}
}
