package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starling-fuota/starling/internal/store/relational"
)

var dialect = relational.Dialect{Max: "GREATEST", Position: "strpos", In: in, Taken: taken,
	Clock: "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", SkipLocked: " FOR UPDATE SKIP LOCKED", Notify: "NOTIFY " + shared,
	WritesDataKeys: "LOCK TABLE data_key IN ROW EXCLUSIVE MODE", AwaitsDataKeys: "LOCK TABLE data_key IN SHARE MODE"}

// in compares with an array, so that the statement is the same for any number of values.
func in(column string, values []any) (string, []any) {
	var array any
	switch values[0].(type) {
	case []byte:
		array = typed[[]byte](values)
	default:
		array = typed[string](values)
	}
	return column + " = ANY(?)", []any{array}
}

// taken reads the name of the constraint, which is "table_column" (or "table_pkey" for the column id).
func taken(err error) (string, bool) {
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != uniqueViolation {
		return "", false
	}
	column := strings.TrimPrefix(e.ConstraintName, e.TableName+"_")
	if column == "pkey" {
		column = "id"
	}
	return e.TableName + "." + column, true
}

// connection is what a pool and a transaction have in common.
type connection interface {
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// queries is a relational.Querier over pgx.
type queries struct {
	on      connection
	in      *transaction // nil: none
	guarded bool         // Try uses savepoints: whoever made the transaction may go on after an error
}

func (q queries) Work() *relational.Work {
	if q.in == nil {
		return nil
	}
	return &q.in.work
}

// note keeps a collision in mind, even if the caller goes on.
func (q queries) note(err error) error {
	if q.in != nil && err != nil && collision(err) {
		q.in.collided = true
	}
	return err
}

func (q queries) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := q.on.Exec(ctx, numbered(query), args...)
	return tag.RowsAffected(), q.note(err)
}

// ExecAll sends all statements at once and then reads the answers.
func (q queries) ExecAll(ctx context.Context, query string, n int, args func(int) []any) (failed int, err error) {
	const atOnce = 1000 // bounds the memory of a long list
	query = numbered(query)
	for from := 0; from < n; from += atOnce {
		b := &pgx.Batch{}
		for i := from; i < min(from+atOnce, n); i++ {
			b.Queue(query, args(i)...)
		}
		results := q.on.SendBatch(ctx, b)
		for i := range b.Len() {
			if _, err := results.Exec(); err != nil {
				_ = results.Close() // gives the same error
				return from + i, q.note(err)
			}
		}
		if err := results.Close(); err != nil {
			return from, q.note(err)
		}
	}
	return 0, nil
}

// planned makes PostgreSQL plan a query each time. A plan that it keeps is one for the table as it
// was: made on an empty table, it would go through all of a full one until statistics come.
// Statements that write have but one plan, and keep it.
const planned = pgx.QueryExecModeCacheDescribe

func (q queries) Each(ctx context.Context, f func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := q.on.Query(ctx, numbered(query), append([]any{planned}, args...)...)
	if err != nil {
		return q.note(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return q.note(rows.Err())
}

// Try runs the statement between a savepoint and its release, all in one message: an error spoils a transaction of
// PostgreSQL up to the savepoint.
func (q queries) Try(ctx context.Context, query string, args ...any) (int64, error) {
	if !q.guarded {
		return q.Exec(ctx, query, args...)
	}
	b := &pgx.Batch{}
	b.Queue("SAVEPOINT try")
	b.Queue(numbered(query), args...)
	b.Queue("RELEASE SAVEPOINT try")
	results := q.on.SendBatch(ctx, b)
	_, err := results.Exec()
	if err != nil { // there is no savepoint to go back to
		return 0, q.note(errors.Join(err, results.Close()))
	}
	tag, err := results.Exec()
	if err == nil {
		return tag.RowsAffected(), q.note(results.Close())
	}
	_ = results.Close() // gives the same error
	_, undone := q.on.Exec(ctx, "ROLLBACK TO SAVEPOINT try")
	if undone == nil {
		_, undone = q.on.Exec(ctx, "RELEASE SAVEPOINT try") // rolling back leaves it there
	}
	return 0, errors.Join(q.note(err), undone)
}

// numbered writes the parameters "?" as PostgreSQL wants them: $1, $2, ...
func numbered(query string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// typed turns values of one type into an array of it.
func typed[T any](values []any) []T {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = v.(T)
	}
	return out
}
