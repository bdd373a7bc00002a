package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	machine "github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/forecast"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/lorawan"
)

// campaignReport is a machine.Report in JSON.
type campaignReport struct {
	CampaignID string     `json:"campaign_id"`
	Name       string     `json:"name"`
	Type       string     `json:"type" enum:"FOTA,BINARY,MCGROUP"`
	Status     string     `json:"status" enum:"CONFIGURED,RUNNING,STOPPED,FAILED,SUCCEEDED"`
	Reason     string     `json:"status_reason,omitempty"`
	Detail     string     `json:"detail,omitempty"`
	Final      bool       `json:"final" doc:"It has ended, and so has its clean-up: the report stays as it is"`
	Started    *time.Time `json:"started,omitempty"`
	Ended      *time.Time `json:"ended,omitempty"`
	Duration   float64    `json:"duration_s" doc:"0: it runs"`
	Threshold  float64    `json:"success_threshold" doc:"Percent of devices"`
	Firmware   string     `json:"firmware,omitempty" doc:"Target version"`
	Devices    int        `json:"devices" doc:"That took part"`
	Verified   int        `json:"verified"`
	Failed     int        `json:"failed"`
	Stopped    int        `json:"stopped"`
	Excluded   int        `json:"excluded"`
	Active     int        `json:"active"`
	Unproven   int        `json:"clean_up_not_confirmed" doc:"Devices"`
	Digest     string     `json:"verified_sha256" doc:"Of the DevEUIs of verified devices, ascending, 16 lower-case digits and a line feed each"`
	DeltaCount int        `json:"delta_devices" doc:"Verified devices of a FOTA campaign that were sent a delta"`
	FullCount  int        `json:"full_devices" doc:"Those that were sent the full image"`
	BytesSaved int64      `json:"bytes_saved" doc:"By how much the deltas are smaller than as many full images; 0 too if the campaign names a delta itself"`
	Unicast    int        `json:"unicast_downlinks"`
	Retries    int        `json:"retries" doc:"Unicast downlinks that repeat a question"`
	UniAirtime float64    `json:"unicast_airtime_s" doc:"As far as the network reports it"`
	McAirtime  float64    `json:"multicast_airtime_s"`
	Fragments  int        `json:"fragments"`
	Coded      int        `json:"coded"`

	Stages   []stageReport   `json:"stages"`
	Groups   []groupReport   `json:"groups"`
	Failures []failureReport `json:"failures"`
	Forecast forecastReport  `json:"forecast"`
}

// forecastReport is what was expected of a campaign beside what it has come to.
type forecastReport struct {
	At      *time.Time `json:"at,omitempty" doc:"What was known then is what it was predicted from"`
	Missing *finding   `json:"missing,omitempty" doc:"Why nothing was predicted"`
	Figures []figure   `json:"figures" doc:"docs/reports.md explains each"`
}

type figure struct {
	Figure    string   `json:"figure" enum:"duration_p50_s,duration_p90_s,airtime_s,multicast_airtime_s,unicast_airtime_s,fragments,unicast_downlinks,sessions,verified,extra_joules_mean,stage_p50_s,stage_p90_s"`
	Of        string   `json:"of,omitempty" doc:"The device profile or the stage that it is about; none: the campaign"`
	Predicted *float64 `json:"predicted,omitempty" doc:"None: it was not"`
	Actual    float64  `json:"actual" doc:"So far, while the campaign runs"`
	Deviation *float64 `json:"deviation_percent,omitempty" doc:"By how much of what was predicted the actual figure is more; none while the campaign runs"`
}

type stageReport struct {
	Stage  string     `json:"stage"`
	Opened *time.Time `json:"opened,omitempty"`
	Closed *time.Time `json:"closed,omitempty"`
	Passed int        `json:"passed" doc:"Devices"`
	P50    float64    `json:"p50_s" doc:"What half of these devices took at most, from when they could begin"`
	P90    float64    `json:"p90_s"`
	P99    float64    `json:"p99_s"`
	Max    float64    `json:"max_s"`
}

type groupReport struct {
	DevEUI   string       `json:"dev_eui"`
	Devices  int          `json:"devices"`
	Verified int          `json:"verified"`
	Sessions int          `json:"sessions"`
	Frames   int          `json:"frames" doc:"Fragments and status requests"`
	Airtime  float64      `json:"airtime_s"`
	Lanes    []laneReport `json:"lanes"`
}

type laneReport struct {
	FragIndex    uint8  `json:"frag_index"`
	Base         string `json:"base,omitempty" doc:"Version that devices ran, of a delta; none: no delta"`
	Size         int    `json:"size" doc:"Bytes of the block"`
	Devices      int    `json:"devices"`
	Verified     int    `json:"verified"`
	NbFrag       int    `json:"nb_frag"`
	FragSize     int    `json:"frag_size" doc:"Bytes"`
	Sent         int    `json:"sent"`
	Coded        int    `json:"coded"`
	Rounds       int    `json:"rounds"`
	WorstMissing int    `json:"worst_missing" doc:"Most fragments that a verified device missed after the first round"`
	Needed       int    `json:"needed" doc:"Fragments that would have been enough, in hindsight"`
}

type failureReport struct {
	Reason  string   `json:"reason"`
	Count   int      `json:"count"`
	Devices []string `json:"devices" doc:"The first 1000"`
}

type campaignReportOutput struct{ Body campaignReport }

func showCampaignReport(o *service.Outcome) campaignReport {
	r := &o.Report
	return campaignReport{
		CampaignID: r.CampaignID, Name: o.Name, Type: r.Type.String(), Status: r.Status.String(), Reason: string(r.Reason), Detail: r.Detail,
		Final: !r.Ended.IsZero() && !r.CleaningUp, Started: when(r.Started), Ended: when(r.Ended), Duration: r.Duration, Threshold: r.Threshold, Firmware: r.Firmware,
		Devices: r.Devices, Verified: r.Verified, Failed: r.Failed, Stopped: r.Stopped, Excluded: r.Excluded, Active: r.Active, Unproven: r.Unproven, Digest: r.VerifiedDigest,
		DeltaCount: r.DeltaDevices, FullCount: r.FullDevices, BytesSaved: r.BytesSaved,
		Unicast: r.UnicastDownlinks, Retries: r.Retries, UniAirtime: r.UnicastAirtime, McAirtime: r.MulticastAirtime, Fragments: r.Fragments, Coded: r.Coded,
		Stages: each(r.Stages, func(s machine.StageReport) stageReport {
			return stageReport{s.Stage.String(), when(s.Opened), when(s.Closed), s.Passed, s.P50, s.P90, s.P99, s.Max}
		}),
		Groups: each(r.Groups, func(g machine.GroupReport) groupReport {
			return groupReport{g.DevEUI.String(), g.Devices, g.Verified, g.Sessions, g.Frames, g.Airtime,
				each(g.Lanes, func(l machine.LaneReport) laneReport {
					return laneReport{l.FragIndex, l.Base.String(), l.Size, l.Devices, l.Verified, l.NbFrag, l.FragSize, l.Sent, l.Coded, l.Rounds, l.WorstMissing, l.Needed}
				})}
		}),
		Failures: each(r.Failures, func(f machine.Failure) failureReport {
			return failureReport{string(f.Reason), f.Count, each(f.Devices, lorawan.EUI64.String)}
		}),
		Forecast: forecastReport{when(o.Forecast.At), orNone(o.Forecast.Missing, showFinding), each(o.Figures, func(f forecast.Figure) figure {
			return figure{f.Name, f.Of, f.Predicted, f.Actual, f.Deviation}
		})},
	}
}

var evidenceColumns = []string{"dev_eui", "group", "outcome", "reason", "was", "stage", "evidence_at", "evidence_f_cnt", "evidence", "received", "missing", "delta_base", "clean_up"}

func evidenceRow(e machine.Evidence) []string {
	at, fCnt := "", ""
	if !e.At.IsZero() {
		at, fCnt = e.At.UTC().Format(time.RFC3339), strconv.FormatUint(uint64(e.FCnt), 10)
	}
	return []string{e.DevEUI.String(), e.Group.String(), e.Outcome, string(e.Reason), string(e.Was), e.Stage.String(), at, fCnt, e.Text,
		strconv.Itoa(int(e.Received)), strconv.Itoa(int(e.Missing)), e.Base.String(), e.CleanUp}
}

// notStarted is what campaigns answer that have come to nothing yet.
var notStarted = []int{http.StatusConflict}

// outcomes registers what campaigns have come to.
func (a *api) outcomes() {
	s, tags := a.Service, []string{"campaigns"}
	register(a, identity.ReadFleet, huma.Operation{OperationID: "show-campaign-report", Method: http.MethodGet, Path: "/campaigns/{id}/report", Tags: tags,
		Summary: "Show what a campaign has come to", Description: "So far, if it still runs, beside what was predicted of it when it started.", Errors: notStarted},
		func(ctx context.Context, in *KeyInput) (*campaignReportOutput, error) {
			o, err := s.Outcome(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return &campaignReportOutput{showCampaignReport(o)}, nil
		})
	id := &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9A-Za-z_-]+$"}}
	a.stream(identity.ReadFleet, &huma.Operation{OperationID: "export-evidence", Method: http.MethodGet, Path: Prefix + "/campaigns/{id}/evidence", Tags: tags,
		Summary: "Export what is known of each device of a campaign, and by which uplink", Parameters: []*huma.Param{id}, Errors: notStarted,
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{csvType: {Schema: &huma.Schema{Type: huma.TypeString}}}}},
	}, func(w http.ResponseWriter, r *http.Request) error {
		o, err := s.Outcome(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		a.sendTable(r, w, "evidence-"+o.Report.CampaignID+".csv", evidenceColumns, func(row func(...string) error) error {
			return o.Evidence(func(e machine.Evidence) error { return row(evidenceRow(e)...) })
		})
		return nil
	})
}
