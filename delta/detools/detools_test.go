package detools_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/detools"
)

// kinds are the patches that there are, for images up to 64 KiB.
var kinds = []detools.Options{
	{},
	{Compression: detools.CRLE},
	{Compression: detools.Heatshrink, Window: 8, Lookahead: 7},
	{Compression: detools.Heatshrink, Window: 11},
	{Compression: detools.Heatshrink, Window: 15, AnyWindow: true},
	{InPlace: true, Memory: 1 << 17, Segment: 1 << 10},
	{InPlace: true, Memory: 1 << 17, Segment: 1 << 12, MinShift: 1 << 15, Compression: detools.CRLE},
	{InPlace: true, Memory: 1 << 17, Segment: 1 << 7, Compression: detools.Heatshrink, Window: 10},
}

func TestPatchIsBytesOfTheFormat(t *testing.T) {
	old, target := []byte("0123456789abcdef"), []byte("012345679..abcdeg")
	covers := []cover.Cover{{Old: 0, New: 0, Length: 7}, {Old: 10, New: 11, Length: 6}}
	for _, x := range []struct {
		name string
		o    detools.Options
		want string
	}{
		{"sequential", detools.Options{}, "\x00\x11" + // to size 17
			"\x00" + // data format
			"\x07\x00\x00\x00\x00\x00\x00\x00" + "\x0479.." + "\x03" + // 7 equal, 4 extra, from 7 to 10
			"\x06\x00\x00\x00\x00\x00\x01" + "\x00" + "\x00"}, // 6 with one different, nothing extra, nothing to move
	} {
		got, err := detools.Encode(old, target, covers, x.o)
		if err != nil || string(got) != x.want {
			t.Errorf("%s: % x, %v, want % x", x.name, got, err, x.want)
		}
	}
}

func TestNumbersBeyondSixBits(t *testing.T) {
	for _, x := range []struct {
		size int
		want string
	}{
		{63, "\x00\x3f\x00\x00\x3f"}, {64, "\x00\x80\x01\x00\x00\x80\x01"}, {2780, "\x00\x9c\x2b\x00\x00\x9c\x2b"}, {1 << 13, "\x00\x80\x80\x01\x00\x00\x80\x80\x01"},
	} {
		got, err := detools.Encode(nil, make([]byte, x.size), nil, detools.Options{})
		if err != nil || !strings.HasPrefix(string(got), x.want) || len(got) != len(x.want)+x.size+1 {
			t.Errorf("%d: % x, %v", x.size, got[:8], err)
		}
	}
	// A number of five bytes is the largest.
	for patch, want := range map[string]error{
		"\x00\xbf\xff\xff\xff\x0f":     detools.ErrLimit,
		"\x00\xbf\xff\xff\xff\x1f":     detools.ErrFormat,
		"\x00\x80\x80\x80\x80\x80\x00": detools.ErrFormat,
		"\x00\x41":                     detools.ErrFormat, // a size of -1
		"\x00\x40":                     nil,               // of -0
	} {
		if _, err := detools.Decode(nil, []byte(patch), detools.Limits{}); !errors.Is(err, want) {
			t.Errorf("% x: %v", patch, err)
		}
	}
}

func TestOptionsThatDoNotGoTogetherAreRefused(t *testing.T) {
	old, target := make([]byte, 1000), make([]byte, 900)
	for _, x := range []struct {
		o      detools.Options
		reason string
	}{
		{detools.Options{Compression: detools.LZMA}, "lzma"},
		{detools.Options{Compression: 15}, "compression 15"},
		{detools.Options{Compression: detools.Heatshrink}, "window 0"},
		{detools.Options{Compression: detools.Heatshrink, Window: 16}, "window 16"},
		{detools.Options{Compression: detools.Heatshrink, Window: 8, Lookahead: 8}, "lookahead 8"},
		{detools.Options{Compression: detools.Heatshrink, Window: 8, Lookahead: 7, AnyWindow: true}, "lookahead of 7"},
		{detools.Options{InPlace: true}, "want both to be set"},
		{detools.Options{InPlace: true, Memory: 2048}, "want both to be set"},
		{detools.Options{InPlace: true, Memory: 2048, Segment: 300}, "multiples of the segment"},
		{detools.Options{InPlace: true, Memory: 2048, Segment: 256, MinShift: 100}, "multiples of the segment"},
		{detools.Options{InPlace: true, Memory: 768, Segment: 256}, "images of 1000 and 900 bytes"},
		{detools.Options{InPlace: true, Memory: 1024, Segment: 1024}, "shift of 2048"},
	} {
		for _, make := range []func() error{
			func() error { _, err := detools.Encode(old, target, nil, x.o); return err },
			func() error { _, err := detools.Create(old, target, x.o); return err },
			func() error { _, err := detools.Layout(len(old), len(target), x.o); return err },
		} {
			if err := make(); !errors.Is(err, detools.ErrOptions) || !strings.Contains(err.Error(), x.reason) {
				t.Errorf("%+v: %v", x.o, err)
			}
		}
	}
	if _, _, err := detools.Smallest(old, target); !errors.Is(err, detools.ErrOptions) {
		t.Error(err)
	}
}

func TestCoversThatReadWhatIsNotThereAreRefused(t *testing.T) {
	old, target := make([]byte, 1000), make([]byte, 1000)
	for _, x := range []struct {
		c cover.Cover
		o detools.Options
	}{
		{cover.Cover{Old: 1, Length: 1000}, detools.Options{}},
		{cover.Cover{New: 1, Length: 1000}, detools.Options{}},
		{cover.Cover{Old: -1, Length: 10}, detools.Options{}},
		{cover.Cover{Length: 0}, detools.Options{}},
		// The shift is 512: the third segment may read from 256 on, the fourth from 512 on.
		{cover.Cover{Old: 255, New: 512, Length: 10}, detools.Options{InPlace: true, Memory: 1536, Segment: 256}},
		{cover.Cover{Old: 500, New: 757, Length: 100}, detools.Options{InPlace: true, Memory: 1536, Segment: 256}},
		// The shift is 512 in a memory of 1024: 512 bytes survive.
		{cover.Cover{Old: 500, New: 0, Length: 13}, detools.Options{InPlace: true, Memory: 1024, Segment: 256}},
	} {
		if _, err := detools.Encode(old, target, []cover.Cover{x.c}, x.o); !errors.Is(err, cover.ErrCovers) {
			t.Errorf("%+v %+v: %v", x.c, x.o, err)
		}
	}
}

// images are a firmware and what became of it.
func images(seed uint64, size int) (old, target []byte) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	for range size {
		old = append(old, byte(rnd.IntN(1+rnd.IntN(256))))
	}
	for at := 0; at < len(old); {
		n := min(1+rnd.IntN(2000), len(old)-at)
		switch rnd.IntN(8) {
		case 0: // removed
		case 1: // added
			for range rnd.IntN(200) {
				target = append(target, byte(rnd.IntN(256)))
			}
			target = append(target, old[at:at+n]...)
		case 2: // moved
			from := rnd.IntN(len(old))
			target = append(target, old[from:min(from+n, len(old))]...)
		default: // with other addresses
			for _, b := range old[at : at+n] {
				if rnd.IntN(40) == 0 {
					b += 0x34
				}
				target = append(target, b)
			}
		}
		at += n
	}
	return old, target
}

func TestEveryPatchGivesTheNewImage(t *testing.T) {
	for seed := range uint64(6) {
		old, target := images(seed, 1<<(seed*3))
		for _, o := range kinds {
			patch, err := detools.Create(old, target, o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := detools.Decode(old, patch, detools.Limits{})
			if err != nil || !bytes.Equal(got, target) {
				t.Errorf("images %d, %+v: %d of %d bytes, %v", seed, o, len(got), len(target), err)
			}
			again, err := detools.Create(old, target, o)
			if err != nil || !bytes.Equal(again, patch) {
				t.Errorf("images %d, %+v: %d bytes and then %d, %v", seed, o, len(patch), len(again), err)
			}
			if !o.InPlace {
				continue
			}
			mem := newFlash(o.Memory, o.Segment)
			copy(mem.bytes, old)
			a, err := detools.NewApplier(mem, bytes.NewReader(patch), detools.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Run(); err != nil || !bytes.Equal(mem.bytes[:len(target)], target) {
				t.Errorf("images %d, %+v on a device: %v", seed, o, err)
			}
		}
	}
}

func TestAnyWindowIsTheBestUpToALimit(t *testing.T) {
	old, target := images(5, 1<<12)
	o := detools.Options{Compression: detools.Heatshrink, Window: 15}
	wide, err := detools.Create(old, target, o)
	if err != nil {
		t.Fatal(err)
	}
	o.AnyWindow = true
	free, err := detools.Create(old, target, o)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := detools.Inspect(free); err != nil || info.Heatshrink.Window >= 15 || len(free) >= len(wide) {
		t.Errorf("%+v, %v: %d bytes, and %d with a window of 32 KiB", info, err, len(free), len(wide))
	}
}

func TestSmallestIsTheSmallest(t *testing.T) {
	old, target := images(3, 1<<13)
	o := kinds[:4]
	smallest, chosen, err := detools.Smallest(old, target, o...)
	if err != nil || !slices.Contains(o, chosen) {
		t.Fatal(chosen, err)
	}
	for _, o := range o {
		patch, err := detools.Create(old, target, o)
		if err != nil || len(patch) < len(smallest) || o == chosen && !bytes.Equal(patch, smallest) {
			t.Errorf("%+v: %d bytes, %v; %+v has %d", o, len(patch), err, chosen, len(smallest))
		}
	}
}

func TestNoShorterPatchAndNoOtherBaseIsTaken(t *testing.T) {
	old, target := images(4, 1<<12)
	for _, o := range kinds {
		patch, err := detools.Create(old, target, o)
		if err != nil {
			t.Fatal(err)
		}
		for n := range patch {
			if _, err := detools.Decode(old, patch[:n], detools.Limits{}); !errors.Is(err, detools.ErrTruncated) {
				t.Errorf("%+v: %d of %d bytes: %v", o, n, len(patch), err)
			}
		}
		if _, err := detools.Decode(old, append(patch[:len(patch):len(patch)], 0), detools.Limits{}); !errors.Is(err, detools.ErrFormat) {
			t.Errorf("%+v: a byte too many: %v", o, err)
		}
		if _, err := detools.Decode(old[:len(old)/4], patch, detools.Limits{}); !errors.Is(err, detools.ErrBase) {
			t.Errorf("%+v: a quarter of the base: %v", o, err)
		}
	}
}

func TestChunksThatDoNothingEnd(t *testing.T) {
	// A repeated record of crle makes two billion bytes of zeros from six: chunks without data, for ever.
	patch := "\x02\x01" + "\x01\xff\xff\xff\xff\x07\x00"
	if _, err := detools.Decode(nil, []byte(patch), detools.Limits{}); !errors.Is(err, detools.ErrFormat) {
		t.Error(err)
	}
	// One may move, and the last may go anywhere.
	patch = "\x00\x01" + "\x00" + "\x00\x00\x02" + "\x01\x00\x00\x7f"
	if got, err := detools.Decode([]byte("abc"), []byte(patch), detools.Limits{}); err != nil || string(got) != "c" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestInPlaceNumbersThatNoDeviceCanFollow(t *testing.T) {
	for _, x := range []struct {
		name   string
		header string // memory, segment, shift, from, to
	}{
		{"no segment", "\x20\x00\x10\x08\x08"},
		{"shift inside a segment", "\x20\x08\x0c\x08\x08"},
		{"memory inside a segment", "\x21\x08\x10\x08\x08"},
		{"shift beyond the memory", "\x20\x08\x28\x08\x08"},
		{"no shift", "\x20\x08\x00\x08\x08"},
		{"old image beyond the memory", "\x20\x08\x10\x21\x08"},
		{"new image beyond the memory", "\x20\x08\x10\x08\x21"},
	} {
		if _, err := detools.Decode(make([]byte, 8), []byte("\x10"+x.header+"\x00\x08"), detools.Limits{}); !errors.Is(err, detools.ErrFormat) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	old, target := images(2, 600)
	for _, o := range kinds {
		patch, err := detools.Create(old, target, o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(patch)
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		limits := detools.Limits{Image: 1 << 18, Window: 12}
		info, _ := detools.Inspect(patch)
		var got []byte
		var err error
		taken := deltatest.Allocated(func() { got, err = detools.Decode(old, patch, limits) })
		if most := 8*limits.Image + len(patch); taken > most {
			t.Fatalf("%d bytes of memory taken, want at most %d", taken, most)
		}
		if err == nil && (len(got) != info.ToSize || len(got) > limits.Image || info.Heatshrink.Window > 12) {
			t.Fatalf("%d bytes, %+v", len(got), info)
		}
		if info.Type != detools.InPlace || info.Memory < len(old) || info.Memory > limits.Image {
			return
		}
		mem := newFlash(info.Memory, 1)
		copy(mem.bytes, old)
		a, err2 := detools.NewApplier(mem, bytes.NewReader(patch), limits)
		if err2 == nil {
			err2 = a.Run()
		}
		if err == nil && (err2 != nil || !bytes.Equal(mem.bytes[:len(got)], got)) {
			t.Fatalf("a device says %v", err2)
		}
	})
}

// FuzzApplier: whatever the patch is, and whenever power goes, the applier stays inside of the memory,
// erases before it writes, and makes what Decode makes.
func FuzzApplier(f *testing.F) {
	old, target := images(2, 600)
	for _, o := range kinds {
		if !o.InPlace {
			continue
		}
		for _, memory := range []int{2048, 4096} {
			o.Memory, o.Segment, o.MinShift = memory, 256, 0
			patch, err := detools.Create(old, target, o)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(patch, uint16(0))
			f.Add(patch, uint16(7))
		}
	}
	f.Fuzz(func(t *testing.T, patch []byte, fail uint16) {
		limits := detools.Limits{Image: 1 << 14, Window: 12}
		info, err := detools.Inspect(patch)
		if err != nil || info.Type != detools.InPlace || info.Memory > limits.Image || info.Memory < len(old) {
			return
		}
		want, err := detools.Decode(old, patch, limits)
		mem := newFlash(info.Memory, 1)
		mem.fail = int(fail)
		copy(mem.bytes, old)
		var applied error
		for range 2 { // power comes back
			var a *detools.Applier
			if a, applied = detools.NewApplier(mem, bytes.NewReader(patch), limits); applied == nil {
				applied = a.Run()
			}
			mem.dead = false
		}
		if err == nil && (applied != nil || !bytes.Equal(mem.bytes[:len(want)], want)) {
			t.Fatalf("power lost at change %d: %v", fail, applied)
		}
	})
}

func FuzzCreate(f *testing.F) {
	for k := range kinds {
		old, target := images(uint64(k), 300)
		f.Add(uint8(k), old, target)
	}
	f.Fuzz(func(t *testing.T, kind uint8, old, target []byte) {
		o := kinds[int(kind)%len(kinds)]
		if len(old) > 1<<12 || len(target) > 1<<12 {
			return
		}
		patch, err := detools.Create(old, target, o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := detools.Decode(old, patch, detools.Limits{}); err != nil || !bytes.Equal(got, target) {
			t.Fatalf("%d of %d bytes, %v", len(got), len(target), err)
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add(uint8(0), []byte{0, 0, 100, 110, 5, 40})
	f.Add(uint8(6), []byte{200, 0, 100, 110, 5, 40})
	old, target := images(2, 600)
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		var covers []cover.Cover
		for ; len(b) >= 3; b = b[3:] {
			covers = append(covers, cover.Cover{Old: 3 * int(int8(b[0])), New: 3 * int(b[1]), Length: int(b[2])})
		}
		patch, err := detools.Encode(old, target, covers, kinds[int(kind)%len(kinds)])
		if err != nil {
			if !errors.Is(err, cover.ErrCovers) {
				t.Fatal(err)
			}
			return
		}
		if got, err := detools.Decode(old, patch, detools.Limits{}); err != nil || !bytes.Equal(got, target) {
			t.Fatalf("%d of %d bytes, %v", len(got), len(target), err)
		}
	})
}
