package fleet_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

func TestScheduleIsWrittenAsPeopleWriteIt(t *testing.T) {
	c := campaign()
	c.Schedule = fleet.Schedule{StartAt: day.Add(-time.Hour), Windows: windows(t, "mon,fri 22:00-05:30 Europe/Paris"), Reboot: fleet.RebootAtTime, RebootPatience: time.Hour}
	c.SessionStart, c.RebootAt, c.Schedule.Reboot = time.Time{}, time.Time{}, fleet.RebootManual
	c.Phases = []fleet.Phase{{Name: "canary", Devices: 10, Promotion: fleet.Promotion{MinVerifiedPercent: 90, Soak: time.Minute, Manual: true}}, {Percent: 25}}
	c.Abort = []fleet.AbortRule{{Kind: fleet.AbortIntegrity, AbovePercent: 2.5, MinSample: 5}}
	c.CatchUp = fleet.CatchUp{Rounds: 2, Wait: time.Hour}
	c.NeedsApproval, c.ScheduledFor = true, day
	c.ChangedBy = fleet.Person{UserID: "u1", Login: "alice"}
	c.Approval = fleet.Approval{By: fleet.Person{UserID: "u2", Login: "bob"}, At: day}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"windows":[{"days":["mon","fri"],"from":"22:00","to":"05:30","time_zone":"Europe/Paris"}]`, `"reboot":"manual"`, `"reboot_patience_s":3600`,
		`"phases":[{"name":"canary","devices":10,"promotion":{"min_verified_percent":90,"manual":true,"soak_s":60}},{"percent":25}]`,
		`"abort":[{"kind":"integrity","above_percent":2.5,"min_sample":5}]`, `"catch_up":{"rounds":2,"wait_s":3600}`,
		`"needs_approval":true`, `"approval":{"by":{"user_id":"u2","login":"bob"},"at":"2026-03-01T12:00:00Z"}`, `"scheduled_for":"2026-03-01T12:00:00Z"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	var got fleet.Campaign
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got)
	if err != nil || string(again) != string(b) {
		t.Errorf("reads back as %s, %v", again, err)
	}
	plain, err := json.Marshal(campaign())
	if err != nil || strings.Contains(string(plain), "schedule") || strings.Contains(string(plain), "catch_up") {
		t.Errorf("a campaign without a schedule is written as %s, %v", plain, err)
	}
	for what, text := range map[string]string{"promotion": `{"phases":[{"promotion":{"soak_s":"x"}}]}`, "catch-up": `{"catch_up":{"wait_s":"x"}}`, "schedule": `{"schedule":{"reboot_patience_s":"x"}}`} {
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: text is taken for a number", what)
		}
	}
}

func TestScheduleDefaults(t *testing.T) {
	if s := (fleet.Schedule{}).WithDefaults(); s.RebootCountdown != time.Minute || s.RebootPatience != 7*24*time.Hour || s.IsZero() || !(fleet.Schedule{}).IsZero() {
		t.Errorf("schedule %+v", s)
	}
	if c := (fleet.CatchUp{}).WithDefaults(); c.Wait != 24*time.Hour {
		t.Errorf("catch-up %+v", c)
	}
	if got := (fleet.Phase{}).Label(2) + (fleet.Phase{Name: "canary"}).Label(1); got != "phase 2canary" {
		t.Error(got)
	}
	if got := (fleet.AbortRule{Kind: fleet.AbortRefused, AbovePercent: 7.5}).String(); got != "more than 7.5 % for refused" {
		t.Error(got)
	}
}

func TestValidateNamesWhatIsWrongWithASchedule(t *testing.T) {
	for _, tc := range []struct {
		field  string
		change func(*fleet.Campaign)
	}{
		{"schedule.windows[0].to", func(c *fleet.Campaign) { c.Schedule.Windows = []fleet.Window{{From: 60, To: 60}} }},
		{"schedule.windows[0].from", func(c *fleet.Campaign) {
			c.SessionStart = time.Time{}
			c.Schedule.Windows = []fleet.Window{{From: 1440, To: 60}}
		}},
		{"schedule.windows[0].to", func(c *fleet.Campaign) { c.Schedule.Windows = []fleet.Window{{To: 1441}} }},
		{"schedule.windows[1].days[1]", func(c *fleet.Campaign) {
			c.Schedule.Windows = []fleet.Window{{To: 1440}, {Days: []fleet.Weekday{1, 1}, To: 60}}
		}},
		{"schedule.quiet_hours[0].days[0]", func(c *fleet.Campaign) {
			c.Schedule.QuietHours = []fleet.Window{{Days: []fleet.Weekday{7}, To: 60}}
		}},
		{"schedule.windows[0].time_zone", func(c *fleet.Campaign) { c.Schedule.Windows = []fleet.Window{{To: 1440, Zone: "Europe/Atlantis"}} }},
		{"schedule.windows[0].time_zone", func(c *fleet.Campaign) { c.Schedule.Windows = []fleet.Window{{To: 1440, Zone: "Local"}} }},
		{"schedule.windows", func(c *fleet.Campaign) {
			for range 51 {
				c.Schedule.Windows = append(c.Schedule.Windows, fleet.Window{To: 1440})
			}
		}},
		{"schedule.quiet_hours", func(c *fleet.Campaign) {
			c.SessionStart = time.Time{}
			c.Schedule.QuietHours = []fleet.Window{{To: 1440}}
		}},
		{"session_start", func(c *fleet.Campaign) { c.Schedule.Windows = []fleet.Window{{To: 60}} }},
		{"session_start", func(c *fleet.Campaign) { c.Schedule.StartAt = c.SessionStart }},
		{"schedule.reboot", func(c *fleet.Campaign) { c.RebootAt, c.Schedule.Reboot = time.Time{}, 99 }},
		{"schedule.reboot", func(c *fleet.Campaign) {
			c.Type, c.RebootAt, c.Schedule.Reboot = fleet.BinaryCampaign, time.Time{}, fleet.RebootManual
		}},
		{"reboot_at", func(c *fleet.Campaign) { c.RebootAt, c.Schedule.Reboot = time.Time{}, fleet.RebootAtTime }},
		{"reboot_at", func(c *fleet.Campaign) { c.Schedule.Reboot = fleet.RebootCountdown }},
		{"schedule.reboot_countdown_s", func(c *fleet.Campaign) { c.Schedule.RebootCountdown = 0xffffff * time.Second }},
		{"schedule.reboot_patience_s", func(c *fleet.Campaign) { c.Schedule.RebootPatience = time.Millisecond }},
		{"reboot_at", func(c *fleet.Campaign) { c.Phases, c.RebootAt = []fleet.Phase{{Devices: 1}}, day.Add(time.Hour) }},
		{"reboot_at", func(c *fleet.Campaign) { c.CatchUp.Rounds, c.RebootAt = 1, day.Add(time.Hour) }},
		{"phases[0]", func(c *fleet.Campaign) { c.Phases = []fleet.Phase{{}} }},
		{"phases[0]", func(c *fleet.Campaign) { c.Phases = []fleet.Phase{{Percent: 5, Devices: 5}} }},
		{"phases[1].percent", func(c *fleet.Campaign) { c.Phases = []fleet.Phase{{Percent: 5}, {Percent: 5}} }},
		{"phases[0].percent", func(c *fleet.Campaign) { c.Phases = []fleet.Phase{{Percent: math.NaN()}} }},
		{"phases[1].devices", func(c *fleet.Campaign) { c.Phases = []fleet.Phase{{Devices: 5}, {Devices: 4}} }},
		{"phases[0].name", func(c *fleet.Campaign) { c.Phases = []fleet.Phase{{Name: "a\nb", Devices: 5}} }},
		{"phases[0].promotion.min_verified_percent", func(c *fleet.Campaign) {
			c.Phases = []fleet.Phase{{Devices: 5, Promotion: fleet.Promotion{MinVerifiedPercent: 101}}}
		}},
		{"phases[0].promotion.soak_s", func(c *fleet.Campaign) {
			c.Phases = []fleet.Phase{{Devices: 5, Promotion: fleet.Promotion{Soak: -1 * time.Second}}}
		}},
		{"phases", func(c *fleet.Campaign) {
			for i := range 21 {
				c.Phases = append(c.Phases, fleet.Phase{Devices: i + 1})
			}
		}},
		{"abort[0].kind", func(c *fleet.Campaign) { c.Abort = []fleet.AbortRule{{Kind: 99}} }},
		{"abort[0].above_percent", func(c *fleet.Campaign) { c.Abort = []fleet.AbortRule{{AbovePercent: math.Inf(1)}} }},
		{"abort[0].min_sample", func(c *fleet.Campaign) { c.Abort = []fleet.AbortRule{{MinSample: -1}} }},
		{"abort", func(c *fleet.Campaign) { c.Abort = make([]fleet.AbortRule, 21) }},
		{"catch_up.rounds", func(c *fleet.Campaign) { c.CatchUp.Rounds = 11 }},
		{"catch_up.wait_s", func(c *fleet.Campaign) { c.CatchUp.Wait = -time.Second }},
	} {
		c := campaign()
		if strings.HasPrefix(tc.field, "phases") || strings.HasPrefix(tc.field, "catch_up") {
			c.RebootAt = time.Time{}
		}
		c.Delta = fleet.DeltaAuto
		tc.change(&c)
		if found := fleet.FieldErrors(c.Validate()); len(found) != 1 || found[0].Field != tc.field {
			t.Errorf("got %v, want one error at %s", found, tc.field)
		}
	}
}
