package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/sim"
)

// planQuestion is what a prediction needs beside the campaign.
type planQuestion struct {
	Assumptions  *assumptions `json:"assumptions,omitempty" doc:"What nobody knows of a network before; absent fields stand for defaults"`
	Alternatives *bool        `json:"alternatives,omitempty" doc:"Predict the other data rates and classes too; default true"`
}

// assumptions are forecast.Assumptions in JSON.
type assumptions struct {
	LossMean     *float64 `json:"loss_mean,omitempty" minimum:"0" maximum:"0.9" doc:"Share of the frames that links lose, on average; default 0.1"`
	LossMax      *float64 `json:"loss_max,omitempty" minimum:"0" maximum:"0.95" doc:"Share that the worst link loses; 0: three times loss_mean"`
	LossBurst    *float64 `json:"loss_burst,omitempty" minimum:"0" maximum:"1000" doc:"Mean length of a run of losses in frames; 0: independent losses"`
	Gateways     *int     `json:"gateways,omitempty" minimum:"0" maximum:"1000" doc:"Gateways of each multicast group; 0: one for each 250 devices"`
	Reach        *int     `json:"reach,omitempty" minimum:"0" maximum:"10" doc:"Gateways that a device is linked to; 0: 1"`
	UplinkDR     *uint8   `json:"uplink_dr,omitempty" maximum:"15" doc:"Data rate of uplinks, where the band has it; default 3"`
	UplinkPeriod *float64 `json:"uplink_period_s,omitempty" minimum:"0" maximum:"2678400" multipleOf:"1" doc:"Time between uplinks; 0: that of the profiles"`
	ClockError   *float64 `json:"clock_error_s,omitempty" minimum:"0" maximum:"86400" doc:"Either way; 0: 1"`
	Seed         *uint64  `json:"seed,omitempty" minimum:"0" maximum:"9007199254740991" doc:"Of all luck: the same seed gives the same prediction; 0: 1"`
}

func (q *planQuestion) options() (o service.PlanOptions) {
	o.Alternatives = q.Alternatives == nil || *q.Alternatives
	a := q.Assumptions
	if a == nil {
		return o
	}
	to := &o.Assumptions
	if a.LossMean != nil || a.LossMax != nil || a.LossBurst != nil {
		to.Loss = &sim.Spread{Mean: 0.1}
		set(&to.Loss.Mean, a.LossMean)
		set(&to.Loss.Max, a.LossMax)
		set(&to.Loss.Burst, a.LossBurst)
	}
	set(&to.Gateways, a.Gateways)
	set(&to.Reach, a.Reach)
	to.UplinkDR = a.UplinkDR
	setSeconds(&to.UplinkPeriod, a.UplinkPeriod)
	setSeconds(&to.ClockError, a.ClockError)
	set(&to.Seed, a.Seed)
	return o
}

// plan is a forecast.Plan in JSON.
type plan struct {
	CampaignID    string        `json:"campaign_id,omitempty" doc:"None for a campaign that is not stored"`
	Type          string        `json:"type" enum:"FOTA,BINARY,MCGROUP"`
	At            time.Time     `json:"at" doc:"When it would start"`
	Devices       int           `json:"devices" doc:"That take part"`
	Asked         int           `json:"asked" doc:"Of the devices, those that are asked first what they run, because their lane depends on it"`
	Lanes         []lane        `json:"lanes" doc:"Devices of one group that receive the same fragments"`
	Excluded      []excluded    `json:"excluded" doc:"Devices that do not take part, the first 1000"`
	ExcludedCount int           `json:"excluded_count" doc:"All of them"`
	Blockers      []finding     `json:"blockers" doc:"While there is one, the campaign does not start"`
	Warnings      []finding     `json:"warnings"`
	Prediction    *prediction   `json:"prediction,omitempty" doc:"None if the campaign is blocked or could not be predicted"`
	Alternatives  []alternative `json:"alternatives" doc:"The same campaign at other data rates and in other classes, predicted with less effort"`
	Delta         *comparison   `json:"delta,omitempty" doc:"The same campaign with the other file that leads to the same version"`
}

type lane struct {
	Group         string  `json:"group"`
	Band          string  `json:"band"`
	Class         string  `json:"class" enum:"B,C"`
	DataRate      uint8   `json:"data_rate"`
	Devices       int     `json:"devices"`
	Asked         int     `json:"asked" doc:"Of the devices, those that are asked first what they run: another lane may turn out to be theirs"`
	Version       int     `json:"fragmentation" doc:"Version of TS004"`
	Base          string  `json:"base,omitempty" doc:"Version that devices run, of a delta; none: no delta"`
	Size          int     `json:"size" doc:"Bytes"`
	FragSize      int     `json:"frag_size" doc:"Bytes"`
	NbFrag        int     `json:"nb_frag"`
	Padding       int     `json:"padding" doc:"Bytes"`
	Coded         int     `json:"coded" doc:"Coded fragments of the first round"`
	MaxCoded      int     `json:"max_coded"`
	Redundancy    string  `json:"redundancy" enum:"adaptive,fixed,carousel"`
	FrameAirtime  float64 `json:"frame_airtime_s" doc:"Of one fragment, on one gateway"`
	FrameInterval float64 `json:"frame_interval_s" doc:"Between two fragments, by duty cycle and ping slots"`
}

type excluded struct {
	DevEUI string `json:"dev_eui"`
	Reason string `json:"reason" doc:"Stable code"`
	Detail string `json:"detail"`
}

type finding struct {
	Code string `json:"code" doc:"Stable"`
	Text string `json:"text" doc:"What it is, and what to do"`
}

// prediction is a forecast.Prediction in JSON.
type prediction struct {
	Devices             int           `json:"devices"`
	Sampled             int           `json:"sampled" doc:"Devices in a run; fewer than devices: scaled"`
	Runs                int           `json:"runs"`
	DurationP50         float64       `json:"duration_p50_s" doc:"Half of the runs were faster"`
	DurationP90         float64       `json:"duration_p90_s"`
	Airtime             float64       `json:"airtime_s" doc:"Of all downlinks of all gateways"`
	RX1                 float64       `json:"rx1_airtime_s"`
	RX2                 float64       `json:"rx2_airtime_s"`
	Multicast           float64       `json:"multicast_airtime_s"`
	Bands               []bandAirtime `json:"bands" doc:"The same per group and sub-band"`
	Fragments           int           `json:"fragments" doc:"Sent over multicast, however many gateways sent each"`
	UnicastDownlinks    int           `json:"unicast_downlinks"`
	Sessions            int           `json:"sessions" doc:"Multicast sessions of the group that needs most: nine of ten runs need no more"`
	VerifiedPercent     float64       `json:"verified_percent" doc:"Of devices"`
	VerifiedLowPercent  float64       `json:"verified_low_percent" doc:"In the worst run"`
	VerifiedHighPercent float64       `json:"verified_high_percent" doc:"In the best run"`
	SuccessProbability  float64       `json:"success_probability" doc:"Share of the runs that ended SUCCEEDED, 0 to 1"`
	Failures            []failure     `json:"failures" doc:"Why devices are expected to fail"`
	Energy              []energy      `json:"energy" doc:"Per device profile"`
	Stages              []stageTime   `json:"stages" doc:"How long devices take for each"`
}

type stageTime struct {
	Stage string  `json:"stage"`
	P50   float64 `json:"p50_s" doc:"What half of the devices take at most, from when they can begin"`
	P90   float64 `json:"p90_s"`
}

type bandAirtime struct {
	Group              string  `json:"group"`
	Band               string  `json:"band"`
	Low                uint32  `json:"low" doc:"Hz"`
	High               uint32  `json:"high" doc:"Hz"`
	Gateways           int     `json:"gateways"`
	RX1                float64 `json:"rx1_airtime_s"`
	RX2                float64 `json:"rx2_airtime_s"`
	Multicast          float64 `json:"multicast_airtime_s"`
	DutyCycle          float64 `json:"duty_cycle" doc:"Part of the time that one gateway may be on; 1: no limit"`
	BusiestHourPercent float64 `json:"busiest_hour_percent" doc:"Used of what is allowed, by the busiest gateway in its busiest hour"`
}

type failure struct {
	Reason  string  `json:"reason" doc:"Stable code"`
	Devices float64 `json:"devices" doc:"On average"`
}

type energy struct {
	ProfileID       string  `json:"profile_id"`
	JoulesMean      float64 `json:"joules_mean" doc:"Of the radio, for as long as the campaign lasts"`
	JoulesMax       float64 `json:"joules_max" doc:"Of the device that needs most"`
	ExtraJoulesMean float64 `json:"extra_joules_mean" doc:"What it would not have used without the campaign"`
	BatteryPercent  float64 `json:"battery_percent" doc:"Of a full battery; 0: its capacity is not known"`
}

type alternative struct {
	Band       string      `json:"band"`
	Class      string      `json:"class" enum:"B,C"`
	DataRate   uint8       `json:"data_rate"`
	Configured bool        `json:"configured" doc:"As the groups of the band are set"`
	Best       bool        `json:"best" doc:"The fastest of those that verify most devices"`
	Devices    int         `json:"devices"`
	FragSize   int         `json:"frag_size" doc:"Bytes, of the largest lane"`
	NbFrag     int         `json:"nb_frag"`
	Prediction *prediction `json:"prediction,omitempty"`
	Problem    *finding    `json:"problem,omitempty" doc:"Why there is no prediction"`
}

type comparison struct {
	Mode       string      `json:"delta" enum:"auto,off,only" doc:"Of the campaign it is compared with"`
	FileID     string      `json:"file_id"`
	Type       string      `json:"type" enum:"firmware,delta"`
	Size       int         `json:"size" doc:"Bytes"`
	Prediction *prediction `json:"prediction,omitempty"`
	Problem    *finding    `json:"problem,omitempty" doc:"Why there is no prediction"`
}

// mostExcluded bounds an answer; the timeline of a started campaign has them all.
const mostExcluded = 1000

func showPlan(p forecast.Plan) plan {
	out := plan{CampaignID: p.Campaign, Type: p.Type.String(), At: p.At, Devices: p.Devices, Asked: p.Asked, Lanes: make([]lane, len(p.Lanes)),
		Excluded: []excluded{}, ExcludedCount: len(p.Excluded), Blockers: each(p.Blockers, showFinding), Warnings: each(p.Warnings, showFinding),
		Prediction: showPrediction(p.Prediction), Alternatives: make([]alternative, len(p.Alternatives))}
	for i, l := range p.Lanes {
		out.Lanes[i] = lane{l.Group.String(), l.Band, l.Class.String(), l.DataRate, l.Devices, l.Asked, int(l.Version), l.Base.String(), l.Size, int(l.FragSize), int(l.NbFrag), int(l.Padding),
			int(l.Coded), int(l.MaxCoded), l.Redundancy.String(), l.FrameAirtime, l.FrameInterval}
	}
	for _, x := range p.Excluded[:min(len(p.Excluded), mostExcluded)] {
		out.Excluded = append(out.Excluded, excluded{x.DevEUI.String(), string(x.Reason), x.Detail})
	}
	for i, a := range p.Alternatives {
		out.Alternatives[i] = alternative{a.Band, a.Class.String(), a.DataRate, a.Configured, a.Best, a.Devices, int(a.FragSize), int(a.NbFrag),
			showPrediction(a.Prediction), orNone(a.Problem, showFinding)}
	}
	if d := p.Delta; d != nil {
		out.Delta = &comparison{d.Mode.String(), d.FileID, d.Type.String(), d.Size, showPrediction(d.Prediction), orNone(d.Problem, showFinding)}
	}
	return out
}

func showFinding(f forecast.Finding) finding { return finding{string(f.Code), f.Text} }

// orNone shows what there is, nil for nil.
func orNone[T, D any](v *T, show func(T) D) *D {
	if v == nil {
		return nil
	}
	return new(show(*v))
}

func showPrediction(f *forecast.Prediction) *prediction {
	if f == nil {
		return nil
	}
	return &prediction{f.Devices, f.Sampled, f.Runs, f.DurationP50, f.DurationP90, f.Airtime, f.RX1, f.RX2, f.Multicast, each(f.Bands, showBand),
		f.Fragments, f.UnicastDownlinks, f.Sessions, f.VerifiedPercent, f.VerifiedLowPercent, f.VerifiedHighPercent, f.SuccessProbability,
		each(f.Failures, func(x forecast.Failure) failure { return failure{string(x.Reason), x.Devices} }),
		each(f.Energy, func(x forecast.Energy) energy { return energy(x) }),
		each(f.Stages, func(x forecast.Stage) stageTime { return stageTime{x.Stage.String(), x.P50, x.P90} })}
}

func showBand(b forecast.BandAirtime) bandAirtime {
	return bandAirtime{b.Group.String(), b.Band, b.Low, b.High, b.Gateways, b.RX1, b.RX2, b.Multicast, b.DutyCycle, b.BusiestHourPercent}
}

type planInput struct {
	KeyInput
	Body planQuestion
}

// CampaignFields is campaign with a name that the schema of newPlan can see.
type CampaignFields = campaign

// PlanFields is planQuestion with such a name.
type PlanFields = planQuestion

// newPlan is a campaign as for its creation, with the question.
type newPlan struct {
	CampaignFields
	PlanFields
}

type planNewInput struct{ Body newPlan }

type planOutput struct{ Body plan }

// plans registers what can be known of campaigns before they start.
func (a *api) plans() {
	s, tags := a.Service, []string{"campaigns"}
	const about = "Who takes part, in which fragments, and what the campaign is expected to take: it is run on a model of the network a few times. " +
		"Nothing is changed. A campaign that cannot start as it is has `blockers`. docs/plan.md explains each figure."
	register(a, identity.RunCampaigns, huma.Operation{OperationID: "plan-campaign", Method: http.MethodPost, Path: "/campaigns/{id}/plan", Tags: tags,
		Summary: "Say what a configured campaign will take", Description: about, DefaultStatus: http.StatusOK},
		func(ctx context.Context, in *planInput) (*planOutput, error) {
			p, err := s.Plan(ctx, in.ID, in.Body.options())
			return &planOutput{showPlan(p)}, err
		})
	register(a, identity.RunCampaigns, huma.Operation{OperationID: "plan-new-campaign", Method: http.MethodPost, Path: "/campaigns/plan", Tags: tags,
		Summary: "Say what a campaign would take that is not stored", Description: about, DefaultStatus: http.StatusOK},
		func(ctx context.Context, in *planNewInput) (*planOutput, error) {
			var c fleet.Campaign
			if err := in.Body.apply(&c); err != nil {
				return nil, err
			}
			p, err := s.PlanNew(ctx, c, in.Body.options())
			return &planOutput{showPlan(p)}, err
		})
}
