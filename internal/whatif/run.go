package whatif

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// Result is what one strategy took. Times are virtual.
type Result struct {
	Strategy         Strategy      `json:"strategy"`
	DurationSeconds  float64       `json:"duration_seconds"`   // from the start of the first campaign to the end of the last
	AirtimeSeconds   float64       `json:"airtime_seconds"`    // of all downlinks of all gateways, unicast and multicast
	FragmentsSent    int           `json:"fragments_sent"`     // multicast frames, however many gateways sent each
	UnicastDownlinks int           `json:"unicast_downlinks"`  // that were on the air
	EnergyJoulesMean float64       `json:"energy_joules_mean"` // per device, of its radio, application uplinks included
	Devices          int           `json:"devices"`
	Verified         int           `json:"verified"` // that the server has evidence of
	Steps            int           `json:"steps"`    // things that happened in the simulated network: frames, windows, wake-ups
	Groups           []GroupResult `json:"groups"`
}

// GroupResult is what went to one multicast group.
type GroupResult struct {
	Group         lorawan.EUI64 `json:"group"`
	FragmentsSent int           `json:"fragments_sent"`
	// HindsightFragments is how many would have been enough: the uncoded ones and as many
	// more as the worst device needed to full rank, with the losses that it had. Of devices
	// that got the block; runs for devices that failed come on top of those before.
	HindsightFragments int `json:"hindsight_fragments"`
}

// Report is a whole comparison.
type Report struct {
	Scenario Scenario `json:"scenario"`
	Results  []Result `json:"results"`
}

// server is what a strategy drives.
type server interface {
	// upgrade delivers file n to all devices and returns how many are verified.
	upgrade(ctx context.Context, n int) (verified int, err error)
	close() error
}

// Run runs all strategies of a complete scenario, one after the other, and calls tell
// with one line whenever something has been reached; nil: nobody listens. The same scenario
// gives the same report.
func Run(ctx context.Context, sc Scenario, tell func(string)) (Report, error) {
	if tell == nil {
		tell = func(string) {}
	}
	r := Report{Scenario: sc}
	for _, st := range sc.Strategies {
		res, err := runStrategy(ctx, &sc, st, func(line string) { tell(fmt.Sprintf("%s: %s", st, line)) })
		if err != nil {
			return r, fmt.Errorf("strategy %s: %w", st, err)
		}
		r.Results = append(r.Results, res)
	}
	return r, nil
}

func runStrategy(ctx context.Context, sc *Scenario, st Strategy, tell func(string)) (res Result, err error) {
	w, err := newWorld(sc)
	if err != nil {
		return Result{}, err
	}
	if err := w.settle(ctx); err != nil {
		return Result{}, err
	}
	s, err := w.serverFor(ctx, st, tell)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for n := 1; n < sc.Campaigns; n++ {
		if _, err := s.upgrade(ctx, n); err != nil {
			return Result{}, err
		}
	}
	before := w.look()
	verified, err := s.upgrade(ctx, sc.Campaigns)
	if err != nil {
		return Result{}, err
	}
	res = w.result(st, before, verified)
	tell(w.spent(before))
	return res, nil
}

// serverFor returns the server that plays a strategy.
func (w *world) serverFor(ctx context.Context, st Strategy, tell func(string)) (server, error) {
	if c, ok := w.sc.ours(st); ok {
		return newOurs(ctx, w, c, tell)
	}
	return newChirpStack(w, tell), nil
}

// look is all that is measured, at one instant.
type look struct {
	at       time.Time
	stats    sim.Stats
	sent     int
	needed   int
	rx1, rx2 airtime
	readings []sim.Reading
}

func (w *world) look() look {
	l := look{at: w.net.Now(), sent: w.net.sent, needed: w.net.hindsight(), rx1: w.net.rx1, rx2: w.net.rx2}
	w.net.Inspect(func(n *sim.Network) { l.stats = n.Stats() })
	for _, m := range w.meters {
		l.readings = append(l.readings, m.Read())
	}
	return l
}

func (w *world) result(st Strategy, before look, verified int) Result {
	after := w.look()
	took := after.at.Sub(before.at)
	joules := 0.0
	for i, r := range after.readings {
		used := r.Sub(before.readings[i])
		joules += w.sc.Energy.power().Joules(used.Transmit, used.Receive, took)
	}
	sent := after.sent - before.sent
	return Result{
		Strategy: st, DurationSeconds: rounded(took.Seconds()),
		AirtimeSeconds: rounded((after.stats.DownlinkAirtime - before.stats.DownlinkAirtime).Seconds()),
		FragmentsSent:  sent, UnicastDownlinks: after.stats.UnicastSent - before.stats.UnicastSent,
		EnergyJoulesMean: rounded(joules / float64(len(w.meters))), Devices: len(w.meters), Verified: verified, Steps: after.stats.Steps - before.stats.Steps,
		Groups: []GroupResult{{Group: groupEUI, FragmentsSent: sent, HindsightFragments: after.needed - before.needed}},
	}
}

// spent says what the air time went into.
func (w *world) spent(before look) string {
	after := w.look()
	total := after.stats.DownlinkAirtime - before.stats.DownlinkAirtime
	rx1, rx2 := after.rx1.total-before.rx1.total, after.rx2.total-before.rx2.total
	return fmt.Sprintf("air time: %.1fs unicast in RX1 (%d frames), %.1fs unicast in RX2 (%d frames), %.1fs multicast", rx1.Seconds(), after.rx1.frames-before.rx1.frames,
		rx2.Seconds(), after.rx2.frames-before.rx2.frames, (total - rx1 - rx2).Seconds())
}

// rounded keeps milliseconds and millijoules.
func rounded(v float64) float64 { return math.Round(v*1000) / 1000 }

// hours writes a duration in whole minutes, or seconds if it is short.
func hours(d time.Duration) string {
	if d < 10*time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
