package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/sim"
)

// Report is what a demo has shown. Times are virtual.
type Report struct {
	Campaigns []CampaignReport `json:"campaigns"`
	Devices   []DeviceReport   `json:"devices"`
}

// CampaignReport is one campaign as the server saw it.
type CampaignReport struct {
	Name           string             `json:"name"`
	Type           fleet.CampaignType `json:"type"`
	Status         fleet.Status       `json:"status"`
	Reason         string             `json:"reason,omitempty"`
	Devices        int                `json:"devices"`
	Verified       int                `json:"verified"`
	Failed         int                `json:"failed"`
	PayloadBytes   int64              `json:"payload_bytes"`
	PayloadSHA256  string             `json:"payload_sha256"`
	FragmentsSent  int                `json:"fragments_sent"`
	CodedSent      int                `json:"coded_sent"`
	UnicastSent    int                `json:"unicast_sent"`
	AirtimeSeconds float64            `json:"airtime_seconds"`
	ElapsedSeconds float64            `json:"elapsed_seconds"`
	// FailedFor counts the devices that failed by the reason they failed for.
	FailedFor map[string]int `json:"failed_for,omitempty"`
}

// DeviceReport is what a simulated device itself says it holds, not what the server believes.
type DeviceReport struct {
	DevEUI          lorawan.EUI64 `json:"dev_eui"`
	PayloadSHA256   string        `json:"payload_sha256"`
	FirmwareVersion string        `json:"firmware_version"`
}

// Succeeded tells if every campaign did.
func (r *Report) Succeeded() bool {
	for _, c := range r.Campaigns {
		if c.Status != fleet.Succeeded {
			return false
		}
	}
	return len(r.Campaigns) > 0
}

func campaignReport(c fleet.Campaign, p campaign.Progress, file *fleet.File) CampaignReport {
	r := CampaignReport{
		Name: c.Name, Type: c.Type, Status: p.Status, Devices: p.Devices, Verified: p.Verified, Failed: p.Failed,
		FragmentsSent: p.FragmentsSent, CodedSent: p.CodedSent, UnicastSent: p.UnicastSent,
		AirtimeSeconds: p.Airtime, ElapsedSeconds: p.Ended.Sub(p.Started).Seconds(),
	}
	if p.Status != fleet.Succeeded {
		r.Reason = p.Detail
	}
	if c.FileID != "" {
		r.PayloadBytes, r.PayloadSHA256 = file.Size, file.SHA256
	}
	return r
}

// deviceReports asks every simulated device what it runs.
func (w *World) deviceReports() []DeviceReport {
	reports := make([]DeviceReport, 0, len(w.fleet.Devices))
	w.network.Inspect(func(n *sim.Network) {
		for _, spec := range w.fleet.Devices {
			d := n.Device(spec.DevEUI)
			reports = append(reports, DeviceReport{
				DevEUI: spec.DevEUI, PayloadSHA256: d.RunningImageSHA256(), FirmwareVersion: fleet.DottedFirmware(d.RunningFirmware()).String(),
			})
		}
	})
	return reports
}

// WriteJSON prints the report as one object.
func (r *Report) WriteJSON(out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// WriteTable prints the closing table for people.
func (r *Report) WriteTable(out io.Writer) error {
	want := ""
	for _, c := range r.Campaigns {
		if c.Type == fleet.FOTACampaign {
			want = c.PayloadSHA256
		}
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nCAMPAIGN\tSTATUS\tVERIFIED\tFRAGMENTS\tCODED\tUNICAST\tAIR TIME\tTOOK")
	for _, c := range r.Campaigns {
		fmt.Fprintf(t, "%s\t%s\t%d of %d\t%d\t%d\t%d\t%s\t%s\n", c.Name, c.Status, c.Verified, c.Devices, c.FragmentsSent, c.CodedSent, c.UnicastSent,
			seconds(c.AirtimeSeconds), seconds(c.ElapsedSeconds))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, c := range r.Campaigns {
		if c.Reason == "" {
			continue
		}
		fmt.Fprintf(out, "\n%s ended %s: %s\n", c.Name, c.Status, c.Reason)
		for _, reason := range sortedKeys(c.FailedFor) {
			fmt.Fprintf(out, "  %5d devices: %s\n", c.FailedFor[reason], reason)
		}
	}
	same := 0
	for _, d := range r.Devices {
		if d.PayloadSHA256 == want {
			same++
		}
	}
	_, err := fmt.Fprintf(out, "\n%d of %d devices say that they run %.16s…\n", same, len(r.Devices), want)
	return err
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < 10*time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
