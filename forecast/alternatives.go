package forecast

import (
	"cmp"
	"errors"
	"slices"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// alternatives predicts the campaign at every data rate that carries it and in both multicast
// classes, band by band: the groups of the other bands are left out.
func alternatives(r campaign.Request, o Options) ([]Alternative, error) {
	out := []Alternative{}
	for _, band := range bandsOf(r.Groups) {
		groups := slices.DeleteFunc(slices.Clone(r.Groups), func(g fleet.MulticastGroup) bool { return g.Band != band || g.Archived })
		from := len(out)
		for _, class := range []fleet.Class{fleet.ClassC, fleet.ClassB} {
			for dr := range uint8(16) {
				if !band.Usable(dr, lorawan.Downlink) {
					continue
				}
				if _, ok := band.MaxFragSize(dr, region.Options{DwellTime400ms: groups[0].DwellTime}); !ok {
					continue
				}
				a, err := alternative(r, o, groups, class, dr)
				if err != nil {
					return nil, err
				}
				if a != nil {
					out = append(out, *a)
				}
			}
		}
		markBest(out[from:])
	}
	return out, nil
}

// bandsOf returns the bands of groups, each once, in their own order.
func bandsOf(groups []fleet.MulticastGroup) []region.Band {
	var bands []region.Band
	for _, g := range groups {
		if !g.Archived {
			bands = append(bands, g.Band)
		}
	}
	slices.Sort(bands)
	return slices.Compact(bands)
}

// alternative predicts one of them; nil: no device has the class at all.
func alternative(r campaign.Request, o Options, groups []fleet.MulticastGroup, class fleet.Class, dr uint8) (*Alternative, error) {
	out := &Alternative{Band: groups[0].Band.String(), Class: class, DataRate: dr, Configured: true}
	r.Groups = slices.Clone(groups)
	for i := range r.Groups {
		g := &r.Groups[i]
		out.Configured = out.Configured && g.SessionClass == class && g.DataRate == dr
		if g.SessionClass != class {
			g.SessionClass = class
			if g.Frequency = 0; class == fleet.ClassC {
				g.Frequency, _ = g.Band.RX2()
			}
		}
		g.DataRate = dr
	}
	if !slices.ContainsFunc(r.Devices, func(d fleet.Device) bool { return d.Classes.Has(class) }) {
		return nil, nil
	}
	found, problem, err := predictOther(r, o, alternativeBudget)
	if err != nil {
		return nil, err
	}
	out.Prediction, out.Problem = found.prediction, problem
	if s := &found.planned.Spec; len(s.Lanes) > 0 {
		l := largest(s)
		out.Devices, out.FragSize, out.NbFrag = len(s.Devices), l.FragSize, l.NbFrag
	}
	return out, nil
}

// worthMore is how many percent of the devices more are worth any time.
const worthMore = 1.0

// markBest marks the fastest of those that verify about as many devices as any. Devices that an
// alternative leaves out count as not verified. If nothing is verified, nothing is best.
func markBest(all []Alternative) {
	verified := func(a *Alternative) float64 {
		if a.Prediction == nil {
			return -1
		}
		return a.Prediction.VerifiedPercent * float64(a.Devices)
	}
	most, devices := 0.0, 0
	for i := range all {
		most, devices = max(most, verified(&all[i])), max(devices, all[i].Devices)
	}
	best := -1
	for i := range all {
		if v := verified(&all[i]); v <= 0 || v < most-worthMore*float64(devices) {
			continue
		}
		if best < 0 || cmp.Compare(all[i].Prediction.DurationP50, all[best].Prediction.DurationP50) < 0 {
			best = i
		}
	}
	if best >= 0 {
		all[best].Best = true
	}
}

// otherWay returns the campaign without deltas if some devices get one, and with deltas if none does; false: there is no
// other way.
func otherWay(r campaign.Request, planned *campaign.Spec, other *OtherFile) (campaign.Request, bool) {
	switch {
	case hasDeltas(planned) && r.File.Type != fleet.DeltaFile:
		r.Campaign.Delta = fleet.DeltaOff
	case len(r.Deltas) > 0:
		r.Campaign.Delta = fleet.DeltaAuto
		p, err := campaign.Plan(r)
		return r, err == nil && hasDeltas(&p.Spec)
	case other == nil:
		return r, false
	default:
		r.File, r.Payload = &other.File, other.Payload
		if r.Campaign.FileID, r.Campaign.Delta = r.File.ID, fleet.DeltaOff; r.File.Type == fleet.DeltaFile {
			r.Campaign.Delta = fleet.DeltaAuto
		}
	}
	return r, true
}

// hasDeltas tells if some devices get a delta, by what is known of them.
func hasDeltas(s *campaign.Spec) bool {
	return slices.ContainsFunc(lanesOf(s), func(l Lane) bool { return !l.Base.IsZero() })
}

// compare predicts the campaign the other way.
func compare(r campaign.Request, o Options) (*Comparison, error) {
	found, problem, err := predictOther(r, o, wholeBudget/4)
	return &Comparison{Mode: r.Campaign.Delta, FileID: r.File.ID, Type: r.File.Type, Size: len(r.Payload), Prediction: found.prediction, Problem: problem}, err
}

// other is what has been found of a variant of the campaign.
type other struct {
	planned    campaign.Planned
	prediction *Prediction
}

// predictOther plans and predicts a variant, or finds why it cannot be.
func predictOther(r campaign.Request, o Options, budget int) (out other, problem *Finding, err error) {
	out.planned, err = campaign.Plan(r)
	var blocked *campaign.Blocked
	switch {
	case errors.As(err, &blocked):
		return out, &Finding{blocked.Reason, blocked.Text}, nil
	case err != nil:
		return out, nil, err
	}
	p, err := Predict(&r, out.planned, o.Assumptions, effortFor(&out.planned.Spec, &o.Assumptions, budget, o.Interrupt), o.At)
	if finding, ok := unpredicted(err); ok {
		return out, &finding, nil
	}
	if err != nil {
		return out, nil, err
	}
	out.prediction = &p
	return out, nil, nil
}
