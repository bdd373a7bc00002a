package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
)

// deltaOrder is a service.DeltaOrder in JSON.
type deltaOrder struct {
	FromID      string `json:"from_file_id" pattern:"^[0-9A-Za-z_-]{1,64}$" patternDescription:"an identifier" doc:"Firmware file that devices run now"`
	Name        string `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters" doc:"Of the new file; empty: made from the versions"`
	Format      string `json:"format,omitempty" enum:"auto,hpatchlite,hpatchlite-inplace,hpatchlite-relocated,detools,detools-inplace" default:"auto" doc:"auto: the smaller of hpatchlite and detools, which need nothing but two slots"`
	Compression int    `json:"compression,omitempty" minimum:"4" maximum:"31" default:"11" doc:"The decompressor may keep 2^n bytes of RAM"`
	Window      int    `json:"window,omitempty" minimum:"0" maximum:"15" doc:"Of a heatshrink decoder with static memory, exponent of two; 0: free"`
	Lookahead   int    `json:"lookahead,omitempty" minimum:"0" maximum:"14" doc:"As window, and given with it"`
	LiteralLine bool   `json:"literal_line,omitempty" doc:"The tinyuz decoder knows literal lines: it does unless they were left out of its build"`
	Extra       int    `json:"extra_bytes,omitempty" minimum:"0" maximum:"8388608" doc:"hpatchlite-inplace: output that the device can hold back in RAM; 0: as compression"`
	Memory      int    `json:"memory_bytes,omitempty" minimum:"0" maximum:"8388608" doc:"detools-inplace: flash that both images share; 0: the larger image and two segments"`
	Segment     int    `json:"segment_bytes,omitempty" minimum:"0" maximum:"8388608" doc:"detools-inplace: flash that is erased at a time; 0: 4096"`
	FlashBase   uint32 `json:"flash_base,omitempty" minimum:"0" maximum:"4294967295" doc:"hpatchlite-relocated: address that the image was linked for; 0: what its pointers say"`
	Signature   string `json:"signature,omitempty" enum:"auto,envelope,bare,none" default:"auto" doc:"auto: an envelope if the file or its device profile has a Smart Delta key"`
}

type deltaInput struct {
	KeyInput
	Body deltaOrder
}

// deltaMatrix is a service.DeltaMatrix in JSON.
type deltaMatrix struct {
	ProfileID string        `json:"profile_id"`
	Devices   int           `json:"devices" minimum:"0" doc:"Of the profile"`
	Unknown   int           `json:"unknown" minimum:"0" doc:"Devices whose version nobody knows"`
	Other     int           `json:"other" minimum:"0" doc:"Devices that run a version which no file and no delta starts from"`
	Bases     []deltaBase   `json:"bases" doc:"Versions that a delta could start from, in their order"`
	Targets   []deltaTarget `json:"targets" doc:"Full images that devices could go to, in the order of their versions"`
	Deltas    []deltaOffer  `json:"deltas" doc:"In the order of target, base and size"`
}

type deltaBase struct {
	Version string `json:"version"`
	Devices int    `json:"devices" minimum:"0" doc:"That run it"`
	FileID  string `json:"file_id,omitempty" doc:"Full image of it; none: no delta can be made from it"`
}

type deltaTarget struct {
	FileID  string `json:"file_id"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Size    int64  `json:"size" doc:"Bytes"`
}

type deltaOffer struct {
	FileID          string     `json:"file_id"`
	Name            string     `json:"name"`
	BaseVersion     string     `json:"base_version"`
	Version         string     `json:"version"`
	Size            int64      `json:"size" doc:"Bytes"`
	TargetID        string     `json:"target_id,omitempty" doc:"Full image that it leads to; none: there is no such file"`
	TargetSize      int64      `json:"target_size,omitempty" doc:"Bytes"`
	Ratio           float64    `json:"ratio,omitempty" doc:"Size by target_size"`
	Devices         int        `json:"devices" minimum:"0" doc:"That run its base"`
	SmartDeltaKeyID string     `json:"smart_delta_key_id,omitempty" doc:"Key that signed it"`
	UploadedAt      *time.Time `json:"uploaded_at,omitempty"`
}

type deltaMatrixOutput struct{ Body deltaMatrix }

func showDeltaMatrix(m service.DeltaMatrix) deltaMatrix {
	out := deltaMatrix{m.ProfileID, m.Devices, m.Unknown, m.Other, []deltaBase{}, []deltaTarget{}, []deltaOffer{}}
	for _, b := range m.Bases {
		out.Bases = append(out.Bases, deltaBase{b.Version.String(), b.Devices, b.FileID})
	}
	for _, f := range m.Targets {
		out.Targets = append(out.Targets, deltaTarget{f.ID, f.Name, f.Version.String(), f.Size})
	}
	for _, o := range m.Deltas {
		f := o.File
		out.Deltas = append(out.Deltas, deltaOffer{f.ID, f.Name, f.BaseVersion.String(), f.Version.String(), f.Size, o.TargetID, o.TargetSize, o.Ratio(),
			o.Devices, f.SmartDeltaKeyID, when(f.UploadedAt)})
	}
	return out
}

// deltas registers how deltas are made, and what there are.
func (a *api) deltas() {
	s := a.Service
	register(a, identity.WriteFleet, huma.Operation{OperationID: "generate-delta", Method: http.MethodPost, Path: "/files/{id}/delta", Tags: []string{"files"},
		Summary: "Make a delta that leads to a firmware file",
		Description: "This is a job. Its result has file_id of the new file, and format, compressor, patch_bytes, file_bytes, ratio, ram_bytes and the fragments at each data rate. " +
			"The delta is applied before it is offered. Pairs that cannot be are refused at once.",
		DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *deltaInput) (*jobOutput, error) {
			b := in.Body
			j, err := s.GenerateDelta(ctx, service.DeltaOrder{FromID: b.FromID, ToID: in.ID, Name: b.Name, Format: delta.Format(b.Format), Compression: b.Compression,
				Window: b.Window, Lookahead: b.Lookahead, LiteralLine: b.LiteralLine, Extra: b.Extra, Memory: b.Memory, Segment: b.Segment,
				FlashBase: b.FlashBase, Signature: b.Signature})
			return jobAnswer(j), err
		})
	register(a, identity.ReadFleet, huma.Operation{OperationID: "show-deltas", Method: http.MethodGet, Path: "/device-profiles/{id}/deltas", Tags: []string{"device-profiles"},
		Summary: "Show which deltas there are for the devices of a profile", Description: "Base versions by full images: how many devices run each base, and size and ratio of each delta."},
		func(ctx context.Context, in *KeyInput) (*deltaMatrixOutput, error) {
			m, err := s.DeltaMatrix(ctx, in.ID)
			return &deltaMatrixOutput{showDeltaMatrix(m)}, err
		})
}
