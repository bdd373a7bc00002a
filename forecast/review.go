package forecast

import (
	"math"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/sim"
)

// Kept is what is kept with a campaign of what was expected of it.
type Kept struct {
	At         time.Time   `json:"at"` // when the campaign started
	Prediction *Prediction `json:"prediction,omitempty"`
	Missing    *Finding    `json:"missing,omitempty"` // why there is none
}

// Keep predicts a campaign that was started at a time, from what it was started with. What happened since has
// no part in it, whenever it is made. That it cannot be predicted is no error; that of interrupt is.
//
// r needs the devices, profiles and groups of p only.
func Keep(r campaign.Request, p campaign.Planned, at time.Time, interrupt func() error) (Kept, error) {
	kept := Kept{At: at.UTC()}
	var a Assumptions
	prediction, err := Predict(&r, p, a, effortFor(&p.Spec, &a, wholeBudget, interrupt), at)
	if finding, ok := unpredicted(err); ok {
		kept.Missing = &finding
		return kept, nil
	}
	if err != nil {
		return kept, err
	}
	kept.Prediction = &prediction
	return kept, nil
}

// Figure is something that was predicted, beside what it has become.
type Figure struct {
	Name      string   // stable; see docs/reports.md
	Of        string   // the profile or the stage that it is about; "": the campaign
	Predicted *float64 // nil: it was not
	Actual    float64  // so far, while the campaign runs
	// Deviation is by how many percent of what was predicted the actual is more; nil: nothing was predicted, it
	// is a share of nothing, or the campaign has not ended.
	Deviation *float64
}

// Names of figures.
const (
	FigureDurationP50 = "duration_p50_s"
	FigureDurationP90 = "duration_p90_s"
	FigureAirtime     = "airtime_s"
	FigureMulticast   = "multicast_airtime_s"
	FigureUnicast     = "unicast_airtime_s"
	FigureFragments   = "fragments"
	FigureDownlinks   = "unicast_downlinks"
	FigureSessions    = "sessions"
	FigureVerified    = "verified"
	FigureEnergy      = "extra_joules_mean"
	FigureStageP50    = "stage_p50_s"
	FigureStageP90    = "stage_p90_s"
)

// Review holds what a campaign has come to against what was expected of it; p is nil if nothing was.
func Review(p *Prediction, r *campaign.Report) []Figure {
	v := review{ended: !r.Ended.IsZero(), predicted: p != nil}
	if p == nil {
		p = &Prediction{}
	}
	v.add(FigureDurationP50, p.DurationP50, r.Duration)
	v.add(FigureDurationP90, p.DurationP90, r.Duration)
	v.add(FigureAirtime, p.Airtime, r.UnicastAirtime+r.MulticastAirtime)
	v.add(FigureMulticast, p.Multicast, r.MulticastAirtime)
	v.add(FigureUnicast, p.RX1+p.RX2, r.UnicastAirtime)
	v.add(FigureFragments, float64(p.Fragments), float64(r.Fragments))
	v.add(FigureDownlinks, float64(p.UnicastDownlinks), float64(r.UnicastDownlinks))
	sessions := 0
	for _, g := range r.Groups {
		sessions = max(sessions, g.Sessions)
	}
	v.add(FigureSessions, float64(p.Sessions), float64(sessions))
	v.add(FigureVerified, math.Round(p.VerifiedPercent*float64(p.Devices))/100, float64(r.Verified))
	v.energy(p, r)
	v.stages(p, r)
	return v.figures
}

// review collects figures.
type review struct {
	figures          []Figure
	ended, predicted bool
}

// add adds a figure of the campaign.
func (v *review) add(name string, predicted, actual float64) {
	v.put(name, "", predicted, actual, v.predicted)
}

// put adds a figure, of which a prediction may be known.
func (v *review) put(name, of string, predicted, actual float64, known bool) {
	f := Figure{Name: name, Of: of, Actual: math.Round(actual*1000) / 1000}
	if known {
		f.Predicted = &predicted
		if v.ended && predicted > 0 {
			f.Deviation = new(math.Round(1000*(actual-predicted)/predicted) / 10)
		}
	}
	v.figures = append(v.figures, f)
}

// energy compares what the campaign took out of a device of each profile.
func (v *review) energy(p *Prediction, r *campaign.Report) {
	predicted := map[string]float64{}
	for _, e := range p.Energy {
		predicted[e.ProfileID] = e.ExtraJoulesMean
	}
	var order []string
	joules, devices := map[string]float64{}, map[string]int{}
	for i := range r.Work {
		w := &r.Work[i]
		if devices[w.ProfileID] == 0 {
			order = append(order, w.ProfileID)
		}
		joules[w.ProfileID] += workJoules(w, r)
		devices[w.ProfileID] += w.Devices
	}
	for _, id := range order {
		mean, known := predicted[id]
		v.put(FigureEnergy, id, mean, joules[id]/float64(devices[id]), known)
	}
}

// stages compares how long devices took for each stage.
func (v *review) stages(p *Prediction, r *campaign.Report) {
	predicted := map[campaign.Stage]Stage{}
	for _, s := range p.Stages {
		predicted[s.Stage] = s
	}
	for _, s := range r.Stages {
		was, known := predicted[s.Stage]
		v.put(FigureStageP50, s.Stage.String(), was.P50, s.P50, known)
		v.put(FigureStageP90, s.Stage.String(), was.P90, s.P90, known)
	}
}

// workJoules returns what devices have used for a campaign, all of them together, beyond what they would have
// used without it. It is computed from what they were made to do, by the same figures as a prediction:
//
//	uplinks with commands   transmitted once, at the usual data rate, with two receive windows each
//	unicast downlinks       received for as long as gateways took for them, on average
//	sessions                listened to from the beginning to the end that devices were told
//
// What did not reach the server, as uplinks that were lost, is not in it.
func workJoules(w *campaign.WorkReport, r *campaign.Report) float64 {
	g, power := &w.Group, w.Power.WithDefaults()
	uplinkDR := sim.UsualUplinkDR(g.Band)
	uplink, _ := g.Band.UplinkAirtime(uplinkDR, applicationPayload)
	transmit := time.Duration(w.Uplinks) * uplink
	receive := time.Duration(w.Uplinks) * sim.UplinkWindows(g.Band, uplinkDR)
	asked := 0
	for i := range r.Work {
		asked += r.Work[i].Asked
	}
	if asked > 0 {
		receive += time.Duration(r.UnicastAirtime * float64(w.Asked) / float64(asked) * float64(time.Second))
	}
	classB := g.Class == fleet.ClassB
	receive += sim.Listening{ClassB: classB, Band: g.Band, DR: g.DataRate, Periodicity: g.Periodicity}.Receive(w.Listened)
	if classB && w.Listened > 0 {
		receive += time.Duration(w.Devices) * heardInSession(g, r)
	}
	return power.Joules(transmit, receive, transmit+receive)
}

// heardInSession is how long a device receives that hears every frame of its group.
func heardInSession(g *campaign.GroupSpec, r *campaign.Report) (heard time.Duration) {
	for i := range r.Groups {
		if r.Groups[i].DevEUI != g.DevEUI {
			continue
		}
		for _, l := range r.Groups[i].Lanes {
			airtime, _ := g.Band.DownlinkAirtime(g.DataRate, l.FragSize+fragmentOverhead)
			heard += time.Duration(l.Sent) * airtime
		}
	}
	return heard
}
