package hpatchlite

import (
	"fmt"
	"slices"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/tinyuz"
)

// Create searches for a small patch that makes target of old. It takes some seconds for
// images of a megabyte; the same images and options give the same bytes.
//
// It asks package cover for several lists of covers, combines the best parts of them,
// tries small changes with what the changed bytes really cost, and encodes the result
// and the lists that it came from: the smallest patch is returned.
func Create(old, target []byte, o Options) ([]byte, error) {
	patch, _, err := CreateCovers(old, target, o)
	return patch, err
}

// CreateCovers is Create and gives the covers of the patch as well, for callers that
// derive something from them.
func CreateCovers(old, target []byte, o Options) ([]byte, []cover.Cover, error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	if len(old) > maxImage || len(target) > maxImage {
		return nil, nil, fmt.Errorf("images of %d and %d bytes, at most %d: %w", len(old), len(target), maxImage, ErrRange)
	}
	s := newSearch(old, target, o)
	lists := s.lists()
	best := s.refine(lists)

	// The search has judged by parts: whole patches have the last word.
	patch, err := encode(old, target, best, o, tinyuz.Encode)
	if err != nil {
		return nil, nil, err
	}
	others := lists[:1]
	if len(target) <= wholeSize {
		others = lists
	}
	if len(patch) > len(target)/2 {
		others = append([][]cover.Cover{nil}, others...)
	}
	for k, list := range others {
		if s.seen(others[:k], list) || slices.Equal(list, best) {
			continue
		}
		p, err := encode(old, target, list, o, tinyuz.EncodeQuick)
		if err == nil && len(p) < len(patch)+len(patch)/quickLoss {
			p, err = encode(old, target, list, o, tinyuz.Encode)
		}
		if err != nil {
			return nil, nil, err
		}
		if len(p) < len(patch) {
			patch, best = p, list
		}
	}
	return patch, best, nil
}

const (
	// wholeSize is the largest image, in bytes, of which each list is encoded whole.
	wholeSize = 128 << 10

	// quickLoss is the part of a patch that the quick encoder may lose.
	quickLoss = 100
)
