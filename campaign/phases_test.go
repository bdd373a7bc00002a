package campaign_test

import (
	"errors"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the machine that tests may have no time zones

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
)

func TestPhasesAreSamplesOfAllLanes(t *testing.T) {
	const n = 300
	spread := func(id string) []campaign.Member {
		devices := make([]campaign.Member, n)
		for i := range devices {
			devices[i] = campaign.Member{DevEUI: devEUI(i + 1), Lane: 0}
			if i%3 == 0 {
				devices[i].Lane = 1 // 100 of 300
			}
		}
		campaign.AssignWaves(id, []fleet.Phase{{Devices: 9}, {Percent: 10.1}, {Percent: 50}}, devices)
		return devices
	}
	devices := spread("c1")
	size, inLane1 := make([]int, 4), make([]int, 4)
	for _, m := range devices {
		size[m.Wave]++
		inLane1[m.Wave] += m.Lane
	}
	// 10.1 % of 300 is rounded up to 31 in all; what is left over is the fourth wave.
	if !slices.Equal(size, []int{9, 22, 119, 150}) || !slices.Equal(inLane1, []int{3, 7, 40, 50}) {
		t.Errorf("waves of %v devices, %v of them in the small lane", size, inLane1)
	}
	if !slices.Equal(devices, spread("c1")) {
		t.Error("the same campaign has other waves the second time")
	}
	if slices.Equal(devices, spread("c2")) {
		t.Error("another campaign begins with the same devices")
	}
	first := slices.IndexFunc(devices, func(m campaign.Member) bool { return m.Wave == 0 })
	last := n - 1
	for devices[last].Wave != 0 {
		last--
	}
	if last-first < n/4 {
		t.Errorf("the canary is a batch: devices %d to %d", first, last)
	}
}

func TestPhasesOfFewDevices(t *testing.T) {
	devices := []campaign.Member{{DevEUI: devEUI(1)}, {DevEUI: devEUI(2)}}
	campaign.AssignWaves("c", []fleet.Phase{{Percent: 1}, {Percent: 30}, {Devices: 7}}, devices)
	waves := []int{devices[0].Wave, devices[1].Wave}
	slices.Sort(waves)
	if !slices.Equal(waves, []int{0, 2}) { // 30 % of two is the one that 1 % is already
		t.Errorf("waves %v", waves)
	}
	campaign.AssignWaves("c", nil, devices)
}

func TestPlanTakesTheScheduleOver(t *testing.T) {
	r := fleetOf(10)
	r.Campaign.Phases = []fleet.Phase{{Name: "canary", Devices: 3}}
	r.Campaign.Abort = []fleet.AbortRule{{AbovePercent: 10}}
	r.Campaign.CatchUp.Rounds = 2
	r.Campaign.Schedule.Reboot = fleet.RebootManual
	p, err := campaign.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	s := p.Spec
	if len(s.Phases) != 1 || len(s.Abort) != 1 || s.CatchUp.Wait != 24*time.Hour || s.Schedule.RebootPatience == 0 {
		t.Errorf("%+v %+v %+v %+v", s.Phases, s.Abort, s.CatchUp, s.Schedule)
	}
	later := 0
	for _, m := range s.Devices {
		later += m.Wave
	}
	if later != 7 {
		t.Errorf("%d devices are later, want 7", later)
	}
	if p, err = campaign.Plan(fleetOf(1)); err != nil || !p.Spec.Schedule.IsZero() || p.Spec.CatchUp != (fleet.CatchUp{Rounds: 1}) {
		t.Errorf("without a schedule: %+v %+v, %v", p.Spec.Schedule, p.Spec.CatchUp, err)
	}
	for name, change := range map[string]func(*fleet.Campaign){
		"nobody gets another try": func(c *fleet.Campaign) { c.CatchUp.Rounds = -1 },
		"one time for all":        func(c *fleet.Campaign) { c.RebootAt = base.Add(24 * time.Hour) },
		"no block":                func(c *fleet.Campaign) { c.Type = fleet.MCGroupCampaign },
	} {
		r := fleetOf(1)
		change(&r.Campaign)
		if p, err := campaign.Plan(r); err != nil || p.Spec.CatchUp != (fleet.CatchUp{}) {
			t.Errorf("%s: %+v, %v", name, p.Spec.CatchUp, err)
		}
	}
}

func TestPlanWantsAWindowForTheSession(t *testing.T) {
	nine := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		window string
		class  fleet.Class
		start  time.Time
		ok     bool
	}{
		{"always", "", fleet.ClassC, time.Time{}, true},
		{"long enough", "22:00-04:00 Europe/Paris", fleet.ClassC, time.Time{}, true},
		{"too short", "22:00-22:15 Europe/Paris", fleet.ClassC, time.Time{}, false},
		{"of which class B can use half", "22:00-00:00", fleet.ClassB, time.Time{}, true},
		{"too short for class B", "22:00-23:00", fleet.ClassB, time.Time{}, false},
		{"not even a beacon", "22:00-22:02", fleet.ClassB, time.Time{}, false},
		{"starts within", "08:00-12:00", fleet.ClassC, nine, true},
		{"reaches beyond", "08:00-09:20", fleet.ClassC, nine, false},
		{"a zone that is not there", "08:00-09:20 Europe/Atlantis", fleet.ClassC, time.Time{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := fleetOf(2)
			r.Groups[0].SessionClass = tc.class
			r.Groups[0].PingSlotPeriodicity = 5
			for i := range r.Devices {
				r.Devices[i].Classes = fleet.ClassesOf(tc.class)
			}
			r.Campaign.SessionStart = tc.start
			if tc.window != "" {
				w, err := fleet.ParseWindow(tc.window)
				if err != nil {
					t.Fatal(err)
				}
				r.Campaign.Schedule.Windows = []fleet.Window{w}
			}
			_, err := campaign.Plan(r)
			if (err == nil) != tc.ok {
				t.Fatalf("%v", err)
			}
			var blocked *campaign.Blocked
			if errors.As(err, &blocked) && blocked.Reason != campaign.ReasonNoWindow {
				t.Errorf("%v", err)
			}
		})
	}
}

// A store may outlive a time zone: such a campaign is not run at hours that nobody meant.
func TestUnknownTimeZonesAreNotGuessed(t *testing.T) {
	o, err := parseWorld([]string{"window=08:00-09:00_Europe/Atlantis"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(o)
	if _, err := campaign.New(w.spec, w.material); err == nil {
		t.Error("a new campaign runs")
	}
	plain, err := campaign.New(newWorld(worldOptions{devices: 1, groups: 1, frag: 20}).spec, w.material)
	if err != nil {
		t.Fatal(err)
	}
	spec := *plain.Spec()
	spec.Schedule = w.spec.Schedule
	if _, err := campaign.Load(spec, w.material, plain.Header(), []campaign.Device{plain.Device(0)}, []campaign.Group{plain.Group(0)}); err == nil {
		t.Error("a stored campaign runs")
	}
}

// What a version that knew pauses only has stored while it was paused goes on as if it had known more.
func TestPausesOfOlderVersionsGoOn(t *testing.T) {
	o, err := parseWorld([]string{"devices=1"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(o)
	c, err := campaign.New(w.spec, w.material)
	if err != nil {
		t.Fatal(err)
	}
	c.Step(base, campaign.Start{})
	c.Step(base.Add(time.Minute), campaign.PauseRequested{})
	head := c.Header()
	head.Still = time.Time{}
	d := c.Device(0)
	if c, err = campaign.Load(w.spec, w.material, head, []campaign.Device{d}, []campaign.Group{c.Group(0)}); err != nil {
		t.Fatal(err)
	}
	out := c.Step(base.Add(time.Hour), campaign.ResumeRequested{})
	if want := d.Deadline.Add(59 * time.Minute); !out.WakeAt.Equal(want) {
		t.Errorf("wakes at %s, want %s", out.WakeAt, want)
	}
}
