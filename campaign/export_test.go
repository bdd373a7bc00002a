package campaign

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Unresolved is unresolved, for the tests.
var Unresolved = unresolved

// AssignWaves is assignWaves, for the tests.
var AssignWaves = assignWaves

// PhaseEnd is phaseEnd, for the tests.
var PhaseEnd = phaseEnd

// BlockAckDelay is blockAckDelay, for the tests.
var BlockAckDelay = blockAckDelay

// CheckDerived tells if what is derived from the state differs from what the state
// implies: a counter that drifts would hang a stage or close it too early.
func CheckDerived(c *Campaign) error {
	type derived struct {
		Unsettled []int
		Tally     [outcomes]int
		Stand     stand
		Needing   []int
		Status    []statusCount
		Frames    map[string]int
		Failures  [kinds]int
	}
	of := func(c *Campaign) derived {
		return derived{slices.Clone(c.unsettled), c.tally, c.stand, slices.Clone(c.needing), slices.Clone(c.status), c.frames, c.failures}
	}
	fresh := *c
	fresh.timers = nil
	fresh.recount()
	if have, want := of(c), of(&fresh); !reflect.DeepEqual(have, want) {
		return fmt.Errorf("derived state %+v, a recount gives %+v", have, want)
	}
	for _, t := range fresh.timers {
		if o := c.devices[t.device].Outcome; o != Active && o != Stopping {
			return fmt.Errorf("device %d is %s and has a deadline", t.device, o)
		}
		if !slices.ContainsFunc(c.timers, func(have timer) bool { return have.device == t.device && have.at.Equal(t.at) }) {
			return fmt.Errorf("deadline %s of device %d has no timer", t.at, t.device)
		}
	}
	return nil
}

// Shortfall is what a device has told of its block.
type Shortfall = shortfall

// NewShortfall returns that of a device that lost a share of the first round and lacks some rows.
func NewShortfall(loss float64, missing int) Shortfall { return shortfall{loss, missing} }

// FewLeft is fewLeft.
const FewLeft = fewLeft

// Need is need.
var Need = need

// Ask has device i asked in a stage, whatever that is.
func (c *Campaign) Ask(i int, s Stage) {
	c.devices[i].Stage = s
	c.request(i)
}

// At returns the index of a stage.
func (c *Campaign) At(s Stage) int { return c.at(s) }

// MustFail is must with an error that cannot be.
func MustFail() { must(0, errImpossible) }

var errImpossible = errors.New("impossible")
