package whatif

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// predicted are ten scenarios that span bands, classes, data rates, sizes, losses, uplink periods and ways to be heard.
// They are chosen so that a run tells much: of fleets, files and periods where the same campaign with other luck takes
// about as long. A small fleet that needs a further session in every other run would need hundreds of them.
var predicted = []Scenario{
	{Name: "EU868 C DR5, 200 kB", Devices: 30, Size: 200_000, Loss: Loss{Mean: 0.1}, UplinkPeriods: every(3)},
	{Name: "EU868 C DR3", Devices: 100, Size: 20_000, Loss: Loss{Mean: 0.05}, DataRate: new(uint8(3))},
	{Name: "EU868 C DR0", Devices: 60, Size: 5_000, Loss: Loss{Mean: 0.1}, DataRate: new(uint8(0)), UplinkDataRate: new(uint8(2))},
	{Name: "EU868 B DR3, two periods", Devices: 30, Size: 50_000, Loss: Loss{Mean: 0.1}, DataRate: new(uint8(3)), Class: new(fleet.ClassB), PingSlotSeconds: 32, UplinkPeriods: every(5, 10)},
	{Name: "US915 C", Devices: 100, Size: 50_000, Loss: Loss{Mean: 0.05}, Band: region.US915},
	{Name: "US915 B DR10", Devices: 30, Size: 25_000, Loss: Loss{Mean: 0.15, Max: 0.3}, Band: region.US915, DataRate: new(uint8(10)), Class: new(fleet.ClassB), PingSlotSeconds: 32, UplinkPeriods: every(5)},
	{Name: "AS923 C, no loss", Devices: 40, Size: 30_000, Band: region.AS923},
	{Name: "IN865 C DR4, bursts", Devices: 60, Size: 30_000, Loss: Loss{Mean: 0.2, Max: 0.4, Burst: 3}, Band: region.IN865, DataRate: new(uint8(4)), Gateways: 2, Reach: 2},
	{Name: "EU868 C DR4, 40 % loss", Devices: 50, Size: 50_000, Loss: Loss{Mean: 0.4, Max: 0.5}, DataRate: new(uint8(4)), Gateways: 2, Reach: 2},
	{Name: "AU915 C, version 2", Devices: 100, Size: 30_000, Loss: Loss{Mean: 0.05}, Band: region.AU915, Packages: 2},
}

// every returns uplink periods of so many minutes.
func every(minutes ...int) (periods []Span) {
	for _, m := range minutes {
		periods = append(periods, Span(time.Duration(m)*time.Minute))
	}
	return periods
}

// The planner and the simulator must agree within a tenth in duration, air time and verified share, in each scenario.
// The simulator is the engine that serves, on a database, with other devices and other luck than the
// planner's. One run of it is no measure: durations of the same campaign with other luck differ by more than
// a tenth. So P50 is held against the median of several seeds, which is what it predicts, and the others, which are means, against their mean.
//
// What is left of luck is less than a third of the tenth: half of the runs of a scenario lie within 8 to 14 % of
// their median, and so the median of 16 has a standard error of 2 to 3 %; P50 of 60 runs has 1 to 2 %. Means of the air time have less
// than 1 %, verified shares 0.5 %.
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
	// Of 160 runs these shares have a standard error of 4.5 and 2.7 %, that of the quantiles included.
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

// predict asks the planner about the campaign of a scenario, with the effort that it spends for anybody.
func (s *Scenario) predict(t *testing.T) forecast.Prediction {
	t.Helper()
	w, err := newWorld(s)
	if err != nil {
		t.Fatal(err)
	}
	p, err := forecast.New(w.request(), forecast.Options{At: epoch, Assumptions: forecast.Assumptions{
		Loss: &sim.Spread{Mean: s.Loss.Mean, Max: s.Loss.Max, Burst: s.Loss.Burst}, Gateways: s.Gateways, Reach: s.Reach,
		UplinkDR: s.UplinkDataRate, ClockError: time.Duration(s.ClockError),
	}})
	if err != nil || p.Prediction == nil {
		t.Fatalf("%s: %v, blockers %v, warnings %v", s.Name, err, p.Blockers, p.Warnings)
	}
	return *p.Prediction
}

// request is what a planner is asked.
func (w *world) request() campaign.Request {
	ours, _ := w.sc.ours(Starling)
	g := w.group()
	g.Redundancy = ours.redundancy
	r := campaign.Request{
		Campaign:   fleet.Campaign{ID: "c", Type: fleet.BinaryCampaign, MaxDuration: maxDuration, SuccessThreshold: ours.threshold, Policy: ours.policy},
		NextChance: true,
		File:       &fleet.File{ID: "f", Type: fleet.BinaryFile}, Payload: w.content(1),
		Profiles: map[string]fleet.DeviceProfile{}, Groups: []fleet.MulticastGroup{g},
	}
	for i := range w.sc.UplinkPeriods {
		r.Profiles[fmt.Sprint(i)] = w.profile(i)
	}
	for i, spec := range w.fleet.Devices {
		r.Devices = append(r.Devices, fleet.Device{
			DevEUI: spec.DevEUI, Classes: fleet.ClassesOf(*w.sc.Class), RootKey: spec.RootKey,
			ProfileID: fmt.Sprint(i % len(w.sc.UplinkPeriods)), Band: spec.Band,
		})
	}
	return r
}

// What is predicted spans what a planner is asked about.
func TestTheScenariosSpanBandsAndClasses(t *testing.T) {
	var bands []region.Band
	classB, lossless, heavy, bursts, small, large := 0, 0, 0, 0, 0, 0
	count := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	for _, sc := range predicted {
		bands = append(bands, sc.Band)
		count(&classB, sc.Class != nil)
		count(&lossless, sc.Loss.Mean == 0)
		count(&heavy, sc.Loss.Mean >= 0.4)
		count(&bursts, sc.Loss.Burst > 0)
		count(&small, sc.Size <= 5_000)
		count(&large, sc.Size >= 200_000)
	}
	slices.Sort(bands)
	if len(predicted) != 10 || len(slices.Compact(bands)) < 5 || min(classB, 2) < 2 || min(lossless, heavy, bursts, small, large) < 1 {
		t.Errorf("%d scenarios, bands %v, %d in class B, %d without loss, %d with much, %d with bursts, %d small, %d large", len(predicted), bands, classB, lossless, heavy, bursts, small, large)
	}
}
