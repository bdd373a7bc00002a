package api

import (
	"strconv"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// group is a fleet.MulticastGroup in JSON.
type group struct {
	DevEUI              *string `json:"dev_eui,omitempty" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits" doc:"16 hexadecimal digits; names the group in network servers; cannot be changed"`
	Tag                 *string `json:"tag,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters" doc:"Free text to search for"`
	Name                *string `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Band                *string `json:"band,omitempty" enum:"EU868,US915,AU915,AS923,AS923-2,AS923-3,AS923-4,IN865,KR920,CN470,RU864,EU433" doc:"Such as EU868"`
	DwellTime           *bool   `json:"dwell_time,omitempty" doc:"Whether the downlink dwell-time limit holds"`
	McAddr              *string `json:"mc_addr,omitempty" pattern:"^[0-9a-fA-F]{8}$" patternDescription:"8 hexadecimal digits" doc:"Group address, 8 hexadecimal digits, unique in the network"`
	Frequency           *uint32 `json:"frequency,omitempty" minimum:"0" maximum:"2500000000" multipleOf:"100" doc:"Hz; 0: the class B hopping sequence" example:"869525000"`
	DataRate            *uint8  `json:"data_rate,omitempty" maximum:"15"`
	Redundancy          *string `json:"redundancy,omitempty" enum:"NO_REDUNDANCY_ONE,SEVEN_TO_EIGHT,FIVE_TO_SIX,THREE_TO_FOUR,ONE_TO_TWO" doc:"Uncoded to all fragments"`
	PingSlotPeriodicity *int    `json:"ping_slot_periodicity_s,omitempty" enum:"1,2,4,8,16,32,64,128" doc:"Class B only"`
	McKey               *string `json:"mc_key,omitempty" writeOnly:"true" pattern:"^[0-9a-fA-F]{32}$" patternDescription:"32 hexadecimal digits" doc:"32 hexadecimal digits; none given: a random one"`
	McKeySet            *bool   `json:"mc_key_set,omitempty" readOnly:"true" doc:"Whether a key is stored"`
	SessionClass        *string `json:"session_class,omitempty" enum:"B,C"`
	FCntDown            *uint32 `json:"f_cnt_down,omitempty" minimum:"0" maximum:"4294967295" doc:"The counter that the next frame takes; can only be raised"`
	Archived            *bool   `json:"archived,omitempty"`
	Stamp
}

func showGroup(g fleet.MulticastGroup) group {
	return group{DevEUI: text(g.DevEUI), Tag: &g.Tag, Name: &g.Name, Band: band(g.Band), DwellTime: &g.DwellTime, McAddr: text(g.McAddr),
		Frequency: &g.Frequency, DataRate: &g.DataRate, Redundancy: text(g.Redundancy),
		PingSlotPeriodicity: new(g.PingSlotPeriodicity.Seconds()), McKeySet: new(!g.McKey.IsZero()), SessionClass: text(g.SessionClass),
		FCntDown: &g.FCntDown, Archived: &g.Archived, Stamp: stampOf(g.CreatedAt, g.UpdatedAt, g.Revision)}
}

func (in *group) apply(g *fleet.MulticastGroup) error {
	var r reader
	read(&r, "dev_eui", &g.DevEUI, in.DevEUI, lorawan.ParseEUI64)
	set(&g.Tag, in.Tag)
	set(&g.Name, in.Name)
	read(&r, "band", &g.Band, in.Band, parseBand)
	set(&g.DwellTime, in.DwellTime)
	read(&r, "mc_addr", &g.McAddr, in.McAddr, lorawan.ParseDevAddr)
	set(&g.Frequency, in.Frequency)
	set(&g.DataRate, in.DataRate)
	read(&r, "redundancy", &g.Redundancy, in.Redundancy, fleet.ParseRedundancy)
	if in.PingSlotPeriodicity != nil {
		read(&r, "ping_slot_periodicity_s", &g.PingSlotPeriodicity, new(strconv.Itoa(*in.PingSlotPeriodicity)), parsePeriodicity)
	}
	read(&r, "mc_key", &g.McKey, in.McKey, lorawan.ParseAES128Key)
	read(&r, "session_class", &g.SessionClass, in.SessionClass, fleet.ParseClass)
	set(&g.FCntDown, in.FCntDown)
	set(&g.Archived, in.Archived)
	return r.err()
}

func parsePeriodicity(s string) (fleet.PingSlotPeriodicity, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, err
	}
	return fleet.ParsePingSlotPeriodicity(n)
}

// region is a fleet.Region in JSON.
type region struct {
	ID          *string   `json:"id,omitempty" readOnly:"true"`
	Name        *string   `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Description *string   `json:"description,omitempty" maxLength:"4000" pattern:"^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Groups      *[]string `json:"groups,omitempty" maxItems:"10000" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits" doc:"DevEUIs of multicast groups"`
	Archived    *bool     `json:"archived,omitempty"`
	Stamp
}

func showRegion(r fleet.Region) region {
	return region{ID: &r.ID, Name: &r.Name, Description: &r.Description, Groups: texts(r.Groups), Archived: &r.Archived,
		Stamp: stampOf(r.CreatedAt, r.UpdatedAt, r.Revision)}
}

func (in *region) apply(x *fleet.Region) error {
	var r reader
	set(&x.Name, in.Name)
	set(&x.Description, in.Description)
	readAll(&r, "groups", &x.Groups, in.Groups, lorawan.ParseEUI64)
	set(&x.Archived, in.Archived)
	return r.err()
}
