package hpatchlite_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/hpatchlite"
)

// The patches are never larger than those of the reference encoder for the same device,
// and 3 % smaller on average. With -v the test prints the table of docs/performance.md.
func TestSizes(t *testing.T) {
	t.Logf("| pair | patch | bytes | reference | difference | seconds |")
	t.Logf("|---|---|---|---|---|---|")
	ratios, count := map[string]float64{}, map[string]float64{}
	for _, name := range deltatest.Pairs {
		old, target := deltatest.Pair(t, name)
		for _, ref := range referencePatches {
			theirs := reference(t, name, ref.file)
			if theirs == nil {
				continue
			}
			begin := time.Now()
			ours, err := hpatchlite.Create(old, target, ref.options)
			seconds := time.Since(begin).Seconds()
			if err != nil {
				t.Fatal(err)
			}
			got, err := hpatchlite.Decode(old, ours, hpatchlite.Limits{Size: len(target)})
			if err != nil || !bytes.Equal(got, target) {
				t.Errorf("%s %s: %d of %d bytes, %v", name, ref.file, len(got), len(target), err)
			}
			ratio := float64(len(ours)) / float64(len(theirs))
			ratios[ref.file] += ratio
			count[ref.file]++
			t.Logf("| %s | %s | %d | %d | %.1f %% | %.1f |", name, ref.file, len(ours), len(theirs), 100*ratio-100, seconds)
			if len(ours) > len(theirs) {
				t.Errorf("%s %s: %d bytes, the reference has %d", name, ref.file, len(ours), len(theirs))
			}
		}
	}
	for file, sum := range ratios {
		if mean := sum / count[file]; mean > 0.97 {
			t.Errorf("%s: %.1f %% on average, want 3 %% less than the reference", file, 100*mean-100)
		}
	}
}
