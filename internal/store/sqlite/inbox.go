package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/relational"
)

// Post stores letters.
func (s *Store) Post(ctx context.Context, letters ...store.Letter) (seqs []int64, err error) {
	err = s.transact(ctx, func(q queries) error {
		for _, l := range letters {
			var seq int64
			err := q.QueryRowContext(ctx, "INSERT INTO inbox (campaign_id, body) SELECT ?1, ?2 WHERE ?1 IN ("+relational.InboxOpen+") RETURNING seq",
				l.CampaignID, relational.Blob(l.Body)).Scan(&seq)
			switch {
			case err == nil:
				seqs = append(seqs, seq)
			case !errors.Is(err, sql.ErrNoRows):
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return seqs, nil
}

// Listen waits for the end of ctx: there is no other process.
func (*Store) Listen(ctx context.Context, _, _ func()) { <-ctx.Done() }
