package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// report is what `starling demo --json` prints: one object, nothing else.
type report struct {
	Campaigns []campaign `json:"campaigns"`
	Devices   []device   `json:"devices"`
}

type campaign struct {
	Name           string   `json:"name"`
	Type           string   `json:"type"`
	Status         string   `json:"status"`
	Devices        int      `json:"devices"`
	Verified       int      `json:"verified"`
	Failed         int      `json:"failed"`
	PayloadBytes   int      `json:"payload_bytes"`
	PayloadSHA256  string   `json:"payload_sha256"`
	FragmentsSent  int      `json:"fragments_sent"`
	CodedSent      int      `json:"coded_sent"`
	AirtimeSeconds float64  `json:"airtime_seconds"`
	ElapsedSeconds float64  `json:"elapsed_seconds"`
	Image          *upgrade `json:"image,omitempty"`
}

// upgrade is the image that a campaign has devices run.
type upgrade struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`

	DeltaDevices int `json:"delta_devices"`
	FullDevices  int `json:"full_devices"`

	Delta *patch `json:"delta,omitempty"` // what went out instead of it
}

type patch struct {
	FromBytes   int `json:"from_bytes"`
	PatchBytes  int `json:"patch_bytes"`
	SignedBytes int `json:"signed_bytes"`
}

type device struct {
	DevEUI          string `json:"dev_eui"`
	PayloadSHA256   string `json:"payload_sha256"`
	FirmwareVersion string `json:"firmware_version"`
}

// The fields that a report must have; a missing one would read as zero.
var (
	campaignFields = []string{
		"name", "type", "status", "devices", "verified", "failed", "payload_bytes", "payload_sha256",
		"fragments_sent", "coded_sent", "airtime_seconds", "elapsed_seconds",
	}
	deviceFields = []string{"dev_eui", "payload_sha256", "firmware_version"}
)

const (
	campaigns = 3 // multicast groups, a binary file, a firmware upgrade
	succeeded = "SUCCEEDED"
)

// parse reads a report. It returns an error if out is not exactly one object with the
// fields of the contract; further fields are welcome.
func parse(out []byte) (report, error) {
	dec := json.NewDecoder(bytes.NewReader(out))
	var raw struct {
		Campaigns []map[string]json.RawMessage `json:"campaigns"`
		Devices   []map[string]json.RawMessage `json:"devices"`
	}
	if err := dec.Decode(&raw); err != nil {
		return report{}, fmt.Errorf("standard output is no report: %w: %.200q", err, out)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return report{}, fmt.Errorf("standard output goes on after the report: %.200q", out[dec.InputOffset():])
	}
	for i, c := range raw.Campaigns {
		if err := complete(c, campaignFields); err != nil {
			return report{}, fmt.Errorf("campaign %d of the report: %w", i, err)
		}
	}
	for i, d := range raw.Devices {
		if err := complete(d, deviceFields); err != nil {
			return report{}, fmt.Errorf("device %d of the report: %w", i, err)
		}
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		return report{}, fmt.Errorf("report: %w", err)
	}
	return r, nil
}

func complete(object map[string]json.RawMessage, fields []string) error {
	for _, f := range fields {
		if _, ok := object[f]; !ok {
			return fmt.Errorf("no field %q", f)
		}
	}
	return nil
}

// succeeded reports whether all campaigns did.
func (r report) succeeded() bool {
	return !slices.ContainsFunc(r.Campaigns, func(c campaign) bool { return c.Status != succeeded })
}

// check tests a report of a demo that must have gone well: n devices, all of which
// hold the image with the SHA-256 sum, and got a delta of it or not. It returns all that is wrong.
func (r report) check(n int, sum string, delta bool) error {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if len(r.Campaigns) != campaigns {
		complain("%d campaigns, want %d", len(r.Campaigns), campaigns)
	}
	payloads, coded, upgrades := 0, 0, 0
	for _, c := range r.Campaigns {
		if c.Status != succeeded {
			complain("campaign %q is %s, want %s", c.Name, c.Status, succeeded)
		}
		if c.Name == "" || c.Type == "" {
			complain("campaign %q of type %q: both must be told", c.Name, c.Type)
		}
		if c.Devices != n || c.Failed != 0 {
			complain("campaign %q: %d devices, %d failed, want %d and none", c.Name, c.Devices, c.Failed, n)
		}
		if c.ElapsedSeconds <= 0 {
			complain("campaign %q took %v s", c.Name, c.ElapsedSeconds)
		}
		coded += c.CodedSent
		if c.Image != nil {
			upgrades++
			c.checkImage(n, sum, delta, complain)
		}
		if c.PayloadBytes == 0 { // groups only
			continue
		}
		payloads++
		if c.Verified != n {
			complain("campaign %q: %d devices verified, want all %d", c.Name, c.Verified, n)
		}
		if len(c.PayloadSHA256) != len(sum) || c.FragmentsSent <= 0 || c.AirtimeSeconds <= 0 {
			complain("campaign %q: payload of %d bytes, SHA-256 %q, %d fragments, %v s on air: all must be told",
				c.Name, c.PayloadBytes, c.PayloadSHA256, c.FragmentsSent, c.AirtimeSeconds)
		}
	}
	if upgrades != 1 {
		complain("%d campaigns with an image for devices to run, want one", upgrades)
	}
	if payloads == 0 {
		complain("no campaign has a payload")
	}
	if coded == 0 {
		complain("no coded fragments: at loss %s nobody is complete without", loss)
	}

	if len(r.Devices) != n {
		complain("%d devices, want %d", len(r.Devices), n)
	}
	seen := map[string]bool{}
	version := ""
	for _, d := range r.Devices {
		if strings.Trim(d.DevEUI, "0123456789abcdef") != "" || len(d.DevEUI) != 16 || seen[d.DevEUI] {
			complain("device %q: not a DevEUI of its own", d.DevEUI)
		}
		seen[d.DevEUI] = true
		if d.PayloadSHA256 != sum {
			complain("device %s holds %q, want %s", d.DevEUI, d.PayloadSHA256, sum)
		}
		if version == "" {
			version = d.FirmwareVersion
		}
		if d.FirmwareVersion == "" || d.FirmwareVersion != version {
			complain("device %s runs version %q, others %q", d.DevEUI, d.FirmwareVersion, version)
		}
	}
	return shorten(errs)
}

// checkImage tests what a campaign says of the image that devices run after it.
func (c campaign) checkImage(n int, sum string, delta bool, complain func(format string, args ...any)) {
	i := c.Image
	if i.SHA256 != sum {
		complain("campaign %q leads to the image %q, want %s", c.Name, i.SHA256, sum)
	}
	if got := map[bool]int{true: i.DeltaDevices, false: i.FullDevices}[delta]; got != n || i.DeltaDevices+i.FullDevices != n {
		complain("campaign %q: %d devices were sent a delta and %d the image, want all %d the one or the other", c.Name, i.DeltaDevices, i.FullDevices, n)
	}
	switch d := i.Delta; {
	case (d != nil) != delta:
		complain("campaign %q: a delta went out: %t, want %t", c.Name, d != nil, delta)
	case d == nil && (c.PayloadSHA256 != sum || c.PayloadBytes != i.Bytes):
		complain("campaign %q sent %d bytes with SHA-256 %q, want the image", c.Name, c.PayloadBytes, c.PayloadSHA256)
	case d != nil && (d.FromBytes == 0 || d.PatchBytes == 0 || d.PatchBytes >= d.SignedBytes || d.SignedBytes != c.PayloadBytes || d.SignedBytes >= i.Bytes):
		complain("campaign %q: image of %d bytes, delta of %d from %d bytes, signed %d, payload %d: the delta must be less, and what was sent",
			c.Name, i.Bytes, d.PatchBytes, d.FromBytes, d.SignedBytes, c.PayloadBytes)
	}
}

// shorten joins errors; after the first few, two hundred devices say nothing new.
func shorten(errs []error) error {
	const enough = 5
	if more := len(errs) - enough; more > 0 {
		errs = append(errs[:enough:enough], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}
