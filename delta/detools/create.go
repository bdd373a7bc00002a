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
	if len(options) == 0 {
		return nil, Options{}, fmt.Errorf("no options to choose from: %w", ErrOptions)
	}
	var smallest []byte
	var chosen Options
	var index *cover.Index
	for _, o := range options {
		info, err := Layout(len(old), len(target), o)
		if err != nil {
			return nil, o, err
		}
		base := old
		if info.Type == InPlace {
			base = old[:info.Survives()]
		}
		if index == nil || len(index.Old()) != len(base) {
			index = cover.NewIndex(base)
		}
		s := newSearch(index, target, info, o)
		plain, err := appendStream(nil, old, target, s.best(), info)
		if err != nil {
			return nil, o, err
		}
		patch, err := pack(plain, info, o)
		if err != nil {
			return nil, o, err
		}
		if smallest == nil || len(patch) < len(smallest) {
			smallest, chosen = patch, o
		}
	}
	return smallest, chosen, nil
}
