package api

import (
	"encoding/hex"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// file is a fleet.File in JSON. Its content goes in and out by an address of its own.
type file struct {
	ID                  *string    `json:"id,omitempty" readOnly:"true"`
	Name                *string    `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Description         *string    `json:"description,omitempty" maxLength:"4000" pattern:"^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	UploadedAt          *time.Time `json:"uploaded_at,omitempty" readOnly:"true"`
	Size                *int64     `json:"size,omitempty" readOnly:"true" doc:"Bytes; 0: no content yet"`
	SHA256              *string    `json:"sha256,omitempty" readOnly:"true"`
	Format              *string    `json:"format,omitempty" readOnly:"true" enum:",bin,elf,hex,srec,uf2,mcuboot,zip" doc:"What the content looks like; empty: no content yet"`
	Warnings            *[]warning `json:"warnings,omitempty" readOnly:"true" doc:"What is probably wrong with the content"`
	Type                *string    `json:"type,omitempty" enum:"binary,firmware,delta" doc:"Default binary"`
	BaseVersion         *string    `json:"base_version,omitempty" pattern:"^(|[0-9A-Fa-f]{8}|(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])([.](25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3})$" patternDescription:"X.Y.Z.P or 8 hexadecimal digits" doc:"Delta: what the device must run"`
	Version             *string    `json:"version,omitempty" pattern:"^(|[0-9A-Fa-f]{8}|(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])([.](25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3})$" patternDescription:"X.Y.Z.P or 8 hexadecimal digits" doc:"Firmware and delta: what the device runs afterwards" example:"2.0.0.0"`
	ProfileID           *string    `json:"profile_id,omitempty" pattern:"^([0-9A-Za-z_-]{1,64})?$" patternDescription:"an identifier"`
	TimeTolerance       *float64   `json:"time_tolerance_s,omitempty" minimum:"0" maximum:"86400" multipleOf:"1" doc:"0: the profile's"`
	DefaultUplinkPeriod *float64   `json:"default_uplink_period_s,omitempty" minimum:"0" maximum:"2678400" multipleOf:"1" doc:"0: the profile's"`
	Library             *string    `json:"library,omitempty" enum:",smart_delta,other"`
	SmartDeltaKeyID     *string    `json:"smart_delta_key_id,omitempty" pattern:"^([0-9A-Za-z_-]{1,64})?$" patternDescription:"an identifier"`
	Descriptor          *string    `json:"descriptor,omitempty" pattern:"^([0-9a-fA-F]{8})?$" patternDescription:"8 hexadecimal digits" doc:"Of the fragmentation session, 8 hexadecimal digits in the order of the wire; empty: made from version"`
	Archived            *bool      `json:"archived,omitempty"`
	Stamp
}

// warning is a fleet.Warning in JSON.
type warning struct {
	Code string `json:"code" doc:"Stable"`
	What string `json:"what"`
	Why  string `json:"why"`
	Hint string `json:"hint" doc:"What to do"`
}

func warnings(f fleet.File) *[]warning {
	return new(each(f.Warnings(), func(w fleet.Warning) warning { return warning(w) }))
}

func showFile(f fleet.File) file {
	var descriptor string
	if f.Descriptor != [4]byte{} {
		descriptor = hex.EncodeToString(f.Descriptor[:])
	}
	return file{ID: &f.ID, Name: &f.Name, Description: &f.Description, UploadedAt: when(f.UploadedAt), Size: &f.Size, SHA256: &f.SHA256,
		Format: text(f.Format), Warnings: warnings(f), Type: text(f.Type), BaseVersion: text(f.BaseVersion), Version: text(f.Version), ProfileID: &f.ProfileID,
		TimeTolerance: seconds(f.TimeTolerance), DefaultUplinkPeriod: seconds(f.DefaultUplinkPeriod), Library: text(f.Library),
		SmartDeltaKeyID: &f.SmartDeltaKeyID, Descriptor: &descriptor, Archived: &f.Archived, Stamp: stampOf(f.CreatedAt, f.UpdatedAt, f.Revision)}
}

func (in *file) apply(f *fleet.File) error {
	var r reader
	set(&f.Name, in.Name)
	set(&f.Description, in.Description)
	read(&r, "type", &f.Type, in.Type, fleet.ParseFileType)
	read(&r, "base_version", &f.BaseVersion, in.BaseVersion, fleet.ParseFirmware)
	read(&r, "version", &f.Version, in.Version, fleet.ParseFirmware)
	set(&f.ProfileID, in.ProfileID)
	setSeconds(&f.TimeTolerance, in.TimeTolerance)
	setSeconds(&f.DefaultUplinkPeriod, in.DefaultUplinkPeriod)
	read(&r, "library", &f.Library, in.Library, fleet.ParseLibrary)
	set(&f.SmartDeltaKeyID, in.SmartDeltaKeyID)
	read(&r, "descriptor", &f.Descriptor, in.Descriptor, fleet.ParseDescriptor)
	set(&f.Archived, in.Archived)
	return r.err()
}
