package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/relational"
)

// Channels that replicas listen on. Whoever is woken looks for himself what there is.
const (
	posted = "starling_posted" // letters
	shared = "starling_shared" // runs were started, or given back
)

// Post stores letters and wakes the other replicas, once for all of them: PostgreSQL lets one
// transaction that notifies commit at a time. Both go in one message, and are one transaction.
func (s *Store) Post(ctx context.Context, letters ...store.Letter) (seqs []int64, err error) {
	if len(letters) == 0 {
		return nil, nil
	}
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO inbox (campaign_id, body)
		SELECT l.campaign_id, l.body FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS l (campaign_id, body, position)
		WHERE l.campaign_id IN (`+relational.InboxOpen+`) ORDER BY l.position RETURNING seq`,
		column(letters, func(l store.Letter) string { return l.CampaignID }),
		column(letters, func(l store.Letter) []byte { return relational.Blob(l.Body) })).Query(func(rows pgx.Rows) (err error) {
		seqs, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	b.Queue("NOTIFY " + posted)
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	return seqs, nil
}

// relisten is how long a connection that broke is left alone. Meanwhile nobody is woken.
const relisten = time.Second

// Listen keeps a connection of its own. When it has begun to listen it calls both functions: something
// may have been missed.
func (s *Store) Listen(ctx context.Context, posted, shared func()) {
	for ctx.Err() == nil {
		if err := s.listen(ctx, posted, shared); err != nil && wait(ctx, relisten) != nil {
			return
		}
	}
}

func (s *Store) listen(ctx context.Context, onPosted, onShared func()) (err error) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goAway)
		defer cancel()
		err = errors.Join(err, conn.Close(ctx))
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+posted+"; LISTEN "+shared); err != nil {
		return err
	}
	onPosted()
	onShared()
	for {
		n, err := conn.WaitForNotification(ctx)
		switch {
		case err != nil:
			return err
		case n.Channel == posted:
			onPosted()
		default:
			onShared()
		}
	}
}
