package whatif

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// Strategy names a way to update a fleet: "starling", "reference:3/4", "chirpstack".
type Strategy string

// The strategies that are no reference:R.
const (
	Starling     Strategy = "starling"
	ChirpStackV4 Strategy = "chirpstack"
)

// referenceRates are R of reference:R, uncoded to all fragments.
var referenceRates = []struct {
	name       Strategy
	redundancy fleet.Redundancy
}{
	{"reference:1/2", fleet.OneToTwo},
	{"reference:3/4", fleet.ThreeToFour},
	{"reference:5/6", fleet.FiveToSix},
	{"reference:7/8", fleet.SevenToEight},
	{"reference:1", fleet.NoRedundancy},
}

// Strategies returns all strategies, in the order of a full comparison.
func Strategies() []Strategy {
	all := []Strategy{Starling}
	for _, r := range referenceRates {
		all = append(all, r.name)
	}
	return append(all, ChirpStackV4)
}

// UnmarshalText reads the name of a strategy.
func (s *Strategy) UnmarshalText(b []byte) error {
	for _, known := range Strategies() {
		if string(b) == string(known) {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("there is no strategy %q, use some of %v", b, Strategies())
}

// campaigns is how a strategy runs our engine.
type campaigns struct {
	policy     fleet.CampaignPolicy
	threshold  float64
	redundancy fleet.Redundancy // of the group
	catchUp    fleet.CatchUp
	reruns     int  // for the devices that failed
	queueAhead bool // commands are queued, as the reference server does
}

// maxDuration of a campaign: long enough to be no limit.
const maxDuration = 60 * 24 * time.Hour

// ours returns how the engine plays a strategy, false for one that it cannot play.
func (s *Scenario) ours(st Strategy) (campaigns, bool) {
	if st == Starling {
		p := s.Policy
		return campaigns{
			policy: fleet.CampaignPolicy{
				Setup: p.Setup, Redundancy: p.Redundancy, Retries: p.Retries, MaxRounds: p.MaxRounds,
				MaxCodedPercent: p.MaxCodedPercent, LateAnswer: time.Duration(p.LateAnswer), SessionLead: time.Duration(p.SessionLead),
			},
			threshold: p.SuccessThreshold, redundancy: fleet.ThreeToFour,
		}, true
	}
	for _, r := range referenceRates {
		if r.name != st {
			continue
		}
		p := fleet.CampaignPolicy{
			Setup: fleet.SequentialSetup, Redundancy: fleet.FixedRedundancy, CloseAtThreshold: s.Reference.CloseAtThreshold,
			Retries: s.Reference.Retries, LateAnswer: time.Duration(s.Reference.LateAnswer), MaxRounds: 1,
			KeepOnFailure:          true, // it cleans up after a stop only
			StatusByMulticastAbove: 1,
		}
		if r.redundancy == fleet.NoRedundancy {
			p.MaxRounds = s.Reference.Loops
		}
		return campaigns{policy: p, threshold: s.Reference.SuccessThreshold, redundancy: r.redundancy, catchUp: fleet.CatchUp{Rounds: -1}, reruns: *s.Reruns, queueAhead: true}, true
	}
	return campaigns{}, false
}
