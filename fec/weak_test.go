package fec_test

import (
	"slices"
	"testing"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

func TestFirstDistinctRowIsTheMeasuredOne(t *testing.T) {
	for _, c := range []struct {
		v    lorawan.Version
		m    int
		want int
	}{
		// Measured independently before this package existed; 401 means "not within 400".
		{lorawan.V1, 40, 33},
		{lorawan.V1, 80, 33},
		{lorawan.V1, 160, 34},
		{lorawan.V1, 192, 128},
		{lorawan.V1, 320, 78},
		{lorawan.V1, 384, 206},
		{lorawan.V1, 448, 151},
		{lorawan.V1, 640, 78},
		{lorawan.V1, 768, 401},
		{lorawan.V1, 832, 401},
		{lorawan.V1, 896, 401},
		{lorawan.V1, 960, 401},
		// Tiny counts: one column is distinct at once, two after the first row.
		{lorawan.V1, 1, 1},
		{lorawan.V1, 2, 1},
		{lorawan.V2, 1, 1},
		{lorawan.V2, 2, 1},
	} {
		if got := fec.FirstDistinctRow(c.v, c.m, 400); got != c.want {
			t.Errorf("%v M=%d: %d, want %d", c.v, c.m, got, c.want)
		}
	}
}

func TestFirstDistinctRowEqualsComparingAllColumns(t *testing.T) {
	const limit = 60
	for _, v := range versions {
		for _, m := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 20, 33, 40, 80, 100, 192, 257} {
			columns := make([]string, m)
			want := limit + 1
			for k := 1; k <= limit; k++ {
				row := fec.ParityRow(v, k, m, nil)
				for i := range columns {
					columns[i] += map[bool]string{false: "0", true: "1"}[row.Has(i)]
				}
				sorted := slices.Clone(columns)
				slices.Sort(sorted)
				if len(slices.Compact(sorted)) == m {
					want = k
					break
				}
			}
			if got := fec.FirstDistinctRow(v, m, limit); got != want {
				t.Errorf("%v M=%d: %d, want %d", v, m, got, want)
			}
		}
	}
}

// The pairs that make these counts weak: no row of a usual budget tells them apart.
func TestKnownTwinsOfVersionOne(t *testing.T) {
	for m, pairs := range map[int][][2]int{
		384: {{191, 254}, {192, 257}},
		768: {{254, 383}, {257, 384}},
		960: {{479, 830}, {480, 833}},
	} {
		for k := 1; k <= 127; k++ {
			row := fec.ParityRow(lorawan.V1, k, m, nil)
			for _, p := range pairs {
				if row.Has(p[0]) != row.Has(p[1]) {
					t.Errorf("M=%d: columns %v differ in row %d", m, p, k)
				}
			}
		}
	}
}

func TestMultiplesOf64AreWeakAndPowersOfTwoAreNot(t *testing.T) {
	for _, v := range versions {
		for m := 192; m < 2048; m += 64 {
			if m&(m-1) == 0 {
				continue
			}
			if !fec.WeakCount(v, m) {
				t.Errorf("%v M=%d is not weak", v, m)
			}
			if fec.WeakCount(v, m+1) {
				t.Errorf("%v M=%d is weak", v, m+1)
			}
		}
		for m := 8; m <= 8192; m *= 2 {
			if fec.WeakCount(v, m) {
				t.Errorf("%v M=%d is weak", v, m)
			}
		}
		for m := range 8 {
			if m > 0 && !fec.WeakCount(v, m) {
				t.Errorf("%v M=%d is not weak: its rows repeat", v, m)
			}
		}
	}
}

// The guard may not cost more than it saves: few counts are weak.
func TestFewCountsAreWeak(t *testing.T) {
	for _, v := range versions {
		weak := 0
		for m := 100; m < 1100; m++ {
			if fec.WeakCount(v, m) {
				weak++
			}
		}
		if weak < 20 || weak > 35 {
			t.Errorf("%v: %d of 1000 counts are weak", v, weak)
		}
	}
}
