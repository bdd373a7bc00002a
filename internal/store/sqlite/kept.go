package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// statements are those that every step of a campaign runs, compiled once for the connection that
// writes. A step changes a handful of rows: to compile its statements takes longer than to run them.
type statements struct {
	mu   sync.Mutex
	kept map[string]*sql.Stmt
}

// maxKept bounds them, in case that somebody writes a value into a query.
const maxKept = 64

func (s *statements) find(query string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[query]
}

// keep compiles queries. One that cannot be is compiled in its transaction, which says why.
func (s *statements) keep(ctx context.Context, db *sql.DB, queries []string) {
	for _, q := range queries {
		stmt, err := db.PrepareContext(ctx, q) //nolint:sqlclosecheck // closed with the store
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.kept == nil {
			s.kept = map[string]*sql.Stmt{}
		}
		if s.kept[q] == nil && len(s.kept) < maxKept {
			s.kept[q], stmt = stmt, nil
		}
		s.mu.Unlock()
		if stmt != nil {
			_ = stmt.Close() // somebody else was faster
		}
	}
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.kept {
		errs = append(errs, stmt.Close())
	}
	s.kept = nil
	return errors.Join(errs...)
}

// keeper is a transaction that runs kept statements, and notes which it had to compile itself: they
// cannot be kept before its end, because there is one connection that writes.
type keeper struct {
	*sql.Tx
	statements *statements
	missed     *[]string
}

func (k keeper) stmt(ctx context.Context, query string) *sql.Stmt {
	if stmt := k.statements.find(query); stmt != nil {
		return k.StmtContext(ctx, stmt)
	}
	*k.missed = append(*k.missed, query)
	return nil
}

func (k keeper) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := k.stmt(ctx, query); stmt != nil { //nolint:sqlclosecheck // closed with the transaction
		return stmt.ExecContext(ctx, args...)
	}
	return k.Tx.ExecContext(ctx, query, args...)
}

func (k keeper) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := k.stmt(ctx, query); stmt != nil { //nolint:sqlclosecheck // closed with the transaction
		return stmt.QueryContext(ctx, args...)
	}
	return k.Tx.QueryContext(ctx, query, args...)
}

func (k keeper) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := k.stmt(ctx, query); stmt != nil { //nolint:sqlclosecheck // closed with the transaction
		return stmt.QueryRowContext(ctx, args...)
	}
	return k.Tx.QueryRowContext(ctx, query, args...)
}

func (k keeper) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt := k.stmt(ctx, query); stmt != nil {
		return stmt, nil
	}
	return k.Tx.PrepareContext(ctx, query)
}
