package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/relational"
)

// SQLSTATEs (PostgreSQL, Appendix A: Error Codes).
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// Bounds of running a transaction again. Of the transactions that collide one always
// wins, so with n of them the last is run about n times.
const (
	maxAttempts = 200
	firstPause  = time.Millisecond // doubles from attempt to attempt, ...
	lastPause   = 64 * time.Millisecond
)

// goAway is how long the end of a transaction that failed may take.
const goAway = 5 * time.Second

// transaction is one attempt at a transaction.
type transaction struct {
	pgx.Tx
	collided bool // whatever follows, it must be run again
	work     relational.Work
}

// Tx runs f in one transaction; see store.Store. f runs again if the transaction collided with others.
func (s *Store) Tx(ctx context.Context, f func(store.Objects) error) error {
	return s.transact(ctx, func(t *transaction) error {
		q := queries{on: t.Tx, in: t, guarded: true}
		here := func(_ context.Context, g func(relational.Querier) error) error { return g(q) }
		return f(relational.DB{Dialect: dialect, Reader: q, View: here, Write: here, Once: here, Vault: s.Vault})
	})
}

// transact runs f in a transaction, again and again until it neither collides nor fails.
func (s *Store) transact(ctx context.Context, f func(*transaction) error) error {
	for attempt, pause := 1, firstPause; ; attempt, pause = attempt+1, min(2*pause, lastPause) {
		collided, err := s.attempt(ctx, f)
		if !collided {
			return err
		}
		if attempt == maxAttempts {
			return fmt.Errorf("collided with other transactions %d times: %w", attempt, err)
		}
		// At random, or those who collided would meet again.
		if err := wait(ctx, rand.N(pause)); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt runs f in one transaction and tells whether it is worth another.
func (s *Store) attempt(ctx context.Context, f func(*transaction) error) (collided bool, err error) {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable})
	if err != nil {
		return false, err
	}
	t := &transaction{Tx: tx}
	committed := false
	defer func() {
		if committed {
			t.work.End(true)
			return
		}
		// After an error or a panic. ctx may be what ended it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goAway)
		defer cancel()
		_ = tx.Rollback(ctx) // if that fails, the connection is closed and PostgreSQL rolls back
		t.work.End(false)
	}()
	err = f(t)
	if err == nil && t.collided {
		err = errSwallowed
	}
	if err == nil {
		err = tx.Commit(ctx)
		committed = err == nil
	}
	return err != nil && (t.collided || collision(err)), err
}

// errSwallowed is what a transaction ends with whose function went on after a collision.
var errSwallowed = errors.New("the transaction went on after a collision")

// collision reports whether err says that the transaction may succeed when it is run again.
func collision(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == serializationFailure || e.Code == deadlockDetected)
}

// view runs f on one unchanging view of the database.
func (s *Store) view(ctx context.Context, f func(relational.Querier) error) error {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goAway)
		defer cancel()
		_ = tx.Rollback(ctx) // nothing was written
	}()
	return f(queries{on: tx})
}
