package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/relational"
)

// purge is the task of upkeep that removes what is left of values that were sealed since.
const purge = "purge"

// sealClear seals what a database of an earlier schema holds in clear, and sees to it that the bytes
// are nowhere in its files: SQLite writes new values elsewhere and forgets where the old ones were.
func (s *Store) sealClear(ctx context.Context) error {
	writer := queries{querier: s.writer}
	_, err := relational.Upkeep(ctx, writer, purge)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := s.writer.ExecContext(ctx, "PRAGMA secure_delete = ON"); err != nil {
		return err
	}
	if err := s.SealClear(ctx); err != nil {
		return err
	}
	// The file is written anew, beside itself rather than in memory, and the log, which has pages of before, is cut to nothing.
	for _, statement := range []string{"PRAGMA temp_store = FILE", "VACUUM", "PRAGMA temp_store = MEMORY"} {
		if _, err := s.writer.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if err := s.emptyLog(ctx); err != nil {
		return err
	}
	// From here on no secret is written in clear, and what is deleted need not be overwritten.
	if _, err := s.writer.ExecContext(ctx, "PRAGMA secure_delete = OFF"); err != nil {
		return err
	}
	return relational.UpkeepDone(ctx, writer, purge)
}

// emptyLog moves the write-ahead log into the database and leaves no byte in it.
func (s *Store) emptyLog(ctx context.Context) error {
	var busy, frames, moved int
	if err := s.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if busy != 0 {
		return errors.New("checkpoint: somebody else is reading the database")
	}
	return nil
}
