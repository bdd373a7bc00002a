package detools

import (
	"fmt"

	"github.com/starling-fuota/starling/delta/cover"
)

// Create makes a patch. It weighs the covers of several searches against each other, takes from each
// where it is best, and then moves their ends while that makes the packed patch smaller.
//
// Time is near-linear in the sizes of the images. The result is always the same for the same input.
// Errors are those of Encode.
func Create(old, target []byte, o Options) ([]byte, error) {
	patch, _, err := Smallest(old, target, o)
	return patch, err
}

// Smallest makes a patch with each of the options and returns the smallest, the first of equals, with its
// options. Trying crle beside heatshrink is worth the time: it is far smaller where only constants changed.
func Smallest(old, target []byte, options ...Options) ([]byte, Options, error) {
	for _, o := range options {
		if _, err := Layout(len(old), len(target), o); err != nil {
			return nil, o, err // before the work of a pair
		}
	}
	return SmallestPair(cover.NewPair(old, target), options...)
}

// SmallestPair is Smallest for images that other searches look at as well.
func SmallestPair(pair *cover.Pair, options ...Options) ([]byte, Options, error) {
	old, target := pair.Old(), pair.Target()
	if len(options) == 0 {
		return nil, Options{}, fmt.Errorf("no options to choose from: %w", ErrOptions)
	}
	var smallest []byte
	var chosen Options
	var covers []cover.Cover
	for _, o := range options {
		info, err := Layout(len(old), len(target), o)
		if err != nil {
			return nil, o, err
		}
		if base := survivors(old, info); len(base) != len(pair.Old()) {
			pair = cover.NewPair(base, target)
		}
		if smallest != nil && len(target) > smallSize {
			// A search for this compressor cannot win if the patch with the covers of another one is
			// far from the smallest.
			patch, err := encode(old, target, covers, info, o)
			if err != nil {
				return nil, o, err
			}
			if len(patch) > len(smallest)+len(smallest)/2 {
				continue
			}
		}
		covers = newSearch(pair, info, o).best()
		patch, err := encode(old, target, covers, info, o)
		if err != nil {
			return nil, o, err
		}
		if smallest == nil || len(patch) < len(smallest) {
			smallest, chosen = patch, o
		}
	}
	return smallest, chosen, nil
}

// smallSize is the size in bytes of a new image up to which each compressor has a search of its own.
const smallSize = 32 << 10

// largeSize is the size in bytes of a new image above which fewer searches are compared.
const largeSize = 320 << 10

// survivors is what can be read of the old image.
func survivors(old []byte, i Info) []byte {
	if i.Type == InPlace {
		return old[:i.Survives()]
	}
	return old
}
