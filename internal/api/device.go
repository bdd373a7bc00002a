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
	DevEUI          *string    `json:"dev_eui,omitempty" doc:"16 hexadecimal digits; cannot be changed" example:"0004a30b00112233"`
	Name            *string    `json:"name,omitempty" maxLength:"200"`
	Tag             *string    `json:"tag,omitempty" maxLength:"200" doc:"Free text to search for"`
	Classes         *string    `json:"classes,omitempty" pattern:"^([BC](,[BC])?)?$" doc:"Multicast session classes it supports: B, C or B,C"`
	LoRaWANVersion  *string    `json:"lorawan_version,omitempty" enum:"1.0,1.1" doc:"Default 1.0"`
	RootKey         *string    `json:"root_key,omitempty" writeOnly:"true" doc:"GenAppKey (1.0) or AppKey (1.1), 32 hexadecimal digits"`
	RootKeySet      *bool      `json:"root_key_set,omitempty" readOnly:"true" doc:"Whether a key is stored"`
	ProfileID       *string    `json:"profile_id,omitempty"`
	Band            *string    `json:"band,omitempty" doc:"Such as EU868; empty: any"`
	Packages        *packages  `json:"packages,omitempty" doc:"Package versions that differ from the profile's, 0: as the profile says"`
	Firmware        *string    `json:"firmware,omitempty" doc:"X.Y.Z.P or 8 hexadecimal digits; empty: unknown" example:"1.2.0.0"`
	FirmwareChanged *time.Time `json:"firmware_changed,omitempty" readOnly:"true" doc:"When firmware was last reported or recorded"`
	Archived        *bool      `json:"archived,omitempty"`
	Stamp
}

func showDevice(d fleet.Device) device {
	return device{DevEUI: text(d.DevEUI), Name: &d.Name, Tag: &d.Tag, Classes: text(d.Classes), LoRaWANVersion: text(d.LoRaWANVersion),
		RootKeySet: new(!d.RootKey.IsZero()), ProfileID: &d.ProfileID, Band: band(d.Band), Packages: showPackages(d.Packages), Firmware: text(d.Firmware),
		FirmwareChanged: when(d.FirmwareChanged), Archived: &d.Archived, Stamp: stampOf(d.CreatedAt, d.UpdatedAt, d.Revision)}
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
	ID          *string   `json:"id,omitempty" readOnly:"true"`
	Name        *string   `json:"name,omitempty" maxLength:"200"`
	Description *string   `json:"description,omitempty" maxLength:"4000"`
	Devices     *[]string `json:"devices,omitempty" doc:"DevEUIs; left out of lists"`
	DeviceCount *int      `json:"device_count,omitempty" readOnly:"true"`
	Archived    *bool     `json:"archived,omitempty"`
	Stamp
}

func showDeviceSet(s fleet.DeviceSet) deviceSet {
	return deviceSet{ID: &s.ID, Name: &s.Name, Description: &s.Description, Devices: texts(s.Devices), DeviceCount: new(len(s.Devices)),
		Archived: &s.Archived, Stamp: stampOf(s.CreatedAt, s.UpdatedAt, s.Revision)}
}

func (in *deviceSet) apply(s *fleet.DeviceSet) error {
	var r reader
	set(&s.Name, in.Name)
	set(&s.Description, in.Description)
	readAll(&r, "devices", &s.Devices, in.Devices, lorawan.ParseEUI64)
	set(&s.Archived, in.Archived)
	return r.err()
}
