package whatif

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// ErrScenario means that a scenario cannot be run as it is written; the text says what to change.
var ErrScenario = errors.New("scenario")

// MaxDevices bounds a scenario to what fits a few gigabytes, as docs/performance.md has it.
const MaxDevices = 200_000

// Scenario is a fleet, its radio, and what shall be compared on it. The zero value of a
// field stands for the default that Complete fills in.
type Scenario struct {
	Name    string `json:"name,omitempty" yaml:"name"`
	Seed    uint64 `json:"seed" yaml:"seed"`       // of all luck; 0: 1
	Devices int    `json:"devices" yaml:"devices"` // 1..MaxDevices; 0: 100
	Size    Size   `json:"size" yaml:"size"`       // bytes of the file; 0: 40 kB

	DevicesModel    Model        `json:"devices_model" yaml:"devices_model"`                   // none: Bytes while their blocks are 100 MB or less together, else Ranks
	Band            region.Band  `json:"band" yaml:"band"`                                     // none: EU868
	Class           *fleet.Class `json:"class" yaml:"class"`                                   // of the multicast session, B or C; nil: C
	DataRate        *uint8       `json:"dr" yaml:"dr"`                                         // of the multicast session; nil: the fastest usual one of the band
	UplinkDataRate  *uint8       `json:"uplink_dr" yaml:"uplink_dr"`                           // of all devices; nil: DataRate if uplinks have it, else 3
	PingSlotSeconds int          `json:"ping_slot_seconds,omitempty" yaml:"ping_slot_seconds"` // class B: 1, 2, 4 .. 128; 0: 1
	Packages        int          `json:"packages" yaml:"packages"`                             // version of TS003, TS004 and TS005 on the devices, 1 or 2; 0: 1
	Gateways        int          `json:"gateways" yaml:"gateways"`                             // 0: 1 for each 250 devices
	Reach           int          `json:"reach" yaml:"reach"`                                   // gateways that a device is linked to; 0: 1
	Loss            Loss         `json:"loss" yaml:"loss"`                                     // of the links
	UplinkPeriods   []Span       `json:"uplink_periods" yaml:"uplink_periods"`                 // device i has period i mod n; none: 15m
	UplinkJitter    Span         `json:"uplink_jitter" yaml:"uplink_jitter"`                   // either way; 0: a fifteenth of the shortest period
	ClockError      Span         `json:"clock_error" yaml:"clock_error"`                       // either way, at switch-on; 0: 2s
	Campaigns       int          `json:"campaigns" yaml:"campaigns"`                           // one after the other; the last one is measured. 0: 1
	Reruns          *int         `json:"reruns" yaml:"reruns"`                                 // of the other servers, for devices that failed; nil: 3
	Policy          Policy       `json:"policy,omitzero" yaml:"policy"`                        // of "starling"; zero: the engine's defaults
	Reference       Reference    `json:"reference" yaml:"reference"`                           // settings of "reference:R"
	ChirpStack      ChirpStack   `json:"chirpstack" yaml:"chirpstack"`                         // settings of "chirpstack"
	Energy          Energy       `json:"energy" yaml:"energy"`                                 // of the radio
	Strategies      []Strategy   `json:"strategies" yaml:"strategies"`                         // none: all
}

// Loss describes the links. Link i loses max * u^(max/mean - 1) of all frames in each
// direction, u uniform in 0..1: most links are good, few are near max, and the mean is mean.
type Loss struct {
	Mean  float64 `json:"mean" yaml:"mean"`             // 0 <= Mean < 1; the scenario's own 0 is none lost
	Max   float64 `json:"max" yaml:"max"`               // Mean <= Max < 1; 0: three times Mean, at most 0.95
	Burst float64 `json:"burst,omitempty" yaml:"burst"` // mean length of a run of losses in frames; 0: independent
}

// Policy is what a scenario can change about the policy of "starling".
type Policy struct {
	Setup            fleet.SetupMode      `json:"setup,omitzero" yaml:"setup"`
	Redundancy       fleet.RedundancyMode `json:"redundancy,omitzero" yaml:"redundancy"`
	Retries          int                  `json:"retries,omitzero" yaml:"retries"`
	MaxRounds        uint8                `json:"max_rounds,omitzero" yaml:"max_rounds"`
	MaxCodedPercent  uint16               `json:"max_coded_percent,omitzero" yaml:"max_coded_percent"`
	LateAnswer       Span                 `json:"late_answer,omitzero" yaml:"late_answer"`
	SessionLead      Span                 `json:"session_lead,omitzero" yaml:"session_lead"`
	SuccessThreshold float64              `json:"success_threshold,omitzero" yaml:"success_threshold"`
}

// Reference are the settings of the reference server that its operator chooses.
type Reference struct {
	SuccessThreshold float64 `json:"success_threshold" yaml:"success_threshold"`   // percent; 0: 1, which no campaign misses
	CloseAtThreshold bool    `json:"close_at_threshold" yaml:"close_at_threshold"` // a stage ends as soon as the threshold has answered
	Retries          int     `json:"retries" yaml:"retries"`                       // msg_retries; 0: 2
	LateAnswer       Span    `json:"late_answer" yaml:"late_answer"`               // 0: 60s
	Loops            uint8   `json:"loops" yaml:"loops"`                           // datafrag_loops_max, rounds without FEC; 0: 2
}

// ChirpStack are the settings of a FUOTA deployment of ChirpStack v4.
type ChirpStack struct {
	RedundancyPercent int  `json:"redundancy_percent" yaml:"redundancy_percent"` // coded to uncoded fragments; 0: 30
	Retries           int  `json:"retries" yaml:"retries"`                       // unicast_max_retry_count; 0: 3
	Margin            Span `json:"margin" yaml:"margin"`                         // from one class C frame to the next; 0: 5s
}

// Complete fills in every default and checks the result. It returns ErrScenario with all
// that is wrong, one per line.
func (s *Scenario) Complete() error {
	s.fillFleet()
	s.Reference.SuccessThreshold = or(s.Reference.SuccessThreshold, 1)
	s.Reference.Retries = or(s.Reference.Retries, 2)
	s.Reference.LateAnswer = or(s.Reference.LateAnswer, Span(time.Minute))
	s.Reference.Loops = or(s.Reference.Loops, 2)
	s.ChirpStack.RedundancyPercent = or(s.ChirpStack.RedundancyPercent, 30)
	s.ChirpStack.Retries = or(s.ChirpStack.Retries, 3)
	s.ChirpStack.Margin = or(s.ChirpStack.Margin, Span(5*time.Second))
	s.Energy = s.Energy.withDefaults()
	if s.Reruns == nil {
		three := 3
		s.Reruns = &three
	}
	if len(s.Strategies) == 0 {
		s.Strategies = Strategies()
	}
	return s.check()
}

func (s *Scenario) fillFleet() {
	s.Seed = or(s.Seed, 1)
	s.Devices = or(s.Devices, 100)
	s.Size = or(s.Size, 40_000)
	s.DevicesModel = or(s.DevicesModel, modelFor(s.Devices, s.Size))
	s.Band = or(s.Band, region.EU868)
	if s.Class == nil {
		c := fleet.ClassC
		s.Class = &c
	}
	s.Packages = or(s.Packages, 1)
	s.Gateways = or(s.Gateways, max(1, (s.Devices+249)/250))
	s.Reach = or(s.Reach, 1)
	s.Campaigns = or(s.Campaigns, 1)
	s.Loss.Max = or(s.Loss.Max, math.Round(min(3*s.Loss.Mean, 0.95)*1e6)/1e6)
	if *s.Class == fleet.ClassB {
		s.PingSlotSeconds = or(s.PingSlotSeconds, 1)
	}
	if len(s.UplinkPeriods) == 0 {
		s.UplinkPeriods = []Span{Span(15 * time.Minute)}
	}
	shortest := s.UplinkPeriods[0]
	for _, p := range s.UplinkPeriods {
		shortest = min(shortest, p)
	}
	s.UplinkJitter = or(s.UplinkJitter, shortest/15)
	s.ClockError = or(s.ClockError, Span(2*time.Second))
	if s.DataRate == nil {
		s.DataRate = usual(s.Band, lorawan.Downlink, 5, 12, 4, 3, 0)
	}
	if s.UplinkDataRate == nil {
		s.UplinkDataRate = usual(s.Band, lorawan.Uplink, *s.DataRate, 3, 0)
	}
}

// usual returns the first of the data rates that the band has in a direction.
func usual(b region.Band, d lorawan.Direction, rates ...uint8) *uint8 {
	for _, dr := range rates {
		if b.Usable(dr, d) {
			return &dr
		}
	}
	return &rates[0]
}

func (s *Scenario) check() error {
	var wrong []error
	that := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	that(s.Devices >= 1 && s.Devices <= MaxDevices, "devices: %d, use 1 to %d", s.Devices, MaxDevices)
	that(s.Size >= 1, "size: %d, use at least 1 byte", s.Size)
	that(*s.Class == fleet.ClassB || *s.Class == fleet.ClassC, "class: %s, use B or C", *s.Class)
	frequency, _ := s.Band.RX2()
	that(frequency != 0, "band: the channels of %s are not modelled, use another band", s.Band)
	that(s.Band.Usable(*s.UplinkDataRate, lorawan.Uplink), "uplink_dr: DR%d is no uplink data rate of %s", *s.UplinkDataRate, s.Band)
	if limit, ok := s.Band.MaxFragSize(*s.DataRate, region.Options{}); !ok || !s.Band.Usable(*s.DataRate, lorawan.Downlink) {
		that(false, "dr: DR%d of %s carries no fragments, use another data rate", *s.DataRate, s.Band)
	} else if s.Size >= 1 {
		_, err := fec.ChooseFragSize(s.version(), int(s.Size), limit)
		that(err == nil, "size: %d bytes do not fit DR%d of %s: %w", s.Size, *s.DataRate, s.Band, err)
	}
	if *s.Class == fleet.ClassB {
		_, err := fleet.ParsePingSlotPeriodicity(s.PingSlotSeconds)
		that(err == nil, "ping_slot_seconds: %d, use 1, 2, 4, 8, 16, 32, 64 or 128", s.PingSlotSeconds)
	}
	that(s.Packages == 1 || s.Packages == 2, "packages: %d, use 1 or 2", s.Packages)
	that(s.Gateways >= 1 && s.Gateways <= 1000, "gateways: %d, use 1 to 1000", s.Gateways)
	that(s.Reach >= 1 && s.Reach <= s.Gateways, "reach: %d, use 1 to the number of gateways, %d", s.Reach, s.Gateways)
	l := s.Loss
	that(l.Mean >= 0 && l.Mean < 1, "loss.mean: %g is no share, use 0 to below 1, such as 0.1", l.Mean) // the order also catches NaN
	that(l.Max >= l.Mean && l.Max < 1, "loss.max: %g, use loss.mean (%g) to below 1", l.Max, l.Mean)
	that(l.Burst == 0 || l.Burst >= max(1, l.Max/(1-l.Max)), "loss.burst: %g frames, use at least %.2f, or 0 for independent losses", l.Burst, max(1, l.Max/(1-l.Max)))
	for _, p := range s.UplinkPeriods {
		that(p >= Span(time.Minute) && p <= Span(7*24*time.Hour), "uplink_periods: %s, use 1m to 168h", p)
		that(s.UplinkJitter >= 0 && s.UplinkJitter <= p/2, "uplink_jitter: %s, use at most half of the uplink period", s.UplinkJitter)
	}
	that(s.ClockError >= 0 && s.ClockError <= Span(24*time.Hour), "clock_error: %s, use at most 24h", s.ClockError)
	that(s.Campaigns >= 1 && s.Campaigns <= 10, "campaigns: %d, use 1 to 10", s.Campaigns)
	that(*s.Reruns >= 0 && *s.Reruns <= 20, "reruns: %d, use 0 to 20", *s.Reruns)
	that(s.Policy.Retries <= 100, "policy.retries: %d, use at most 100", s.Policy.Retries)
	that(s.Policy.MaxCodedPercent <= 1000, "policy.max_coded_percent: %d, use at most 1000", s.Policy.MaxCodedPercent)
	that(percent(s.Policy.SuccessThreshold), "policy.success_threshold: %g is no percentage", s.Policy.SuccessThreshold)
	that(percent(s.Reference.SuccessThreshold), "reference.success_threshold: %g is no percentage", s.Reference.SuccessThreshold)
	that(s.Reference.Retries >= -1 && s.Reference.Retries <= 100, "reference.retries: %d, use -1 (none) to 100", s.Reference.Retries)
	that(s.ChirpStack.RedundancyPercent >= 0 && s.ChirpStack.RedundancyPercent <= 1000, "chirpstack.redundancy_percent: %d, use 0 to 1000", s.ChirpStack.RedundancyPercent)
	that(s.ChirpStack.Retries >= 0 && s.ChirpStack.Retries <= 100, "chirpstack.retries: %d, use 0 to 100", s.ChirpStack.Retries)
	that(s.ChirpStack.Margin >= 0 && s.ChirpStack.Margin <= Span(time.Hour), "chirpstack.margin: %s, use at most 1h", s.ChirpStack.Margin)
	for _, span := range []Span{s.Policy.LateAnswer, s.Policy.SessionLead, s.Reference.LateAnswer} {
		that(span >= 0 && span <= Span(24*time.Hour), "a time of policy or reference is %s, use at most 24h", span)
	}
	for i, st := range s.Strategies {
		for _, other := range s.Strategies[:i] {
			that(st != other, "strategies: %s is there twice", st)
		}
	}
	wrong = append(wrong, s.Energy.check()...)
	if len(wrong) > 0 {
		return fmt.Errorf("%w: %w", ErrScenario, errors.Join(wrong...))
	}
	return nil
}

func percent(p float64) bool { return p >= 0 && p <= 100 }

// version returns the version of TS004 on the devices.
func (s *Scenario) version() lorawan.Version { return lorawan.Version(s.Packages) }

// or returns v, or what stands for its zero value.
func or[T comparable](v, zero T) T {
	var none T
	if v == none {
		return zero
	}
	return v
}
