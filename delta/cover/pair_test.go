package cover_test

import (
	"reflect"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
)

func TestAPairFindsWhatAnIndexFinds(t *testing.T) {
	old := deltatest.Random(1, 8000, 256)
	target := deltatest.Edited(old, 1)
	pair := cover.NewPair(old, target)
	var differences [256]int
	for _, p := range []cover.Params{
		{}, cover.Brisk(), {MinLength: 4}, {Difference: &differences}, {Byte: &differences},
		{Floor: func(n int) int { return n - 100 }},
	} {
		for range 2 { // what was found is not changed by who gets it
			covers, work := pair.FindWork(p)
			if want := cover.Find(old, target, p); !reflect.DeepEqual(covers, want) || work == 0 {
				t.Errorf("%+v: %v after %d, want %v", p, covers, work, want)
			}
			clear(covers)
			clear(pair.Find(p))
			covers = pair.Greedy(p)
			if want := cover.Greedy(old, target, p); !reflect.DeepEqual(covers, want) {
				t.Errorf("greedy %+v: %v, want %v", p, covers, want)
			}
			clear(covers)
		}
	}
}

// A text in which everything is everywhere is no more than so much work for each byte.
func TestWorkGrowsWithTheImageAndNotFaster(t *testing.T) {
	for _, name := range []string{"two letters", "four letters", "period 257"} {
		works := make([]int, 2)
		for k, size := range []int{330 << 10, 660 << 10} {
			image := deltatest.Hostile(size)[name]
			_, works[k] = cover.NewPair(image[0], image[1]).FindWork(cover.Brisk())
		}
		if works[1] > 5*works[0]/2 || works[1] > 30*660<<10 {
			t.Errorf("%s: %d alignments followed, of half the size %d", name, works[1], works[0])
		}
	}
}
