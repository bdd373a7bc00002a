package fec_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

func TestFragSizeIsTheLargestThatIsNotWeak(t *testing.T) {
	for _, c := range []struct {
		name     string
		v        lorawan.Version
		blockLen int
		max      int
		opts     []fec.Option
		want     fec.Choice
	}{
		{"nothing in the way", 1, 385 * 200, 200, nil, fec.Choice{FragSize: 200, NbFrag: 385}},
		{"384 is weak", 1, 384 * 200, 200, nil, fec.Choice{FragSize: 199, NbFrag: 386, Padding: 386*199 - 384*200}},
		{"384 is weak in multiples of 8", 1, 384 * 200, 200, []fec.Option{fec.Multiple(8)}, fec.Choice{FragSize: 192, NbFrag: 400}},
		{"multiple of 4", 2, 50_000, 239, []fec.Option{fec.Multiple(4)}, fec.Choice{FragSize: 236, NbFrag: 212, Padding: 212*236 - 50_000}},
		{"a byte is the most", 2, 1_000_000, 1000, nil, fec.Choice{FragSize: 255, NbFrag: 3922, Padding: 3922*255 - 1_000_000}},
		{"device takes 232", 2, 50_000, 239, []fec.Option{fec.Within(fec.Zephyr)}, fec.Choice{FragSize: 232, NbFrag: 216, Padding: 216*232 - 50_000}},
		{"eight fragments of a small block", 1, 160, 200, nil, fec.Choice{FragSize: 22, NbFrag: 8, Padding: 16}},
		{"a block too small to code", 1, 5, 50, nil, fec.Choice{FragSize: 5, NbFrag: 1, Weak: true}},
		{"one size only, weak", 1, 384 * 48, 48, []fec.Option{fec.MinFragSize(48)}, fec.Choice{FragSize: 48, NbFrag: 384, Weak: true}},
		{"the multiple gives way", 1, 384 * 48, 49, []fec.Option{fec.MinFragSize(48), fec.Multiple(8)}, fec.Choice{FragSize: 49, NbFrag: 377, Padding: 377*49 - 384*48}},
		{"the demanded multiple does not give way", 1, 384 * 48, 49, []fec.Option{fec.MinFragSize(48), fec.MultipleOf(8)}, fec.Choice{FragSize: 48, NbFrag: 384, Weak: true}},
		{"a demanded multiple of a small block", 1, 5, 239, []fec.Option{fec.MultipleOf(8)}, fec.Choice{FragSize: 8, NbFrag: 1, Padding: 3, Weak: true}},
		{"room for coded fragments", 1, 16000 * 10, 12, []fec.Option{fec.Room(3000), fec.Multiple(4)}, fec.Choice{FragSize: 12, NbFrag: 13334, Padding: 13334*12 - 160_000}},
	} {
		got, err := fec.ChooseFragSize(c.v, c.blockLen, c.max, c.opts...)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

func TestImpossibleCutsSayWhatIsInTheWay(t *testing.T) {
	for _, c := range []struct {
		name     string
		v        lorawan.Version
		blockLen int
		max      int
		opts     []fec.Option
		want     error
		says     string
	}{
		{"empty block", 1, 0, 50, nil, fec.ErrBlock, "empty"},
		{"no payload", 1, 100, 0, nil, fec.ErrChoice, "0 or less"},
		{"payload below the device's minimum", 1, 100, 39, []fec.Option{fec.Within(fec.ActilityWL55v1)}, fec.ErrChoice, "40 or more and 39 or less"},
		{"too many fragments for the device", 1, 100_000, 50, []fec.Option{fec.Within(fec.LBMDefault)}, fec.ErrChoice, "needs FragSize 1000"},
		{"too many fragments for 14 bits", 1, 200_000, 12, nil, fec.ErrChoice, "needs FragSize 13"},
		{"all numbers kept for coded fragments", 1, 100, 50, []fec.Option{fec.Room(fec.MaxFragments)}, fec.ErrChoice, "16383 coded"},
		{"slot too small", 1, 1000, 50, []fec.Option{fec.Within(fec.Limits{BlockSize: 999})}, fec.ErrChoice, "holds 999 bytes"},
		{"no such multiple", 1, 1000, 63, []fec.Option{fec.MinFragSize(57), fec.MultipleOf(32)}, fec.ErrChoice, "multiple of 32"},
		{"unknown version", 3, 100, 50, nil, fec.ErrVersion, "version 3"},
	} {
		if _, err := fec.ChooseFragSize(c.v, c.blockLen, c.max, c.opts...); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v saying %q", c.name, err, c.want, c.says)
		}
	}
}

func TestEveryChoiceCanBeEncodedWithinItsDemands(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 0))
	for range 300 {
		v := versions[rng.IntN(2)]
		blockLen, largest := 1+rng.IntN(60_000), 11+rng.IntN(230)
		lim := fec.Limits{NbFrag: 200 + rng.IntN(5000), MinFragSize: rng.IntN(12)}
		room := rng.IntN(500)
		c, err := fec.ChooseFragSize(v, blockLen, largest, fec.Within(lim), fec.Room(room), fec.Multiple(8))
		if err != nil {
			if !errors.Is(err, fec.ErrChoice) || blockLen <= largest*lim.NbFrag {
				t.Errorf("%d bytes, FragSize %d, %+v: %v", blockLen, largest, lim, err)
			}
			continue
		}
		e, err := fec.NewEncoder(v, make([]byte, blockLen), c.FragSize)
		if err != nil {
			t.Fatal(err)
		}
		if e.NbFrag() != c.NbFrag || e.Padding() != c.Padding || c.FragSize > largest || c.Padding > 255 ||
			c.NbFrag > fec.MaxFragments-room || lim.Check(c.NbFrag, c.FragSize) != nil || c.Weak != fec.WeakCount(v, c.NbFrag) {
			t.Errorf("%d bytes, FragSize %d, %+v: %+v", blockLen, largest, lim, c)
		}
	}
}
