package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// campaign is a fleet.Campaign in JSON.
type campaign struct {
	ID               *string      `json:"id,omitempty" readOnly:"true"`
	Name             *string      `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Description      *string      `json:"description,omitempty" maxLength:"4000" pattern:"^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Type             *string      `json:"type,omitempty" enum:"FOTA,BINARY,MCGROUP" doc:"Default FOTA"`
	DeviceSets       *[]string    `json:"device_sets,omitempty" maxItems:"1000" pattern:"^[0-9A-Za-z_-]{1,64}$" patternDescription:"an identifier" doc:"Identifiers of device sets"`
	Regions          *[]string    `json:"regions,omitempty" maxItems:"1000" pattern:"^[0-9A-Za-z_-]{1,64}$" patternDescription:"an identifier" doc:"Identifiers of regions"`
	FileID           *string      `json:"file_id,omitempty" pattern:"^([0-9A-Za-z_-]{1,64})?$" patternDescription:"an identifier"`
	Delta            *string      `json:"delta,omitempty" enum:"auto,off,only" doc:"FOTA with a full image: auto sends each device the delta for the version that it runs, else the image; off sends the image to all; with only, who has no delta does not take part. Default auto"`
	RebootAt         *time.Time   `json:"reboot_at,omitempty" pattern:"^(19[7-9][0-9]|20[0-9][0-9]|21[0-8][0-9])-" patternDescription:"a time within the years 1970 to 2189" doc:"FOTA only; none: at once"`
	SessionStart     *time.Time   `json:"session_start,omitempty" pattern:"^(19[7-9][0-9]|20[0-9][0-9]|21[0-8][0-9])-" patternDescription:"a time within the years 1970 to 2189" doc:"None: computed"`
	MaxDuration      *float64     `json:"max_duration_s,omitempty" minimum:"0" maximum:"7776000" multipleOf:"1" doc:"Afterwards devices are back in class A"`
	SuccessThreshold *float64     `json:"success_threshold,omitempty" minimum:"0" maximum:"100" doc:"Percent of devices"`
	Policy           *policy      `json:"policy,omitempty" doc:"Tuning; absent fields and zeros stand for recommended defaults"`
	Schedule         *schedule    `json:"schedule,omitempty" doc:"When the campaign does what"`
	Phases           *[]phase     `json:"phases,omitempty" maxItems:"20" doc:"Devices that go before the others; none: all at once"`
	Abort            *[]abortRule `json:"abort,omitempty" maxItems:"20" doc:"What halts the campaign"`
	CatchUp          *catchUp     `json:"catch_up,omitempty" doc:"Another try for devices that were away"`
	NeedsApproval    *bool        `json:"needs_approval,omitempty" doc:"It starts when a second person has approved it"`
	Approval         *approval    `json:"approval,omitempty" readOnly:"true" doc:"None: there is none, or a later change has made it void"`
	ChangedBy        *string      `json:"changed_by,omitempty" readOnly:"true" doc:"Login of who created it or changed it last"`
	ScheduledFor     *time.Time   `json:"scheduled_for,omitempty" readOnly:"true" doc:"When it starts by itself, while it is CONFIGURED"`
	Status           *string      `json:"status,omitempty" readOnly:"true" enum:"CONFIGURED,RUNNING,STOPPED,FAILED,SUCCEEDED"`
	StatusReason     *string      `json:"status_reason,omitempty" readOnly:"true" doc:"Stable code of why it ended as it did"`
	Paused           *bool        `json:"paused,omitempty" readOnly:"true"`
	Created          *time.Time   `json:"created,omitempty" readOnly:"true"`
	Started          *time.Time   `json:"started,omitempty" readOnly:"true"`
	Ended            *time.Time   `json:"ended,omitempty" readOnly:"true"`
	LastChanged      *time.Time   `json:"last_changed,omitempty" readOnly:"true"`
	Archived         *bool        `json:"archived,omitempty"`
	Revision         *int64       `json:"revision,omitempty" readOnly:"true"`
}

// policy is a fleet.CampaignPolicy in JSON.
type policy struct {
	Setup                  *string  `json:"setup,omitempty" enum:"pipelined,sequential"`
	Redundancy             *string  `json:"redundancy,omitempty" enum:"adaptive,fixed,carousel"`
	Probe                  *bool    `json:"probe,omitempty" doc:"Ask each device for its version, packages, groups and clock before it is set up"`
	CloseAtThreshold       *bool    `json:"close_at_threshold,omitempty" doc:"End a stage as soon as the success threshold is reached"`
	Retries                *int     `json:"retries,omitempty" minimum:"-1" maximum:"100" doc:"Resends of a unicast command; 0: 3, negative: none"`
	LateAnswer             *float64 `json:"late_answer_s,omitempty" minimum:"0" maximum:"86400" multipleOf:"1" doc:"0: 60"`
	SessionLead            *float64 `json:"session_lead_s,omitempty" minimum:"0" maximum:"604800" multipleOf:"1" doc:"0: 60"`
	BeaconsToWait          *uint8   `json:"beacons_to_wait,omitempty" maximum:"255" doc:"0: 4"`
	FirstFragmentDelay     *float64 `json:"first_fragment_delay_s,omitempty" minimum:"0" maximum:"3600" multipleOf:"1" doc:"0: the time tolerance"`
	MulticastDelay         *float64 `json:"multicast_delay_s,omitempty" minimum:"0" maximum:"3600" doc:"0: as fast as the network takes frames"`
	FragSize               *uint8   `json:"frag_size,omitempty" maximum:"255" doc:"Bytes; 0: computed"`
	MaxCodedPercent        *uint16  `json:"max_coded_percent,omitempty" maximum:"1000" doc:"0: 100"`
	MaxRounds              *uint8   `json:"max_rounds,omitempty" maximum:"255" doc:"0: 5"`
	StatusByMulticastAbove *int     `json:"status_by_multicast_above,omitempty" minimum:"0" maximum:"1000000000" doc:"Devices; 0: always"`
	FlashTime              *float64 `json:"flash_time_s,omitempty" minimum:"0" maximum:"86400" multipleOf:"1" doc:"0: 120"`
}

func showCampaign(c fleet.Campaign) campaign {
	p := c.Policy
	return campaign{ID: &c.ID, Name: &c.Name, Description: &c.Description, Type: text(c.Type), DeviceSets: &c.DeviceSets, Regions: &c.Regions,
		FileID: &c.FileID, Delta: text(c.Delta), RebootAt: when(c.RebootAt), SessionStart: when(c.SessionStart), MaxDuration: seconds(c.MaxDuration),
		SuccessThreshold: &c.SuccessThreshold, Status: text(c.Status), StatusReason: &c.StatusReason, Paused: &c.Paused,
		Created: when(c.Created), Started: when(c.Started), Ended: when(c.Ended), LastChanged: when(c.LastChanged), Archived: &c.Archived, Revision: &c.Revision,
		Schedule: showSchedule(c.Schedule), Phases: new(each(c.Phases, showPhase)), Abort: new(each(c.Abort, showAbortRule)),
		CatchUp: &catchUp{&c.CatchUp.Rounds, seconds(c.CatchUp.Wait)}, NeedsApproval: &c.NeedsApproval, Approval: showApproval(c.Approval),
		ChangedBy: &c.ChangedBy.Login, ScheduledFor: when(c.ScheduledFor),
		Policy: &policy{Setup: text(p.Setup), Redundancy: text(p.Redundancy), Probe: &p.Probe, CloseAtThreshold: &p.CloseAtThreshold, Retries: &p.Retries, LateAnswer: seconds(p.LateAnswer),
			SessionLead: seconds(p.SessionLead), BeaconsToWait: &p.BeaconsToWait, FirstFragmentDelay: seconds(p.FirstFragmentDelay),
			MulticastDelay: seconds(p.MulticastDelay), FragSize: &p.FragSize, MaxCodedPercent: &p.MaxCodedPercent, MaxRounds: &p.MaxRounds,
			StatusByMulticastAbove: &p.StatusByMulticastAbove, FlashTime: seconds(p.FlashTime)}}
}

func (in *campaign) apply(c *fleet.Campaign) error {
	var r reader
	set(&c.Name, in.Name)
	set(&c.Description, in.Description)
	read(&r, "type", &c.Type, in.Type, fleet.ParseCampaignType)
	set(&c.DeviceSets, in.DeviceSets)
	set(&c.Regions, in.Regions)
	set(&c.FileID, in.FileID)
	read(&r, "delta", &c.Delta, in.Delta, fleet.ParseDeltaMode)
	readTime(&r, "reboot_at", &c.RebootAt, in.RebootAt)
	readTime(&r, "session_start", &c.SessionStart, in.SessionStart)
	setSeconds(&c.MaxDuration, in.MaxDuration)
	set(&c.SuccessThreshold, in.SuccessThreshold)
	if p := in.Policy; p != nil {
		read(&r, "policy.setup", &c.Policy.Setup, p.Setup, fleet.ParseSetupMode)
		read(&r, "policy.redundancy", &c.Policy.Redundancy, p.Redundancy, fleet.ParseRedundancyMode)
		set(&c.Policy.Probe, p.Probe)
		set(&c.Policy.CloseAtThreshold, p.CloseAtThreshold)
		set(&c.Policy.Retries, p.Retries)
		setSeconds(&c.Policy.LateAnswer, p.LateAnswer)
		setSeconds(&c.Policy.SessionLead, p.SessionLead)
		set(&c.Policy.BeaconsToWait, p.BeaconsToWait)
		setSeconds(&c.Policy.FirstFragmentDelay, p.FirstFragmentDelay)
		setSeconds(&c.Policy.MulticastDelay, p.MulticastDelay)
		set(&c.Policy.FragSize, p.FragSize)
		set(&c.Policy.MaxCodedPercent, p.MaxCodedPercent)
		set(&c.Policy.MaxRounds, p.MaxRounds)
		set(&c.Policy.StatusByMulticastAbove, p.StatusByMulticastAbove)
		setSeconds(&c.Policy.FlashTime, p.FlashTime)
	}
	in.Schedule.apply(&r, &c.Schedule)
	readPhases(&c.Phases, in.Phases)
	readAbortRules(&r, &c.Abort, in.Abort)
	in.CatchUp.apply(&c.CatchUp)
	set(&c.NeedsApproval, in.NeedsApproval)
	set(&c.Archived, in.Archived)
	return r.err()
}

// progress is how far a campaign is.
type progress struct {
	CampaignID string     `json:"campaign_id"`
	Status     string     `json:"status" enum:"CONFIGURED,RUNNING,STOPPED,FAILED,SUCCEEDED"`
	Reason     string     `json:"status_reason,omitempty"`
	Paused     bool       `json:"paused"`
	Started    *time.Time `json:"started,omitempty"`
	Ended      *time.Time `json:"ended,omitempty"`
	NextAction *time.Time `json:"next_action,omitempty" doc:"When the campaign goes on by itself"`
	Version    int64      `json:"version" doc:"Rises with every step"`
	LastSeq    int64      `json:"last_seq" doc:"Of the timeline"`
	Devices    int        `json:"devices"`
	Stages     []stage    `json:"stages"`
	Tally      []tally    `json:"tally" doc:"Devices by stage, outcome and reason"`
	Attributes
}

type stage struct {
	Position  int        `json:"position"`
	Name      string     `json:"name"`
	Status    string     `json:"status"`
	Started   *time.Time `json:"started,omitempty"`
	Ended     *time.Time `json:"ended,omitempty"`
	Total     int        `json:"total" doc:"Operations"`
	Completed int        `json:"completed"`
}

type tally struct {
	Stage   string `json:"stage"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	Devices int    `json:"devices"`
}

func showProgress(p service.Progress) progress {
	out := progress{CampaignID: p.Campaign.ID, Status: p.Campaign.Status.String(), Reason: p.Campaign.StatusReason, Paused: p.Campaign.Paused,
		Started: when(p.Campaign.Started), Ended: when(p.Campaign.Ended), NextAction: when(p.Run.WakeAt), Version: p.Run.Version, LastSeq: p.Run.LastSeq,
		Attributes: showAttributes(p.Campaign, p.Header),
		Devices:    p.Devices(), Stages: make([]stage, len(p.Stages)), Tally: make([]tally, len(p.Tally))}
	for i, s := range p.Stages {
		out.Stages[i] = stage{s.Position, s.Name, s.Status, when(s.Started), when(s.Ended), s.Total, s.Completed}
	}
	for i, t := range p.Tally {
		out.Tally[i] = tally(t)
	}
	return out
}

// row is one device or group of a campaign.
type row struct {
	DevEUI  string     `json:"dev_eui"`
	Stage   string     `json:"stage"`
	Outcome string     `json:"outcome"`
	Reason  string     `json:"reason,omitempty" doc:"Stable code"`
	At      *time.Time `json:"at,omitempty" doc:"When it last changed"`
}

func showRow(r store.Row) row {
	return row{r.DevEUI.String(), r.Stage, r.Outcome, r.Reason, when(r.At)}
}

// entry is one thing that happened in a campaign.
type entry struct {
	Seq    int64     `json:"seq" doc:"Rises from 1"`
	At     time.Time `json:"at"`
	DevEUI string    `json:"dev_eui,omitempty" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits"`
	Group  string    `json:"group,omitempty"`
	Code   string    `json:"code" doc:"Stable"`
	Text   string    `json:"text"`
	Cause  string    `json:"cause,omitempty" doc:"The frame or timer that caused it"`
}

func showEntry(t store.TimelineEntry) entry {
	out := entry{Seq: t.Seq, At: t.At, Code: t.Code, Text: t.Text, Cause: t.Cause}
	if !t.DevEUI.IsZero() {
		out.DevEUI = t.DevEUI.String()
	}
	if !t.Group.IsZero() {
		out.Group = t.Group.String()
	}
	return out
}

type actionInput struct {
	KeyInput
	Body struct {
		Action   string     `json:"action" enum:"start,stop,pause,resume,schedule,unschedule,approve,promote"`
		StartAt  *time.Time `json:"start_at,omitempty" pattern:"^(19[7-9][0-9]|20[0-9][0-9]|21[0-8][0-9])-" patternDescription:"a time within the years 1970 to 2189" doc:"Of schedule; none: the one of the campaign's schedule"`
		Revision int64      `json:"revision,omitempty" minimum:"0" maximum:"9007199254740991" doc:"Of approve: the one that was looked at; none: whichever there is"`
	}
}

type copyInput struct {
	KeyInput
	Body struct {
		Name string `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters" doc:"None: the same"`
	}
}

type outcomeInput struct {
	KeyInput
	Body struct {
		Name     string   `json:"name" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
		Outcomes []string `json:"outcomes" minItems:"1" maxItems:"20" pattern:"^[a-z_.]{1,64}$" patternDescription:"an outcome" doc:"Such as failed"`
	}
}

type progressOutput struct{ Body progress }

type rowsInput struct {
	KeyInput
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor  string `query:"cursor" maxLength:"2000"`
	Stage   string `query:"stage" maxLength:"64"`
	Outcome string `query:"outcome" maxLength:"64"`
	Reason  string `query:"reason" maxLength:"64"`
}

type timelineInput struct {
	KeyInput
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	After  int64  `query:"after" minimum:"0" maximum:"9007199254740991" doc:"Seq of the last entry seen"`
	DevEUI string `query:"dev_eui" pattern:"^[0-9a-fA-F]{16}$" patternDescription:"16 hexadecimal digits" doc:"Only what is about this device"`
	Code   string `query:"code" pattern:"^[a-z_]+(\\.[a-z_]*)?$" maxLength:"64" patternDescription:"a code" doc:"Only this code, or all that begin with it if it ends with a dot"`
}

// campaigns registers what can be done with and seen of campaigns, beyond their settings.
func (a *api) campaigns() {
	s, tags := a.Service, []string{"campaigns"}
	orders := map[string]func(context.Context, string) (fleet.Campaign, error){"start": s.Start, "stop": s.Stop, "pause": s.Pause, "resume": s.Resume,
		"unschedule": s.Unschedule, "promote": s.Promote}
	register(a, identity.RunCampaigns, huma.Operation{OperationID: "act-on-campaign", Method: http.MethodPost, Path: "/campaigns/{id}/actions", Tags: tags,
		Summary: "Start, stop, pause, resume, schedule, approve or promote a campaign", Description: "The order is durable when this answers; watch the progress for what follows.",
		DefaultStatus: http.StatusAccepted},
		func(ctx context.Context, in *actionInput) (*objectOutput[campaign], error) {
			var c fleet.Campaign
			var err error
			switch in.Body.Action {
			case "schedule":
				var r reader
				var at time.Time
				if readTime(&r, "start_at", &at, in.Body.StartAt); r.err() != nil {
					return nil, r.err()
				}
				c, err = s.Schedule(ctx, in.ID, at)
			case "approve":
				c, err = s.Approve(ctx, in.ID, in.Body.Revision)
			default:
				c, err = orders[in.Body.Action](ctx, in.ID)
			}
			return &objectOutput[campaign]{ETag: etag(c.Revision), Body: showCampaign(c)}, err
		})
	register(a, identity.WriteFleet, huma.Operation{OperationID: "copy-campaign", Method: http.MethodPost, Path: "/campaigns/{id}/copies", Tags: tags,
		Summary: "Make a new campaign with the same settings", DefaultStatus: http.StatusCreated},
		func(ctx context.Context, in *copyInput) (*objectOutput[campaign], error) {
			c, err := s.Copy(ctx, in.ID, in.Body.Name)
			return &objectOutput[campaign]{ETag: etag(c.Revision), Location: Prefix + "/campaigns/" + c.ID, Body: showCampaign(c)}, err
		})
	register(a, identity.WriteFleet, huma.Operation{OperationID: "set-of-outcome", Method: http.MethodPost, Path: "/campaigns/{id}/device-sets", Tags: tags,
		Summary: "Make a device set of the devices with some outcomes", DefaultStatus: http.StatusCreated},
		func(ctx context.Context, in *outcomeInput) (*objectOutput[deviceSet], error) {
			set, err := s.SetOfOutcome(ctx, in.ID, in.Body.Name, in.Body.Outcomes...)
			return &objectOutput[deviceSet]{ETag: etag(set.Revision), Location: Prefix + "/device-sets/" + set.ID, Body: showDeviceSet(set)}, err
		})
	register(a, identity.ReadFleet, huma.Operation{OperationID: "show-progress", Method: http.MethodGet, Path: "/campaigns/{id}/progress", Tags: tags,
		Summary: "Show how far a campaign is"},
		func(ctx context.Context, in *KeyInput) (*progressOutput, error) {
			p, err := s.Progress(ctx, in.ID)
			return &progressOutput{showProgress(p)}, err
		})
	register(a, identity.ReadFleet, huma.Operation{OperationID: "list-campaign-devices", Method: http.MethodGet, Path: "/campaigns/{id}/devices", Tags: tags,
		Summary: "List the devices of a started campaign"},
		func(ctx context.Context, in *rowsInput) (*listOutput[row], error) {
			page, err := s.DeviceProgress(ctx, in.ID, store.ProgressQuery{After: in.Cursor, Limit: in.Limit, Stage: in.Stage, Outcome: in.Outcome, Reason: in.Reason})
			return &listOutput[row]{list[row]{Items: each(page.Items, showRow), NextCursor: page.Next}}, err
		})
	register(a, identity.ReadFleet, huma.Operation{OperationID: "list-campaign-groups", Method: http.MethodGet, Path: "/campaigns/{id}/groups", Tags: tags,
		Summary: "List the multicast groups of a started campaign"},
		func(ctx context.Context, in *KeyInput) (*listOutput[row], error) {
			rows, err := s.GroupProgress(ctx, in.ID)
			return &listOutput[row]{list[row]{Items: each(rows, showRow)}}, err
		})
	register(a, identity.ReadFleet, huma.Operation{OperationID: "list-timeline", Method: http.MethodGet, Path: "/campaigns/{id}/timeline", Tags: tags,
		Summary: "List what happened in a campaign"},
		func(ctx context.Context, in *timelineInput) (*listOutput[entry], error) {
			q := store.TimelineQuery{After: in.After, Limit: in.Limit, Code: in.Code}
			if in.DevEUI != "" {
				e, err := lorawan.ParseEUI64(in.DevEUI)
				if err != nil {
					return nil, badParameter("query.dev_eui", "cannot be read", "give 16 hexadecimal digits")
				}
				q.DevEUI = e
			}
			entries, err := s.Timeline(ctx, in.ID, q)
			return &listOutput[entry]{list[entry]{Items: each(entries, showEntry)}}, err
		})
}

// each shows every element of a list; the result is never nil, so that JSON has "[]".
func each[T, D any](items []T, show func(T) D) []D {
	out := make([]D, len(items))
	for i, item := range items {
		out[i] = show(item)
	}
	return out
}
