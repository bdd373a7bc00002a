package campaign

import (
	"slices"
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
	Held          bool            `json:"held,omitempty"` // outside of its windows, or in quiet hours
	Halted        Halt            `json:"halted,omitzero"`
	Wave          string          `json:"wave,omitempty"`    // its name; the stages are those of this wave
	Waves         []WaveState     `json:"waves,omitempty"`   // that are over
	Interval      Interval        `json:"interval,omitzero"` // before the next one
	Later         int             `json:"later,omitempty"`   // devices of waves that have not begun
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

// stand is how many devices are where, as people see them. It is kept up to date, because people
// watch all the time and a walk over all devices costs as much as many steps.
type stand [stages][sights]int

// What people see of a device in a stage.
const (
	seenWorking  = iota // or it waits for the gate
	seenThrough         // verified: it has passed all stages
	seenFailed          // there
	seenCleaning        // its clean-up is under way
	seenUndoing         // the same, and it had failed before
	seenExcluded
	seenLater // in a wave that has not begun: in no stage yet
	sights    = iota
)

// seen returns where a device is, and as what.
func (d *Device) seen() (Stage, int) {
	switch {
	case d.Reason == ReasonExcluded, d.leftOut():
		return StageNone, seenExcluded
	case d.Outcome == Later:
		return StageNone, seenLater
	case d.Outcome == Stopping && d.Was != ReasonNone:
		return d.Reached, seenUndoing
	case d.Outcome == Stopping:
		return d.Reached, seenCleaning
	case d.Outcome == Verified:
		return d.Stage, seenThrough
	case d.Outcome == Failed || d.Was != ReasonNone:
		return d.Stage, seenFailed
	}
	return d.Stage, seenWorking
}

// Progress tells where everyone is.
func (c *Campaign) Progress() Progress {
	h := &c.head
	p := Progress{
		Status: h.Status, Reason: h.Reason, Detail: h.Detail, Started: h.Started, Ended: h.Ended,
		Paused: !h.Paused.IsZero(), CleaningUp: h.CleaningUp,
		Held: !h.Held.IsZero(), Halted: h.Halted, Wave: c.waveName(), Waves: h.Waves, Interval: h.Interval, Later: c.tally[Later],
		Devices: len(c.devices), Verified: c.tally[Verified], Failed: c.tally[Failed], Excluded: c.stand[StageNone][seenExcluded],
		FragmentsSent: h.FragmentsSent, CodedSent: h.CodedSent, FragmentsPlan: h.FragmentsPlan, UnicastSent: h.UnicastSent, Airtime: h.Airtime.Seconds(),
	}
	for g := range c.groups {
		p.FragmentsPlan += c.planned(g)
	}
	further := 0 // devices that are beyond the stage
	for _, n := range c.stand {
		further += n[seenThrough]
	}
	for k, s := range slices.Backward(c.stages) {
		n := c.stand[s]
		failed, working := n[seenFailed]+n[seenUndoing], n[seenWorking]+n[seenCleaning]
		if h.Status == fleet.Failed {
			// The clean-up of a campaign that has failed is one of devices that have.
			p.Failed += n[seenUndoing] + n[seenCleaning]
			failed, working = failed+n[seenCleaning], n[seenWorking]
		}
		p.Stages = append(p.Stages, StageProgress{
			Stage: s, Opened: h.Stages[k].Opened, Closed: h.Stages[k].Closed, Passed: further, Working: working, Failed: failed,
		})
		further += failed + working
	}
	slices.Reverse(p.Stages)
	return p
}
