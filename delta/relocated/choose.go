package relocated

import (
	"bytes"
	"fmt"
	"math"

	"github.com/starling-fuota/starling/delta/cover"
)

// Derive returns the map that repairs most of what covers leave different between old and
// target, for an image that was linked for the address flash. A segment is part of
// it if it earns toll bits or more; with a low toll the map follows chance matches too. It
// returns cover.ErrCovers for covers that do not fit, ErrRange for an address that is not a
// multiple of 4 or an image of 2^31 bytes and more.
func Derive(old, target []byte, covers []cover.Cover, flash uint32, toll int) (Map, error) {
	if err := cover.Check(covers, len(old), len(target)); err != nil {
		return Map{}, err
	}
	if len(old) > math.MaxInt32 || len(target) > math.MaxInt32 {
		return Map{}, fmt.Errorf("images of %d and %d bytes: %w", len(old), len(target), ErrRange)
	}
	m := Map{FlashBase: flash}
	if err := m.check(); err != nil {
		return Map{}, err
	}
	m.RAMBase, m.RAMSize = ramOf(old, target, covers, flash)
	if m.RAMSize > 0 {
		if m.R = newModel(ofRAM(pairsOf(old, target, covers, &m), true), toll).segments(); len(m.R) == 0 {
			m.RAMBase, m.RAMSize = 0, 0
		}
	}
	m.F = newModel(ofRAM(pairsOf(old, target, covers, &m), false), toll).segments()
	return m, nil
}

// ofRAM returns the pairs that look up R, or those that look up F.
func ofRAM(pairs []pair, ram bool) []pair {
	out := pairs[:0]
	for _, p := range pairs {
		if (p.kind == ramSite) == ram {
			out = append(out, p)
		}
	}
	return out
}

// Options say how Choose works.
type Options struct {
	// Flash is the address that the old image was linked for. See FlashBase.
	Flash uint32

	// Covers are those of the old image itself; nil: Find finds them.
	Covers []cover.Cover

	// Find returns the covers of a view, nil: cover.Find with its defaults.
	Find func(view []byte) []cover.Cover

	// Size returns how many bytes the patch takes that makes the target of a view by way
	// of covers, without the map. It is required.
	Size func(view []byte, covers []cover.Cover) (int, error)

	// Rounds is how often map and covers are derived from one another, at most. 0: 5 for images
	// of up to 256 KiB, 3 up to 512 KiB, 2 beyond.
	Rounds int
}

// Choice is a map with what follows from it.
type Choice struct {
	Map    Map
	View   []byte
	Covers []cover.Cover
	Size   int // of map and patch, in bytes
}

// What a segment has to earn in the first round and in the last one, in bits.
const (
	firstToll = 300
	lastToll  = 24
)

// Choose finds map and covers together: covers say what has moved, and the view of a better
// map has better covers. Rounds begin with maps of few segments that are beyond doubt, because
// a map that agrees with each wrong cover makes the covers right. The smallest of all rounds
// is returned; if none is smaller than the patch of the old image itself, that is, with a zero Map.
func Choose(old, target []byte, o Options) (Choice, error) {
	if o.Find == nil {
		o.Find = func(view []byte) []cover.Cover { return cover.Find(view, target, cover.Params{}) }
	}
	if o.Rounds <= 0 {
		o.Rounds = rounds(len(old))
	}
	if o.Covers == nil {
		o.Covers = o.Find(old)
	}
	size, err := o.Size(old, o.Covers)
	if err != nil {
		return Choice{}, err
	}
	best := Choice{View: old, Covers: o.Covers, Size: size}
	covers := o.Covers
	var last []byte
	for round := range o.Rounds {
		toll := firstToll
		if o.Rounds > 1 {
			toll = int(math.Round(firstToll * math.Pow(lastToll/float64(firstToll), float64(round)/float64(o.Rounds-1))))
		}
		m, err := Derive(old, target, covers, o.Flash, toll)
		if err != nil {
			return Choice{}, err
		}
		encoded, err := m.AppendBinary(nil)
		if err != nil {
			return Choice{}, err
		}
		if m.IsZero() || bytes.Equal(encoded, last) {
			continue
		}
		last = encoded
		view := m.apply(old)
		covers = o.Find(view)
		size, err := o.Size(view, covers)
		if err != nil {
			return Choice{}, err
		}
		if size += len(encoded); size < best.Size {
			best = Choice{Map: m, View: view, Covers: covers, Size: size}
		}
	}
	return best, nil
}

// rounds is how many rounds an image of size bytes is worth: the time of one grows with the
// size, and the first and the last bring most of what there is.
func rounds(size int) int {
	switch {
	case size <= 256<<10:
		return 5
	case size <= 512<<10:
		return 3
	}
	return 2
}
