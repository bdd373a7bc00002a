package api

import (
	"github.com/starling-fuota/starling/fleet"
)

// subscriber is a fleet.Subscriber in JSON.
type subscriber struct {
	ID               *string             `json:"id,omitempty" pattern:"^[a-z0-9][a-z0-9-]{0,63}$" patternDescription:"a-z, 0-9 and -, 64 at most" doc:"A short name, such as acme-water; cannot be changed"`
	Name             *string             `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Description      *string             `json:"description,omitempty" maxLength:"4000" pattern:"^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Quota            *quota              `json:"quota,omitempty" doc:"How many it may have, 0: unlimited. Archived objects do not count"`
	Defaults         *subscriberDefaults `json:"defaults,omitempty" doc:"What new objects get when they do not say otherwise, 0: as the server says"`
	VersionMaxAge    *float64            `json:"version_max_age_s,omitempty" minimum:"0" maximum:"315360000" multipleOf:"1" doc:"Firmware versions older than this are asked for again; 0: never"`
	ApproveCampaigns *bool               `json:"approve_campaigns,omitempty" doc:"Every campaign starts only when a second person has approved it"`
	NetworkURL       *string             `json:"network_url,omitempty" maxLength:"200" pattern:"^(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?)?$" patternDescription:"an http or https URL without credentials" doc:"Of its network server, without credentials"`
	ASID             *string             `json:"as_id,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters" doc:"How the network server knows this application server"`
	ASKey            *string             `json:"as_key,omitempty" writeOnly:"true" maxLength:"4096" doc:"What the network server is authenticated with; empty: none"`
	ASKeySet         *bool               `json:"as_key_set,omitempty" readOnly:"true" doc:"Whether a key is stored"`
	Archived         *bool               `json:"archived,omitempty"`
	Stamp
}

type quota struct {
	Devices          *int `json:"devices,omitempty" minimum:"0" maximum:"1000000000"`
	Groups           *int `json:"groups,omitempty" minimum:"0" maximum:"1000000000"`
	RunningCampaigns *int `json:"running_campaigns,omitempty" minimum:"0" maximum:"1000000000"`
}

type subscriberDefaults struct {
	Band                *string  `json:"band,omitempty" enum:",EU868,US915,AU915,AS923,AS923-2,AS923-3,AS923-4,IN865,KR920,CN470,RU864,EU433" doc:"Of multicast groups; empty: none"`
	TimeTolerance       *float64 `json:"time_tolerance_s,omitempty" minimum:"0" maximum:"86400" multipleOf:"1" doc:"Of device profiles"`
	DefaultUplinkPeriod *float64 `json:"default_uplink_period_s,omitempty" minimum:"0" maximum:"2678400" multipleOf:"1" doc:"Of device profiles"`
	MaxDuration         *float64 `json:"max_duration_s,omitempty" minimum:"0" maximum:"7776000" multipleOf:"1" doc:"Of campaigns"`
	SuccessThreshold    *float64 `json:"success_threshold,omitempty" minimum:"0" maximum:"100" doc:"Of campaigns, percent"`
}

func showSubscriber(x fleet.Subscriber) subscriber {
	q, d := x.Quota, x.Defaults
	return subscriber{ID: &x.ID, Name: &x.Name, Description: &x.Description, Quota: &quota{&q.Devices, &q.Groups, &q.RunningCampaigns},
		Defaults:      &subscriberDefaults{band(d.Band), seconds(d.TimeTolerance), seconds(d.DefaultUplinkPeriod), seconds(d.MaxDuration), &d.SuccessThreshold},
		VersionMaxAge: seconds(x.VersionMaxAge), ApproveCampaigns: &x.ApproveCampaigns, NetworkURL: &x.NetworkURL, ASID: &x.ASID, ASKeySet: new(len(x.ASKey) > 0),
		Archived: &x.Archived, Stamp: stampOf(x.CreatedAt, x.UpdatedAt, x.Revision)}
}

func (in *subscriber) apply(x *fleet.Subscriber) error {
	var r reader
	set(&x.ID, in.ID)
	set(&x.Name, in.Name)
	set(&x.Description, in.Description)
	if q := in.Quota; q != nil {
		set(&x.Quota.Devices, q.Devices)
		set(&x.Quota.Groups, q.Groups)
		set(&x.Quota.RunningCampaigns, q.RunningCampaigns)
	}
	if d := in.Defaults; d != nil {
		read(&r, "defaults.band", &x.Defaults.Band, d.Band, parseBand)
		setSeconds(&x.Defaults.TimeTolerance, d.TimeTolerance)
		setSeconds(&x.Defaults.DefaultUplinkPeriod, d.DefaultUplinkPeriod)
		setSeconds(&x.Defaults.MaxDuration, d.MaxDuration)
		set(&x.Defaults.SuccessThreshold, d.SuccessThreshold)
	}
	setSeconds(&x.VersionMaxAge, in.VersionMaxAge)
	set(&x.ApproveCampaigns, in.ApproveCampaigns)
	set(&x.NetworkURL, in.NetworkURL)
	set(&x.ASID, in.ASID)
	if in.ASKey != nil {
		x.ASKey = nil
		if *in.ASKey != "" {
			x.ASKey = []byte(*in.ASKey)
		}
	}
	set(&x.Archived, in.Archived)
	return r.err()
}
