package store

import (
	"context"
	"time"

	"github.com/starling-fuota/starling/lorawan/region"
)

// Airs keeps the air time that campaigns have spent, for the duty cycle of gateways: it is the same account for
// all processes, and for those that come later.
//
//	Step.Air ── CommitStep ──> by campaign, gateway, sub-band and minute ── SpentAir ──> who sends through the same gateways
//
// Each campaign has rows of its own, so that steps of two campaigns do not wait for one another.
type Airs interface {
	// SpentAir returns what has changed since another call, by the mark that it returned, or all with the zero
	// mark. What changed about that time is returned again: each row has its sum so far.
	SpentAir(ctx context.Context, since AirMark) ([]AirSpent, AirMark, error)

	// DropAir forgets what was spent in minutes that began before a time, and returns how many rows that were.
	DropAir(ctx context.Context, before time.Time) (int, error)
}

// AirMark is a moment by the store's own clock.
type AirMark int64

// AirSpent is air time of one gateway in one sub-band, in one minute, for one campaign.
type AirSpent struct {
	AirMinute
	Spent time.Duration // whole microseconds; in a Step: to be added
}

// AirMinute says when and where air time was spent.
type AirMinute struct {
	CampaignID string // set by SpentAir
	Gateway    string
	Band       region.Band
	SubBand    uint32    // Hz, its lower end
	Minute     time.Time // when it began, by the network, in UTC
}
