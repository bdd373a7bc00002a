package fleet_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata" // the machine that tests may have no time zones

	"github.com/starling-fuota/starling/fleet"
)

func windows(t *testing.T, texts ...string) []fleet.Window {
	t.Helper()
	var list []fleet.Window
	for _, s := range texts {
		w, err := fleet.ParseWindow(s)
		if err != nil {
			t.Fatal(err)
		}
		if w.String() != s {
			t.Errorf("%q reads as %q", s, w)
		}
		list = append(list, w)
	}
	return list
}

func calendar(t *testing.T, open, quiet []fleet.Window) fleet.Calendar {
	t.Helper()
	c, err := fleet.NewCalendar(open, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	if s == "never" {
		return time.Time{}
	}
	v, err := time.Parse("2006-01-02 15:04 -0700", s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// 2026-03-02 is a Monday; Paris changes its clocks on 2026-03-29 and 2026-10-25, New York on
// 2026-03-08, Lord Howe by half an hour on 2026-04-05.
func TestNextIsWhereOpenChanges(t *testing.T) {
	night := []string{"22:00-05:30 Europe/Paris"}
	for _, tc := range []struct {
		name        string
		open, quiet []string
		from        string
		isOpen      bool
		next        string
	}{
		{"no windows", nil, nil, "2026-03-02 12:00 +0000", true, "never"},
		{"before the window", night, nil, "2026-03-02 12:00 +0100", false, "2026-03-02 22:00 +0100"},
		{"its first moment is in it", night, nil, "2026-03-02 22:00 +0100", true, "2026-03-03 05:30 +0100"},
		{"after midnight", night, nil, "2026-03-03 00:30 +0100", true, "2026-03-03 05:30 +0100"},
		{"its end is not in it", night, nil, "2026-03-03 05:30 +0100", false, "2026-03-03 22:00 +0100"},
		{"quiet hours are the inverse", nil, night, "2026-03-02 12:00 +0100", true, "2026-03-02 22:00 +0100"},
		{"until the end of quiet hours", nil, night, "2026-03-02 23:00 +0100", false, "2026-03-03 05:30 +0100"},
		{"quiet hours cut a window", []string{"08:00-18:00"}, []string{"12:00-13:00"}, "2026-03-02 08:30 +0000", true, "2026-03-02 12:00 +0000"},
		{"windows that meet are one", []string{"20:00-24:00", "00:00-02:00"}, nil, "2026-03-02 21:00 +0000", true, "2026-03-03 02:00 +0000"},
		{"windows that overlap are one", []string{"20:00-23:00", "22:00-02:00"}, nil, "2026-03-02 21:00 +0000", true, "2026-03-03 02:00 +0000"},
		{"the days of a window are those it begins on", []string{"fri 22:00-05:30"}, nil, "2026-03-07 04:00 +0000", true, "2026-03-07 05:30 +0000"},
		{"Saturday night is not Friday's", []string{"fri 22:00-05:30"}, nil, "2026-03-07 23:00 +0000", false, "2026-03-13 22:00 +0000"},
		{"once a week", []string{"mon 08:00-09:00"}, nil, "2026-03-02 09:00 +0000", false, "2026-03-09 08:00 +0000"},
		{"a day of the zone, not of UTC", []string{"sun 00:00-24:00 Pacific/Auckland"}, nil, "2026-03-07 10:59 +0000", false, "2026-03-08 00:00 +1300"},
		{"all day long", []string{"00:00-24:00"}, nil, "2026-03-02 12:00 +0000", true, "never"},
		{"nothing is left", []string{"08:00-18:00"}, []string{"07:00-19:00"}, "2026-03-02 12:00 +0000", false, "never"},

		{"the short night", night, nil, "2026-03-28 22:00 +0100", true, "2026-03-29 05:30 +0200"},
		{"the long night", night, nil, "2026-10-24 22:00 +0200", true, "2026-10-25 05:30 +0100"},
		{"a beginning that the clock skips", []string{"02:30-05:00 Europe/Paris"}, nil, "2026-03-29 00:00 +0100", false, "2026-03-29 03:00 +0200"},
		{"an end that the clock skips", []string{"22:00-02:30 Europe/Paris"}, nil, "2026-03-29 00:00 +0100", true, "2026-03-29 03:00 +0200"},
		{"a window that the clock skips", []string{"sun 02:10-02:50 Europe/Paris"}, nil, "2026-03-28 12:00 +0100", false, "2026-04-05 02:10 +0200"},
		{"a beginning that comes twice", []string{"02:30-05:00 Europe/Paris"}, nil, "2026-10-25 00:00 +0200", false, "2026-10-25 02:30 +0200"},
		{"an end that comes twice", []string{"22:00-02:30 Europe/Paris"}, nil, "2026-10-25 00:00 +0200", true, "2026-10-25 02:30 +0200"},
		{"a zone west of Greenwich", []string{"02:30-05:00 America/New_York"}, nil, "2026-03-08 00:00 -0500", false, "2026-03-08 03:00 -0400"},
		{"half an hour of summer time", []string{"01:45-05:00 Australia/Lord_Howe"}, nil, "2026-04-05 00:00 +1100", false, "2026-04-05 01:45 +1100"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := calendar(t, windows(t, tc.open...), windows(t, tc.quiet...))
			from, want := at(t, tc.from), at(t, tc.next)
			if got := c.Open(from); got != tc.isOpen {
				t.Errorf("open at %s: %t", tc.from, got)
			}
			if got := c.Next(from); !got.Equal(want) {
				t.Errorf("changes at %s, want %s", got, want)
			}
		})
	}
}

func TestSessionsAreFittedIntoWindows(t *testing.T) {
	night := "22:00-04:00"
	for _, tc := range []struct {
		name      string
		open      string
		from      string
		length    time.Duration
		fit, gone string
	}{
		{"at once", night, "2026-03-02 23:00 +0000", 5 * time.Hour, "2026-03-02 23:00 +0000", "2026-03-03 04:00 +0000"},
		{"the rest of the night is too short", night, "2026-03-02 23:00 +0000", 6 * time.Hour, "2026-03-03 22:00 +0000", "2026-03-03 23:00 +0000"},
		{"by day it waits", night, "2026-03-02 12:00 +0000", time.Hour, "2026-03-02 22:00 +0000", "2026-03-02 23:00 +0000"},
		{"no night is so long", night, "2026-03-02 12:00 +0000", 7 * time.Hour, "never", "2026-03-03 23:00 +0000"},
		{"nothing is to be done", night, "2026-03-02 12:00 +0000", 0, "2026-03-02 22:00 +0000", "2026-03-02 22:00 +0000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := calendar(t, windows(t, tc.open), nil)
			if got := c.Fit(at(t, tc.from), tc.length); !got.Equal(at(t, tc.fit)) {
				t.Errorf("fits at %s, want %s", got, tc.fit)
			}
			if got := c.After(at(t, tc.from), tc.length); !got.Equal(at(t, tc.gone)) {
				t.Errorf("so much has passed at %s, want %s", got, tc.gone)
			}
			if got := c.Longest(at(t, tc.from)); got != 6*time.Hour {
				t.Errorf("longest is %s", got)
			}
		})
	}
	always := fleet.Calendar{}
	now := at(t, "2026-03-02 12:00 +0000")
	if !always.Always() || !always.Fit(now, time.Hour).Equal(now) || !always.After(now, time.Hour).Equal(now.Add(time.Hour)) || always.Longest(now) < 1000*time.Hour {
		t.Error("the zero value is not always open")
	}
	never := calendar(t, windows(t, "08:00-09:00"), windows(t, "00:00-24:00"))
	if !never.After(now, time.Hour).IsZero() || !never.Fit(now, 0).IsZero() || never.Longest(now) != 0 || !never.Quiet(now) {
		t.Error("a calendar that is never open has time for something")
	}
}

// Next, After and Fit agree with a walk from minute to minute, in zones whose clocks change.
func TestCalendarAgreesWithTheClock(t *testing.T) {
	seed := uint64(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Unix())
	rng := rand.New(rand.NewPCG(seed, 1))
	zones := []string{"", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}
	random := func() fleet.Window {
		w := fleet.Window{From: fleet.ClockTime(rng.IntN(96) * 15), To: fleet.ClockTime(rng.IntN(97) * 15), Zone: zones[rng.IntN(len(zones))]}
		for d := fleet.Monday; d <= fleet.Sunday; d++ {
			if rng.IntN(2) == 0 {
				w.Days = append(w.Days, d)
			}
		}
		return w
	}
	for range 60 {
		open, quiet := []fleet.Window{random(), random()}, []fleet.Window{random()}
		c := calendar(t, open, quiet)
		from := time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rng.IntN(250))
		length := time.Duration(rng.IntN(20)) * 15 * time.Minute
		var next, after, fit time.Time
		var passed, since time.Duration
		for m := from; m.Before(from.AddDate(0, 0, 14)) && (next.IsZero() || after.IsZero() || fit.IsZero()); m = m.Add(time.Minute) {
			isOpen := c.Open(m)
			if next.IsZero() && isOpen != c.Open(from) {
				next = m
			}
			if !isOpen {
				since = 0
				continue
			}
			passed, since = passed+time.Minute, since+time.Minute
			if after.IsZero() && passed >= max(length, time.Minute) {
				after = m.Add(time.Minute).Add(length - max(length, time.Minute))
			}
			if fit.IsZero() && since >= max(length, time.Minute) {
				fit = m.Add(time.Minute - since)
			}
		}
		for what, pair := range map[string][2]time.Time{"next": {c.Next(from), next}, "after": {c.After(from, length), after}, "fit": {c.Fit(from, length), fit}} {
			if got, want := pair[0], pair[1]; !want.IsZero() && !got.Equal(want) {
				t.Errorf("open %v quiet %v from %s length %s: %s is %s, a walk says %s", open, quiet, from, length, what, got, want)
			}
		}
	}
}

func TestWindowsRefuseOtherText(t *testing.T) {
	for _, s := range []string{"", "22:00", "22:00-25:00", "22:00-24:01", "2:00-04:00", "22-23", "xyz 22:00-23:00", "mon 22:00-23:00 Europe/Paris more", "22:60-23:00", "-1:00-02:00"} {
		if w, err := fleet.ParseWindow(s); !errors.Is(err, fleet.ErrText) {
			t.Errorf("%q: %v, %v", s, w, err)
		}
	}
	if _, err := fleet.NewCalendar([]fleet.Window{{To: 60, Zone: "Mars/Olympus"}}, nil); err == nil {
		t.Error("a zone that nobody knows is taken")
	}
	if _, err := fleet.ClockTime(1441).MarshalText(); !errors.Is(err, fleet.ErrText) {
		t.Errorf("24:01: %v", err)
	}
}
