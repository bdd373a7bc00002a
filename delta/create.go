package delta

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/detools"
	"github.com/starling-fuota/starling/delta/hpatchlite"
	"github.com/starling-fuota/starling/delta/relocated"
)

// Create makes a patch of each format that o allows, applies each, and returns the smallest;
// of equals the first in the order of Formats or of o.Allowed. It takes some seconds for
// images of a megabyte, whatever they hold. The same images and options give the same bytes.
//
// It returns ErrEmpty, ErrTooLarge, ErrSame or ErrOptions. With several formats those that
// cannot be made, for a memory that is too small say, are left out; their errors are
// returned if nothing is left.
func Create(old, target []byte, o Options) (Patch, error) {
	if err := checkImages(old, target); err != nil {
		return Patch{}, err
	}
	o, err := o.check()
	if err != nil {
		return Patch{}, err
	}
	pair := cover.NewPair(old, target)
	var smallest Patch
	var refused []error
	for _, format := range o.Allowed {
		p, err := create(pair, format, o)
		if err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", format, err))
			continue
		}
		if smallest.Bytes == nil || len(p.Bytes) < len(smallest.Bytes) {
			smallest = p
		}
	}
	if smallest.Bytes == nil {
		return Patch{}, errors.Join(refused...)
	}
	return smallest, nil
}

// create makes and verifies one patch.
func create(pair *cover.Pair, format Format, o Options) (Patch, error) {
	old, target := pair.Old(), pair.Target()
	var b []byte
	var err error
	switch format {
	case HPatchLite, HPatchLiteInPlace:
		b, err = createHPatchLite(pair, o.hpatchlite(format), o)
	case HPatchLiteRelocated:
		b, err = createRelocated(pair, o)
	case Detools, DetoolsInPlace:
		b, err = createDetools(pair, format, o)
	}
	if err != nil {
		return Patch{}, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	made, info, err := Apply(old, b, Limits{DictField: o.DictField})
	if err != nil {
		return Patch{}, fmt.Errorf("own patch: %w", err)
	}
	if !bytes.Equal(made, target) || info.Format != format {
		return Patch{}, fmt.Errorf("own patch, read as %s, makes another image: %w", info.Format, ErrApply)
	}
	return Patch{
		Format: format, Compressor: info.Compressor, Bytes: b, From: len(old), To: len(target),
		RAM: info.RAM(), WindowLog: info.WindowLog(), Codec: format.Codec(),
	}, nil
}

// hpatchlite gives the options of that package. Compression is left to the caller.
func (o Options) hpatchlite(format Format) hpatchlite.Options {
	h := hpatchlite.Options{
		Compression: hpatchlite.Tinyuz,
		Window:      1 << min(o.Compression, maxTinyuz),
		LiteralLine: o.LiteralLine,
		DictField:   o.DictField,
	}
	if o.DictField != 0 {
		h.Window = min(h.Window, 1<<(8*o.DictField)-1)
	}
	if format == HPatchLiteInPlace {
		h.InPlace, h.Extra = true, o.Extra
		if h.Extra == 0 {
			h.Extra = min(1<<min(o.Compression, maxTinyuz), MaxImage)
		}
	}
	return h
}

// createHPatchLite tries tinyuz and none: the few bytes of a changed constant are not worth
// a dictionary.
func createHPatchLite(pair *cover.Pair, h hpatchlite.Options, o Options) ([]byte, error) {
	if !o.takes(Tinyuz) && !o.takes(None) {
		return nil, errors.New("the device has neither tinyuz nor none")
	}
	if !o.takes(Tinyuz) {
		h.Compression = hpatchlite.None
		patch, _, err := hpatchlite.CreatePair(pair, h)
		return patch, err
	}
	patch, covers, err := hpatchlite.CreatePair(pair, h)
	if err != nil || !o.takes(None) {
		return patch, err
	}
	h.Compression = hpatchlite.None
	plain, err := hpatchlite.Encode(pair.Old(), pair.Target(), covers, h)
	if err != nil || len(plain) >= len(patch) {
		return patch, err
	}
	return plain, nil
}

// createRelocated puts the map ahead of a patch of the view that it gives.
func createRelocated(pair *cover.Pair, o Options) ([]byte, error) {
	old, target := pair.Old(), pair.Target()
	flash := o.FlashBase
	if flash == 0 {
		// Without an answer pointers stay as they are; branches do not need the address.
		flash, _ = relocated.FlashBase(old)
	}
	h := o.hpatchlite(HPatchLiteRelocated)
	pairs := map[*byte]*cover.Pair{&old[0]: pair} // by view
	costs := cover.Params{}
	if len(target) > largeSize {
		costs = cover.Brisk()
	}
	choice, err := relocated.Choose(old, target, relocated.Options{
		Flash: flash,
		Find: func(view []byte) []cover.Cover {
			p := pairs[&view[0]]
			if p == nil {
				p = cover.NewPair(view, target)
				pairs[&view[0]] = p
			}
			return p.Find(costs)
		},
		Size: func(view []byte, covers []cover.Cover) (int, error) {
			return hpatchlite.Size(view, target, covers, h)
		},
	})
	if err != nil {
		return nil, err
	}
	b, err := choice.Map.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	patch, err := createHPatchLite(pairs[&choice.View[0]], h, o)
	return append(b, patch...), err
}

// createDetools tries the compressors of the device.
func createDetools(pair *cover.Pair, format Format, o Options) ([]byte, error) {
	base := detools.Options{}
	if format == DetoolsInPlace {
		base.InPlace, base.Segment, base.Memory = true, o.Segment, o.Memory
		if base.Memory == 0 {
			base.Memory = ((max(len(pair.Old()), len(pair.Target()))+o.Segment-1)/o.Segment + 2) * o.Segment
		}
	}
	var tries []detools.Options
	add := func(compressor string, c detools.Compression) {
		if !o.takes(compressor) {
			return
		}
		t := base
		if t.Compression = c; c == detools.Heatshrink {
			t.Window, t.Lookahead = min(o.Compression, maxHeatshrink), 0
			if o.Window != 0 {
				t.Window, t.Lookahead = o.Window, o.Lookahead
			}
		}
		tries = append(tries, t)
	}
	add(Heatshrink, detools.Heatshrink)
	add(CRLE, detools.CRLE)
	if o.Compressors != nil {
		// Every patch has bytes in a row that are 0: packed is never larger in practice.
		add(None, detools.None)
	}
	b, _, err := detools.SmallestPair(pair, tries...)
	return b, err
}

// largeSize is the size in bytes of a new image above which one search for covers serves all.
const largeSize = 320 << 10
