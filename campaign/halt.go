package campaign

import (
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// Halt says that a rule keeps the campaign from sending until somebody resumes or stops it.
// The zero value is: none does.
type Halt struct {
	At     time.Time `json:"at,omitzero"`
	Reason Reason    `json:"reason,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

// Reasons of a halt, beside ReasonBelowThreshold of a phase that is not the last one.
const (
	ReasonAbortRule   Reason = "halted.abort_rule"
	ReasonNotPromoted Reason = "halted.not_promoted"
)

// remedy is what is known about a reason for which devices fail: what kind of failure it is
// for the abort rules, and if another session can help.
type remedy struct {
	kind fleet.AbortKind
	help help
}

// help is what another session can do for a device that has failed.
type help uint8

const (
	helpNone  help = iota
	helpLater      // nothing but radio was in the way: when the device is back, or its link is better
	helpNow        // the device was there, and had bad luck
)

// remedies of the reasons of devices. A reason that is not here counts for rules about any failure only.
var remedies = map[Reason]remedy{
	ReasonNoUplink:         {fleet.AbortNoAnswer, helpLater},
	ReasonNoAnswer:         {fleet.AbortNoAnswer, helpNow},
	ReasonNotSent:          {fleet.AbortNoAnswer, helpNow},
	ReasonLate:             {fleet.AbortNoAnswer, helpNow},
	ReasonSessionMissed:    {fleet.AbortNoAnswer, helpNow},
	ReasonClockWrong:       {fleet.AbortRefused, helpNow},
	ReasonGroupIDRefused:   {fleet.AbortRefused, helpNone},
	ReasonDataRateRefused:  {fleet.AbortRefused, helpNone},
	ReasonFrequencyRefused: {fleet.AbortRefused, helpNone},
	ReasonFragAlgo:         {fleet.AbortRefused, helpNone},
	ReasonFragMemory:       {fleet.AbortRefused, helpNone},
	ReasonFragIndex:        {fleet.AbortRefused, helpNone},
	ReasonFragDescriptor:   {fleet.AbortRefused, helpNone},
	ReasonFragReplay:       {fleet.AbortRefused, helpNone},
	ReasonFragBase:         {fleet.AbortRefused, helpNone},
	ReasonRebootRefused:    {fleet.AbortRefused, helpNone},
	ReasonFragIncomplete:   {fleet.AbortIncomplete, helpLater},
	ReasonFragDecoder:      {fleet.AbortIncomplete, helpLater},
	ReasonFragNoSession:    {fleet.AbortIncomplete, helpNow},
	ReasonFragMIC:          {fleet.AbortIntegrity, helpNone},
	ReasonImageCorrupt:     {fleet.AbortIntegrity, helpNone},
	ReasonImageNone:        {fleet.AbortInstall, helpNone},
	ReasonImageHardware:    {fleet.AbortInstall, helpNone},
	ReasonImageVersion:     {fleet.AbortInstall, helpNone},
	ReasonVersionMismatch:  {fleet.AbortInstall, helpNone},
}

// kinds is how many kinds of failures there are.
const kinds = int(fleet.AbortInstall) + 1

// byThreshold stands for the success threshold among the indices of abort rules.
const byThreshold = -1

// judgeFailures holds the failures so far against the abort rules.
func (c *Campaign) judgeFailures() {
	if c.head.Status != fleet.Running || c.stands() {
		return
	}
	for r, rule := range c.spec.Abort {
		if c.broken(rule) && !slices.Contains(c.head.Overruled, r) {
			c.halt(ReasonAbortRule, fmt.Sprintf("%d of %d devices failed, %s", c.failed(rule.Kind), c.size(), rule))
			return
		}
	}
}

// broken tells if an abort rule wants a halt.
func (c *Campaign) broken(r fleet.AbortRule) bool {
	n := c.size()
	return n >= r.MinSample && 100*float64(c.failed(r.Kind))/float64(n) > r.AbovePercent+1e-9
}

// failed returns how many devices have failed for a kind of reasons.
func (c *Campaign) failed(kind fleet.AbortKind) int {
	if kind == fleet.AbortAny {
		return c.tally[Failed]
	}
	return c.failures[kind]
}

// halt keeps the campaign from sending, unless something does already.
func (c *Campaign) halt(reason Reason, detail string) {
	if !c.head.Halted.At.IsZero() {
		return
	}
	c.becomeStill()
	c.head.Halted = Halt{c.now, reason, detail}
	c.tell("campaign.halted", "halted: %s (%s)", detail, reason)
}

// overrule keeps what has halted the campaign from halting it again in this phase: whoever resumes
// it has seen that.
func (c *Campaign) overrule() {
	if c.head.Halted.Reason == ReasonBelowThreshold {
		c.head.Overruled = append(c.head.Overruled, byThreshold)
	}
	for r, rule := range c.spec.Abort {
		if c.broken(rule) && !slices.Contains(c.head.Overruled, r) {
			c.head.Overruled = append(c.head.Overruled, r)
		}
	}
}
