package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/starling-fuota/starling/internal/store/relational"
)

var dialect = relational.Dialect{Max: "MAX", Position: "instr", In: in, Taken: taken,
	Clock: "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"}

// database returns what the engines have in common, over the whole file.
func (s *Store) database() relational.DB {
	return relational.DB{
		Dialect: dialect, Reader: queries{querier: s.reader}, Vault: s.vault,
		View: func(ctx context.Context, f func(relational.Querier) error) error {
			return s.snapshot(ctx, func(q querier) error { return f(queries{querier: q}) })
		},
		Write: s.write, Once: s.write,
	}
}

func (s *Store) write(ctx context.Context, f func(relational.Querier) error) error {
	return s.transact(ctx, func(q queries) error { return f(q) })
}

// inside returns the same over one transaction, which is a view already.
func (s *Store) inside(q queries) relational.DB {
	here := func(_ context.Context, f func(relational.Querier) error) error { return f(q) }
	return relational.DB{Dialect: dialect, Reader: q, View: here, Write: here, Once: here, Vault: s.vault}
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
	in *transaction // nil: none
}

// transaction is what belongs to one transaction.
type transaction struct {
	work     relational.Work
	prepared map[string]*sql.Stmt // closed with the transaction
}

// maxPrepared bounds the statements of a transaction. Those with lists of values differ by their length.
const maxPrepared = 64

// prepare returns the statement of a query. To compile one for a table with triggers and many indexes takes longer
// than to run it, and imports run a few again and again.
func (q queries) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if q.in == nil || len(q.in.prepared) >= maxPrepared && q.in.prepared[query] == nil {
		return nil, nil
	}
	if stmt := q.in.prepared[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := q.PrepareContext(ctx, query)
	if err == nil {
		q.in.prepared[query] = stmt
	}
	return stmt, err
}

func (q queries) Work() *relational.Work {
	if q.in == nil {
		return nil
	}
	return &q.in.work
}

func (q queries) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	stmt, err := q.prepare(ctx, query) //nolint:sqlclosecheck // it is closed with its transaction
	if err != nil {
		return 0, err
	}
	var res sql.Result
	if stmt != nil {
		res, err = stmt.ExecContext(ctx, args...)
	} else {
		res, err = q.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (q queries) Each(ctx context.Context, f func(scan func(...any) error) error, query string, args ...any) error {
	stmt, err := q.prepare(ctx, query) //nolint:sqlclosecheck // it is closed with its transaction
	if err != nil {
		return err
	}
	var rows *sql.Rows
	if stmt != nil {
		rows, err = stmt.QueryContext(ctx, args...)
	} else {
		rows, err = q.QueryContext(ctx, query, args...)
	}
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
func (q queries) ExecAll(ctx context.Context, query string, n int, args func(int) []any) (failed int, err error) {
	if n == 0 {
		return 0, nil
	}
	stmt, err := q.PrepareContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer func() { _ = stmt.Close() }() // it holds nothing that could fail to be written
	for i := range n {
		if _, err := stmt.ExecContext(ctx, args(i)...); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// Try is Exec: a statement that fails leaves the transaction as it was.
func (q queries) Try(ctx context.Context, query string, args ...any) (int64, error) {
	return q.Exec(ctx, query, args...)
}
