package detools_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/detools"
	"github.com/starling-fuota/starling/delta/heatshrink"
)

func TestPatchesOfTheReferenceEncoderDecode(t *testing.T) {
	for _, pair := range deltatest.Pairs {
		old, want := deltatest.File(t, pair, "old.bin"), deltatest.File(t, pair, "new.bin")
		for _, name := range []string{
			"detools-seq-heatshrink-w8-l7", "detools-seq-heatshrink-w11", "detools-seq-crle", "detools-inplace-heatshrink-w11",
		} {
			patch := deltatest.File(t, pair, name+".patch")
			got, err := detools.Decode(old, patch, detools.Limits{})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s %s: %d bytes, %v", pair, name, len(got), err)
			}
			info, err := detools.Inspect(patch)
			if err != nil || info.ToSize != len(want) {
				t.Errorf("%s %s: %+v, %v", pair, name, info, err)
			}
		}
	}
}

// foo returns a patch of the format's authors, unpacked if that is needed, and how it was packed.
func foo(t *testing.T, name string) ([]byte, detools.Compression) {
	t.Helper()
	patch := deltatest.File(t, "detools-foo", name+".patch")
	info, err := detools.Inspect(patch)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if info.Compression != detools.LZMA {
		return patch, info.Compression
	}
	if _, err := detools.Decode(nil, patch, detools.Limits{}); !errors.Is(err, detools.ErrUnsupported) || !strings.Contains(err.Error(), "lzma") {
		t.Errorf("%s: lzma is refused with %v", name, err)
	}
	start := bytes.Index(patch, []byte("\x5d\x00\x00\x80\x00"))
	if patch, err = stored(patch, start); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return patch, info.Compression
}

func TestPatchesOfTheFormatsAuthorsDecode(t *testing.T) {
	old, want := deltatest.File(t, "detools-foo", "old"), deltatest.File(t, "detools-foo", "new")
	for _, x := range []struct {
		name string
		kind detools.Type
		pack detools.Compression
		old  []byte
	}{
		{"none", detools.Sequential, detools.None, old},
		{"match-blocks-sequential-none", detools.Sequential, detools.None, old},
		{"crle", detools.Sequential, detools.CRLE, old},
		{"heatshrink", detools.Sequential, detools.Heatshrink, old},
		{"heatshrink-10-5", detools.Sequential, detools.Heatshrink, old},
		{"no-delta", detools.Sequential, detools.LZMA, want}, // from the new image to itself
		{"in-place-3000-500", detools.InPlace, detools.LZMA, old},
		{"in-place-3000-500-crle", detools.InPlace, detools.CRLE, old},
		{"in-place-6000-1000-crle", detools.InPlace, detools.CRLE, old},
		{"in-place-many-segments", detools.InPlace, detools.LZMA, old},
		{"in-place-minimum-size", detools.InPlace, detools.LZMA, old},
	} {
		patch, pack := foo(t, x.name)
		if pack != x.pack {
			t.Errorf("%s: packed with %v", x.name, pack)
		}
		got, err := detools.Decode(x.old, patch, detools.Limits{})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", x.name, len(got), err)
		}
		if info, err := detools.Inspect(patch); err != nil || info.Type != x.kind {
			t.Errorf("%s: %+v, %v", x.name, info, err)
		}
	}
}

func TestMemoryAfterAnInPlaceUpdate(t *testing.T) {
	old, want := deltatest.File(t, "detools-foo", "old"), deltatest.File(t, "detools-foo", "in-place-3000-500.mem")
	patch, _ := foo(t, "in-place-3000-500")
	for _, patch := range [][]byte{patch, deltatest.File(t, "detools-foo", "in-place-3000-500-crle.patch")} {
		mem := newFlash(len(want), 1)
		copy(mem.bytes, old)
		a, err := detools.NewApplier(mem, bytes.NewReader(patch), detools.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Run(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(mem.bytes, want) {
			t.Error("the memory is another")
		}
	}
}

func TestPatchesToNothing(t *testing.T) {
	for _, x := range []struct {
		name string
		info detools.Info
	}{
		{"none", detools.Info{}},
		{"crle", detools.Info{Compression: detools.CRLE}},
		{"heatshrink", detools.Info{Compression: detools.Heatshrink}},
		{"in-place", detools.Info{Type: detools.InPlace, Compression: detools.LZMA, Memory: 30000, Segment: 500, Shift: 30000}},
	} {
		patch := deltatest.File(t, "detools-empty", x.name+".patch")
		info, err := detools.Inspect(patch)
		if err != nil || info != x.info {
			t.Errorf("%s: %+v, %v", x.name, info, err)
		}
		if x.info.Compression == detools.LZMA {
			patch[0] &^= 15 // nothing is packed
		}
		if got, err := detools.Decode(nil, patch, detools.Limits{}); err != nil || len(got) != 0 {
			t.Errorf("%s: %d bytes, %v", x.name, len(got), err)
		}
		made, err := detools.Encode(nil, nil, nil, detools.Options{
			Compression: x.info.Compression &^ 1, Window: 8, Lookahead: 7,
			InPlace: x.info.Type == detools.InPlace, Memory: x.info.Memory, Segment: x.info.Segment,
		})
		if err != nil || !bytes.Equal(made, patch) {
			t.Errorf("%s: % x, %v, the reference encoder makes % x", x.name, made, err, patch)
		}
	}
}

func TestMalformedPatchesAreRefusedWithReasons(t *testing.T) {
	old := deltatest.File(t, "detools-foo", "old")
	for _, x := range []struct {
		name   string
		want   error
		reason string
	}{
		{"one-byte", detools.ErrTruncated, "byte 1 of the patch: detools: patch is too short"},
		{"short-to-size", detools.ErrTruncated, "byte 2 of the patch: detools: patch is too short"},
		{"bad-patch-type", detools.ErrUnsupported, "patch of type 15, want sequential or in-place"},
		{"bad-compression", detools.ErrUnsupported, "packed with compression 15, want none, crle or heatshrink"},
		{"diff-data-too-long", detools.ErrUnsupported, "packed with lzma"},
		{"extra-data-too-long", detools.ErrUnsupported, "packed with lzma"},
	} {
		_, err := detools.Decode(old, deltatest.File(t, "detools-foo", x.name+".patch"), detools.Limits{})
		if !errors.Is(err, x.want) || !strings.Contains(err.Error(), x.reason) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	for name, reason := range map[string]string{"diff-data-too-long": "difference: ", "extra-data-too-long": "extra data: "} {
		patch, _ := foo(t, name)
		_, err := detools.Decode(old, patch, detools.Limits{})
		if !errors.Is(err, detools.ErrFormat) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s, unpacked: %v", name, err)
		}
	}
}

func TestADecoderForOnePairRefusesOthers(t *testing.T) {
	old := deltatest.File(t, "detools-foo", "old")
	patch := deltatest.File(t, "detools-foo", "heatshrink-10-5.patch")
	for _, x := range []struct {
		limits detools.Limits
		want   error
	}{
		{detools.Limits{}, nil},
		{detools.Limits{Window: 10}, nil},
		{detools.Limits{Heatshrink: heatshrink.Params{Window: 10, Lookahead: 5}}, nil},
		{detools.Limits{Window: 9}, detools.ErrLimit},
		{detools.Limits{Heatshrink: heatshrink.Default}, detools.ErrLimit},
		{detools.Limits{Image: 2780}, nil},
		{detools.Limits{Image: 2779}, detools.ErrLimit},
	} {
		if _, err := detools.Decode(old, patch, x.limits); !errors.Is(err, x.want) {
			t.Errorf("%+v: %v", x.limits, err)
		}
	}
}
