package api

import (
	"fmt"
	"time"

	machine "github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
)

// schedule is a fleet.Schedule in JSON.
type schedule struct {
	StartAt         *time.Time `json:"start_at,omitempty" pattern:"^(19[7-9][0-9]|20[0-9][0-9]|21[0-8][0-9])-" patternDescription:"a time within the years 1970 to 2189" doc:"When the order to schedule the campaign starts it"`
	Windows         *[]window  `json:"windows,omitempty" maxItems:"50" doc:"When the campaign may send; none: always"`
	QuietHours      *[]window  `json:"quiet_hours,omitempty" maxItems:"50" doc:"When it may not"`
	Reboot          *string    `json:"reboot,omitempty" enum:"auto,at,countdown,immediate,manual" doc:"FOTA only; auto: at reboot_at if there is one, else countdown"`
	RebootCountdown *float64   `json:"reboot_countdown_s,omitempty" minimum:"0" maximum:"16777214" multipleOf:"1" doc:"From the command to the reboot; 0: 60"`
	RebootPatience  *float64   `json:"reboot_patience_s,omitempty" minimum:"0" maximum:"7776000" multipleOf:"1" doc:"How long a manual reboot is waited for; 0: 604800"`
}

// window is a fleet.Window in JSON.
type window struct {
	Days []string `json:"days,omitempty" maxItems:"7" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"On which it begins; none: every day"`
	From string   `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" patternDescription:"a time of day such as 22:00" doc:"Local time"`
	To   string   `json:"to" pattern:"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$" patternDescription:"a time of day such as 05:30" doc:"Local time, of the next day if it is not after from"`
	Zone string   `json:"time_zone,omitempty" maxLength:"64" pattern:"^[A-Za-z0-9_+/-]*$" patternDescription:"a time zone of the IANA database" doc:"Such as Europe/Paris; none: UTC"`
}

// phase is a fleet.Phase in JSON.
type phase struct {
	Name      string     `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Percent   float64    `json:"percent,omitempty" minimum:"0" maximum:"100" doc:"Of all devices up to the end of this phase, rounded up; this or devices"`
	Devices   int        `json:"devices,omitempty" minimum:"0" maximum:"1000000000" doc:"Number of devices up to the end of this phase"`
	Promotion *promotion `json:"promotion,omitempty" doc:"What must hold before the next phase begins"`
}

type promotion struct {
	MinVerified float64 `json:"min_verified_percent,omitempty" minimum:"0" maximum:"100" doc:"Of the devices of the phase; fewer halt the campaign"`
	Soak        float64 `json:"soak_s,omitempty" minimum:"0" maximum:"7776000" multipleOf:"1" doc:"From the end of the phase"`
	Manual      bool    `json:"manual,omitempty" doc:"Until the order promote"`
}

// abortRule is a fleet.AbortRule in JSON.
type abortRule struct {
	Kind         string  `json:"kind" enum:"any,no_answer,refused,incomplete,integrity,install" doc:"Reasons that count"`
	AbovePercent float64 `json:"above_percent" minimum:"0" maximum:"100" doc:"Halts when more devices of the phases so far have failed; 0: with the first"`
	MinSample    int     `json:"min_sample,omitempty" minimum:"0" maximum:"1000000000" doc:"Only for so many devices or more"`
}

// catchUp is a fleet.CatchUp in JSON.
type catchUp struct {
	Rounds *int     `json:"rounds,omitempty" minimum:"-1" maximum:"10" doc:"Further sessions for devices that were away or missed too much; 0: one, at once, for those that were there and had bad luck; -1: none"`
	Wait   *float64 `json:"wait_s,omitempty" minimum:"0" maximum:"7776000" multipleOf:"1" doc:"How long they are waited for before each; 0: 86400"`
}

// approval is a fleet.Approval in JSON.
type approval struct {
	By string    `json:"by" maxLength:"254" doc:"Login"`
	At time.Time `json:"at"`
}

func showApproval(a fleet.Approval) *approval {
	if a.At.IsZero() {
		return nil
	}
	return &approval{a.By.Login, a.At}
}

func showSchedule(s fleet.Schedule) *schedule {
	return &schedule{when(s.StartAt), new(each(s.Windows, showWindow)), new(each(s.QuietHours, showWindow)), text(s.Reboot), seconds(s.RebootCountdown), seconds(s.RebootPatience)}
}

func showWindow(w fleet.Window) window {
	return window{*texts(w.Days), w.From.String(), w.To.String(), w.Zone}
}

func showPhase(p fleet.Phase) phase {
	return phase{p.Name, p.Percent, p.Devices, &promotion{p.Promotion.MinVerifiedPercent, p.Promotion.Soak.Seconds(), p.Promotion.Manual}}
}

func showAbortRule(r fleet.AbortRule) abortRule {
	return abortRule{r.Kind.String(), r.AbovePercent, r.MinSample}
}

func (in *schedule) apply(r *reader, s *fleet.Schedule) {
	if in == nil {
		return
	}
	readTime(r, "schedule.start_at", &s.StartAt, in.StartAt)
	readWindows(r, "schedule.windows", &s.Windows, in.Windows)
	readWindows(r, "schedule.quiet_hours", &s.QuietHours, in.QuietHours)
	read(r, "schedule.reboot", &s.Reboot, in.Reboot, fleet.ParseRebootMode)
	setSeconds(&s.RebootCountdown, in.RebootCountdown)
	setSeconds(&s.RebootPatience, in.RebootPatience)
}

// readWindows replaces a list of windows.
func readWindows(r *reader, field string, dst *[]fleet.Window, src *[]window) {
	if src == nil {
		return
	}
	*dst = nil
	for i, in := range *src {
		at, w := fmt.Sprintf("%s[%d]", field, i), fleet.Window{Zone: in.Zone}
		if len(in.Days) > 0 {
			readAll(r, at+".days", &w.Days, &in.Days, fleet.ParseWeekday)
		}
		read(r, at+".from", &w.From, &in.From, fleet.ParseClockTime)
		read(r, at+".to", &w.To, &in.To, fleet.ParseClockTime)
		*dst = append(*dst, w)
	}
}

// readPhases replaces the phases of a campaign.
func readPhases(dst *[]fleet.Phase, src *[]phase) {
	if src == nil {
		return
	}
	*dst = nil
	for _, in := range *src {
		p := fleet.Phase{Name: in.Name, Percent: in.Percent, Devices: in.Devices}
		if in.Promotion != nil {
			p.Promotion = fleet.Promotion{MinVerifiedPercent: in.Promotion.MinVerified, Manual: in.Promotion.Manual}
			setSeconds(&p.Promotion.Soak, &in.Promotion.Soak)
		}
		*dst = append(*dst, p)
	}
}

// readAbortRules replaces the abort rules of a campaign.
func readAbortRules(r *reader, dst *[]fleet.AbortRule, src *[]abortRule) {
	if src == nil {
		return
	}
	*dst = nil
	for i, in := range *src {
		rule := fleet.AbortRule{AbovePercent: in.AbovePercent, MinSample: in.MinSample}
		read(r, fmt.Sprintf("abort[%d].kind", i), &rule.Kind, &in.Kind, fleet.ParseAbortKind)
		*dst = append(*dst, rule)
	}
}

func (in *catchUp) apply(c *fleet.CatchUp) {
	if in != nil {
		set(&c.Rounds, in.Rounds)
		setSeconds(&c.Wait, in.Wait)
	}
}

// halt says what keeps a campaign from sending.
type halt struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason" doc:"Stable code"`
	Detail string    `json:"detail,omitempty"`
}

// wave is a phase or a catch-up that is over.
type wave struct {
	Name     string    `json:"name"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Devices  int       `json:"devices"`
	Verified int       `json:"verified"`
}

// interval is the time between two phases.
type interval struct {
	Until   *time.Time `json:"until,omitempty" doc:"When the next one begins by itself"`
	Manual  bool       `json:"manual" doc:"It begins with the order promote"`
	CatchUp bool       `json:"catch_up" doc:"Devices that were away are waited for"`
}

// Attributes are what a campaign is besides its status.
type Attributes struct {
	ScheduledFor *time.Time `json:"scheduled_for,omitempty" doc:"An attribute of CONFIGURED: when it starts by itself"`
	Held         *time.Time `json:"held,omitempty" doc:"Since when it is outside of its windows, or in quiet hours: devices are not asked"`
	Halted       *halt      `json:"halted,omitempty" doc:"A rule keeps it from sending until it is resumed"`
	Interval     *interval  `json:"interval,omitempty" doc:"One phase is over, the next has not begun"`
	Phases       []wave     `json:"phases" doc:"Those that are over; the stages are those of the present one"`
}

func showAttributes(c fleet.Campaign, h machine.Header) Attributes {
	out := Attributes{ScheduledFor: when(c.ScheduledFor), Held: when(h.Held), Phases: make([]wave, len(h.Waves))}
	if c.Status != fleet.Configured {
		out.ScheduledFor = nil
	}
	if h.Halted.Reason != machine.ReasonNone {
		out.Halted = &halt{h.Halted.At, string(h.Halted.Reason), h.Halted.Detail}
	}
	if h.Interval.Next > 0 {
		out.Interval = &interval{when(h.Interval.Until), h.Interval.Manual, h.Interval.CatchUp}
	}
	for i, w := range h.Waves {
		out.Phases[i] = wave{w.Name, w.Started, w.Ended, w.Devices, w.Verified}
	}
	return out
}
