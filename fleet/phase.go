package fleet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"
)

// Phase is a part of the devices of a campaign that goes before the rest:
//
//	canary ── promotion ──> 25 % ── promotion ──> 100 % ──> catch-up
//	   10 devices             25 % in all           the rest
//
// Percent and Devices count all devices up to the end of the phase; one of them is set.
// Devices are spread over the phases by a hash, and evenly over device profiles and groups.
// What the last phase leaves over is one more phase, "rest".
type Phase struct {
	Name      string    `json:"name,omitempty"`
	Percent   float64   `json:"percent,omitempty"` // of all devices, rounded up; cumulative
	Devices   int       `json:"devices,omitempty"` // cumulative
	Promotion Promotion `json:"promotion,omitzero"`
}

// Label returns the name of the phase that is the n-th, from 1, or a word in its place.
func (p Phase) Label(n int) string { return cmp.Or(p.Name, fmt.Sprintf("phase %d", n)) }

// Promotion says what must hold before the next phase begins. The zero value is: nothing.
type Promotion struct {
	MinVerifiedPercent float64       `json:"min_verified_percent,omitempty"` // of the devices of the phase; fewer halt the campaign
	Soak               time.Duration `json:"-"`                              // "soak_s": from the end of the phase
	Manual             bool          `json:"manual,omitempty"`               // until somebody says so
}

// AbortKind is a group of reasons for which devices fail.
type AbortKind uint8

// Kinds of failures. The zero value is all of them.
const (
	AbortAny        AbortKind = iota
	AbortNoAnswer             // not heard, or no answer
	AbortRefused              // the device said no to a set-up, a session or a reboot
	AbortIncomplete           // fragments were still missing at the end
	AbortIntegrity            // the block or the image is damaged, or its signature wrong
	AbortInstall              // the image does not fit, or another version runs after the reboot
)

var abortKindNames = []string{"any", "no_answer", "refused", "incomplete", "integrity", "install"}

// ParseAbortKind reads "any", "no_answer", "refused", "incomplete", "integrity" or "install".
func ParseAbortKind(s string) (AbortKind, error) {
	return parseEnum[AbortKind]("kind of failures", abortKindNames, s)
}

// String returns the name of the kind.
func (k AbortKind) String() string { return enumText(abortKindNames, k) }

// MarshalText returns the name of the kind, or ErrText.
func (k AbortKind) MarshalText() ([]byte, error) {
	return marshalEnum("kind of failures", abortKindNames, k)
}

// UnmarshalText reads what ParseAbortKind reads.
func (k *AbortKind) UnmarshalText(b []byte) (err error) {
	*k, err = ParseAbortKind(string(b))
	return err
}

// AbortRule halts a campaign when too many of its devices have failed. The share is held against
// the devices of the phases that have begun, not against those that have ended so far: these
// fail sooner than they succeed, and every campaign would look bad at its beginning.
type AbortRule struct {
	Kind         AbortKind `json:"kind"`
	AbovePercent float64   `json:"above_percent"`        // halts when more than that have failed; 0: with the first
	MinSample    int       `json:"min_sample,omitempty"` // the rule does not hold for fewer devices than that
}

// String returns "more than 5 % for no_answer".
func (r AbortRule) String() string {
	return fmt.Sprintf("more than %g %% for %s", r.AbovePercent, r.Kind)
}

// CatchUp gives devices that failed for the radio another try, with a session of their own, after the last phase.
//
// By default there is one, at once, for those that were there and had bad luck: they were heard, but an answer
// or the session was lost. With Rounds, devices that were away and devices that missed too many fragments are
// waited for as well.
type CatchUp struct {
	Rounds int           `json:"rounds,omitempty"` // sessions for devices that were away; 0: the default; -1: nobody gets another try
	Wait   time.Duration `json:"-"`                // "wait_s": how long such devices are waited for before each; 0: 1 day
}

// WithDefaults returns c with every zero field set to its default.
func (c CatchUp) WithDefaults() CatchUp {
	c.Wait = first(c.Wait, 24*time.Hour)
	return c
}

// Person is who did something, as known then.
type Person struct {
	UserID string `json:"user_id,omitempty"` // "": the server by itself
	Login  string `json:"login,omitempty"`
}

// Approval is what a second person said about a campaign as it was then.
type Approval struct {
	By Person    `json:"by"`
	At time.Time `json:"at"`
	// Of are the revisions of what the campaign named then, by kind and identifier, such as "device set 01a2...".
	Of map[string]int64 `json:"of,omitempty"`
}

// Bounds of phases and abort rules.
const (
	maxPhases     = 20
	maxAbortRules = 20
	maxCatchUps   = 10
)

// checkPhases adds what is wrong with the phases and their rules to k.
func (c Campaign) checkPhases(k *checks) {
	k.that(len(c.Phases) <= maxPhases, "phases", fmt.Sprintf("has more than %d entries", maxPhases), "")
	var percent float64
	var devices int
	for i, p := range c.Phases {
		at := fmt.Sprintf("phases[%d]", i)
		k.name(at+".name", p.Name, false)
		k.that((p.Percent != 0) != (p.Devices != 0), at, "has not exactly one of percent and devices", "say how large it is in one of the two ways")
		if p.Percent != 0 {
			k.that(p.Percent > percent && p.Percent <= 100, at+".percent", fmt.Sprintf("is not above %g and at most 100", percent), "percents are cumulative")
			percent = max(percent, p.Percent)
		}
		if p.Devices != 0 {
			k.that(p.Devices > devices && p.Devices <= maxQuota, at+".devices", fmt.Sprintf("is not above %d", devices), "numbers of devices are cumulative")
			devices = max(devices, p.Devices)
		}
		k.percent(at+".promotion.min_verified_percent", p.Promotion.MinVerifiedPercent)
		k.span(at+".promotion.soak_s", p.Promotion.Soak, 90*24*time.Hour)
	}
	k.that(len(c.Abort) <= maxAbortRules, "abort", fmt.Sprintf("has more than %d entries", maxAbortRules), "")
	for i, r := range c.Abort {
		at := fmt.Sprintf("abort[%d]", i)
		k.that(int(r.Kind) < len(abortKindNames), at+".kind", "is unknown", "use one of "+quoted(abortKindNames))
		k.percent(at+".above_percent", r.AbovePercent)
		k.that(r.MinSample >= 0, at+".min_sample", "is negative", "")
	}
	k.that(c.CatchUp.Rounds >= -1 && c.CatchUp.Rounds <= maxCatchUps, "catch_up.rounds", fmt.Sprintf("is not within -1 to %d", maxCatchUps), "")
	k.span("catch_up.wait_s", c.CatchUp.Wait, 90*24*time.Hour)
}

// percent checks a share. The conditions are written so that NaN is refused.
func (c *checks) percent(field string, p float64) {
	c.that(p >= 0 && p <= 100, field, "is not a percentage within 0 to 100", "")
}

type (
	promotionJSON Promotion
	catchUpJSON   CatchUp
)

type promotionDoc struct {
	promotionJSON
	Soak seconds `json:"soak_s,omitzero"`
}

type catchUpDoc struct {
	catchUpJSON
	Wait seconds `json:"wait_s,omitzero"`
}

// MarshalJSON writes the duration in seconds.
func (p Promotion) MarshalJSON() ([]byte, error) {
	return json.Marshal(promotionDoc{promotionJSON(p), seconds(p.Soak)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Promotion) UnmarshalJSON(b []byte) error {
	d := promotionDoc{promotionJSON(*p), seconds(p.Soak)}
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*p = Promotion(d.promotionJSON)
	p.Soak = time.Duration(d.Soak)
	return nil
}

// MarshalJSON writes the duration in seconds.
func (c CatchUp) MarshalJSON() ([]byte, error) {
	return json.Marshal(catchUpDoc{catchUpJSON(c), seconds(c.Wait)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *CatchUp) UnmarshalJSON(b []byte) error {
	d := catchUpDoc{catchUpJSON(*c), seconds(c.Wait)}
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*c = CatchUp(d.catchUpJSON)
	c.Wait = time.Duration(d.Wait)
	return nil
}
