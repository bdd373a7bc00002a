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
	Name           string  `json:"name"`
	Type           string  `json:"type"`
	Status         string  `json:"status"`
	Devices        int     `json:"devices"`
	Verified       int     `json:"verified"`
	Failed         int     `json:"failed"`
	PayloadBytes   int     `json:"payload_bytes"`
	PayloadSHA256  string  `json:"payload_sha256"`
	FragmentsSent  int     `json:"fragments_sent"`
	CodedSent      int     `json:"coded_sent"`
	AirtimeSeconds float64 `json:"airtime_seconds"`
	ElapsedSeconds float64 `json:"elapsed_seconds"`
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
// hold the image with the SHA-256 sum. It returns all that is wrong.
func (r report) check(n int, sum string) error {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if len(r.Campaigns) != campaigns {
		complain("%d campaigns, want %d", len(r.Campaigns), campaigns)
	}
	payloads, coded := 0, 0
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

// shorten joins errors; after the first few, two hundred devices say nothing new.
func shorten(errs []error) error {
	const enough = 5
	if more := len(errs) - enough; more > 0 {
		errs = append(errs[:enough:enough], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}
