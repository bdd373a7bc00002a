package fleet

import (
	"encoding/json"
	"time"
)

// SetupMode says how devices go through the unicast stages.
type SetupMode uint8

// Setup modes. The zero value is pipelined.
const (
	PipelinedSetup  SetupMode = iota // a device moves on as soon as it has answered
	SequentialSetup                  // all devices stage by stage, as the reference server does
)

var setupModeNames = []string{"pipelined", "sequential"}

// ParseSetupMode reads "pipelined" or "sequential".
func ParseSetupMode(s string) (SetupMode, error) {
	return parseEnum[SetupMode]("setup mode", setupModeNames, s)
}

// String returns the name of the mode.
func (m SetupMode) String() string { return enumText(setupModeNames, m) }

// MarshalText returns the name of the mode, or ErrText.
func (m SetupMode) MarshalText() ([]byte, error) { return marshalEnum("setup mode", setupModeNames, m) }

// UnmarshalText reads what ParseSetupMode reads.
func (m *SetupMode) UnmarshalText(b []byte) (err error) {
	*m, err = ParseSetupMode(string(b))
	return err
}

// RedundancyMode says how many coded fragments follow the block.
type RedundancyMode uint8

// Redundancy modes. The zero value is adaptive.
const (
	AdaptiveRedundancy RedundancyMode = iota // as many as the worst devices report that they need
	FixedRedundancy                          // the group's Redundancy, once
	Carousel                                 // none; the whole block again, for decoders that take any order
)

var redundancyModeNames = []string{"adaptive", "fixed", "carousel"}

// ParseRedundancyMode reads "adaptive", "fixed" or "carousel".
func ParseRedundancyMode(s string) (RedundancyMode, error) {
	return parseEnum[RedundancyMode]("redundancy mode", redundancyModeNames, s)
}

// String returns the name of the mode.
func (m RedundancyMode) String() string { return enumText(redundancyModeNames, m) }

// MarshalText returns the name of the mode, or ErrText.
func (m RedundancyMode) MarshalText() ([]byte, error) {
	return marshalEnum("redundancy mode", redundancyModeNames, m)
}

// UnmarshalText reads what ParseRedundancyMode reads.
func (m *RedundancyMode) UnmarshalText(b []byte) (err error) {
	*m, err = ParseRedundancyMode(string(b))
	return err
}

// CampaignPolicy tunes a campaign. The zero value is the recommended policy: every
// field that is zero stands for the default named beside it, which WithDefaults fills in.
type CampaignPolicy struct {
	Setup                  SetupMode      `json:"setup"`
	Redundancy             RedundancyMode `json:"redundancy"`
	Probe                  bool           `json:"probe,omitempty"`                     // ask each device what it is before it is set up
	KeepOnFailure          bool           `json:"keep_on_failure,omitempty"`           // leave groups, sessions and images on devices when the campaign fails
	CloseAtThreshold       bool           `json:"close_at_threshold,omitempty"`        // end a stage as soon as the success threshold is reached, as the reference server does
	Retries                int            `json:"retries,omitempty"`                   // resends of a unicast command after the first; 0: 11, negative: none
	LateAnswer             time.Duration  `json:"-"`                                   // "late_answer_s": stragglers' time after a stage; 0: 60 s
	SessionLead            time.Duration  `json:"-"`                                   // "session_lead_s": from the last expected answer to a computed session start; 0: 60 s
	BeaconsToWait          uint8          `json:"beacons_to_wait,omitempty"`           // class B: beacon periods (128 s) left for beacon lock; 0: 4
	FirstFragmentDelay     time.Duration  `json:"-"`                                   // "first_fragment_delay_s": from session start to the first fragment; 0: the time tolerance
	MulticastDelay         time.Duration  `json:"-"`                                   // "multicast_delay_s": least time between multicast frames; 0: as fast as the network takes them
	FragSize               uint8          `json:"frag_size,omitempty"`                 // bytes; 0: computed from band, data rate and decoder
	MaxCodedPercent        uint16         `json:"max_coded_percent,omitempty"`         // adaptive: ceiling of coded to uncoded fragments; 0: 100
	MaxRounds              uint8          `json:"max_rounds,omitempty"`                // status and repair rounds, or carousel rounds; 0: 10
	StatusByMulticastAbove int            `json:"status_by_multicast_above,omitempty"` // ask one by one if so few are silent; 0: always over multicast
	FlashTime              time.Duration  `json:"-"`                                   // "flash_time_s": from reboot to the first uplink of the new firmware; 0: 120 s
}

// WithDefaults returns p with every zero field set to its default. Times that depend
// on the devices (FirstFragmentDelay) or where zero is meant (MulticastDelay, FragSize) stay zero.
func (p CampaignPolicy) WithDefaults() CampaignPolicy {
	p.Retries = max(first(p.Retries, 11), -1)
	p.LateAnswer = first(p.LateAnswer, time.Minute)
	p.SessionLead = first(p.SessionLead, time.Minute)
	p.BeaconsToWait = first(p.BeaconsToWait, 4)
	p.MaxCodedPercent = first(p.MaxCodedPercent, 100)
	p.MaxRounds = first(p.MaxRounds, 10)
	p.FlashTime = first(p.FlashTime, 2*time.Minute)
	return p
}

// Attempts returns how often a unicast command is sent at most, at least 1.
func (p CampaignPolicy) Attempts() int { return 1 + max(p.WithDefaults().Retries, 0) }

// check adds what is wrong with p to c.
func (p CampaignPolicy) check(c *checks) {
	c.that(int(p.Setup) < len(setupModeNames), "policy.setup", "is unknown", "use one of "+quoted(setupModeNames))
	c.that(int(p.Redundancy) < len(redundancyModeNames), "policy.redundancy", "is unknown", "use one of "+quoted(redundancyModeNames))
	c.that(p.Retries <= 100, "policy.retries", "is more than 100", "")
	c.that(p.StatusByMulticastAbove >= 0, "policy.status_by_multicast_above", "is negative", "")
	c.that(p.MaxCodedPercent <= 1000, "policy.max_coded_percent", "is more than 1000", "")
	c.span("policy.late_answer_s", p.LateAnswer, 24*time.Hour)
	c.span("policy.session_lead_s", p.SessionLead, 7*24*time.Hour)
	c.span("policy.first_fragment_delay_s", p.FirstFragmentDelay, time.Hour)
	c.that(p.MulticastDelay >= 0 && p.MulticastDelay <= time.Hour, "policy.multicast_delay_s", "is not within 0 to 3600 seconds", "")
	c.span("policy.flash_time_s", p.FlashTime, 24*time.Hour)
}

type policyJSON CampaignPolicy

type policyDoc struct {
	policyJSON
	LateAnswer         seconds `json:"late_answer_s,omitzero"`
	SessionLead        seconds `json:"session_lead_s,omitzero"`
	FirstFragmentDelay seconds `json:"first_fragment_delay_s,omitzero"`
	MulticastDelay     seconds `json:"multicast_delay_s,omitzero"`
	FlashTime          seconds `json:"flash_time_s,omitzero"`
}

func (p CampaignPolicy) doc() policyDoc {
	return policyDoc{policyJSON(p), seconds(p.LateAnswer), seconds(p.SessionLead),
		seconds(p.FirstFragmentDelay), seconds(p.MulticastDelay), seconds(p.FlashTime)}
}

// MarshalJSON writes the durations in seconds.
func (p CampaignPolicy) MarshalJSON() ([]byte, error) { return json.Marshal(p.doc()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (p *CampaignPolicy) UnmarshalJSON(b []byte) error {
	d := p.doc()
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*p = CampaignPolicy(d.policyJSON)
	p.LateAnswer, p.SessionLead = time.Duration(d.LateAnswer), time.Duration(d.SessionLead)
	p.FirstFragmentDelay, p.MulticastDelay = time.Duration(d.FirstFragmentDelay), time.Duration(d.MulticastDelay)
	p.FlashTime = time.Duration(d.FlashTime)
	return nil
}
