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
	Image          *ImageReport       `json:"image,omitempty"` // of FOTA
	FragmentsSent  int                `json:"fragments_sent"`
	CodedSent      int                `json:"coded_sent"`
	UnicastSent    int                `json:"unicast_sent"`
	AirtimeSeconds float64            `json:"airtime_seconds"`
	ElapsedSeconds float64            `json:"elapsed_seconds"`
	// FailedFor counts the devices that failed by the reason they failed for.
	FailedFor map[string]int `json:"failed_for,omitempty"`
}

// ImageReport is the image that devices shall run, and how it went to them.
type ImageReport struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// DeltaDevices and FullDevices are the verified devices by what they were sent.
	DeltaDevices int          `json:"delta_devices"`
	FullDevices  int          `json:"full_devices"`
	Delta        *DeltaReport `json:"delta,omitempty"` // absent: there is none, the payload is the image itself
}

// DeltaReport is the delta that went out instead of the image.
type DeltaReport struct {
	Format      string `json:"format"`
	Compressor  string `json:"compressor"`
	FromBytes   int    `json:"from_bytes"`   // of the image that devices ran
	PatchBytes  int    `json:"patch_bytes"`  // without envelope and signature
	SignedBytes int    `json:"signed_bytes"` // with them: the payload
	RAMBytes    int    `json:"ram_bytes"`    // that the decoder needs
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

func (w *World) campaignReport(c fleet.Campaign, p campaign.Progress) CampaignReport {
	r := CampaignReport{
		Name: c.Name, Type: c.Type, Status: p.Status, Devices: p.Devices, Verified: p.Verified, Failed: p.Failed,
		FragmentsSent: p.FragmentsSent, CodedSent: p.CodedSent, UnicastSent: p.UnicastSent,
		AirtimeSeconds: p.Airtime, ElapsedSeconds: p.Ended.Sub(p.Started).Seconds(),
	}
	if p.Status != fleet.Succeeded {
		r.Reason = p.Detail
	}
	switch c.Type {
	case fleet.BinaryCampaign:
		r.PayloadBytes, r.PayloadSHA256 = w.file.Size, w.file.SHA256
	case fleet.FOTACampaign:
		r.PayloadBytes, r.PayloadSHA256 = w.firmware.Size, w.firmware.SHA256
		r.Image = &ImageReport{Bytes: w.firmware.Size, SHA256: w.firmware.SHA256}
		if d := w.made; d != nil {
			r.PayloadBytes, r.PayloadSHA256 = w.delta.Size, w.delta.SHA256
			r.Image.Delta = &DeltaReport{Format: string(d.Format), Compressor: d.Compressor, FromBytes: d.FromBytes, PatchBytes: d.PatchBytes, SignedBytes: d.FileBytes, RAMBytes: d.RAMBytes}
		}
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
	want, sent := "", ""
	for _, c := range r.Campaigns {
		if c.Image != nil {
			want, sent = c.Image.SHA256, c.Image.sent()
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
	_, err := fmt.Fprintf(out, "\n%s\n%d of %d devices say that they run %.16s…\n", sent, same, len(r.Devices), want)
	return err
}

// sent tells what the firmware upgrade sent.
func (i *ImageReport) sent() string {
	d := i.Delta
	if d == nil {
		return fmt.Sprintf("The firmware upgrade sent the image itself, %d bytes: with --from FILE, what the devices run now, it would have been a delta", i.Bytes)
	}
	text := fmt.Sprintf("The firmware upgrade sent a signed delta of %d bytes (%s, %s; patch %d) instead of the image of %d: %.1f %%",
		d.SignedBytes, d.Format, d.Compressor, d.PatchBytes, i.Bytes, 100*float64(d.SignedBytes)/float64(i.Bytes))
	if i.FullDevices > 0 {
		text += fmt.Sprintf(". %d devices did not say what they run, and got the image", i.FullDevices)
	}
	return text
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < 10*time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
