package cover

import (
	"errors"
	"fmt"
)

// ErrCovers says that a list of covers does not fit its two images.
var ErrCovers = errors.New("covers do not fit the images")

// Cover says that Length bytes of the new image from New on are like those of the
// old image from Old on, byte by byte and not always equal. A list of covers is
// ascending in New and without overlap; Old may go back and forth.
type Cover struct {
	Old    int // first byte in the old image
	New    int // first byte in the new image
	Length int // bytes, at least 1
}

// Diagonal is the alignment of the cover: what is added to a position of the new
// image to get that of the old image.
func (c Cover) Diagonal() int { return c.Old - c.New }

// OldEnd is the position after the last byte in the old image.
func (c Cover) OldEnd() int { return c.Old + c.Length }

// NewEnd is the position after the last byte in the new image.
func (c Cover) NewEnd() int { return c.New + c.Length }

// Check returns ErrCovers if covers is not a list of covers for images of these
// sizes: empty, overlapping or descending covers, or such that leave an image.
func Check(covers []Cover, oldSize, newSize int) error {
	end := 0
	for i, c := range covers {
		switch {
		case c.Length <= 0:
			return fmt.Errorf("cover %d of %d: length %d is not positive: %w", i, len(covers), c.Length, ErrCovers)
		case c.New < end:
			return fmt.Errorf("cover %d of %d: starts at %d of the new image, before the end %d of the one before: %w", i, len(covers), c.New, end, ErrCovers)
		case c.Length > newSize || c.New > newSize-c.Length:
			return fmt.Errorf("cover %d of %d: %d bytes from %d leave the new image of %d bytes: %w", i, len(covers), c.Length, c.New, newSize, ErrCovers)
		case c.Old < 0 || c.Length > oldSize || c.Old > oldSize-c.Length:
			return fmt.Errorf("cover %d of %d: %d bytes from %d leave the old image of %d bytes: %w", i, len(covers), c.Length, c.Old, oldSize, ErrCovers)
		}
		end = c.NewEnd()
	}
	return nil
}

// Admissible reports whether every byte that covers read lies at floor or above;
// see Params.Floor. A nil floor admits everything.
func Admissible(covers []Cover, floor func(newPos int) int) bool {
	if floor == nil {
		return true
	}
	for _, c := range covers {
		for n := c.New; n < c.NewEnd(); n++ {
			if n+c.Diagonal() < floor(n) {
				return false
			}
		}
	}
	return true
}

// Join merges covers that touch and have the same alignment. It works in place and
// returns the shorter list.
func Join(covers []Cover) []Cover {
	out := covers[:0]
	for _, c := range covers {
		if k := len(out) - 1; k >= 0 && out[k].NewEnd() == c.New && out[k].Diagonal() == c.Diagonal() {
			out[k].Length += c.Length
			continue
		}
		out = append(out, c)
	}
	return out
}
