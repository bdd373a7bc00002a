package forecast

import (
	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/lorawan"
)

// Prediction is what a campaign is expected to take. It is kept with the campaign, so that
// its report can compare. Figures without a quantile in their name are means over the runs.
type Prediction struct {
	Devices int `json:"devices"` // that take part
	Sampled int `json:"sampled"` // of them were in a run; fewer than Devices: scaled
	Runs    int `json:"runs"`    // of the campaign, each with luck of its own

	DurationP50 float64 `json:"duration_p50_s"` // from start to end: half of the runs were faster
	DurationP90 float64 `json:"duration_p90_s"`

	Airtime   float64 `json:"airtime_s"` // of all downlinks of all gateways: RX1 + RX2 + multicast
	RX1       float64 `json:"rx1_airtime_s"`
	RX2       float64 `json:"rx2_airtime_s"`
	Multicast float64 `json:"multicast_airtime_s"`
	// Bands are the same per group and sub-band, in the order of the groups.
	Bands []BandAirtime `json:"bands"`

	Fragments        int `json:"fragments"`         // sent over multicast, however many gateways sent each
	UnicastDownlinks int `json:"unicast_downlinks"` // that were on the air
	Sessions         int `json:"sessions"`          // multicast sessions of the group that needs most: nine of ten runs need no more

	VerifiedPercent     float64   `json:"verified_percent"`     // of Devices
	VerifiedLowPercent  float64   `json:"verified_low_percent"` // in the worst run
	VerifiedHighPercent float64   `json:"verified_high_percent"`
	SuccessProbability  float64   `json:"success_probability"` // 0..1: the share of runs that ended SUCCEEDED
	Failures            []Failure `json:"failures"`            // why devices fail, the most frequent reason first

	Energy []Energy `json:"energy"` // per device profile, ascending by identifier
	Stages []Stage  `json:"stages"` // in their order
}

// Stage is how long the devices of a run take for a stage, as campaign.StageReport has it, in the mean of the runs.
type Stage struct {
	Stage campaign.Stage `json:"stage"`
	P50   float64        `json:"p50_s"`
	P90   float64        `json:"p90_s"`
}

// BandAirtime is what a group sends in one sub-band.
type BandAirtime struct {
	Group     lorawan.EUI64 `json:"group"`
	Band      string        `json:"band"`
	Low       uint32        `json:"low"`  // Hz
	High      uint32        `json:"high"` // Hz
	Gateways  int           `json:"gateways"`
	RX1       float64       `json:"rx1_airtime_s"`
	RX2       float64       `json:"rx2_airtime_s"`
	Multicast float64       `json:"multicast_airtime_s"`
	DutyCycle float64       `json:"duty_cycle"` // part of the time that one gateway may be on; 1: no limit
	// BusiestHourPercent is how much of what is allowed the busiest gateway uses in its busiest
	// hour; what is left is headroom for others. 0 without a limit.
	BusiestHourPercent float64 `json:"busiest_hour_percent"`
}

// Failure is a reason for which devices are expected to fail.
type Failure struct {
	Reason  campaign.Reason `json:"reason"`
	Devices float64         `json:"devices"` // on average
}

// Energy is what the campaign takes out of the devices of one profile. It is the radio's, for as
// long as the campaign lasts.
type Energy struct {
	ProfileID  string  `json:"profile_id"`
	JoulesMean float64 `json:"joules_mean"` // application uplinks and sleep included
	JoulesMax  float64 `json:"joules_max"`  // of the device that needs most, in the mean of the runs
	// ExtraJoulesMean is what the device would not have used without the campaign.
	ExtraJoulesMean float64 `json:"extra_joules_mean"`
	// BatteryPercent is the share of a full battery that ExtraJoulesMean is; 0: the profile does not tell its capacity.
	BatteryPercent float64 `json:"battery_percent"`
}
