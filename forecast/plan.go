package forecast

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// Plan is what can be known of a campaign before it costs anything.
type Plan struct {
	Campaign string             `json:"campaign,omitempty"` // ID; none: it is not stored
	Type     fleet.CampaignType `json:"type"`
	At       time.Time          `json:"at"`      // when it would start
	Devices  int                `json:"devices"` // that take part
	Asked    int                `json:"asked"`   // of them, those that are asked first what they run, because their lane depends on it
	Lanes    []Lane             `json:"lanes"`
	// Excluded devices are named by the campaign and do not take part, ascending by DevEUI.
	Excluded []campaign.Excluded `json:"excluded"`
	Blockers []Finding           `json:"blockers"` // while there is one, the campaign does not start
	Warnings []Finding           `json:"warnings"`
	// Prediction is nil if the campaign is blocked, or could not be predicted: then a warning says why.
	Prediction   *Prediction   `json:"prediction,omitempty"`
	Alternatives []Alternative `json:"alternatives"` // side by side with what is configured
	Delta        *Comparison   `json:"delta,omitempty"`
}

// Lane is a campaign.Lane as people read it.
type Lane struct {
	Group         lorawan.EUI64        `json:"group"`
	Band          string               `json:"band"`
	Class         fleet.Class          `json:"class"`
	DataRate      uint8                `json:"data_rate"`
	Devices       int                  `json:"devices"`
	Asked         int                  `json:"asked"`         // of them, see Plan.Asked: another lane may turn out to be theirs
	Version       lorawan.Version      `json:"fragmentation"` // TS004
	Base          fleet.Firmware       `json:"base,omitzero"` // that a delta leads from; zero: no delta
	Size          int                  `json:"size"`          // bytes of the block
	FragSize      uint8                `json:"frag_size"`     // bytes
	NbFrag        uint16               `json:"nb_frag"`
	Padding       uint8                `json:"padding"` // bytes
	Coded         uint16               `json:"coded"`   // of the first round
	MaxCoded      uint16               `json:"max_coded"`
	Redundancy    fleet.RedundancyMode `json:"redundancy"`
	FrameAirtime  float64              `json:"frame_airtime_s"`  // of one fragment, on one gateway
	FrameInterval float64              `json:"frame_interval_s"` // between two fragments, by duty cycle and ping slots
}

// Finding is something to know before a start.
type Finding struct {
	Code Reason `json:"code"`
	Text string `json:"text"` // what it is, and what to do
}

// Reason is a stable code, as package campaign has them; docs/plan.md explains those here.
type Reason = campaign.Reason

// Reasons to look again before a start.
const (
	ReasonExcluded     Reason = "plan.devices_excluded"
	ReasonNotPredicted Reason = "plan.not_predicted"
	ReasonSessions     Reason = "plan.several_sessions"
	ReasonDutyCycle    Reason = "plan.duty_cycle"
	ReasonUnlikely     Reason = "plan.threshold_at_risk"
	ReasonMaxDuration  Reason = "plan.max_duration"
	ReasonCarousel     Reason = "plan.no_coding"
	ReasonBattery      Reason = "plan.battery"
	ReasonSessionStart Reason = "plan.session_start"
	ReasonFailures     Reason = "plan.failures_expected"
	ReasonSampled      Reason = "plan.sampled"
	ReasonDeltasOnTop  Reason = "plan.deltas_on_top"
	ReasonGroupInUse   Reason = "blocked.group_in_use"
)

// Alternative is the same campaign with another data rate or class in one band. It is predicted
// with less effort than the campaign itself, all alternatives of a band alike: compare them with one another.
type Alternative struct {
	Band       string      `json:"band"`
	Class      fleet.Class `json:"class"`
	DataRate   uint8       `json:"data_rate"`
	Configured bool        `json:"configured"` // as the groups of the band have it
	Best       bool        `json:"best"`       // of its band: see best
	Devices    int         `json:"devices"`
	FragSize   uint8       `json:"frag_size"` // of the largest lane
	NbFrag     uint16      `json:"nb_frag"`
	// Prediction is nil if it cannot be done: Problem says why.
	Prediction *Prediction `json:"prediction,omitempty"`
	Problem    *Finding    `json:"problem,omitempty"`
}

// Comparison is the same campaign the other way: the full image to all against deltas. It names another file, or has
// another delta mode.
type Comparison struct {
	Mode       fleet.DeltaMode `json:"delta"`
	FileID     string          `json:"file_id"`
	Type       fleet.FileType  `json:"type"`
	Size       int             `json:"size"` // bytes of the file
	Prediction *Prediction     `json:"prediction,omitempty"`
	Problem    *Finding        `json:"problem,omitempty"`
}

// Options steer New.
type Options struct {
	Assumptions  Assumptions
	At           time.Time // when the campaign would start
	Alternatives bool      // compare data rates and classes
	// Other is the file to compare with, nil for none: the full image of a delta, or the delta of a full image. A campaign
	// whose request has deltas is compared with itself in another delta mode.
	Other     *OtherFile
	Interrupt func() error // see Effort
}

// OtherFile is a file that leads to the same version.
type OtherFile struct {
	File    fleet.File
	Payload []byte
}

// New plans a campaign and predicts it. A campaign that cannot start has blockers and no
// prediction: that is no error. It returns ErrAssumptions and the error of Options.Interrupt.
func New(r campaign.Request, o Options) (Plan, error) {
	out := Plan{
		Campaign: r.Campaign.ID, Type: r.Campaign.Type, At: o.At.UTC(),
		Lanes: []Lane{}, Excluded: []campaign.Excluded{}, Blockers: []Finding{}, Warnings: []Finding{}, Alternatives: []Alternative{},
	}
	if _, err := o.Assumptions.complete(); err != nil {
		return out, err
	}
	planned, err := campaign.Plan(r)
	out.Excluded = append(out.Excluded, planned.Excluded...)
	if len(out.Excluded) > 0 {
		out.warn(ReasonExcluded, "%d of %d devices do not take part: see their reasons", len(out.Excluded), len(r.Devices))
	}
	var blocked *campaign.Blocked
	switch {
	case errors.As(err, &blocked):
		out.Blockers = append(out.Blockers, Finding{blocked.Reason, blocked.Text})
		return out, nil
	case err != nil:
		return out, err
	}
	out.Devices = len(planned.Spec.Devices)
	out.Lanes = lanesOf(&planned.Spec)
	for _, l := range out.Lanes {
		out.Asked += l.Asked
	}
	prediction, err := Predict(&r, planned, o.Assumptions, effortFor(&planned.Spec, &o.Assumptions, wholeBudget, o.Interrupt), o.At)
	switch finding, ok := unpredicted(err); {
	case ok:
		out.Warnings, err = append(out.Warnings, finding), nil
	case err != nil:
		return out, err
	default:
		out.Prediction = &prediction
	}
	out.look(&planned.Spec)
	if o.Alternatives {
		if out.Alternatives, err = alternatives(r, o); err != nil {
			return out, err
		}
	}
	if other, ok := otherWay(r, &planned.Spec, o.Other); ok && out.Prediction != nil {
		out.Delta, err = compare(other, o)
	}
	return out, err
}

func (p *Plan) warn(code Reason, format string, args ...any) {
	p.Warnings = append(p.Warnings, Finding{code, fmt.Sprintf(format, args...)})
}

// unpredicted turns an error of Predict that is about the campaign into a finding.
func unpredicted(err error) (Finding, bool) {
	switch {
	case errors.Is(err, ErrTooLong):
		return Finding{ReasonNotPredicted, "it takes too long to be predicted: a smaller file, a faster data rate or longer uplink periods make it shorter"}, true
	case errors.Is(err, sim.ErrConfig), errors.Is(err, sim.ErrPayload):
		return Finding{ReasonNotPredicted, fmt.Sprintf("it cannot be predicted: %v", err)}, true
	}
	return Finding{}, false
}

// Budgets of predictions: devices times what each takes, see cost.
const (
	wholeBudget       = 2_200_000
	alternativeBudget = 150_000
	mostDevices       = 1000
	fewestDevices     = 40
)

// cost is about what one device takes in a run, in units of one fragment received: a third of the
// fragments comes on top, and an uplink with what it brings is worth some. Each link to a gateway
// doubles it, and each gateway has work of its own.
func cost(s *campaign.Spec, a *Assumptions) int {
	most, devices := 0, members(s)
	for i, l := range s.Lanes {
		if devices[i] > 0 {
			most = max(most, int(l.NbFrag))
		}
	}
	const uplinks, perUplink = 40, 5
	links := max(a.Reach, 1) + a.gatewaysFor(len(s.Devices))/len(s.Devices)
	return (most*4/3 + uplinks*perUplink) * links
}

// effortFor spends a budget on a plan: more runs of a small fleet, a sample of a large one.
func effortFor(s *campaign.Spec, a *Assumptions, budget int, interrupt func() error) Effort {
	// One run in twenty has a second chance, which costs the block once more: a mean of 40 would be off by 3 % for that alone.
	const fewestRuns, mostRuns = 4, 120
	each := cost(s, a)
	devices := max(fewestDevices, min(budget/fewestRuns/each, mostDevices))
	// A decoder holds a row of NbFrag bits for each fragment that was lost.
	const memory, lost = 128 << 20, 0.3
	for _, l := range s.Lanes {
		devices = min(devices, max(1, int(memory/max(1, lost*float64(l.NbFrag)*float64(l.NbFrag)/8))))
	}
	runs := max(fewestRuns, min(budget/(each*min(devices, len(s.Devices))), mostRuns))
	return Effort{Devices: devices, Runs: runs, Interrupt: interrupt}
}

func lanesOf(s *campaign.Spec) []Lane {
	members, asked := members(s), make([]int, len(s.Lanes))
	for _, d := range s.Devices {
		if d.Ask {
			asked[d.Lane]++
		}
	}
	out := make([]Lane, 0, len(s.Lanes))
	for i, l := range s.Lanes {
		if members[i] == 0 {
			continue // it is there for what a probe may find
		}
		g := &s.Groups[l.Group]
		airtime, _ := g.Band.DownlinkAirtime(g.DataRate, int(l.FragSize)+fragmentOverhead)
		out = append(out, Lane{
			Group: g.DevEUI, Band: g.Band.String(), Class: g.Class, DataRate: g.DataRate, Devices: members[i], Asked: asked[i], Version: l.Version,
			Base: l.Base, Size: l.Size, FragSize: l.FragSize, NbFrag: l.NbFrag, Padding: l.Padding, Coded: l.Coded, MaxCoded: l.MaxCoded, Redundancy: l.Redundancy,
			FrameAirtime: airtime.Seconds(), FrameInterval: g.FrameInterval.Seconds(),
		})
	}
	return out
}

// fragmentOverhead is what DataFragment adds to the data: CID and Index&N (TS004).
const fragmentOverhead = 3

// look adds the warnings that follow from plan and prediction.
func (p *Plan) look(s *campaign.Spec) {
	if !s.SessionStart.IsZero() && !s.SessionStart.After(p.At) {
		p.warn(ReasonSessionStart, "session_start is past: nobody can be told of that session: choose a later time, or none")
	}
	if slices.ContainsFunc(s.Lanes, func(l campaign.Lane) bool { return l.Redundancy == fleet.Carousel }) {
		p.warn(ReasonCarousel, "fragments are sent again instead of coded ones: that helps only decoders that take fragments in any order; adaptive redundancy helps all")
	}
	p.lookAtDeltas()
	f := p.Prediction
	if f == nil {
		return
	}
	if f.Sampled < f.Devices {
		p.warn(ReasonSampled, "%d of %d devices were in each run: the rest is scaled", f.Sampled, f.Devices)
	}
	if f.SuccessProbability < likely {
		p.warn(ReasonUnlikely, "it ended well in %.0f %% of %d runs: the success threshold is %g %%, and %.1f %% of the devices are expected to be verified", 100*f.SuccessProbability, f.Runs, s.Threshold, f.VerifiedPercent)
	}
	if len(f.Failures) > 0 && f.VerifiedPercent < 100*likely {
		p.warn(ReasonFailures, "%.1f %% of the devices are expected to fail, most of them with %s", 100-f.VerifiedPercent, f.Failures[0].Reason)
	}
	if s.MaxDuration > 0 && f.DurationP90 > likely*s.MaxDuration.Seconds() {
		p.warn(ReasonMaxDuration, "it may take %s, and ends at max_duration_s, %s: give it more time", duration(f.DurationP90), s.MaxDuration)
	}
	if f.Sessions > waves(s) {
		p.warn(ReasonSessions, "it needs up to %d multicast sessions: devices are told of each", f.Sessions)
	}
	for _, b := range f.Bands {
		if b.BusiestHourPercent > 100*likely {
			p.warn(ReasonDutyCycle, "group %s uses %.0f %% of the duty cycle of %.3f to %.3f MHz in its busiest hour: little is left for others", b.Group, b.BusiestHourPercent, float64(b.Low)/1e6, float64(b.High)/1e6)
		}
	}
	for _, e := range f.Energy {
		if e.BatteryPercent > muchBattery {
			p.warn(ReasonBattery, "it takes %.1f %% of the battery of devices with profile %s: class B, or a faster data rate, takes less", e.BatteryPercent, e.ProfileID)
		}
	}
}

// lookAtDeltas warns of groups in which some devices surely need the full image: what is sent to all of a group anyway
// makes deltas for the others an addition.
func (p *Plan) lookAtDeltas() {
	deltas := map[lorawan.EUI64]int{} // fragments
	for _, l := range p.Lanes {
		if !l.Base.IsZero() {
			deltas[l.Group] += int(l.NbFrag)
		}
	}
	for _, l := range p.Lanes {
		if n := deltas[l.Group]; l.Base.IsZero() && l.Devices > l.Asked && n > 0 {
			p.warn(ReasonDeltasOnTop, "group %s sends the full image for %d devices, and deltas of %d fragments on top of its %d: delta off sends less; a campaign of their own for those devices lets the others gain", l.Group, l.Devices-l.Asked, n, l.NbFrag)
		}
	}
}

const (
	likely      = 0.9 // what is more likely than this is taken as given
	muchBattery = 2.0 // percent of a full battery
)

func duration(seconds float64) time.Duration {
	return (time.Duration(seconds) * time.Second).Round(time.Minute)
}

// waves returns how many sessions each group has at least: one for each phase that has devices.
func waves(s *campaign.Spec) int {
	last := 0
	for _, d := range s.Devices {
		last = max(last, d.Wave)
	}
	return last + 1
}

// largest returns the lane with most devices, the first of equals.
func largest(s *campaign.Spec) campaign.Lane {
	n := members(s)
	return s.Lanes[slices.Index(n, slices.Max(n))]
}

// members returns how many devices each lane has.
func members(s *campaign.Spec) []int {
	n := make([]int, len(s.Lanes))
	for _, d := range s.Devices {
		n[d.Lane]++
	}
	return n
}
