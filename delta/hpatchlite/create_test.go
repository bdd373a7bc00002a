package hpatchlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/hpatchlite"
)

// devices are options of different devices.
var devices = []hpatchlite.Options{
	{},
	{Compression: hpatchlite.Tinyuz, Window: 1},
	{Compression: hpatchlite.Tinyuz, Window: 255, DictField: 1, LiteralLine: true},
	{Compression: hpatchlite.Tinyuz, Window: 2048, LiteralLine: true},
	{Compression: hpatchlite.Tinyuz, Window: 1 << 30},
	{InPlace: true},
	{InPlace: true, Extra: 40, Margin: 4},
	{Compression: hpatchlite.Tinyuz, Window: 512, LiteralLine: true, InPlace: true},
	{Compression: hpatchlite.Tinyuz, Window: 512, LiteralLine: true, InPlace: true, Extra: 100},
	{Compression: hpatchlite.Tinyuz, Window: 512, InPlace: true, Extra: 1 << 20, Margin: 4},
}

// checkPatch applies a patch in all ways there are.
func checkPatch(t testing.TB, old, target, patch []byte, o hpatchlite.Options) {
	t.Helper()
	limits := hpatchlite.Limits{Size: max(1, len(target)), Window: max(1, o.Window), Extra: max(1, o.Extra), DictField: o.DictField}
	got, err := hpatchlite.Decode(old, patch, limits)
	if err != nil || !bytes.Equal(got, target) {
		t.Errorf("%+v: %d of %d bytes, %v", o, len(got), len(target), err)
	}
	if !o.InPlace {
		return
	}
	memory := make([]byte, max(len(old), len(target)))
	copy(memory, old)
	n, err := hpatchlite.ApplyInPlace(memory, len(old), patch, limits)
	if err != nil || !bytes.Equal(memory[:n], target) {
		t.Errorf("%+v in place: %d of %d bytes, %v", o, n, len(target), err)
	}
}

func TestCreatedPatchesMakeTheTarget(t *testing.T) {
	images := deltatest.Hostile(700)
	images["empty target"] = [2][]byte{deltatest.Random(1, 100, 256), nil}
	images["empty old"] = [2][]byte{nil, deltatest.Random(1, 100, 256)}
	images["both empty"] = [2][]byte{}
	for seed := range uint64(4) {
		old := deltatest.Random(seed, 300+int(seed)*300, 256)
		images[fmt.Sprintf("edited %d", seed)] = [2][]byte{old, deltatest.Edited(old, seed)}
	}
	for name, image := range images {
		for _, o := range devices {
			patch, covers, err := hpatchlite.CreateCovers(image[0], image[1], o)
			if err != nil {
				t.Errorf("%s %+v: %v", name, o, err)
				continue
			}
			if err := cover.Check(covers, len(image[0]), len(image[1])); err != nil {
				t.Errorf("%s %+v: %v", name, o, err)
			}
			checkPatch(t, image[0], image[1], patch, o)
			if most := len(image[1])*9/8 + 40; len(patch) > most {
				t.Errorf("%s %+v: %d bytes, never more than %d", name, o, len(patch), most)
			}
		}
	}
}

func TestTheSamePatchIsCreatedAgain(t *testing.T) {
	old := deltatest.Random(1, 3000, 4)
	target := deltatest.Edited(old, 1)
	for _, o := range devices {
		first, err := hpatchlite.Create(old, target, o)
		if err != nil {
			t.Fatal(err)
		}
		if second, _ := hpatchlite.Create(old, target, o); !bytes.Equal(first, second) {
			t.Errorf("%+v: other bytes when asked again", o)
		}
	}
}

func TestCreateRefusesOptionsOutOfRange(t *testing.T) {
	if _, err := hpatchlite.Create(nil, nil, hpatchlite.Options{Compression: hpatchlite.Tinyuz}); !errors.Is(err, hpatchlite.ErrRange) {
		t.Errorf("no window: %v, want ErrRange", err)
	}
	if _, err := hpatchlite.Create(nil, make([]byte, 300), hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 300, DictField: 1}); err == nil {
		t.Error("a window that does not fit its field is not refused")
	}
}

func TestAnImageThatGrowsNeedsExtraAsTheCurveSays(t *testing.T) {
	old := deltatest.Random(1, 6000, 256)
	target := append(deltatest.Random(2, 700, 256), old...) // all of it moves up by 700 bytes
	o := hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 512, LiteralLine: true}
	points, knee, err := hpatchlite.Curve(old, target, o, []int{2048, 0, 512, 699, 700, 1024})
	if err != nil {
		t.Fatal(err)
	}
	last := 1 << 30
	for i, p := range points {
		if p.Size > last {
			t.Errorf("%+v after %d bytes: more room makes no larger patch", p, last)
		}
		if p.Need > p.Extra || i > 0 && p.Extra <= points[i-1].Extra {
			t.Errorf("point %d: %+v", i, p)
		}
		last = p.Size
	}
	if got := points[knee]; got.Extra != 700 || got.Need != 700 || got.Size > 900 {
		t.Errorf("knee at %+v, want 700 bytes: %+v", got, points)
	}
	if points[0].Size < 6000 {
		t.Errorf("without extra: %d bytes, but nothing can be read", points[0].Size)
	}
	if _, _, err := hpatchlite.Curve(old, target, o, []int{-1}); !errors.Is(err, hpatchlite.ErrRange) {
		t.Errorf("negative extra: %v, want ErrRange", err)
	}
	if _, _, err := hpatchlite.Curve(old, target, o, nil); !errors.Is(err, hpatchlite.ErrRange) {
		t.Errorf("no budgets: %v, want ErrRange", err)
	}
}

func FuzzDecode(f *testing.F) {
	old := []byte("the quick brown fox jumps over the lazy dog")
	target := []byte("the lazy dog jumps over the quick brown fox, twice")
	for _, o := range devices {
		patch, err := hpatchlite.Create(old, target, o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(patch)
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		limits := hpatchlite.Limits{Size: 1 << 12, Window: 1 << 12, Extra: 1 << 12}
		var got []byte
		var err error
		taken := deltatest.Allocated(func() { got, err = hpatchlite.Decode(old, patch, limits) })
		if most := 1<<17 + len(patch); taken > most {
			t.Fatalf("%d bytes of memory taken, want at most %d", taken, most)
		}
		info, infoErr := hpatchlite.Inspect(patch)
		if err == nil && (infoErr != nil || info.NewSize != len(got)) {
			t.Fatalf("%d bytes, but the header says %+v, %v", len(got), info, infoErr)
		}
		memory := make([]byte, 1<<12)
		copy(memory, old)
		n, inPlaceErr := hpatchlite.ApplyInPlace(memory, len(old), patch, limits)
		if err == nil && info.InPlace && (inPlaceErr != nil || !bytes.Equal(memory[:n], got)) {
			t.Fatalf("in place: %v, %q, beside: %q", inPlaceErr, memory[:n], got)
		}
	})
}

func FuzzCreate(f *testing.F) {
	f.Add([]byte("the quick brown fox jumps over the lazy dog"), []byte("the lazy dog jumps over the quick brown fox"), uint8(3))
	f.Add([]byte{}, []byte{1}, uint8(7))
	f.Add(make([]byte, 300), make([]byte, 300), uint8(8))
	f.Fuzz(func(t *testing.T, old, target []byte, device uint8) {
		o := devices[int(device)%len(devices)]
		if o.DictField == 1 {
			o.Window = 255
		}
		patch, err := hpatchlite.Create(old, target, o)
		if err != nil {
			t.Fatal(err)
		}
		checkPatch(t, old, target, patch, o)
	})
}

// Covers that no search would find must survive as well.
func TestRandomCoversSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		old, target := deltatest.Random(r.Uint64(), 1+r.IntN(3000), 3), deltatest.Random(r.Uint64(), r.IntN(3000), 3)
		var covers []cover.Cover
		for n := r.IntN(20); n < len(target); n += r.IntN(400) {
			c := cover.Cover{Old: r.IntN(len(old)), New: n}
			c.Length = min(1+r.IntN(300), len(old)-c.Old, len(target)-n)
			covers = append(covers, c)
			n += c.Length
		}
		o := hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 1 + r.IntN(4000), LiteralLine: r.IntN(2) == 0}
		patch, err := hpatchlite.Encode(old, target, covers, o)
		if err != nil {
			t.Fatal(err)
		}
		checkPatch(t, old, target, patch, o)
	}
}

// Half of the image waits in RAM, and the other half comes in pieces of eight bytes: were each write to move what
// waits, that would be hundreds of gigabytes.
func TestMuchThatIsHeldBackInSmallPiecesIsMovedOnce(t *testing.T) {
	const size, piece, extra = 4 << 20, 8, 2<<20 + 8
	old := deltatest.Random(1, size, 256)
	target := deltatest.Random(2, size/2, 256)
	var covers []cover.Cover
	for n := size / 2; n < size; n += piece {
		from := (n - size/2) ^ piece // two and two have changed places
		covers = append(covers, cover.Cover{Old: from, New: n, Length: piece})
		target = append(target, old[from:from+piece]...)
	}
	o := hpatchlite.Options{InPlace: true, Extra: extra}
	patch, err := hpatchlite.Encode(old, target, covers, o)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	n, err := hpatchlite.ApplyInPlace(old, size, patch, hpatchlite.Limits{Size: size, Extra: extra})
	if err != nil || !bytes.Equal(old[:n], target) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("applied in %v", took)
	}
}
