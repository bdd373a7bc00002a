package campaign

import (
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// Progress is what people watch: the campaign as a row of stages.
type Progress struct {
	Status        fleet.Status    `json:"status"`
	Reason        Reason          `json:"reason,omitempty"`
	Detail        string          `json:"detail,omitempty"`
	Started       time.Time       `json:"started,omitzero"`
	Ended         time.Time       `json:"ended,omitzero"`
	Paused        bool            `json:"paused"`
	CleaningUp    bool            `json:"cleaning_up"`
	Devices       int             `json:"devices"`
	Verified      int             `json:"verified"`
	Failed        int             `json:"failed"`
	Excluded      int             `json:"excluded,omitempty"` // by an operator; in no stage any more
	FragmentsSent int             `json:"fragments_sent"`
	CodedSent     int             `json:"coded_sent"`
	FragmentsPlan int             `json:"fragments_planned"` // of the rounds so far
	UnicastSent   int             `json:"unicast_sent"`
	Airtime       float64         `json:"airtime_seconds"`
	Stages        []StageProgress `json:"stages"`
}

// StageProgress is one stage: Passed + Working + Failed + the devices that are not there yet = Devices - Excluded.
type StageProgress struct {
	Stage   Stage     `json:"stage"`
	Opened  time.Time `json:"opened,omitzero"`
	Closed  time.Time `json:"closed,omitzero"`
	Passed  int       `json:"passed"`
	Working int       `json:"working"` // of them, some wait for the gate
	Failed  int       `json:"failed"`  // in this stage
}

// Progress counts where everyone is. It costs a walk over all devices.
func (c *Campaign) Progress() Progress {
	h := &c.head
	p := Progress{
		Status: h.Status, Reason: h.Reason, Detail: h.Detail, Started: h.Started, Ended: h.Ended,
		Paused: !h.Paused.IsZero(), CleaningUp: h.CleaningUp,
		Devices: len(c.devices), Verified: c.tally[Verified], Failed: c.tally[Failed],
		FragmentsSent: h.FragmentsSent, CodedSent: h.CodedSent, UnicastSent: h.UnicastSent, Airtime: h.Airtime.Seconds(),
	}
	for g := range c.groups {
		for _, l := range c.groups[g].Lanes {
			p.FragmentsPlan += l.Last
		}
	}
	order := stagesOf(&c.spec)
	at := make(map[Stage]int, len(order))
	for k, s := range order {
		at[s] = k
		p.Stages = append(p.Stages, StageProgress{Stage: s, Opened: h.Stages[k].Opened, Closed: h.Stages[k].Closed})
	}
	for i := range c.devices {
		d := &c.devices[i]
		reached := at[d.Stage]
		switch {
		case d.Reason == ReasonExcluded:
			p.Excluded++
			continue
		case d.Outcome == Stopping:
			reached = at[d.Reached]
			if h.Status == fleet.Failed {
				p.Failed++
			}
		}
		if d.Outcome == Verified {
			reached = len(order)
		}
		for k := range reached {
			p.Stages[k].Passed++
		}
		switch {
		case d.Outcome == Failed || d.Outcome == Stopping && h.Status == fleet.Failed || d.Was != ReasonNone:
			p.Stages[reached].Failed++
		case reached < len(order):
			p.Stages[reached].Working++
		}
	}
	return p
}
