package detools_test

import (
	"bytes"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/detools"
)

// The kinds that .ci/detools gives to the decoder of others.
func TestPatchesOfAllKindsMakeTheNewImageOfARealOne(t *testing.T) {
	old, target := deltatest.Pair(t, deltatest.Pairs[0])
	memory := (max(len(old), len(target))/4096 + 3) * 4096
	for _, o := range []detools.Options{
		{Compression: detools.Heatshrink, Window: 8, Lookahead: 7},
		{Compression: detools.Heatshrink, Window: 11},
		{Compression: detools.CRLE},
		{Compression: detools.None},
		{Compression: detools.Heatshrink, Window: 11, InPlace: true, Memory: memory, Segment: 4096},
		{Compression: detools.Heatshrink, Window: 8, Lookahead: 7, InPlace: true, Memory: memory, Segment: 2048},
		{Compression: detools.CRLE, InPlace: true, Memory: memory + 4096, Segment: 4096},
		{Compression: detools.None, InPlace: true, Memory: memory, Segment: 4096},
	} {
		patch, err := detools.Create(old, target, o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := detools.Decode(old, patch, detools.Limits{}); err != nil || !bytes.Equal(got, target) {
			t.Errorf("%+v: %d of %d bytes, %v", o, len(got), len(target), err)
		}
	}
}
