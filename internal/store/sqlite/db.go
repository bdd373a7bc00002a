package sqlite

import (
	"context"
	"errors"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/starling-fuota/starling/internal/store/relational"
)

var dialect = relational.Dialect{Max: "MAX", Position: "instr", In: in, Taken: taken}

// database returns what the engines have in common, over the whole file.
func (s *Store) database() relational.DB {
	return relational.DB{
		Dialect: dialect, Reader: queries{querier: s.reader}, Vault: s.vault,
		View: func(ctx context.Context, f func(relational.Querier) error) error {
			return s.snapshot(ctx, func(q querier) error { return f(queries{querier: q}) })
		},
		Write: func(ctx context.Context, f func(relational.Querier) error) error {
			return s.transact(ctx, func(q queries) error { return f(q) })
		},
	}
}

// inside returns the same over one transaction, which is a view already.
func (s *Store) inside(q queries) relational.DB {
	here := func(_ context.Context, f func(relational.Querier) error) error { return f(q) }
	return relational.DB{Dialect: dialect, Reader: q, View: here, Write: here, Vault: s.vault}
}

func in(column string, values []any) (string, []any) {
	return column + " IN (?" + strings.Repeat(", ?", len(values)-1) + ")", values
}

// taken reads "UNIQUE constraint failed: table.column, table.column".
func taken(err error) (string, bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) || e.Code() != sqlite3.SQLITE_CONSTRAINT_UNIQUE && e.Code() != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return "", false
	}
	return e.Error(), true
}

// queries is a relational.Querier over database/sql.
type queries struct {
	querier
	work *relational.Work
}

func (q queries) Work() *relational.Work { return q.work }

func (q queries) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (q queries) Each(ctx context.Context, f func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // after the last row it is closed already
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ExecAll runs one prepared statement n times. It is as fast as one statement
// over a JSON list, and the planner cannot get it wrong.
func (q queries) ExecAll(ctx context.Context, query string, n int, args func(int) []any) error {
	if n == 0 {
		return nil
	}
	stmt, err := q.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // it holds nothing that could fail to be written
	for i := range n {
		if _, err := stmt.ExecContext(ctx, args(i)...); err != nil {
			return err
		}
	}
	return nil
}

// Guard has nothing to do: a statement that fails leaves the transaction as it was.
func (q queries) Guard(_ context.Context, f func(relational.Querier) error) error { return f(q) }
