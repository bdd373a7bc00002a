package device

import (
	"slices"
	"time"
)

// agenda is what the device will do by itself, and when. There is at most one
// appointment of each kind and index: making another replaces it, as a timer that is
// started again does. It holds a handful of entries, so it is searched, not sorted.
type agenda []appointment

type appointment struct {
	at time.Time // true time
	errand
	run func(now time.Time)
}

// errand names an appointment.
type errand struct {
	what  what
	index uint8 // FragIndex, where there is one per session
}

type what uint8

const (
	unnamed what = iota // a topic of messages that do not replace one another
	applicationUplink
	timeRequest
	blockReceived
	statusAnswer
	reboot
	automaticReboot
	boot
	reset
)

// set makes the appointment, or moves it.
func (a *agenda) set(e errand, at time.Time, run func(now time.Time)) {
	a.cancel(e)
	*a = append(*a, appointment{at, e, run})
}

func (a *agenda) cancel(e errand) {
	*a = slices.DeleteFunc(*a, func(p appointment) bool { return p.errand == e })
}

// keep cancels everything but the named kinds.
func (a *agenda) keep(kinds ...what) {
	*a = slices.DeleteFunc(*a, func(p appointment) bool { return !slices.Contains(kinds, p.what) })
}

// when returns the time of an appointment, zero if there is none.
func (a agenda) when(e errand) time.Time {
	for _, p := range a {
		if p.errand == e {
			return p.at
		}
	}
	return time.Time{}
}

// next returns the time of the first appointment, zero if there is none.
func (a agenda) next() time.Time {
	if i := a.first(); i >= 0 {
		return a[i].at
	}
	return time.Time{}
}

// due takes the first appointment out if its time has come.
func (a *agenda) due(now time.Time) (appointment, bool) {
	i := a.first()
	if i < 0 || (*a)[i].at.After(now) {
		return appointment{}, false
	}
	p := (*a)[i]
	*a = slices.Delete(*a, i, i+1)
	return p, true
}

// first returns the earliest appointment, the one made first if several are equal, -1
// if there is none.
func (a agenda) first() int {
	first := -1
	for i, p := range a {
		if first < 0 || p.at.Before(a[first].at) {
			first = i
		}
	}
	return first
}
