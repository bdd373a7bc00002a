package forecast_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// predict predicts a campaign that is not blocked.
func predict(t *testing.T, r campaign.Request, a forecast.Assumptions, e forecast.Effort) forecast.Prediction {
	t.Helper()
	planned, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := forecast.Predict(&r, planned, a, e, start)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// codes returns the codes of findings.
func codes(findings []forecast.Finding) (all []forecast.Reason) {
	for _, f := range findings {
		all = append(all, f.Code)
	}
	return all
}

func TestTheSameQuestionHasTheSameAnswer(t *testing.T) {
	r := request(30, 4000)
	e := forecast.Effort{Runs: 3}
	first := predict(t, r, forecast.Assumptions{}, e)
	if again := predict(t, r, forecast.Assumptions{}, e); !reflect.DeepEqual(first, again) {
		t.Errorf("\n%+v\n%+v", first, again)
	}
	if other := predict(t, r, forecast.Assumptions{Seed: 2}, e); reflect.DeepEqual(first, other) {
		t.Error("another seed has the same luck")
	}
}

// What a prediction says fits together.
func TestFiguresAddUp(t *testing.T) {
	r := request(40, 6000)
	p := predict(t, r, forecast.Assumptions{}, forecast.Effort{Runs: 4})
	if p.Devices != 40 || p.Sampled != 40 || p.Runs != 4 {
		t.Errorf("%+v", p)
	}
	if !(p.DurationP50 > 0 && p.DurationP50 <= p.DurationP90) {
		t.Errorf("P50 %g s, P90 %g s", p.DurationP50, p.DurationP90)
	}
	sum, unicast := 0.0, 0.0
	for _, b := range p.Bands {
		sum += b.RX1 + b.RX2 + b.Multicast
		unicast += b.RX1 + b.RX2
		if b.BusiestHourPercent <= 0 || b.BusiestHourPercent > 100 || b.DutyCycle >= 1 || b.Gateways != 1 {
			t.Errorf("%+v", b)
		}
	}
	if math.Abs(sum-p.Airtime) > 0.01 || math.Abs(p.RX1+p.RX2+p.Multicast-p.Airtime) > 0.01 || unicast == 0 || p.Multicast == 0 {
		t.Errorf("air time %g s is not the sum of %+v", p.Airtime, p.Bands)
	}
	failed := 0.0
	for _, f := range p.Failures {
		failed += f.Devices
	}
	if math.Abs(p.VerifiedPercent+100*failed/40-100) > 0.1 || p.VerifiedLowPercent > p.VerifiedPercent || p.VerifiedPercent > p.VerifiedHighPercent {
		t.Errorf("%g %% verified, failures %+v", p.VerifiedPercent, p.Failures)
	}
	if p.Fragments < 26 || p.UnicastDownlinks < 3*36 || p.Sessions < 1 {
		t.Errorf("%d fragments, %d unicast downlinks, %d sessions", p.Fragments, p.UnicastDownlinks, p.Sessions)
	}
	if len(p.Energy) != 1 {
		t.Fatalf("%+v", p.Energy)
	}
	if e := p.Energy[0]; !(e.ExtraJoulesMean > 0 && e.ExtraJoulesMean < e.JoulesMean && e.JoulesMean <= e.JoulesMax) || e.ProfileID != "p" ||
		math.Abs(e.BatteryPercent-100*e.ExtraJoulesMean/(3.3*2.4*3600)) > 0.001 {
		t.Errorf("%+v", e)
	}
}

// Losses cost time and air; what is assumed is what is run.
func TestAssumptionsReachTheModel(t *testing.T) {
	r := request(40, 6000)
	e := forecast.Effort{Runs: 3}
	good := predict(t, r, forecast.Assumptions{Loss: &sim.Spread{}}, e)
	if good.VerifiedPercent != 100 || good.SuccessProbability != 1 || good.Fragments < 26 || good.Fragments > 29 { // a device may talk over one
		t.Errorf("without loss: %+v", good)
	}
	bad := predict(t, r, forecast.Assumptions{Loss: &sim.Spread{Mean: 0.3, Max: 0.3}}, e)
	if bad.DurationP50 <= good.DurationP50 || bad.Fragments <= good.Fragments || bad.UnicastDownlinks <= good.UnicastDownlinks {
		t.Errorf("with 30 %% loss: %+v\nwithout: %+v", bad, good)
	}
	if slow := predict(t, r, forecast.Assumptions{Loss: &sim.Spread{}, UplinkPeriod: time.Hour}, e); slow.DurationP50 <= good.DurationP50 {
		t.Errorf("uplinks every hour: %g s, every 15 minutes: %g s", slow.DurationP50, good.DurationP50)
	}
	dr0 := uint8(0)
	if far := predict(t, r, forecast.Assumptions{Loss: &sim.Spread{}, UplinkDR: &dr0}, e); far.RX1 <= good.RX1 {
		t.Errorf("RX1 at DR0 takes %g s, at DR3 %g s", far.RX1, good.RX1)
	}
	more := predict(t, r, forecast.Assumptions{Loss: &sim.Spread{}, Gateways: 4, Reach: 2}, e)
	if math.Abs(more.Multicast/good.Multicast-4) > 0.01 || more.Bands[0].Gateways != 4 {
		t.Errorf("four gateways send %g s, one %g s", more.Multicast, good.Multicast)
	}
	// What was learnt of a device takes the place of what is assumed of all.
	learnt := predict(t, r, forecast.Assumptions{Loss: &sim.Spread{Mean: 0.3, Max: 0.3}, Learnt: func(lorawan.EUI64) (forecast.Learnt, bool) {
		return forecast.Learnt{Loss: sim.Independent{}, UplinkPeriod: 15 * time.Minute}, true
	}}, e)
	if learnt.VerifiedPercent != 100 || learnt.Fragments != good.Fragments {
		t.Errorf("devices that are known to lose nothing: %+v", learnt)
	}
}

func TestImpossibleAssumptionsAreRefused(t *testing.T) {
	dr := uint8(16)
	for name, a := range map[string]forecast.Assumptions{
		"loss":             {Loss: &sim.Spread{Mean: 1}},
		"no number":        {Loss: &sim.Spread{Mean: math.NaN()}},
		"max below mean":   {Loss: &sim.Spread{Mean: 0.3, Max: 0.2}},
		"short bursts":     {Loss: &sim.Spread{Mean: 0.3, Max: 0.9, Burst: 1}},
		"gateways":         {Gateways: -1},
		"too many":         {Gateways: 1001},
		"reach":            {Reach: 11, Gateways: 20},
		"more than are":    {Reach: 3, Gateways: 2},
		"data rate":        {UplinkDR: &dr},
		"uplink period":    {UplinkPeriod: time.Millisecond},
		"negative period":  {UplinkPeriod: -time.Hour},
		"clock of a week":  {ClockError: 7 * 24 * time.Hour},
		"clock backwards":  {ClockError: -1},
		"bursts for years": {Loss: &sim.Spread{Mean: 0.1, Burst: 1e9}},
	} {
		if _, err := forecast.New(request(2, 100), forecast.Options{At: start, Assumptions: a}); !errors.Is(err, forecast.ErrAssumptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A sample says about what the whole fleet would. On a network that takes commands in the moment of the uplink,
// most runs take about as long, so that few of them have a P50.
func TestASampleStandsForTheFleet(t *testing.T) {
	r := request(400, 8000)
	r.NextChance = true
	a := forecast.Assumptions{Gateways: 8}
	whole := predict(t, r, a, forecast.Effort{Devices: 400, Runs: 5})
	part := predict(t, r, a, forecast.Effort{Devices: 100, Runs: 20})
	if part.Devices != 400 || part.Sampled != 100 || whole.Sampled != 400 {
		t.Fatalf("%d of %d and %d devices in the runs", part.Sampled, part.Devices, whole.Sampled)
	}
	for _, x := range []struct {
		name       string
		part, full float64
		within     float64
	}{
		{"RX1", part.RX1, whole.RX1, 0.1},
		{"multicast", part.Multicast, whole.Multicast, 0.15},
		{"fragments", float64(part.Fragments), float64(whole.Fragments), 0.15},
		{"unicast downlinks", float64(part.UnicastDownlinks), float64(whole.UnicastDownlinks), 0.1},
		{"verified", part.VerifiedPercent, whole.VerifiedPercent, 0.05},
		{"duration", part.DurationP50, whole.DurationP50, 0.25},
	} {
		if math.Abs(x.part/x.full-1) > x.within {
			t.Errorf("%s: %g from the sample, %g from the fleet", x.name, x.part, x.full)
		}
	}
	if whole.Bands[0].Gateways != 8 || part.Bands[0].Gateways != 8 {
		t.Errorf("%+v, %+v", whole.Bands, part.Bands)
	}
}

func TestABlockedCampaignHasNoPrediction(t *testing.T) {
	r := request(3, 100)
	r.Payload = nil
	p, err := forecast.New(r, forecast.Options{At: start, Alternatives: true})
	if err != nil || p.Prediction != nil || len(p.Alternatives) != 0 || !slices.Equal(codes(p.Blockers), []forecast.Reason{campaign.ReasonNoContent}) {
		t.Errorf("%v: %+v", err, p)
	}
	r = request(3, 100)
	r.Devices[1].RootKey = lorawan.AES128Key{}
	p, err = forecast.New(r, forecast.Options{At: start})
	if err != nil || p.Prediction == nil || p.Devices != 2 || len(p.Excluded) != 1 || p.Excluded[0].Reason != campaign.ReasonNoKey || !slices.Contains(codes(p.Warnings), forecast.ReasonExcluded) {
		t.Errorf("%v: %+v", err, p)
	}
}

func TestWarningsSayWhatToLookAt(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*campaign.Request)
		a      forecast.Assumptions
		want   forecast.Reason
	}{
		"too little time": {func(r *campaign.Request) { r.Campaign.MaxDuration = time.Hour }, forecast.Assumptions{}, forecast.ReasonMaxDuration},
		"no time left":    {func(r *campaign.Request) { r.Campaign.SessionStart = start.Add(-time.Hour) }, forecast.Assumptions{}, forecast.ReasonSessionStart},
		"high threshold":  {func(r *campaign.Request) { r.Campaign.SuccessThreshold = 100 }, forecast.Assumptions{Loss: &sim.Spread{Mean: 0.6, Max: 0.8}}, forecast.ReasonUnlikely},
		"bad links":       {func(*campaign.Request) {}, forecast.Assumptions{Loss: &sim.Spread{Mean: 0.8, Max: 0.9}}, forecast.ReasonFailures},
		"carousel":        {func(r *campaign.Request) { r.Campaign.Policy.Redundancy = fleet.Carousel }, forecast.Assumptions{}, forecast.ReasonCarousel},
		"small battery":   {func(r *campaign.Request) { *r = change(*r, func(p *fleet.DeviceProfile) { p.Power.BatteryMAH = 1 }) }, forecast.Assumptions{}, forecast.ReasonBattery},
		"unknown channels": {func(r *campaign.Request) {
			r.Groups[0].Band, r.Groups[0].Frequency, r.Groups[0].DataRate = region.CN470, 505300000, 3
			for i := range r.Devices {
				r.Devices[i].Band = region.CN470
			}
		}, forecast.Assumptions{}, forecast.ReasonNotPredicted},
	} {
		r := request(8, 2000)
		x.change(&r)
		p, err := forecast.New(r, forecast.Options{At: start, Assumptions: x.a})
		if err != nil || !slices.Contains(codes(p.Warnings), x.want) {
			t.Errorf("%s: %v, %+v", name, err, p.Warnings)
		}
	}
	p, err := forecast.New(request(8, 2000), forecast.Options{At: start, Assumptions: forecast.Assumptions{Loss: &sim.Spread{}}})
	if err != nil || len(p.Warnings) != 0 {
		t.Errorf("nothing is wrong: %v, %+v", err, p.Warnings)
	}
}

func TestDataRatesAndClassesAreCompared(t *testing.T) {
	r := request(10, 2000)
	for i := range r.Devices {
		r.Devices[i].Classes = fleet.ClassesOf(fleet.ClassB, fleet.ClassC)
	}
	p, err := forecast.New(r, forecast.Options{At: start, Alternatives: true})
	if err != nil {
		t.Fatal(err)
	}
	configured, best, classB := 0, 0, 0
	for _, a := range p.Alternatives {
		if a.Prediction == nil || a.Devices != 10 || a.Band != "EU868" || a.NbFrag == 0 {
			t.Errorf("%+v", a)
		}
		if a.Configured {
			configured++
			if a.DataRate != 5 || a.Class != fleet.ClassC {
				t.Errorf("configured: %+v", a)
			}
		}
		if a.Best {
			best++
		}
		if a.Class == fleet.ClassB {
			classB++
		}
	}
	if configured != 1 || best != 1 || classB == 0 || classB == len(p.Alternatives) {
		t.Errorf("%d configured, %d best, %d of %d in class B", configured, best, classB, len(p.Alternatives))
	}
	// At a slow data rate a small decoder cannot hold the block.
	r = change(r, func(p *fleet.DeviceProfile) { p.Decoder.MaxNbFrag = 20 })
	if p, err = forecast.New(r, forecast.Options{At: start, Alternatives: true}); err != nil {
		t.Fatal(err)
	}
	if a := p.Alternatives[0]; a.DataRate != 0 || a.Prediction != nil || a.Problem == nil || a.Problem.Code != campaign.ReasonNoDevices {
		t.Errorf("%+v", a)
	}
}

func TestTheOtherFileIsCompared(t *testing.T) {
	r := request(10, 8000)
	other := forecast.OtherFile{File: fleet.File{ID: "d", Type: fleet.DeltaFile}, Payload: bytesOf(800)}
	p, err := forecast.New(r, forecast.Options{At: start, Other: &other})
	if err != nil || p.Delta == nil || p.Delta.Prediction == nil || p.Delta.Prediction.Multicast >= p.Prediction.Multicast/3 || p.Delta.Size != 800 || p.Delta.FileID != "d" {
		t.Errorf("%v: %+v", err, p.Delta)
	}
}

// Whatever kinds of devices there are, they are predicted to come through where nothing is lost.
func TestEveryKindOfCampaignAndStackIsPredicted(t *testing.T) {
	firmware := func(r *campaign.Request) {
		r.Campaign.Type = fleet.FOTACampaign
		r.File.Type, r.File.Version, r.File.ProfileID = fleet.FirmwareFile, fleet.MustParseFirmware("2.0.0.0"), "p"
	}
	kinds := map[string]func(*campaign.Request){
		"file": func(*campaign.Request) {},
		"group": func(r *campaign.Request) {
			r.Campaign.Type, r.File, r.Payload = fleet.MCGroupCampaign, nil, nil
		},
		"firmware": firmware,
		"version 2": func(r *campaign.Request) {
			firmware(r)
			*r = change(*r, func(p *fleet.DeviceProfile) {
				p.Packages.ClockSync, p.Packages.McSetup, p.Packages.Fragmentation = lorawan.V2, lorawan.V2, lorawan.V2
			})
		},
		"descriptor": func(r *campaign.Request) {
			firmware(r)
			*r = change(*r, func(p *fleet.DeviceProfile) { p.Descriptor, _ = fleet.ParseDescriptorTemplate("size-le") })
		},
		"release candidate": func(r *campaign.Request) {
			firmware(r)
			*r = change(*r, func(p *fleet.DeviceProfile) { p.FirmwareDialect, p.RebootsItself = fleet.TS006RC1, true })
		},
		"class B": func(r *campaign.Request) {
			r.Groups[0].SessionClass, r.Groups[0].Frequency, r.Groups[0].DataRate = fleet.ClassB, 0, 3
			for i := range r.Devices {
				r.Devices[i].Classes = fleet.ClassesOf(fleet.ClassB)
			}
		},
		"address of a group": func(r *campaign.Request) { r.Groups[0].McAddr = lorawan.DevAddr{0, 0, 0, 3} },
	}
	for _, style := range []fleet.StatusStyle{fleet.StatusLoRaMac, fleet.StatusLBM, fleet.StatusZephyr, fleet.StatusWL55v2} {
		kinds[style.String()] = func(r *campaign.Request) {
			*r = change(*r, func(p *fleet.DeviceProfile) { p.StatusStyle = style })
		}
	}
	for name, kind := range kinds {
		r := request(6, 1500)
		kind(&r)
		if p := predict(t, r, forecast.Assumptions{Loss: &sim.Spread{}}, forecast.Effort{Runs: 2}); p.VerifiedPercent != 100 || p.SuccessProbability != 1 {
			t.Errorf("%s: %g %% verified: %+v", name, p.VerifiedPercent, p.Failures)
		}
	}
}

// What would take too long is not predicted, and says so; who has gone does not keep a CPU busy.
func TestPredictionsAreBounded(t *testing.T) {
	r := request(20, 4000)
	planned, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := forecast.Predict(&r, planned, forecast.Assumptions{}, forecast.Effort{Steps: 100}, start); !errors.Is(err, forecast.ErrTooLong) {
		t.Errorf("100 steps: %v", err)
	}
	late := func() error { return forecast.ErrTooLong }
	p, err := forecast.New(r, forecast.Options{At: start, Alternatives: true, Interrupt: late})
	if err != nil || p.Prediction != nil || !slices.Equal(codes(p.Warnings), []forecast.Reason{forecast.ReasonNotPredicted}) {
		t.Errorf("%v: %+v", err, p)
	}
	for _, a := range p.Alternatives {
		if a.Prediction != nil || a.Problem == nil || a.Problem.Code != forecast.ReasonNotPredicted {
			t.Errorf("%+v", a)
		}
	}
	gone := errors.New("gone")
	if _, err := forecast.New(r, forecast.Options{At: start, Interrupt: func() error { return gone }}); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	// The largest block there is, for many devices, ends within the bounds.
	if _, err := forecast.New(request(50, 3_000_000), forecast.Options{At: start, Interrupt: late}); err != nil {
		t.Error(err)
	}
}
