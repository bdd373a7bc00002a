package fleet

import (
	"encoding/json"
	"fmt"
	"time"
)

// RebootMode says who has devices reboot into their new firmware, and when.
type RebootMode uint8

// Reboot modes. The zero value is the reboot time if the campaign has one, else the countdown.
const (
	RebootAuto      RebootMode = iota
	RebootAtTime               // all at Campaign.RebootAt
	RebootCountdown            // each a countdown after its image was checked
	RebootNow                  // each as soon as its image was checked; devices do not answer that command
	RebootManual               // the operator or the device does it; the campaign waits for the version
)

var rebootModeNames = []string{"auto", "at", "countdown", "immediate", "manual"}

// ParseRebootMode reads "auto", "at", "countdown", "immediate" or "manual".
func ParseRebootMode(s string) (RebootMode, error) {
	return parseEnum[RebootMode]("reboot mode", rebootModeNames, s)
}

// String returns the name of the mode.
func (m RebootMode) String() string { return enumText(rebootModeNames, m) }

// MarshalText returns the name of the mode, or ErrText.
func (m RebootMode) MarshalText() ([]byte, error) {
	return marshalEnum("reboot mode", rebootModeNames, m)
}

// UnmarshalText reads what ParseRebootMode reads.
func (m *RebootMode) UnmarshalText(b []byte) (err error) {
	*m, err = ParseRebootMode(string(b))
	return err
}

// Schedule says when a campaign does what. The zero value is: at once, at any hour.
type Schedule struct {
	StartAt         time.Time     `json:"start_at,omitzero"`     // what an order to start later means if it names no time
	Windows         []Window      `json:"windows,omitempty"`     // the campaign transmits within them only; none: always
	QuietHours      []Window      `json:"quiet_hours,omitempty"` // and never within these
	Reboot          RebootMode    `json:"reboot"`                // FOTA only
	RebootCountdown time.Duration `json:"-"`                     // "reboot_countdown_s": from the command to the reboot; 0: 60 s
	RebootPatience  time.Duration `json:"-"`                     // "reboot_patience_s": how long a manual reboot is waited for; 0: 7 days
}

// WithDefaults returns s with every zero field set to its default.
func (s Schedule) WithDefaults() Schedule {
	s.RebootCountdown = first(s.RebootCountdown, time.Minute)
	s.RebootPatience = first(s.RebootPatience, 7*24*time.Hour)
	return s
}

// Calendar returns when the campaign may transmit.
func (s Schedule) Calendar() (Calendar, error) { return NewCalendar(s.Windows, s.QuietHours) }

// IsZero reports whether s says nothing.
func (s Schedule) IsZero() bool {
	return s.StartAt.IsZero() && len(s.Windows)+len(s.QuietHours) == 0 && s.Reboot == RebootAuto && s.RebootCountdown == 0 && s.RebootPatience == 0
}

// maxCountdown is what 24 bits hold, less the values that mean something else (TS006-1.0.0, DevRebootCountdownReq).
const maxCountdown = 0xfffffe * time.Second

// checkSchedule adds what is wrong with the schedule of a campaign to k.
func (c Campaign) checkSchedule(k *checks) {
	s := c.Schedule
	k.windows("schedule.windows", s.Windows)
	k.windows("schedule.quiet_hours", s.QuietHours)
	k.that(int(s.Reboot) < len(rebootModeNames), "schedule.reboot", "is unknown", "use one of "+quoted(rebootModeNames))
	k.that(s.Reboot == RebootAuto || c.Type == FOTACampaign, "schedule.reboot", "is set", "only FOTA campaigns reboot devices")
	k.that(s.Reboot != RebootAtTime || !c.RebootAt.IsZero(), "reboot_at", "is missing", `say when, or leave schedule.reboot at "auto"`)
	k.that(s.Reboot == RebootAuto || s.Reboot == RebootAtTime || c.RebootAt.IsZero(), "reboot_at", fmt.Sprintf("is set, and schedule.reboot is %q", s.Reboot), "choose one of the two")
	k.that(c.RebootAt.IsZero() || len(c.Phases) == 0 && c.CatchUp.Rounds <= 0, "reboot_at", "is one time for all devices, and the campaign has phases or catches up", `let each reboot when it is through: leave reboot_at out`)
	k.span("schedule.reboot_countdown_s", s.RebootCountdown, maxCountdown)
	k.span("schedule.reboot_patience_s", s.RebootPatience, 90*24*time.Hour)
	k.that(s.StartAt.IsZero() || c.SessionStart.IsZero() || c.SessionStart.After(s.StartAt), "session_start", "is not after schedule.start_at", "devices are set up before their session")
	calendar, err := s.Calendar()
	if err != nil || calendar.Always() {
		return // said above
	}
	// Any week shows if there is a minute left.
	k.that(calendar.Open(anyMonday) || !calendar.Next(anyMonday).IsZero(), "schedule.quiet_hours", "leave no time to transmit", "shorten them, or widen the windows")
	k.that(c.SessionStart.IsZero() || calendar.Open(c.SessionStart), "session_start", "is outside of the hours in which the campaign may transmit", "move it, or change schedule.windows and schedule.quiet_hours")
}

var anyMonday = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

type scheduleJSON Schedule

type scheduleDoc struct {
	scheduleJSON
	RebootCountdown seconds `json:"reboot_countdown_s,omitzero"`
	RebootPatience  seconds `json:"reboot_patience_s,omitzero"`
}

func (s Schedule) doc() scheduleDoc {
	return scheduleDoc{scheduleJSON(s), seconds(s.RebootCountdown), seconds(s.RebootPatience)}
}

// MarshalJSON writes the durations in seconds.
func (s Schedule) MarshalJSON() ([]byte, error) { return json.Marshal(s.doc()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Schedule) UnmarshalJSON(b []byte) error {
	d := s.doc()
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*s = Schedule(d.scheduleJSON)
	s.RebootCountdown, s.RebootPatience = time.Duration(d.RebootCountdown), time.Duration(d.RebootPatience)
	return nil
}
