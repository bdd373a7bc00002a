package api

import (
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	bands "github.com/starling-fuota/starling/lorawan/region"
)

// Stamp is what the server says about every object. Like KeyInput it is exported only
// because huma passes over embedded types that are not.
type Stamp struct {
	CreatedAt *time.Time `json:"created_at,omitempty" readOnly:"true"`
	UpdatedAt *time.Time `json:"updated_at,omitempty" readOnly:"true"`
	Revision  *int64     `json:"revision,omitempty" readOnly:"true" doc:"Rises with every change; the ETag"`
}

func stampOf(created, updated time.Time, revision int64) Stamp {
	return Stamp{when(created), when(updated), &revision}
}

// device is a fleet.Device in JSON.
type device struct {
	DevEUI           *string    `json:"dev_eui,omitempty" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits" doc:"16 hexadecimal digits; cannot be changed" example:"0004a30b00112233"`
	Name             *string    `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Tag              *string    `json:"tag,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters" doc:"Free text to search for"`
	Classes          *string    `json:"classes,omitempty" pattern:"^([BC](,[BC])?)?$" patternDescription:"B, C or B,C" doc:"Multicast session classes it supports: B, C or B,C"`
	LoRaWANVersion   *string    `json:"lorawan_version,omitempty" enum:"1.0,1.1" doc:"Default 1.0"`
	RootKey          *string    `json:"root_key,omitempty" writeOnly:"true" pattern:"^[0-9a-fA-F]{32}$" patternDescription:"32 hexadecimal digits" doc:"GenAppKey (1.0) or AppKey (1.1), 32 hexadecimal digits"`
	RootKeySet       *bool      `json:"root_key_set,omitempty" readOnly:"true" doc:"Whether a key is stored"`
	ProfileID        *string    `json:"profile_id,omitempty" pattern:"^([0-9A-Za-z_-]{1,64})?$" patternDescription:"an identifier"`
	Band             *string    `json:"band,omitempty" enum:",EU868,US915,AU915,AS923,AS923-2,AS923-3,AS923-4,IN865,KR920,CN470,RU864,EU433" doc:"Such as EU868; empty: any"`
	Packages         *packages  `json:"packages,omitempty" doc:"Package versions that differ from the profile's, 0: as the profile says"`
	Firmware         *string    `json:"firmware,omitempty" pattern:"^(|[0-9A-Fa-f]{8}|(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])([.](25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3})$" patternDescription:"X.Y.Z.P or 8 hexadecimal digits" doc:"X.Y.Z.P or 8 hexadecimal digits; empty: unknown" example:"1.2.0.0"`
	FirmwareChanged  *time.Time `json:"firmware_changed,omitempty" readOnly:"true" doc:"When firmware was last reported or recorded"`
	FirmwareReported *time.Time `json:"firmware_reported,omitempty" readOnly:"true" doc:"When the device itself has told its version last; none: it has not, firmware is what somebody has recorded"`
	Archived         *bool      `json:"archived,omitempty"`
	Stamp
}

func showDevice(d fleet.Device) device {
	return device{DevEUI: text(d.DevEUI), Name: &d.Name, Tag: &d.Tag, Classes: text(d.Classes), LoRaWANVersion: text(d.LoRaWANVersion),
		RootKeySet: new(!d.RootKey.IsZero()), ProfileID: &d.ProfileID, Band: band(d.Band), Packages: showPackages(d.Packages), Firmware: text(d.Firmware),
		FirmwareChanged: when(d.FirmwareChanged), FirmwareReported: when(d.FirmwareReported), Archived: &d.Archived, Stamp: stampOf(d.CreatedAt, d.UpdatedAt, d.Revision)}
}

func (in *device) apply(d *fleet.Device) error {
	var r reader
	read(&r, "dev_eui", &d.DevEUI, in.DevEUI, lorawan.ParseEUI64)
	set(&d.Name, in.Name)
	set(&d.Tag, in.Tag)
	read(&r, "classes", &d.Classes, in.Classes, fleet.ParseClasses)
	read(&r, "lorawan_version", &d.LoRaWANVersion, in.LoRaWANVersion, fleet.ParseLoRaWANVersion)
	read(&r, "root_key", &d.RootKey, in.RootKey, lorawan.ParseAES128Key)
	set(&d.ProfileID, in.ProfileID)
	read(&r, "band", &d.Band, in.Band, parseBand)
	in.Packages.apply(&d.Packages)
	read(&r, "firmware", &d.Firmware, in.Firmware, fleet.ParseFirmware)
	set(&d.Archived, in.Archived)
	return r.err()
}

// parseBand reads a band; "" is none.
func parseBand(s string) (b bands.Band, err error) {
	err = b.UnmarshalText([]byte(s))
	return b, err
}

// band shows a band; "" is none.
func band(b bands.Band) *string {
	if b == 0 {
		return new("")
	}
	return text(b)
}

// deviceSet is a fleet.DeviceSet in JSON.
type deviceSet struct {
	ID          *string       `json:"id,omitempty" readOnly:"true"`
	Name        *string       `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Description *string       `json:"description,omitempty" maxLength:"4000" pattern:"^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Devices     *[]string     `json:"devices,omitempty" maxItems:"100000" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits" doc:"DevEUIs; left out of lists. None when there is a filter"`
	Filter      *deviceFilter `json:"filter,omitempty" doc:"Members are the devices that match when they are asked for"`
	DeviceCount *int          `json:"device_count,omitempty" readOnly:"true" doc:"Of a list; a filter is counted by asking for the devices"`
	Archived    *bool         `json:"archived,omitempty"`
	Stamp
}

// deviceFilter is a fleet.DeviceFilter in JSON.
type deviceFilter struct {
	Text  string            `json:"text,omitempty" maxLength:"200" doc:"Part of the name, tag or DevEUI, in any case"`
	Where map[string]string `json:"where,omitempty" doc:"Values by field: band, classes, firmware, lorawan_version, name, profile_id, tag"`
}

func showDeviceSet(s fleet.DeviceSet) deviceSet {
	filter, count := (*deviceFilter)(nil), new(len(s.Devices))
	if s.Filter != nil {
		filter, count = &deviceFilter{s.Filter.Text, s.Filter.Where}, nil
	}
	return deviceSet{Filter: filter, ID: &s.ID, Name: &s.Name, Description: &s.Description, Devices: texts(s.Devices), DeviceCount: count,
		Archived: &s.Archived, Stamp: stampOf(s.CreatedAt, s.UpdatedAt, s.Revision)}
}

func (in *deviceSet) apply(s *fleet.DeviceSet) error {
	var r reader
	set(&s.Name, in.Name)
	set(&s.Description, in.Description)
	readAll(&r, "devices", &s.Devices, in.Devices, lorawan.ParseEUI64)
	if in.Filter != nil {
		s.Filter = nil
		if in.Filter.Text != "" || len(in.Filter.Where) > 0 {
			s.Filter = &fleet.DeviceFilter{Text: in.Filter.Text, Where: in.Filter.Where}
		}
	}
	set(&s.Archived, in.Archived)
	return r.err()
}
