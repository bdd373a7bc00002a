package detools

import (
	"fmt"
	"slices"
	"sort"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/crle"
	"github.com/starling-fuota/starling/delta/heatshrink"
)

// Options say what kind of patch a device takes.
type Options struct {
	Compression Compression // None, CRLE or Heatshrink
	Window      int         // of heatshrink, exponent of two: 4..15
	Lookahead   int         // of heatshrink, exponent of two: 3..Window-1; 0: the best
	AnyWindow   bool        // the decoder takes smaller windows as well, with any lookahead: the best up to Window

	InPlace  bool
	Memory   int // in-place: bytes that the image may use, a multiple of Segment
	Segment  int // in-place: bytes that are erased at a time, a flash page or several
	MinShift int // in-place: least shift, a multiple of Segment; 0: two segments
}

// Encode makes a patch with these covers. For an in-place patch no cover may read below Info.Floor or
// beyond Info.Survives; Layout says what these will be.
//
// It returns ErrOptions, or cover.ErrCovers when the covers do not fit the images or the floor. The
// result is always the same for the same input.
func Encode(old, target []byte, covers []cover.Cover, o Options) ([]byte, error) {
	info, err := Layout(len(old), len(target), o)
	if err != nil {
		return nil, err
	}
	return encode(old, target, covers, info, o)
}

// encode is Encode for a layout that exists already.
func encode(old, target []byte, covers []cover.Cover, info Info, o Options) ([]byte, error) {
	plain, err := appendStream(nil, old, target, covers, info)
	if err != nil {
		return nil, err
	}
	return pack(plain, info, o)
}

// Layout returns what the header of a patch between images of these sizes will say. Window and lookahead
// are those of the options, which are 0 or larger than they will be when the best ones are to be chosen.
func Layout(oldSize, newSize int, o Options) (Info, error) {
	i := Info{Compression: o.Compression, ToSize: newSize}
	if err := supported(i.Type, i.Compression); err != nil {
		return i, fmt.Errorf("%w: %w", err, ErrOptions)
	}
	if oldSize > maxSize || newSize > maxSize {
		return i, fmt.Errorf("images of %d and %d bytes: devices count to %d: %w", oldSize, newSize, maxSize, ErrOptions)
	}
	if o.Compression == Heatshrink {
		i.Heatshrink = heatshrink.Params{Window: o.Window, Lookahead: o.Lookahead}
		check := i.Heatshrink
		if o.AnyWindow && o.Lookahead != 0 {
			return i, fmt.Errorf("any window, and a lookahead of %d: %w", o.Lookahead, ErrOptions)
		}
		if check.Lookahead == 0 {
			check.Lookahead = 3
		}
		if err := check.Check(); err != nil {
			return i, fmt.Errorf("%w: %w", err, ErrOptions)
		}
	}
	if !o.InPlace {
		return i, nil
	}
	if o.MinShift == 0 {
		o.MinShift = 2 * o.Segment
	}
	i.Type, i.Memory, i.Segment, i.FromSize = InPlace, o.Memory, o.Segment, oldSize
	switch {
	case o.Segment <= 0 || o.Memory <= 0 || o.Memory > maxSize:
		return i, fmt.Errorf("memory %d and segment %d, want both to be set: %w", o.Memory, o.Segment, ErrOptions)
	case o.Memory%o.Segment != 0 || o.MinShift%o.Segment != 0 || o.MinShift < 0:
		return i, fmt.Errorf("memory %d and least shift %d must be multiples of the segment %d: %w", o.Memory, o.MinShift, o.Segment, ErrOptions)
	case oldSize > o.Memory || newSize > o.Memory:
		return i, fmt.Errorf("images of %d and %d bytes, memory of %d: %w", oldSize, newSize, o.Memory, ErrOptions)
	}
	i.Shift = max((o.Memory/o.Segment-ceil(oldSize, o.Segment))*o.Segment, o.MinShift)
	if i.Shift > o.Memory {
		return i, fmt.Errorf("shift of %d in a memory of %d: %w", i.Shift, o.Memory, ErrOptions)
	}
	return i, i.check()
}

// appendHeader appends what is ahead of the stream.
func appendHeader(dst []byte, i Info) []byte {
	dst = append(dst, byte(i.Type)<<4|byte(i.Compression))
	if i.Type == InPlace {
		for _, n := range []int{i.Memory, i.Segment, i.Shift, i.FromSize} {
			dst = appendSize(dst, n)
		}
	}
	return appendSize(dst, i.ToSize)
}

// pack compresses the stream and puts the header ahead of it.
func pack(plain []byte, i Info, o Options) ([]byte, error) {
	patch := appendHeader(nil, i)
	if i.ToSize == 0 {
		return patch, nil
	}
	switch i.Compression {
	case CRLE:
		return crle.Append(patch, plain), nil
	case Heatshrink:
		if o.AnyWindow {
			o.Window = bestWindow(plain, o.Window)
		}
		p := heatshrink.Params{Window: o.Window, Lookahead: o.Lookahead}
		matches := heatshrink.NewMatches(plain, p.Window)
		if p.Lookahead == 0 {
			var err error
			if p.Lookahead, _, err = matches.Best(); err != nil {
				return nil, err
			}
		}
		return matches.Append(append(patch, p.Byte()), p.Lookahead)
	}
	return append(patch, plain...), nil
}

// bestWindow returns the window up to most whose packed stream is the smallest. Far places cost a bit of
// each copy, and small images have none.
func bestWindow(plain []byte, most int) int {
	best, least := most, -1
	for w := most; w >= 4; w-- {
		if _, bits, err := heatshrink.QuickMatches(plain, w).Best(); err == nil && (least < 0 || bits <= least) {
			best, least = w, bits
		}
	}
	return best
}

// appendStream appends the unpacked stream: one sequence of chunks, or one for each segment.
func appendStream(dst, old, target []byte, covers []cover.Cover, i Info) ([]byte, error) {
	if err := cover.Check(covers, len(old), len(target)); err != nil {
		return dst, err
	}
	if i.Type == InPlace {
		for k, c := range covers {
			if err := i.admits(c); err != nil {
				return dst, fmt.Errorf("cover %d: %w", k, err)
			}
		}
	}
	return appendRange(dst, old, target, covers, i, 0, len(target), 0), nil
}

// admits returns cover.ErrCovers when an in-place update has not got the old bytes of c any more.
func (i Info) admits(c cover.Cover) error {
	if c.OldEnd() > i.Survives() {
		return fmt.Errorf("%d bytes from %d of the old image, of which %d survive the shift: %w", c.Length, c.Old, i.Survives(), cover.ErrCovers)
	}
	for at := c.New; at < c.NewEnd(); at = (at/i.Segment + 1) * i.Segment {
		if at+c.Diagonal() < i.Floor(at) {
			return fmt.Errorf("byte %d of the old image for byte %d of the new one, when it is there from %d on: %w",
				at+c.Diagonal(), at, i.Floor(at), cover.ErrCovers)
		}
	}
	return nil
}

// appendRange appends target[at:end]. Inside of a segment it begins at the place from of the old image.
func appendRange(dst, old, target []byte, covers []cover.Cover, i Info, at, end, from int) []byte {
	covers = clip(covers, at, end)
	if i.Type == Sequential {
		return appendChunks(dst, old, target, covers, at, end, from)
	}
	for at < end {
		if at%i.Segment == 0 {
			from = i.Floor(at)
		}
		stop := min((at/i.Segment+1)*i.Segment, end)
		dst = appendChunks(dst, old, target, clip(covers, at, stop), at, stop, from)
		at = stop
	}
	return dst
}

// clip returns the parts of covers inside of at..end of the new image.
func clip(covers []cover.Cover, at, end int) []cover.Cover {
	first := sort.Search(len(covers), func(k int) bool { return covers[k].NewEnd() > at })
	last := first + sort.Search(len(covers)-first, func(k int) bool { return covers[first+k].New >= end })
	covers = slices.Clone(covers[first:last])
	if len(covers) > 0 {
		if cut := at - covers[0].New; cut > 0 {
			covers[0] = cover.Cover{Old: covers[0].Old + cut, New: at, Length: covers[0].Length - cut}
		}
		tail := &covers[len(covers)-1]
		tail.Length = min(tail.Length, end-tail.New)
	}
	return covers
}

// appendChunks appends target[at:end] as chunks; from is the place in the old image where devices begin.
//
// The adjustment of the last chunk moves to where nothing is read: 0, where the reference encoder leaves
// what it happened to find.
func appendChunks(dst, old, target []byte, covers []cover.Cover, at, end, from int) []byte {
	dst = appendSize(dst, 0) // no data-format patch
	if at == end {
		return dst
	}
	for k := 0; at < end; {
		c := cover.Cover{Old: from, New: at}
		if k < len(covers) && covers[k].New == at && covers[k].Old == from {
			c = covers[k]
			k++
			for k < len(covers) && covers[k].New == c.NewEnd() && covers[k].Diagonal() == c.Diagonal() {
				c.Length += covers[k].Length
				k++
			}
		}
		dst = appendSize(dst, c.Length)
		for n := range c.Length {
			dst = append(dst, target[c.New+n]-old[c.Old+n])
		}
		at, from = c.NewEnd(), c.OldEnd()
		next := cover.Cover{Old: from, New: end}
		if k < len(covers) {
			next = covers[k]
		}
		dst = appendSize(dst, next.New-at)
		dst = append(dst, target[at:next.New]...)
		dst = appendSize(dst, next.Old-from)
		at, from = next.New, next.Old
	}
	return dst
}
