package detools_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/detools"
)

// writeTo names a folder for patches that another decoder is to apply: .ci/detools sets it.
const writeTo = "DETOOLS_PATCHES"

// For each pair of images, patches of all kinds are written beside a list of what they are. Without the
// folder they are read back here, from a pair that is soon done.
func TestPatchesForOtherDecoders(t *testing.T) {
	dir := os.Getenv(writeTo)
	chosen := deltatest.Pairs
	if dir == "" {
		dir, chosen = t.TempDir(), deltatest.Pairs[:1]
	}
	type entry struct {
		Patch, Old, New string
		InPlace         bool
		Memory          int
	}
	var list []entry
	for _, pair := range chosen {
		old, target := deltatest.File(t, pair, "old.bin"), deltatest.File(t, pair, "new.bin")
		memory := (max(len(old), len(target))/4096 + 3) * 4096
		for k, o := range []detools.Options{
			{Compression: detools.Heatshrink, Window: 8, Lookahead: 7},
			{Compression: detools.Heatshrink, Window: 11},
			{Compression: detools.CRLE},
			{Compression: detools.None},
			{Compression: detools.Heatshrink, Window: 11, InPlace: true, Memory: memory, Segment: 4096},
			{Compression: detools.Heatshrink, Window: 8, Lookahead: 7, InPlace: true, Memory: memory, Segment: 2048},
			{Compression: detools.CRLE, InPlace: true, Memory: memory + 4096, Segment: 4096},
		} {
			patch, err := detools.Create(old, target, o)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s-%d.patch", pair, k)
			if err := os.WriteFile(filepath.Join(dir, name), patch, 0o600); err != nil {
				t.Fatal(err)
			}
			again, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := detools.Decode(old, again, detools.Limits{}); err != nil || string(got) != string(target) {
				t.Errorf("%s %+v: %d bytes, %v", pair, o, len(got), err)
			}
			list = append(list, entry{Patch: name, Old: pair + "/old.bin", New: pair + "/new.bin", InPlace: o.InPlace, Memory: o.Memory})
		}
	}
	content, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "list.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
}
