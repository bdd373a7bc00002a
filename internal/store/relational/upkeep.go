package relational

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/internal/store"
)

// Migrations are SQL; what SQL cannot do they leave as rows of the table "upkeep", and Open does it
// before anybody else gets to see the database. A row tells how far it is, so that after a crash the
// next Open goes on from there:
//
//	task                  position
//	"seal device"         "70b3d5..."   keys up to this row are sealed, those after it are in clear
//	"purge"               ""            of SQLite: sealed keys may be found in the file in clear
//
// When the work is done the row goes.

// sealBatch bounds a transaction of Seal, and what a crash makes it do again.
const sealBatch = 1000

// SealClear seals the secrets that a database of schema 1 holds in clear.
func (d DB) SealClear(ctx context.Context) error {
	for _, seal := range []func(context.Context, DB) error{deviceKind.sealClear, groupKind.sealClear, keyKind.sealClear} {
		if err := seal(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// sealClear seals the one secret of this kind, if a migration has left that to do.
func (k *kind[T, K]) sealClear(ctx context.Context, d DB) error {
	task := "seal " + k.table
	for done := false; !done; {
		err := d.Write(ctx, func(q Querier) (err error) {
			done, err = k.sealSome(ctx, d, q, task)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", task, err)
		}
	}
	return nil
}

// sealSome seals the next rows and notes how far it came.
func (k *kind[T, K]) sealSome(ctx context.Context, d DB, q Querier, task string) (done bool, err error) {
	position, err := Upkeep(ctx, q, task)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	type row struct {
		id         K
		subscriber string
		value      []byte
	}
	var rows []row
	column := k.sealed[0].column
	after, err := k.position(position)
	if err != nil {
		return false, err
	}
	err = each(ctx, q, func(scan func(...any) error) error {
		var r row
		err := scan(k.target(&r.id), &r.subscriber, &r.value)
		rows = append(rows, r)
		return err
	}, fmt.Sprintf("SELECT id, subscriber_id, %s FROM %s WHERE id > ? ORDER BY id LIMIT ?", column, k.table), after, int64(sealBatch))
	if err != nil {
		return false, err
	}
	for i, r := range rows {
		rows[i].value, err = d.seal(ctx, q, r.subscriber, r.value, k.place(r.subscriber, r.id, column))
		if err != nil {
			return false, fmt.Errorf("%s %s: %w", k.name, k.keyText(r.id), err)
		}
	}
	_, err = q.ExecAll(ctx, fmt.Sprintf("UPDATE %s SET %s = ? WHERE id = ?", k.table, column), len(rows),
		func(i int) []any { return []any{rows[i].value, k.bind(rows[i].id)} })
	if err != nil {
		return false, err
	}
	if len(rows) < sealBatch {
		return true, UpkeepDone(ctx, q, task)
	}
	last := k.bind(rows[len(rows)-1].id)
	if b, ok := last.([]byte); ok {
		last = hex.EncodeToString(b)
	}
	_, err = q.Exec(ctx, "UPDATE upkeep SET position = ? WHERE task = ?", last, task)
	return false, err
}

// position returns the identifier to go on after, as it is bound.
func (k *kind[T, K]) position(text string) (any, error) {
	var zero K
	if _, isBytes := k.bind(zero).([]byte); !isBytes {
		return text, nil
	}
	b, err := hex.DecodeString(text)
	return Blob(b), err
}

// Upkeep returns how far a task is, or ErrNotFound if there is nothing to do.
func Upkeep(ctx context.Context, q Querier, task string) (position string, err error) {
	err = one(ctx, q, []any{&position}, "SELECT position FROM upkeep WHERE task = ?", task)
	return position, err
}

// UpkeepDone notes that a task is done.
func UpkeepDone(ctx context.Context, q Querier, task string) error {
	_, err := q.Exec(ctx, "DELETE FROM upkeep WHERE task = ?", task)
	return err
}
