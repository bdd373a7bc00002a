package relational

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
)

// kind says how one kind of object is stored. Every table has the columns id, doc, subscriber_id,
// search, name, archived, revision, created_at and updated_at; what else SQL is asked about is named here.
type kind[T any, K comparable] struct {
	kind  store.Kind
	name  string // for people
	table string

	common  func(*T) common
	key     func(*T) K
	keyText func(K) string
	bind    func(K) any  // the key as a value of the column id
	target  func(*K) any // the key as a target of Scan

	shared   bool              // objects may belong to no subscriber
	columns  []string          // columns that know better than doc, ...
	fields   func(*T) []any    // ... and their values: driver.Valuer and sql.Scanner, or pointers
	raised   map[string]bool   // columns that Update never lowers
	sealed   []sealed[T]       // columns that are sealed
	mirrors  []string          // columns that repeat for SQL what doc says, ...
	mirrored func(*T) []any    // ... and their values: driver.Valuer, or pointers
	doc      func(T) T         // what to keep in doc; nil: all
	unique   map[string]string // first column that must be unique -> fields in JSON

	rename  map[store.Field]string  // fields whose column has another name
	ordered map[store.Field]string  // firmware versions, and the column of their FirmwareOrder
	special map[store.Field]special // filters that are more than a column with a value

	saved  func(context.Context, Querier, *T) error            // after Create and Update, in the same transaction
	loaded func(context.Context, Dialect, Querier, []*T) error // after reading
}

// special adds a filter to a condition. match adds those of a query of the same kind.
type special func(ctx context.Context, d DB, cond condition, value string, match matcher) (condition, error)

type matcher func(context.Context, condition, store.Query) (condition, error)

// common gives access to what every object has.
type common struct {
	search     string
	name       string
	subscriber *string
	archived   *bool
	revision   *int64
	created    time.Time
	updated    *time.Time
}

// collection is a store.Collection in a database.
type collection[T any, K comparable] struct {
	*kind[T, K]
	DB
}

func (c collection[T, K]) Create(ctx context.Context, obj *T) error {
	values, err := c.first(obj)
	if err != nil {
		return err
	}
	return c.Write(ctx, func(q Querier) error {
		args, err := c.row(ctx, q, obj, values)
		if err != nil {
			return err
		}
		if _, err := q.Try(ctx, c.insert(), args...); err != nil {
			return c.conflict(err)
		}
		if c.saved != nil {
			return c.saved(ctx, q, obj)
		}
		return nil
	})
}

func (c collection[T, K]) CreateAll(ctx context.Context, objs []*T) (refused int, err error) {
	values := make([][]any, len(objs))
	for i, obj := range objs {
		if values[i], err = c.first(obj); err != nil {
			return i, err
		}
	}
	err = c.Write(ctx, func(q Querier) (err error) {
		rows := make([][]any, len(objs))
		for i, obj := range objs {
			if rows[i], err = c.row(ctx, q, obj, values[i]); err != nil {
				refused = i
				return err
			}
		}
		if refused, err = q.ExecAll(ctx, c.insert(), len(rows), func(i int) []any { return rows[i] }); err != nil {
			return c.conflict(err)
		}
		if c.saved == nil {
			return nil
		}
		for i, obj := range objs {
			if err := c.saved(ctx, q, obj); err != nil {
				refused = i
				return err
			}
		}
		return nil
	})
	return refused, err
}

// insert returns the statement that stores a new object.
func (c collection[T, K]) insert() string {
	names := slices.Concat([]string{"id", "subscriber_id"}, c.written())
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s)", c.table, strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1))
}

// first gives a new object its first revision and its subscriber, and returns what values does.
func (c collection[T, K]) first(obj *T) ([]any, error) {
	m := c.common(obj)
	*m.revision = 1
	switch {
	case c.subscriber != "":
		*m.subscriber = c.subscriber
	case *m.subscriber == "" && !c.shared:
		*m.subscriber = fleet.DefaultSubscriber
	}
	values, err := c.values(obj)
	if err != nil {
		return nil, err
	}
	if err := checkText(c.keyText(c.key(obj))); err != nil {
		return nil, c.about(c.key(obj), err)
	}
	if err := checkText(*m.subscriber); err != nil {
		return nil, c.about(c.key(obj), err)
	}
	return values, nil
}

// row returns the parameters of insert.
func (c collection[T, K]) row(ctx context.Context, q Querier, obj *T, values []any) ([]any, error) {
	subscriber := *c.common(obj).subscriber
	secrets, err := c.sealAll(ctx, q, subscriber, obj)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]any{c.bind(c.key(obj)), subscriber}, values, secrets), nil
}

func (c collection[T, K]) Update(ctx context.Context, obj *T) error {
	m := c.common(obj)
	before := *m.revision
	*m.revision = before + 1
	undo := func() { *m.revision = before }
	values, err := c.values(obj)
	if err != nil {
		undo()
		return err
	}
	set := make([]string, 0, 16)
	for _, col := range c.written() {
		if c.raised[col] {
			set = append(set, fmt.Sprintf("%s = %s(%s, ?)", col, c.Max, col))
		} else {
			set = append(set, col+" = ?")
		}
	}
	key := c.key(obj)
	own, scope := c.own()
	query := fmt.Sprintf("UPDATE %s SET %s WHERE id = ? AND revision = ?%s", c.table, strings.Join(set, ", "), own)
	err = c.Write(ctx, func(q Querier) error {
		secrets, err := c.reseal(ctx, q, obj)
		if err != nil {
			return err
		}
		args := slices.Concat(values, secrets, []any{c.bind(key), before}, scope)
		n, err := q.Try(ctx, query, args...)
		if err != nil {
			return c.conflict(err)
		}
		if n == 0 {
			var stored int64
			err := one(ctx, q, []any{&stored}, fmt.Sprintf("SELECT revision FROM %s WHERE id = ?%s", c.table, own), append([]any{c.bind(key)}, scope...)...)
			if err == nil {
				err = store.ErrStale
			}
			return c.about(key, err)
		}
		if c.saved != nil {
			if err := c.saved(ctx, q, obj); err != nil {
				return err
			}
		}
		*m.revision = before + 1 // an attempt that was rolled back has taken it back
		q.Work().RolledBack(undo)
		return nil
	})
	if err != nil {
		undo()
	}
	return err
}

// reseal seals the secrets of an object that is stored already. They belong to the subscriber
// that the database says, whatever obj says.
func (c collection[T, K]) reseal(ctx context.Context, q Querier, obj *T) ([]any, error) {
	subscriber := c.subscriber
	if subscriber == "" && len(c.sealed) > 0 {
		err := one(ctx, q, []any{&subscriber}, fmt.Sprintf("SELECT subscriber_id FROM %s WHERE id = ?", c.table), c.bind(c.key(obj)))
		if err != nil {
			return nil, c.about(c.key(obj), err)
		}
	}
	return c.sealAll(ctx, q, subscriber, obj)
}

// written returns the columns that Create and Update write, in the order of values and sealAll.
func (k *kind[T, K]) written() []string {
	names := slices.Concat([]string{"doc", "search", "name", "archived", "revision", "created_at", "updated_at"}, k.mirrors, k.columns)
	for _, s := range k.sealed {
		names = append(names, s.column)
	}
	return names
}

// own returns the condition, beginning with AND, that an object is one that this view sees.
func (d DB) own() (string, []any) {
	if d.subscriber == "" {
		return "", nil
	}
	return " AND subscriber_id = ?", []any{d.subscriber}
}

// values returns the values of all columns but id and subscriber_id, which stay as they are, and the sealed ones.
func (c collection[T, K]) values(obj *T) ([]any, error) {
	kept := *obj
	if c.doc != nil {
		kept = c.doc(kept)
	}
	doc, err := json.Marshal(kept)
	if err != nil {
		return nil, c.about(c.key(obj), err)
	}
	m := c.common(obj)
	values := []any{string(doc), strings.ToLower(m.search), m.name, *m.archived, *m.revision, At(m.created), Micros{m.updated}}
	if c.mirrored != nil {
		values = append(values, c.mirrored(obj)...)
	}
	if c.fields != nil {
		values = append(values, c.fields(obj)...)
	}
	if values, err = plain(values); err != nil {
		return nil, c.about(c.key(obj), err)
	}
	return values, nil
}

func (c collection[T, K]) Archive(ctx context.Context, key K, when time.Time) error {
	if !keepable(c.keyText(key)) {
		return c.about(key, store.ErrNotFound) // nobody can have stored it
	}
	own, scope := c.own()
	return c.Write(ctx, func(q Querier) error {
		n, err := q.Exec(ctx, fmt.Sprintf(`UPDATE %s SET revision = revision + CASE WHEN archived THEN 0 ELSE 1 END,
				updated_at = CASE WHEN archived THEN updated_at ELSE ? END, archived = TRUE
			WHERE id = ?%s`, c.table, own), append([]any{At(when), c.bind(key)}, scope...)...)
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		if err != nil {
			return c.about(key, err)
		}
		return nil
	})
}

// about names the object in an error.
func (c collection[T, K]) about(key K, err error) error {
	return fmt.Errorf("%s %s: %w", c.name, c.keyText(key), err)
}

// conflict translates a broken uniqueness into store.Conflict.
func (c collection[T, K]) conflict(err error) error {
	where, ok := c.Taken(err)
	if !ok {
		return err
	}
	for column, field := range c.unique {
		if strings.Contains(where, c.table+"."+column) {
			return &store.Conflict{Kind: c.name, Field: field}
		}
	}
	return err // a new unique column that nobody named
}
