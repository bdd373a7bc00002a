package cover_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
)

var finders = map[string]func(old, target []byte, p cover.Params) []cover.Cover{
	"Find":   cover.Find,
	"Greedy": cover.Greedy,
}

func TestCoversFitTheirImages(t *testing.T) {
	images := deltatest.Hostile(5000)
	images["empty target"] = [2][]byte{deltatest.Random(1, 100, 256), nil}
	images["empty old"] = [2][]byte{nil, deltatest.Random(1, 100, 256)}
	images["both empty"] = [2][]byte{}
	images["one byte"] = [2][]byte{{1}, {1}}
	images["three bytes"] = [2][]byte{{1, 2, 3}, {1, 2, 3}}
	images["four bytes"] = [2][]byte{{1, 2, 3, 4}, {1, 2, 3, 4}}
	for seed := range uint64(30) {
		old := deltatest.Random(seed, 200+int(seed)*300, 1+int(seed)*8)
		images["edited "+string(rune('a'+seed))] = [2][]byte{old, deltatest.Edited(old, seed)}
	}
	for name, image := range images {
		for find, f := range finders {
			covers := f(image[0], image[1], cover.Params{})
			if err := cover.Check(covers, len(image[0]), len(image[1])); err != nil {
				t.Errorf("%s %s: %v", find, name, err)
			}
			if again := f(image[0], image[1], cover.Params{}); !reflect.DeepEqual(covers, again) {
				t.Errorf("%s %s: not the same covers when asked again", find, name)
			}
		}
	}
}

func TestAnImageIsOneCoverOfItself(t *testing.T) {
	image := deltatest.Random(1, 10000, 256)
	for find, f := range finders {
		got := f(image, image, cover.Params{})
		if want := []cover.Cover{{Old: 0, New: 0, Length: len(image)}}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", find, got, want)
		}
	}
}

func TestABlockThatMovedIsFound(t *testing.T) {
	a, b := deltatest.Random(1, 3000, 256), deltatest.Random(2, 2000, 256)
	old, target := slices.Concat(a, b), slices.Concat(b, a)
	want := []cover.Cover{{Old: 3000, New: 0, Length: 2000}, {Old: 0, New: 2000, Length: 3000}}
	for find, f := range finders {
		if got := f(old, target, cover.Params{}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", find, got, want)
		}
	}
}

func TestAChangedByteIsADifferenceAndNotABreak(t *testing.T) {
	old := deltatest.Random(1, 4000, 256)
	target := bytes.Clone(old)
	for i := 100; i < len(target); i += 100 {
		target[i]++
	}
	for find, f := range finders {
		if got := f(old, target, cover.Params{}); len(got) != 1 {
			t.Errorf("%s: %d covers, want 1", find, len(got))
		}
	}
}

func TestCoversOfRealImagesLeaveFewLiterals(t *testing.T) {
	for _, name := range deltatest.Pairs {
		old, target := deltatest.Pair(t, name)
		for find, f := range finders {
			covers := f(old, target, cover.Params{})
			if err := cover.Check(covers, len(old), len(target)); err != nil {
				t.Errorf("%s %s: %v", find, name, err)
			}
			covered := 0
			for _, c := range covers {
				covered += c.Length
			}
			if covered < len(target)*95/100 {
				t.Errorf("%s %s: %d of %d bytes covered, want 95 %%", find, name, covered, len(target))
			}
		}
	}
}

func TestFloorKeepsCoversOffLostBytes(t *testing.T) {
	const segment, shift = 1024, 2048
	floors := map[string]func(int) int{
		"fifo":     func(n int) int { return n - 300 },
		"segments": func(n int) int { return max(0, segment*(n/segment+1)-shift) },
		"nothing":  func(int) int { return 1 << 30 },
	}
	for seed := range uint64(20) {
		old := deltatest.Random(seed, 8000, 256)
		target := deltatest.Edited(old, seed)
		for floorName, floor := range floors {
			for find, f := range finders {
				covers := f(old, target, cover.Params{Floor: floor})
				if err := cover.Check(covers, len(old), len(target)); err != nil {
					t.Errorf("%s %s seed %d: %v", find, floorName, seed, err)
				}
				if !cover.Admissible(covers, floor) {
					t.Errorf("%s %s seed %d: covers read below the floor: %v", find, floorName, seed, covers)
				}
			}
		}
	}
}

func TestCheckRefusesWhatDoesNotFit(t *testing.T) {
	for _, row := range []struct {
		name   string
		covers []cover.Cover
		ok     bool
	}{
		{"none", nil, true},
		{"all", []cover.Cover{{0, 0, 10}}, true},
		{"touching", []cover.Cover{{5, 0, 5}, {0, 5, 5}}, true},
		{"empty", []cover.Cover{{0, 0, 0}}, false},
		{"negative length", []cover.Cover{{5, 5, -1}}, false},
		{"overlap", []cover.Cover{{0, 0, 5}, {0, 4, 5}}, false},
		{"descending", []cover.Cover{{0, 5, 5}, {0, 0, 5}}, false},
		{"negative target", []cover.Cover{{0, -1, 5}}, false},
		{"beyond target", []cover.Cover{{0, 6, 5}}, false},
		{"negative old", []cover.Cover{{-1, 0, 5}}, false},
		{"beyond old", []cover.Cover{{6, 0, 5}}, false},
		{"overflow", []cover.Cover{{int(^uint(0) >> 1), 0, 5}}, false},
		{"overflow target", []cover.Cover{{0, int(^uint(0) >> 1), int(^uint(0) >> 1)}}, false},
	} {
		if err := cover.Check(row.covers, 10, 10); (err == nil) != row.ok || err != nil && !errors.Is(err, cover.ErrCovers) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte("the quick brown fox jumps over the lazy dog"), []byte("the lazy dog jumps over the quick brown fox"), 5)
	f.Add([]byte{}, []byte{1}, 0)
	f.Add(make([]byte, 300), make([]byte, 300), 100)
	f.Fuzz(func(t *testing.T, old, target []byte, extra int) {
		floor := func(n int) int { return n - extra%1000 }
		for find, search := range finders {
			covers := search(old, target, cover.Params{Floor: floor})
			if err := cover.Check(covers, len(old), len(target)); err != nil {
				t.Fatalf("%s: %v", find, err)
			}
			if !cover.Admissible(covers, floor) {
				t.Fatalf("%s: below the floor", find)
			}
		}
	})
}

// FuzzCheck: a list that passes can be used without a look at its numbers.
func FuzzCheck(f *testing.F) {
	f.Add([]byte{1, 2, 3, 9, 9, 9}, uint8(20), uint8(20))
	f.Add([]byte{0, 0, 20, 0, 20, 255}, uint8(20), uint8(40))
	f.Add([]byte{255, 0, 20, 7, 7, 127}, uint8(20), uint8(40))
	extremes := []int{math.MinInt, math.MaxInt, math.MaxInt32, math.MinInt32}
	f.Fuzz(func(t *testing.T, b []byte, oldSize, newSize uint8) {
		number := func(v byte) int {
			if int(v) >= 256-len(extremes) {
				return extremes[255-int(v)]
			}
			return int(v) - 8
		}
		var covers []cover.Cover
		for ; len(b) >= 3; b = b[3:] {
			covers = append(covers, cover.Cover{Old: number(b[0]), New: number(b[1]), Length: number(b[2])})
		}
		old, target := make([]byte, oldSize), make([]byte, newSize)
		if err := cover.Check(covers, len(old), len(target)); err != nil {
			if !errors.Is(err, cover.ErrCovers) {
				t.Fatal(err)
			}
			return
		}
		end, bytes := 0, 0
		for _, c := range covers {
			if n := len(old[c.Old:c.OldEnd()]) + len(target[c.New:c.NewEnd()]); n != 2*c.Length || n == 0 || c.New < end {
				t.Fatalf("%v: passed", covers)
			}
			end = c.NewEnd()
			bytes += c.Length
		}
		if !cover.Admissible(covers, func(int) int { return 0 }) {
			t.Fatalf("%v: below the first byte", covers)
		}
		for _, c := range cover.Join(covers) {
			bytes -= c.Length
		}
		if bytes != 0 {
			t.Fatalf("joined, %d bytes are missing", bytes)
		}
	})
}
