//go:build !race

package whatif

import (
	"math"
	"slices"
	"testing"
)

// The race detector would make ten minutes of this minute, and looks at planner and simulator in all other tests.

// The planner and the simulator must agree within a tenth in duration, air time and verified share, in each scenario.
// The simulator is the engine that serves, on a database, with other devices and other luck than the
// planner's. One run of it is no measure: durations of the same campaign with other luck differ by more than
// a tenth. So P50 is held against the median of several seeds, which is what it predicts, and the others, which are means, against their mean.
//
// What is left of luck is less than a third of the tenth: half of the runs of a scenario lie within 8 to 14 % of
// their median, and so the median of 14 has a standard error of 2 to 3 %; P50 of 120 runs has 1 %. Air times have less than 1 %, but for
// the second chances of one run in twenty, which cost the block once more: with them the mean of 14 may be off by 5 %. Verified shares have 0.5 %.
//
// P90 is too rare for that. It is held to what it says: nine tenths of the runs, of all scenarios together, end by then, and half of them by P50.
func TestPredictionsAgreeWithTheSimulator(t *testing.T) {
	const seeds, tenth = 14, 0.1
	byP50, byP90, all := 0, 0, 0
	for _, sc := range predicted {
		sc.Strategies, sc.DevicesModel, sc.Seed = []Strategy{Starling}, Ranks, 77
		if err := sc.Complete(); err != nil {
			t.Fatalf("%s: %v", sc.Name, err)
		}
		p := sc.predict(t)
		var took, onAir, verified []float64
		for seed := range uint64(seeds) {
			sc.Seed = firstSeed + seed
			r, err := Run(t.Context(), sc, nil)
			if err != nil {
				t.Fatalf("%s: %v", sc.Name, err)
			}
			res := r.Results[0]
			took, onAir, verified = append(took, res.DurationSeconds), append(onAir, res.AirtimeSeconds), append(verified, 100*float64(res.Verified)/float64(res.Devices))
		}
		byP50, byP90, all = byP50+upTo(p.DurationP50, took), byP90+upTo(p.DurationP90, took), all+seeds
		for _, x := range []struct {
			figure               string
			predicted, simulated float64
		}{{"duration", p.DurationP50, median(took)}, {"air time", p.Airtime, mean(onAir)}, {"verified", p.VerifiedPercent, mean(verified)}} {
			difference := x.predicted/x.simulated - 1
			t.Logf("%-26s %-9s predicted %9.1f, simulated %9.1f: %+5.1f %%", sc.Name, x.figure, x.predicted, x.simulated, 100*difference)
			if math.Abs(difference) > tenth {
				t.Errorf("%s: %s predicted %.1f, simulated %.1f: %+.1f %%", sc.Name, x.figure, x.predicted, x.simulated, 100*difference)
			}
		}
	}
	// Of 140 runs these shares have a standard error of 4.5 and 2.7 %, that of the quantiles included.
	for _, x := range []struct {
		name           string
		ended          int
		fewest, likely float64
	}{{"P50", byP50, 0.37, 0.63}, {"P90", byP90, 0.82, 0.98}} {
		share := float64(x.ended) / float64(all)
		t.Logf("%d of %d runs ended by %s", x.ended, all, x.name)
		if share < x.fewest || share > x.likely {
			t.Errorf("%.0f %% of the runs ended by %s", 100*share, x.name)
		}
	}
}

// firstSeed of the simulator's runs; the others follow it.
const firstSeed = 1000

// upTo returns how many values are at most as large as limit.
func upTo(limit float64, values []float64) (n int) {
	for _, v := range values {
		if v <= limit {
			n++
		}
	}
	return n
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// median sorts values.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
