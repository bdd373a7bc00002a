package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Weekday is a day of the week, the first one being Monday (ISO 8601).
type Weekday uint8

// Days of the week.
const (
	Monday Weekday = iota
	Tuesday
	Wednesday
	Thursday
	Friday
	Saturday
	Sunday
)

var weekdayNames = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// ParseWeekday reads "mon" to "sun".
func ParseWeekday(s string) (Weekday, error) {
	return parseEnum[Weekday]("day of the week", weekdayNames, s)
}

// String returns the short name of the day.
func (d Weekday) String() string { return enumText(weekdayNames, d) }

// MarshalText returns the short name of the day, or ErrText.
func (d Weekday) MarshalText() ([]byte, error) {
	return marshalEnum("day of the week", weekdayNames, d)
}

// UnmarshalText reads what ParseWeekday reads.
func (d *Weekday) UnmarshalText(b []byte) (err error) {
	*d, err = ParseWeekday(string(b))
	return err
}

// ClockTime is a time of day on a clock on the wall: minutes since midnight, 0 to 1440, both included.
type ClockTime uint16

// midnight is the end of a day: "24:00".
const midnight ClockTime = 24 * 60

// ParseClockTime reads "00:00" to "24:00".
func ParseClockTime(s string) (ClockTime, error) {
	hour, minute, ok := strings.Cut(s, ":")
	h, errHour := strconv.ParseUint(hour, 10, 8)
	m, errMinute := strconv.ParseUint(minute, 10, 8)
	t := ClockTime(h*60 + m)
	if !ok || errHour != nil || errMinute != nil || len(hour) != 2 || len(minute) != 2 || m > 59 || t > midnight {
		return 0, fmt.Errorf("time of day %q: %w (use hours and minutes such as \"22:00\")", s, ErrText)
	}
	return t, nil
}

// String returns hours and minutes, such as "22:00".
func (t ClockTime) String() string { return fmt.Sprintf("%02d:%02d", t/60, t%60) }

// MarshalText returns hours and minutes, or ErrText for a time after 24:00.
func (t ClockTime) MarshalText() ([]byte, error) {
	if t > midnight {
		return nil, fmt.Errorf("time of day %d: %w", uint16(t), ErrText)
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads what ParseClockTime reads.
func (t *ClockTime) UnmarshalText(b []byte) (err error) {
	*t, err = ParseClockTime(string(b))
	return err
}

// Window is a span of local time that comes again on days of the week, such as 22:00 to 05:30
// from Monday to Friday. If To is not after From it ends on the day after: Days are those on
// which it begins. A time that the clock skips when summer time begins is the moment of the
// jump; of a time that it shows twice when summer time ends, the first counts.
type Window struct {
	Days []Weekday `json:"days,omitempty"` // none: every day
	From ClockTime `json:"from"`
	To   ClockTime `json:"to"`
	Zone string    `json:"time_zone,omitempty"` // of the IANA database, such as "Europe/Paris"; "": UTC
}

// String returns "mon,tue 22:00-05:30 Europe/Paris".
func (w Window) String() string {
	var b strings.Builder
	for i, d := range w.Days {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(d.String())
	}
	if len(w.Days) > 0 {
		b.WriteByte(' ')
	}
	fmt.Fprintf(&b, "%s-%s", w.From, w.To)
	if w.Zone != "" {
		b.WriteString(" " + w.Zone)
	}
	return b.String()
}

// ParseWindow reads what String writes.
func ParseWindow(s string) (Window, error) {
	var w Window
	words := strings.Fields(s)
	if len(words) > 1 && !strings.Contains(words[0], ":") {
		for name := range strings.SplitSeq(words[0], ",") {
			d, err := ParseWeekday(name)
			if err != nil {
				return w, err
			}
			w.Days = append(w.Days, d)
		}
		words = words[1:]
	}
	if len(words) == 0 || len(words) > 2 {
		return w, fmt.Errorf("window %q: %w (use something like \"mon,fri 22:00-05:30 Europe/Paris\")", s, ErrText)
	}
	from, to, _ := strings.Cut(words[0], "-")
	var errFrom, errTo error
	w.From, errFrom = ParseClockTime(from)
	w.To, errTo = ParseClockTime(to)
	if len(words) == 2 {
		w.Zone = words[1]
	}
	return w, errors.Join(errFrom, errTo)
}

// maxWindows bounds the windows of a campaign: each is looked at again and again.
const maxWindows = 50

// windows checks a list of windows.
func (c *checks) windows(field string, list []Window) {
	c.that(len(list) <= maxWindows, field, fmt.Sprintf("has more than %d entries", maxWindows), "say it with fewer")
	for i, w := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		seen := map[Weekday]bool{}
		for k, d := range w.Days {
			day := fmt.Sprintf("%s.days[%d]", at, k)
			c.that(int(d) < len(weekdayNames), day, "is unknown", "use one of "+quoted(weekdayNames))
			c.that(!seen[d], day, "is in the list twice", "remove one of them")
			seen[d] = true
		}
		c.that(w.From < midnight, at+".from", "is not within 00:00 to 23:59", "")
		c.that(w.To <= midnight, at+".to", "is not within 00:00 to 24:00", "")
		c.that(w.From != w.To, at+".to", "is the same as from", "a whole day is 00:00 to 24:00")
		_, err := time.LoadLocation(w.Zone)
		c.that(err == nil && w.Zone != "Local", at+".time_zone", "is no time zone of the IANA database", `use something like "Europe/Paris", or none for UTC`)
	}
}

// Calendar tells when something may be done: within one of its windows, or always if there is
// none, and never within quiet hours. The zero value is always open.
//
//	windows      ____########____########____
//	quiet hours  ______##______________##____
//	open         ____##__####____######__####     until Next
type Calendar struct {
	windows, quiet []zoned
}

type zoned struct {
	Window
	zone *time.Location
}

// NewCalendar returns the calendar of windows and quiet hours, or an error for a time zone that is not known.
func NewCalendar(windows, quiet []Window) (Calendar, error) {
	var c Calendar
	for _, part := range []struct {
		from []Window
		to   *[]zoned
	}{{windows, &c.windows}, {quiet, &c.quiet}} {
		for _, w := range part.from {
			zone, err := time.LoadLocation(w.Zone)
			if err != nil {
				return Calendar{}, fmt.Errorf("window %s: time zone: %w", w, err)
			}
			*part.to = append(*part.to, zoned{w, zone})
		}
	}
	return c, nil
}

// Always reports whether the calendar has neither windows nor quiet hours.
func (c Calendar) Always() bool { return len(c.windows)+len(c.quiet) == 0 }

// Quiet reports whether t lies within quiet hours.
func (c Calendar) Quiet(t time.Time) bool {
	return slices.ContainsFunc(c.quiet, func(w zoned) bool { return w.holds(t) })
}

// Open reports whether t lies within a window and not within quiet hours.
func (c Calendar) Open(t time.Time) bool {
	inside := len(c.windows) == 0 || slices.ContainsFunc(c.windows, func(w zoned) bool { return w.holds(t) })
	return inside && !c.Quiet(t)
}

// horizon is how far ahead anything can be that comes every week: the second week is for a
// window that the beginning of summer time swallows in the first.
const horizon = 15 // days

// Next returns the next time after t at which Open changes; zero: never.
func (c Calendar) Next(t time.Time) time.Time {
	var edges []time.Time
	for _, w := range slices.Concat(c.windows, c.quiet) {
		edges = w.edges(edges, t)
	}
	slices.SortFunc(edges, time.Time.Compare)
	open := c.Open(t)
	for _, e := range edges {
		if c.Open(e) != open {
			return e.UTC()
		}
	}
	return time.Time{}
}

// After returns when the calendar has been open for d since t, itself a time at which it is open
// unless d ends with a window; zero: never.
func (c Calendar) After(t time.Time, d time.Duration) time.Time {
	if !c.Open(t) {
		t = c.Next(t)
	}
	for !t.IsZero() {
		end := c.Next(t)
		if end.IsZero() || end.Sub(t) >= d {
			return t.Add(d)
		}
		d -= end.Sub(t)
		t = c.Next(end)
	}
	return t
}

// Fit returns the first time from t on at which the calendar stays open for d; zero: never.
func (c Calendar) Fit(t time.Time, d time.Duration) time.Time {
	last := t.AddDate(0, 0, horizon)
	if !c.Open(t) {
		t = c.Next(t)
	}
	for !t.IsZero() && t.Before(last) {
		end := c.Next(t)
		if end.IsZero() || end.Sub(t) >= d {
			return t
		}
		t = c.Next(end)
	}
	return time.Time{}
}

// Longest returns for how long the calendar stays open at most within the two weeks from t on;
// for ever is the longest duration there is.
func (c Calendar) Longest(t time.Time) time.Duration {
	const forEver = 1<<63 - 1
	var longest time.Duration
	last := t.AddDate(0, 0, horizon)
	if !c.Open(t) {
		t = c.Next(t)
	}
	for !t.IsZero() && t.Before(last) {
		end := c.Next(t)
		if end.IsZero() {
			return forEver
		}
		longest = max(longest, end.Sub(t))
		t = c.Next(end)
	}
	return longest
}

// holds reports whether t lies within the window.
func (w zoned) holds(t time.Time) bool {
	for day := -1; day <= 0; day++ {
		if from, to, ok := w.on(t, day); ok && !t.Before(from) && t.Before(to) {
			return true
		}
	}
	return false
}

// edges appends the beginnings and ends of the window after t to list, as far as the horizon.
func (w zoned) edges(list []time.Time, t time.Time) []time.Time {
	for day := -1; day <= horizon; day++ {
		from, to, ok := w.on(t, day)
		if !ok {
			continue
		}
		for _, e := range []time.Time{from, to} {
			if e.After(t) {
				list = append(list, e)
			}
		}
	}
	return list
}

// on returns the window that begins so many days after the day that t is in, if it begins on that day of the week.
func (w zoned) on(t time.Time, day int) (from, to time.Time, ok bool) {
	year, month, d := t.In(w.zone).Date()
	date := time.Date(year, month, d+day, 0, 0, 0, 0, time.UTC)
	// Go's week begins on Sunday.
	if weekday := Weekday((date.Weekday() + 6) % 7); len(w.Days) > 0 && !slices.Contains(w.Days, weekday) {
		return from, to, false
	}
	end := date
	if w.To <= w.From {
		end = end.AddDate(0, 0, 1)
	}
	return shows(w.zone, date, w.From), shows(w.zone, end, w.To), true
}

// shows returns the first moment at which a clock in a zone shows a time on a date, or a later
// one because it jumps over it. time.Date does not say which of two it takes.
func shows(zone *time.Location, date time.Time, clock ClockTime) time.Time {
	utc := date.Add(time.Duration(clock) * time.Minute)
	offset := func(t time.Time) time.Duration {
		_, seconds := t.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	// No offset reaches a day, and no zone changes its offset twice in two days.
	before, after := offset(utc.AddDate(0, 0, -1)), offset(utc.AddDate(0, 0, 1))
	if t := utc.Add(-before); offset(t) == before {
		return t
	}
	if t := utc.Add(-after); offset(t) == after {
		return t
	}
	jump, _ := utc.Add(-before).In(zone).ZoneBounds()
	return jump
}
