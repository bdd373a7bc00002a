package fec_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

// redundancyNeeded simulates devices that lose each fragment with probability loss and
// returns how many coded fragments were sent when each could decode, ascending. A device
// that needs more than limit counts as limit.
func redundancyNeeded(t testing.TB, v lorawan.Version, m, limit, devices int, loss float64, seed uint64) []int {
	t.Helper()
	rows := make([]fec.Row, limit+1)
	for k := 1; k <= limit; k++ {
		rows[k] = fec.ParityRow(v, k, m, nil)
	}
	rng := rand.New(rand.NewPCG(seed, uint64(m)))
	need := make([]int, devices)
	for i := range need {
		d, err := fec.NewRankDecoder(v, m, fec.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= m; n++ {
			if rng.Float64() >= loss {
				d.Add(n)
			}
		}
		k := 0
		for !d.Done() && k < limit {
			if k++; rng.Float64() >= loss {
				d.AddRow(m+k, rows[k])
			}
		}
		need[i] = k
	}
	slices.Sort(need)
	return need
}

// percent returns the share of m that serves the given part of the devices.
func percent(need []int, part float64, m int) float64 {
	return 100 * float64(need[int(part*float64(len(need)))]) / float64(m)
}

// The reason for the weak-count guard. Of 1000 devices the 99 % quantile is good to about
// one and a half points; the seeds are fixed.
func TestWeakCountsNeedFarMoreRedundancyThanTheirNeighbours(t *testing.T) {
	const tolerance = 1.5
	for _, c := range []struct {
		v    lorawan.Version
		m    int
		want float64 // % of m, for 99 % of devices at 10 % loss
	}{
		{lorawan.V1, 384, 54},
		{lorawan.V1, 385, 16},
		{lorawan.V1, 768, 67},
		{lorawan.V1, 769, 14.5},
		{lorawan.V2, 384, 31}, // less bad than version 1 here,
		{lorawan.V2, 385, 16},
		{lorawan.V2, 640, 80}, // and far worse there
		{lorawan.V2, 641, 15},
	} {
		need := redundancyNeeded(t, c.v, c.m, c.m, 1000, 0.1, 1)
		if got := percent(need, 0.99, c.m); got < c.want-tolerance || got > c.want+tolerance {
			t.Errorf("%v M=%d: 99 %% of devices need %.1f %%, want %.1f", c.v, c.m, got, c.want)
		}
	}
}

// RedundancyFor must be right where WeakCount says it may be trusted, in both versions:
// 1000 devices need what it says for a confidence of 99 %, give or take the sampling error.
func TestPlannedRedundancySufficesForCountsThatAreNotWeak(t *testing.T) {
	for _, v := range versions {
		for _, m := range []int{150, 256, 300, 450, 600} {
			if fec.WeakCount(v, m) {
				t.Errorf("%v M=%d is weak: a bad sample", v, m)
			}
			for _, loss := range []float64{0.05, 0.2} {
				plan := fec.RedundancyFor(m, loss, 1, 0.99)
				need := redundancyNeeded(t, v, m, 2*m, 1000, loss, 7)
				served, _ := slices.BinarySearch(need, plan+1)
				if served < 980 || served > 999 {
					t.Errorf("%v M=%d loss %.0f %%: %d coded fragments serve %d of 1000 devices, want 990", v, m, 100*loss, plan, served)
				}
			}
		}
	}
}
