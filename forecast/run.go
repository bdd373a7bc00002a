package forecast

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// Effort bounds what a prediction may cost. The zero value of a field is the default.
type Effort struct {
	Devices   int          // most devices in one run; 0: 500
	Runs      int          // of the whole sample; 0: 7
	Steps     int          // of the network, per run at most: beyond, there is no prediction; 0: 3 million
	Interrupt func() error // asked now and then; an error of it ends the prediction; nil: nobody asks
}

func (e Effort) withDefaults() Effort {
	e.Devices, e.Runs, e.Steps = cmp.Or(e.Devices, 500), cmp.Or(e.Runs, 7), cmp.Or(e.Steps, 3_000_000)
	return e
}

// ErrTooLong means that a prediction would cost more than Effort allows.
var ErrTooLong = errSteps

// Predict runs a planned campaign a few times against a model network and sums up. r is what
// p was planned from. at is when the campaign would start. The same arguments give the same
// prediction.
//
// A fleet of more than Effort.Devices is represented by a sample, see sampleOf: unicast air
// time is scaled by devices, multicast air time by gateways. The duration and the number of
// fragments are decided by the slowest and the worst of all devices, which a sample seldom holds.
// The tail of both is about exponential: a device needs k attempts with probability p^k. The
// largest of n such values grows with the logarithm of n. So a second, smaller sample is run as
// well, and what was gained between the two is continued along ln n up to the size of the fleet.
// A gateway with more devices than fit a run is represented by one with fewer: what it is late
// because of that is only seen as far as the smaller sample, which has fewer still, shows it.
//
// It returns ErrAssumptions, ErrTooLong, the error of Effort.Interrupt, and
// sim.ErrConfig for a band whose channels are not known.
func Predict(r *campaign.Request, p campaign.Planned, a Assumptions, e Effort, at time.Time) (Prediction, error) {
	a, err := a.complete()
	if err != nil {
		return Prediction{}, err
	}
	e = e.withDefaults()
	f := newFleet(r)
	p = legible(p)
	whole := sampleOf(p, &a, e.Devices)
	runs, err := runAll(f, &whole, &a, e, at, 0)
	if err != nil {
		return Prediction{}, err
	}
	out := summarise(&whole, runs)
	if whole.complete {
		return out.rounded(), nil
	}
	part := sampleOf(p, &a, whole.smaller())
	// Smaller runs cost less, and the difference of two means wants both to be good.
	again := e
	again.Runs = max(1, min(e.Runs*whole.devices/part.devices, 4*e.Runs))
	smaller, err := runAll(f, &part, &a, again, at, uint64(e.Runs))
	if err != nil {
		return Prediction{}, err
	}
	out.continueTail(&whole, runs, &part, smaller, p.Spec.MaxDuration)
	return out.rounded(), nil
}

// outcome is one run.
type outcome struct {
	took     time.Duration
	success  bool
	verified int
	sessions int
	reasons  map[campaign.Reason]int
	groups   []groupUse
	energy   map[string]*profileUse
	stages   []campaign.StageReport
}

// profileUse is the energy of the devices of a profile.
type profileUse struct {
	devices          int
	joules, idle, of float64 // sums, and the largest
	power            fleet.Power
}

func runAll(f fleetOf, s *sample, a *Assumptions, e Effort, at time.Time, firstSeed uint64) ([]outcome, error) {
	runs := make([]outcome, 0, e.Runs)
	for k := range uint64(e.Runs) {
		o, err := runOnce(f, s, a, e, at, a.Seed*1_000_003+firstSeed+k)
		if err != nil {
			return nil, fmt.Errorf("prediction: %w", err)
		}
		runs = append(runs, o)
	}
	return runs, nil
}

func runOnce(f fleetOf, s *sample, a *Assumptions, e Effort, at time.Time, seed uint64) (outcome, error) {
	at = at.UTC()
	w, err := newWorld(f, s, a, at.Add(-settling*longestPeriod(s, a)), seed)
	if err != nil {
		return outcome{}, err
	}
	d, err := newDriver(w, s, e.Interrupt, e.Steps)
	if err != nil {
		return outcome{}, err
	}
	if err := d.settle(at); err != nil {
		return outcome{}, err
	}
	before := d.readings()
	if err := d.run(); err != nil {
		return outcome{}, err
	}
	return d.outcome(before), nil
}

// outcome reads what the campaign has come to.
func (d *driver) outcome(before []sim.Reading) outcome {
	head, report := d.c.Header(), d.report()
	ended := head.Ended
	if ended.IsZero() {
		ended = head.Halted.At
	}
	o := outcome{
		took: ended.Sub(head.Started), stages: report.Stages, success: head.Status == fleet.Succeeded,
		reasons: map[campaign.Reason]int{}, groups: d.use, energy: map[string]*profileUse{},
	}
	for _, g := range report.Groups {
		o.sessions = max(o.sessions, g.Sessions)
	}
	for i := range d.c.Spec().Devices {
		switch dev := d.c.Device(i); dev.Outcome {
		case campaign.Verified:
			o.verified++
		default:
			o.reasons[cmp.Or(dev.Reason, campaign.ReasonEnded)]++
		}
	}
	for i, after := range d.readings() {
		m := &d.members[i]
		p := o.energy[m.profile]
		if p == nil {
			p = &profileUse{power: m.power}
			o.energy[m.profile] = p
		}
		joules := m.power.Joules(after.Transmit-before[i].Transmit, after.Receive-before[i].Receive, o.took)
		p.devices++
		p.joules += joules
		p.of = max(p.of, joules)
		p.idle += m.idle(o.took)
	}
	for _, a := range d.net.Stats().Airtime {
		var g, k int
		if _, err := fmt.Sscanf(a.Gateway, "%d-%d", &g, &k); err != nil {
			panic(err) // gatewayID made it
		}
		b := o.groups[g].in(a.SubBand)
		b.busiest = max(b.busiest, a.Busiest)
	}
	return o
}

// summarise takes the means and quantiles of the runs of a sample, scaled to the plan.
func summarise(s *sample, runs []outcome) Prediction {
	n := float64(len(runs))
	out := Prediction{Devices: s.all, Sampled: s.devices, Runs: len(runs), VerifiedLowPercent: 100, Bands: []BandAirtime{}, Failures: []Failure{}, Energy: []Energy{}, Stages: []Stage{}}
	var took, sessions []float64
	fragments, unicast := 0.0, 0.0
	failures := map[campaign.Reason]float64{}
	scale := float64(s.all) / float64(s.devices)
	for _, o := range runs {
		took = append(took, o.took.Seconds())
		share := 100 * float64(o.verified) / float64(s.devices)
		out.VerifiedPercent += share / n
		out.VerifiedLowPercent, out.VerifiedHighPercent = min(out.VerifiedLowPercent, share), max(out.VerifiedHighPercent, share)
		sessions = append(sessions, float64(o.sessions))
		if o.success {
			out.SuccessProbability += 1 / n
		}
		for reason, devices := range o.reasons {
			failures[reason] += scale * float64(devices) / n
		}
		for g := range o.groups {
			fragments += float64(o.groups[g].fragments) / n
			for _, b := range o.groups[g].bands {
				unicast += s.groups[g].perDevice() * float64(b.rx1.frames+b.rx2.frames) / n
			}
		}
	}
	out.DurationP50, out.DurationP90 = quantile(took, 0.5), quantile(took, 0.9)
	out.Sessions = int(math.Round(quantile(sessions, 0.9)))
	out.Fragments, out.UnicastDownlinks = int(math.Round(fragments)), int(math.Round(unicast))
	out.sumBands(s, runs)
	for reason, devices := range failures {
		out.Failures = append(out.Failures, Failure{reason, devices})
	}
	slices.SortFunc(out.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Devices, a.Devices), cmp.Compare(a.Reason, b.Reason))
	})
	out.sumEnergy(runs)
	out.sumStages(runs)
	return out
}

// perDevice is how many devices of the plan one of the sample stands for.
func (g *groupSample) perDevice() float64 { return float64(g.allDevices) / float64(g.devices) }

// perGateway is how many gateways of the plan one of the sample stands for.
func (g *groupSample) perGateway() float64 { return float64(g.allGateways) / float64(g.gateways) }

func (p *Prediction) sumBands(s *sample, runs []outcome) {
	n := float64(len(runs))
	at := map[[2]uint32]int{}
	for _, o := range runs {
		for g := range o.groups {
			gs, k := &s.planned.Spec.Groups[g], &s.groups[g]
			for _, b := range o.groups[g].bands {
				key := [2]uint32{uint32(g), b.Low}
				i, ok := at[key]
				if !ok {
					i = len(p.Bands)
					at[key] = i
					p.Bands = append(p.Bands, BandAirtime{
						Group: gs.DevEUI, Band: gs.Band.String(), Low: b.Low, High: b.High, Gateways: k.allGateways, DutyCycle: b.DutyCycle,
					})
				}
				row := &p.Bands[i]
				row.RX1 += k.perDevice() * b.rx1.airtime.Seconds() / n
				row.RX2 += k.perDevice() * b.rx2.airtime.Seconds() / n
				row.Multicast += k.perGateway() * b.multicast.airtime.Seconds() / n
				if b.Limited() {
					row.BusiestHourPercent += 100 * b.busiest.Seconds() / b.SubBand.Airtime(time.Hour).Seconds() / n
				}
			}
		}
	}
	order := map[lorawan.EUI64]int{}
	for g := range s.planned.Spec.Groups {
		order[s.planned.Spec.Groups[g].DevEUI] = g
	}
	slices.SortFunc(p.Bands, func(a, b BandAirtime) int {
		return cmp.Or(cmp.Compare(order[a.Group], order[b.Group]), cmp.Compare(a.Low, b.Low))
	})
	p.sumAirtime()
}

// sumAirtime adds the sub-bands up.
func (p *Prediction) sumAirtime() {
	p.RX1, p.RX2, p.Multicast = 0, 0, 0
	for _, b := range p.Bands {
		p.RX1, p.RX2, p.Multicast = p.RX1+b.RX1, p.RX2+b.RX2, p.Multicast+b.Multicast
	}
	p.Airtime = p.RX1 + p.RX2 + p.Multicast
}

func (p *Prediction) sumEnergy(runs []outcome) {
	n := float64(len(runs))
	at := map[string]int{}
	for _, o := range runs {
		for id, u := range o.energy {
			i, ok := at[id]
			if !ok {
				i = len(p.Energy)
				at[id] = i
				p.Energy = append(p.Energy, Energy{ProfileID: id})
			}
			e, devices := &p.Energy[i], float64(u.devices)
			e.JoulesMean += u.joules / devices / n
			e.JoulesMax += u.of / n
			extra := (u.joules - u.idle) / devices
			e.ExtraJoulesMean += extra / n
			e.BatteryPercent += u.power.BatteryPercent(extra) / n
		}
	}
	slices.SortFunc(p.Energy, func(a, b Energy) int { return cmp.Compare(a.ProfileID, b.ProfileID) })
}

// sumStages takes the mean of the runs in which anybody passed a stage.
func (p *Prediction) sumStages(runs []outcome) {
	for k, s := range runs[0].stages {
		out, n := Stage{Stage: s.Stage}, 0.0
		for _, o := range runs {
			if of := o.stages[k]; of.Passed > 0 {
				out.P50, out.P90, n = out.P50+of.P50, out.P90+of.P90, n+1
			}
		}
		if n > 0 {
			out.P50, out.P90 = out.P50/n, out.P90/n
		}
		p.Stages = append(p.Stages, out)
	}
}

// continueTail continues duration and fragments from the two samples to the whole fleet, see Predict.
func (p *Prediction) continueTail(large *sample, atLarge []outcome, small *sample, atSmall []outcome, most time.Duration) {
	if small.devices == large.devices {
		return
	}
	ahead := math.Log(float64(large.all)/float64(large.devices)) / math.Log(float64(large.devices)/float64(small.devices))
	beyond := func(of func(*outcome) float64) (more, base float64) {
		base = mean(atLarge, of)
		return max(0, base-mean(atSmall, of)) * ahead, base
	}
	longer, _ := beyond(func(o *outcome) float64 { return o.took.Seconds() })
	p.DurationP50 = min(p.DurationP50+longer, most.Seconds())
	p.DurationP90 = min(p.DurationP90+longer, most.Seconds())
	more, base := beyond(func(o *outcome) float64 { return float64(o.fragments()) })
	if base == 0 {
		return
	}
	p.Fragments += int(math.Round(more))
	for i := range p.Bands {
		p.Bands[i].Multicast *= 1 + more/base
	}
	p.sumAirtime()
}

func (o *outcome) fragments() (n int) {
	for g := range o.groups {
		n += o.groups[g].fragments
	}
	return n
}

func mean(runs []outcome, of func(*outcome) float64) (sum float64) {
	for i := range runs {
		sum += of(&runs[i])
	}
	return sum / float64(len(runs))
}

// quantile returns the q-quantile of values, 0..1, between the two nearest.
func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	at := q * float64(len(values)-1)
	below := int(at)
	above := min(below+1, len(values)-1)
	return values[below] + (at-float64(below))*(values[above]-values[below])
}

// rounded keeps milliseconds, millijoules, and thousandths of a percent: what is beyond them is noise.
func (p Prediction) rounded() Prediction {
	round := func(values ...*float64) {
		for _, v := range values {
			*v = math.Round(*v*1000) / 1000
		}
	}
	round(&p.DurationP50, &p.DurationP90, &p.Airtime, &p.RX1, &p.RX2, &p.Multicast, &p.VerifiedPercent, &p.VerifiedLowPercent, &p.VerifiedHighPercent, &p.SuccessProbability)
	for i := range p.Bands {
		b := &p.Bands[i]
		round(&b.RX1, &b.RX2, &b.Multicast, &b.BusiestHourPercent)
	}
	for i := range p.Failures {
		round(&p.Failures[i].Devices)
	}
	for i := range p.Energy {
		e := &p.Energy[i]
		round(&e.JoulesMean, &e.JoulesMax, &e.ExtraJoulesMean, &e.BatteryPercent)
	}
	for i := range p.Stages {
		round(&p.Stages[i].P50, &p.Stages[i].P90)
	}
	return p
}
