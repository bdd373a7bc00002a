package hpatchlite

import (
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
	if err := o.checkSizes(len(old), len(target)); err != nil {
		return nil, nil, err
	}
	return CreatePair(cover.NewPair(old, target), o)
}

// CreatePair is CreateCovers for images that other searches look at as well.
func CreatePair(pair *cover.Pair, o Options) ([]byte, []cover.Cover, error) {
	if err := o.checkSizes(len(pair.Old()), len(pair.Target())); err != nil {
		return nil, nil, err
	}
	s := newSearch(pair, o)
	lists := s.lists()
	best := s.refine(lists)

	// The search has judged by parts: whole patches have the last word.
	others := lists[:1]
	if len(s.target) <= wholeSize {
		others = lists
	}
	return s.smallest(best, others)
}

// smallest encodes best and the others, of which only those that the quick encoder finds about
// as good are worth the thorough one.
func (s *search) smallest(best []cover.Cover, others [][]cover.Cover) ([]byte, []cover.Cover, error) {
	if s.large() {
		return s.smallestLarge(best)
	}
	patch, err := encode(s.old, s.target, best, s.options, tinyuz.Encode)
	if err != nil {
		return nil, nil, err
	}
	if len(patch) > len(s.target)/2 {
		others = append([][]cover.Cover{nil}, others...)
	}
	for k, list := range others {
		if s.seen(others[:k], list) || slices.Equal(list, best) {
			continue
		}
		p, err := encode(s.old, s.target, list, s.options, tinyuz.EncodeQuick)
		if err == nil && len(p) < len(patch)+len(patch)/quickLoss {
			p, err = encode(s.old, s.target, list, s.options, tinyuz.Encode)
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

// smallestLarge is smallest for large images: what was better in its parts is taken to be better
// as a whole.
func (s *search) smallestLarge(best []cover.Cover) ([]byte, []cover.Cover, error) {
	patch, err := encode(s.old, s.target, best, s.options, tinyuz.EncodeFast)
	if err != nil || len(patch) <= len(s.target)/2 {
		return patch, best, err
	}
	plain, err := encode(s.old, s.target, nil, s.options, tinyuz.EncodeFast)
	if err != nil || len(plain) >= len(patch) {
		return patch, best, err
	}
	return plain, nil, nil
}

// large reports whether images are so large that time counts for more than the last bytes.
func (s *search) large() bool { return len(s.target) > largeSize }

const (
	// wholeSize is the largest image, in bytes, of which each list is encoded whole.
	wholeSize = 128 << 10

	// largeSize is the largest image, in bytes, for which several lists are made and encoded
	// thoroughly. Beyond it, a tenth of a per cent of the patch is not worth twice the time.
	largeSize = 320 << 10

	// quickLoss is the part of a patch that the quick encoder may lose.
	quickLoss = 100
)
