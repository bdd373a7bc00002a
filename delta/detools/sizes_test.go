package detools_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/detools"
	"github.com/starling-fuota/starling/delta/heatshrink"
)

// references are the patches that the reference encoder made of each pair.
var references = []string{
	"detools-seq-heatshrink-w8-l7", "detools-seq-heatshrink-w11", "detools-seq-crle", "detools-inplace-heatshrink-w11",
}

// sameAs returns options for a patch of the same kind and with the same needs.
func sameAs(i detools.Info) detools.Options {
	return detools.Options{
		Compression: i.Compression, Window: i.Heatshrink.Window, Lookahead: i.Heatshrink.Lookahead,
		InPlace: i.Type == detools.InPlace, Memory: i.Memory, Segment: i.Segment, MinShift: i.Shift,
	}
}

// The table of docs/performance.md, section "Smart Delta".
func TestPatchesAreSmallerThanThoseOfTheReferenceEncoder(t *testing.T) {
	saved, count := 0.0, 0
	for _, pair := range deltatest.Pairs {
		old, target := deltatest.File(t, pair, "old.bin"), deltatest.File(t, pair, "new.bin")
		for _, name := range references {
			reference := deltatest.File(t, pair, name+".patch")
			info, err := detools.Inspect(reference)
			if err != nil {
				t.Fatal(err)
			}
			patch, err := detools.Create(old, target, sameAs(info))
			if err != nil {
				t.Fatal(err)
			}
			made, err := detools.Inspect(patch)
			if err != nil || made != info {
				t.Errorf("%s %s: %+v, %v; the reference is %+v", pair, name, made, err, info)
			}
			if got, err := detools.Decode(old, patch, detools.Limits{}); err != nil || !bytes.Equal(got, target) {
				t.Errorf("%s %s: %d bytes, %v", pair, name, len(got), err)
			}
			less := 1 - float64(len(patch))/float64(len(reference))
			kind := fmt.Sprint(info.Type, " ", info.Compression)
			if info.Heatshrink != (heatshrink.Params{}) {
				kind += fmt.Sprint(" ", info.Heatshrink)
			}
			t.Logf("| %s | %s | %d | %d | %.1f %% |", pair, kind, len(reference), len(patch), 100*less)
			if less < 0 {
				t.Errorf("%s %s: larger than the reference encoder's", pair, name)
			}
			saved += less
			count++
		}
	}
	if saved/float64(count) < 0.03 {
		t.Errorf("%.1f %% smaller on average, want at least 3 %%", 100*saved/float64(count))
	}
	t.Logf("%.1f %% smaller on average", 100*saved/float64(count))
}
