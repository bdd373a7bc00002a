package relational

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/starling-fuota/starling/internal/store"
)

// Querier runs SQL in which every "?" is the next parameter.
type Querier interface {
	// Exec runs a statement and returns how many rows it touched.
	Exec(ctx context.Context, query string, args ...any) (int64, error)

	// ExecAll runs one statement n times, with the parameters that args returns for 0..n-1. Beside
	// an error it returns which run it is of; the transaction must be given up then.
	ExecAll(ctx context.Context, query string, n int, args func(i int) []any) (failed int, err error)

	// Each calls f for every row of a query. Scan may set its targets from the left to the right only.
	Each(ctx context.Context, f func(scan func(...any) error) error, query string, args ...any) error

	// Work returns what belongs to the transaction; nil if there is none.
	Work() *Work

	// Try is Exec such that the transaction, if there is one, can go on after its error.
	Try(ctx context.Context, query string, args ...any) (int64, error)
}

// Dialect is what the engines say differently.
type Dialect struct {
	Max      string // function: the greater of two values
	Position string // function: where a text is in another, from 1; 0: nowhere

	// Statements with which a transaction says that it is going to write data keys, and with which another waits
	// for all that have said so. Empty where transactions follow one another anyway.
	WritesDataKeys, AwaitsDataKeys string

	Clock      string // expression: the time of the database, in microseconds since 1970
	SkipLocked string // clause that leaves out rows that somebody else has locked; empty where nobody can
	Notify     string // statement that wakes other processes when it is committed; empty where there are none

	// In returns the condition that a column has one of the values, and its parameters.
	In func(column string, values []any) (string, []any)

	// Taken tells whether err is about a value that must be unique, and of which column
	// or columns: "table.column", where column is the first one and may be followed by more.
	Taken func(err error) (where string, ok bool)
}

// DB is a database, or one transaction in it.
type DB struct {
	Dialect
	Reader Querier
	View   func(ctx context.Context, f func(Querier) error) error // runs f on one unchanging view
	Write  func(ctx context.Context, f func(Querier) error) error // runs f in a transaction, again if need be
	Once   func(ctx context.Context, f func(Querier) error) error // runs f, which writes with a single statement
	Vault  *Vault

	subscriber string // whose objects are seen; "": everybody's
}

// Work is what belongs to one attempt at a transaction: what is to be done when it has ended, and
// what nobody else may know before.
type Work struct {
	committed, rolledBack []func()
	dataKeys              map[string]string // subscriber -> data key that this transaction has made or found
}

// Committed takes what is to be done if the attempt is committed.
func (w *Work) Committed(f func()) { w.committed = append(w.committed, f) }

// RolledBack takes what is to be undone if it is not.
func (w *Work) RolledBack(f func()) { w.rolledBack = append(w.rolledBack, f) }

// End does the one or the other. Engines call it once, when they know.
func (w *Work) End(committed bool) {
	if committed {
		for _, f := range w.committed {
			f()
		}
		return
	}
	for _, f := range slices.Backward(w.rolledBack) {
		f()
	}
}

// one reads the only row of a query, or returns store.ErrNotFound.
func one(ctx context.Context, q Querier, dest []any, query string, args ...any) error {
	found := false
	err := each(ctx, q, func(scan func(...any) error) error {
		found = true
		return scan(dest...)
	}, query, args...)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return err
}

// each calls f for every row of a query. Texts that nobody can have stored have no rows.
func each(ctx context.Context, q Querier, f func(scan func(...any) error) error, query string, args ...any) error {
	for _, arg := range args {
		if s, ok := arg.(string); ok && !keepable(s) {
			return nil
		}
	}
	return q.Each(ctx, f, query, args...)
}

// errText says why a text cannot be stored. PostgreSQL has no place for such a
// text, and what one engine refuses the others refuse too.
var errText = errors.New("holds a zero character or is not UTF-8")

func keepable(s string) bool { return !strings.ContainsRune(s, 0) && utf8.ValidString(s) }

func checkText(s string) error {
	if !keepable(s) {
		return errText
	}
	return nil
}

// Legible returns s without what cannot be stored. It is for texts that came from elsewhere
// and are read by people only: no step of a campaign is worth losing for them.
func Legible(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// AboutRun names the campaign in an error about its run.
func AboutRun(campaignID string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("run of campaign %s: %w", campaignID, err)
}
