package store

import (
	"context"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// Histories keeps what devices ran. An entry is made whenever the version of a stored device
// becomes another, whoever says so: an operator, a table, or the device itself.
type Histories interface {
	// FirmwareHistory returns a page of the versions of one device, the newest first.
	FirmwareHistory(ctx context.Context, dev lorawan.EUI64, q HistoryQuery) (Page[FirmwareEntry], error)
}

// FirmwareEntry is one version that a device ran.
type FirmwareEntry struct {
	Version    fleet.Firmware
	At         time.Time // when it was reported or recorded
	CampaignID string    // in which it was reported; "": outside of one
}

// HistoryQuery pages a history.
type HistoryQuery struct {
	After string // Page.Next of the page before
	Limit int    // 1..MaxLimit; 0: DefaultLimit
}

// PageLimit returns the limit to apply, or ErrQuery.
func (q HistoryQuery) PageLimit() (int, error) { return pageLimit(q.Limit) }
