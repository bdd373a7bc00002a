package relational

import (
	"context"
	"time"

	"github.com/starling-fuota/starling/internal/store"
)

// airOverlap is how far before a mark SpentAir looks: a transaction that was under way then had written
// its rows by the clock of before.
const airOverlap = time.Minute

// SpentAir returns what campaigns have spent.
func (d DB) SpentAir(ctx context.Context, since store.AirMark) (spent []store.AirSpent, mark store.AirMark, err error) {
	if err := one(ctx, d.Reader, []any{&mark}, "SELECT "+d.Clock); err != nil {
		return nil, 0, err
	}
	err = each(ctx, d.Reader, func(scan func(...any) error) error {
		var s store.AirSpent
		var us int64
		err := scan(&s.CampaignID, &s.Gateway, Text{Of: &s.Band}, &s.SubBand, Micros{&s.Minute}, &us)
		s.Spent = time.Duration(us) * time.Microsecond
		spent = append(spent, s)
		return err
	}, "SELECT campaign_id, gateway, band, sub_band, minute, spent FROM air_spent WHERE changed >= ? ORDER BY minute, campaign_id, gateway, band, sub_band",
		int64(since)-airOverlap.Microseconds())
	return spent, mark, err
}

// DropAir forgets old minutes.
func (d DB) DropAir(ctx context.Context, before time.Time) (n int, err error) {
	err = d.Once(ctx, func(q Querier) error {
		dropped, err := q.Exec(ctx, "DELETE FROM air_spent WHERE minute < ?", At(before))
		n = int(dropped)
		return err
	})
	return n, err
}
