package fec_test

import (
	"math"
	"testing"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

// The coded fragments, in % of m, that were needed in an independent simulation of 10,000
// to 20,000 devices with version 1. The last column rests on one or two devices.
func TestRedundancyIsTheSimulatedOne(t *testing.T) {
	parts := []float64{0.5, 0.99, 0.999, 0.9999}
	tolerance := []float64{0.6, 0.8, 1, 2.2}
	for _, c := range []struct {
		m    int
		loss float64
		want [4]float64
	}{
		{200, 0.05, [4]float64{6, 11, 13, 15}},
		{200, 0.10, [4]float64{12, 18.5, 21.5, 23}},
		{200, 0.20, [4]float64{26, 36, 40, 43}},
		{450, 0.01, [4]float64{1.3, 3.3, 4.2, 4.9}},
		{450, 0.05, [4]float64{5.6, 8.4, 9.8, 10.2}},
		{450, 0.10, [4]float64{11.6, 15.8, 16.9, 17.3}},
		{450, 0.20, [4]float64{25, 32, 34, 36}},
		{450, 0.30, [4]float64{43, 52, 55, 59}},
		{450, 0.40, [4]float64{67, 79, 84, 89}},
	} {
		for i, part := range parts {
			got := 100 * float64(fec.RedundancyFor(c.m, c.loss, 1, part)) / float64(c.m)
			if math.Abs(got-c.want[i]) > tolerance[i] {
				t.Errorf("M=%d loss %.0f %% for %v of devices: %.1f %%, want %.1f", c.m, 100*c.loss, part, got, c.want[i])
			}
		}
	}
}

// M=100 of version 1 is why the table above starts at 200: the simulation had 29 % where
// RedundancyFor has 23 % (10 % loss, 99 %). One uncoded fragment is in only one of the
// first 28 coded ones; a device that lost both waits for the 29th.
func TestSmallCountsMayHaveAThinColumn(t *testing.T) {
	const m = 100
	times := make([]int, m)
	for k := 1; k <= 28; k++ {
		row := fec.ParityRow(lorawan.V1, k, m, nil)
		for i := range times {
			if row.Has(i) {
				times[i]++
			}
		}
	}
	thin := 0
	for _, n := range times {
		if n == 1 {
			thin++
		}
	}
	if thin != 1 {
		t.Errorf("%d columns are in one of 28 rows, want 1", thin)
	}
	if got := fec.RedundancyFor(m, 0.1, 1, 0.99); got != 23 {
		t.Errorf("RedundancyFor is %d: this test's story has changed", got)
	}
}

func TestManyDevicesNeedWhatOneNeedsAtTheRoot(t *testing.T) {
	one := fec.RedundancyFor(450, 0.1, 1, math.Pow(0.99, 1.0/100))
	if got := fec.RedundancyFor(450, 0.1, 100, 0.99); got != one {
		t.Errorf("100 devices at 99 %%: %d, one at 99.99 %%: %d", got, one)
	}
}

func TestRedundancyGrowsWithLossDevicesAndConfidence(t *testing.T) {
	last := 0
	for loss := 0.01; loss < 0.9; loss += 0.01 {
		r := fec.RedundancyFor(300, loss, 10, 0.99)
		if r < last || float64(r) < 300*loss {
			t.Errorf("loss %.2f: %d after %d", loss, r, last)
		}
		last = r
	}
	if a, b := fec.RedundancyFor(300, 0.1, 10, 0.99), fec.RedundancyFor(300, 0.1, 10_000, 0.99); a >= b {
		t.Errorf("10 devices %d, 10,000 devices %d", a, b)
	}
	if a, b := fec.RedundancyFor(300, 0.1, 10, 0.9), fec.RedundancyFor(300, 0.1, 10, 0.999); a >= b {
		t.Errorf("90 %% %d, 99.9 %% %d", a, b)
	}
}

func TestRedundancyAtTheEdges(t *testing.T) {
	for _, c := range []struct {
		name       string
		m          int
		loss       float64
		devices    int
		confidence float64
		want       int
	}{
		{"nothing is lost", 100, 0, 10, 0.99, 0},
		{"no devices", 100, 0.1, 0, 0.99, 0},
		{"no fragments", 0, 0.1, 10, 0.99, 0},
		{"no confidence asked", 100, 0.1, 10, 0, 0},
		{"loss is not a number", 100, math.NaN(), 10, 0.99, 0},
		{"everything is lost", 100, 1, 10, 0.99, fec.MaxFragments - 100},
		{"certainty", 100, 0.1, 10, 1, fec.MaxFragments - 100},
		{"beyond 14 bits", 16000, 0.5, 10, 0.99, 383},
		{"no number left", fec.MaxFragments, 0.5, 10, 0.99, 0},
		{"confidence is not a number", 100, 0.1, 10, math.NaN(), 0},
	} {
		if got := fec.RedundancyFor(c.m, c.loss, c.devices, c.confidence); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
