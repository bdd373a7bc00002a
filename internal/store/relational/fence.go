package relational

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/internal/store"
)

// Row is a row of either driver.
type Row interface{ Scan(dest ...any) error }

// Fenced reads the epoch of a run, and what follows it in the row, and compares it with that of who writes:
// store.ErrFenced if another owner has taken the run over meanwhile, store.ErrNotFound if there is no such run.
func Fenced(row Row, mine int64, rest ...any) error {
	var epoch int64
	err := row.Scan(append([]any{&epoch}, rest...)...)
	switch {
	case errors.Is(err, sql.ErrNoRows): // pgx's wraps it
		return store.ErrNotFound
	case err != nil:
		return err
	case epoch != mine:
		return fmt.Errorf("written in epoch %d, run of epoch %d: %w", mine, epoch, store.ErrFenced)
	}
	return nil
}
