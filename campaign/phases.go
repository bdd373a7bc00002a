package campaign

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// ReasonNoWindow blocks a campaign whose session no window of its schedule can hold.
const ReasonNoWindow Reason = "blocked.no_window"

// assignWaves spreads the devices over the phases.
//
// In each lane the devices stand in the order of a hash, so that a canary is no production batch
// but a sample, which is another one in another campaign. The lanes are then merged evenly: a
// tenth of all devices is a tenth of each lane.
func assignWaves(id string, phases []fleet.Phase, devices []Member) {
	if len(phases) == 0 {
		return
	}
	type place struct {
		device   int
		hash     uint64
		fraction float64 // of its lane that comes before it
	}
	lanes := map[int][]place{}
	for i, m := range devices {
		sum := sha256.Sum256(append([]byte(id), m.DevEUI[:]...))
		lanes[m.Lane] = append(lanes[m.Lane], place{device: i, hash: binary.BigEndian.Uint64(sum[:])})
	}
	order := make([]place, 0, len(devices))
	for _, lane := range lanes {
		slices.SortFunc(lane, func(a, b place) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.device, b.device)) })
		for k := range lane {
			lane[k].fraction = (float64(k) + 0.5) / float64(len(lane))
		}
		order = append(order, lane...)
	}
	slices.SortFunc(order, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.fraction, b.fraction), cmp.Compare(a.hash, b.hash), cmp.Compare(a.device, b.device))
	})
	wave := 0
	for k, p := range order {
		for wave < len(phases) && k >= phaseEnd(phases[wave], len(devices)) {
			wave++
		}
		devices[p.device].Wave = wave
	}
}

// phaseEnd returns how many of n devices are in a phase and those before it. A percentage is rounded up.
func phaseEnd(p fleet.Phase, n int) int {
	if p.Devices > 0 {
		return min(p.Devices, n)
	}
	return min(int(math.Ceil(p.Percent*float64(n)/100-1e-9)), n)
}

// leastFragments is how many fragments a session must have room for, and for asking about them, to be worth telling
// devices of it.
const leastFragments = 32

// checkWindows tells if the windows of the schedule have room for sessions: for the whole of a block, or for
// parts of it that are not too small.
func (s *Spec) checkWindows() error {
	c := &Campaign{spec: *s}
	if err := c.derive(); err != nil {
		return err
	}
	if c.calendar.Always() {
		return nil
	}
	c.groups = c.newGroups()
	for g := range s.Groups {
		least := c.sessionLength(g, min(leastFragments, c.allFrames(g)))
		needs := c.sessionNeeds(g)
		if span := c.sessionSpan(g, c.allFrames(g)); c.window < needs || span < least {
			return blocked(ReasonNoWindow, "a session of group %s needs %s for %d fragments and their status, and windows and quiet hours leave %s at most, in which TS005 has a session of %s: widen them, or send faster",
				s.Groups[g].DevEUI, least.Round(time.Second), min(leastFragments, c.allFrames(g)), c.window, span)
		}
		if start := s.SessionStart; !start.IsZero() && !c.calendar.Fit(start, needs).Equal(start) {
			return blocked(ReasonNoWindow, "the session of group %s is to start at %s and needs %s, which reaches into hours in which nothing is sent: move one of them",
				s.Groups[g].DevEUI, start.Format(time.RFC3339), needs.Round(time.Second))
		}
	}
	return nil
}

// Two weeks like any other: windows of one time zone and quiet hours of another lie differently in summer.
var (
	winter = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	summer = time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)
)

// maxSession is the longest session of a class that TS005 can say.
func maxSession(class fleet.Class) time.Duration { return durationOf(class)(maxTimeOut) }
