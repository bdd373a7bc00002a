package whatif

import (
	"fmt"
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
