package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/starling-fuota/starling/internal/store"
)

// kind says how one kind of object is stored. Every table has the columns id, doc,
// search, name, archived, revision and updated_at; what else SQL is asked about is named here.
type kind[T any, K comparable] struct {
	name  string // for people
	table string

	common  func(*T) common
	key     func(*T) K
	keyText func(K) string
	bind    func(K) any                  // the key as a value of the column id
	parse   func(text string) (K, error) // inverse of keyText

	columns []string               // further columns, ...
	fields  func(*T) []any         // ... and their values: driver.Valuer and sql.Scanner, or pointers
	raised  map[string]bool        // columns that Update never lowers
	doc     func(T) T              // what to keep in doc; nil: all
	where   map[store.Field]string // conditions with one parameter
	unique  map[string]string      // column or index in SQLite's message -> fields in JSON

	saved  func(context.Context, querier, *T) error   // after Create and Update, in the same transaction
	loaded func(context.Context, querier, []*T) error // after reading
}

// common gives access to what every object has.
type common struct {
	search   string
	name     string
	archived *bool
	revision *int64
	updated  *time.Time
}

// collection is a store.Collection over a querier.
type collection[T any, K comparable] struct {
	*kind[T, K]
	objects
}

func (c collection[T, K]) Create(ctx context.Context, obj *T) error {
	m := c.common(obj)
	*m.revision = 1
	values, err := c.values(obj)
	if err != nil {
		return err
	}
	names := append([]string{"doc", "search", "name", "archived", "revision", "updated_at"}, c.columns...)
	query := fmt.Sprintf("INSERT INTO %s (id, %s) VALUES (?%s)", c.table, strings.Join(names, ", "), strings.Repeat(", ?", len(names)))
	return c.write(ctx, func(q querier) error {
		if _, err := q.ExecContext(ctx, query, append([]any{c.bind(c.key(obj))}, values...)...); err != nil {
			return c.conflict(err)
		}
		if c.saved != nil {
			return c.saved(ctx, q, obj)
		}
		return nil
	})
}

func (c collection[T, K]) Update(ctx context.Context, obj *T) error {
	m := c.common(obj)
	before := *m.revision
	*m.revision = before + 1
	err := c.write(ctx, func(q querier) error {
		values, err := c.values(obj)
		if err != nil {
			return err
		}
		set := "doc = ?, search = ?, name = ?, archived = ?, revision = ?, updated_at = ?"
		for _, col := range c.columns {
			if c.raised[col] {
				set += fmt.Sprintf(", %s = MAX(%s, ?)", col, col)
			} else {
				set += fmt.Sprintf(", %s = ?", col)
			}
		}
		key := c.key(obj)
		res, err := q.ExecContext(ctx, fmt.Sprintf("UPDATE %s SET %s WHERE id = ? AND revision = ?", c.table, set),
			append(values, c.bind(key), before)...)
		if err != nil {
			return c.conflict(err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			if err == nil && c.saved != nil {
				err = c.saved(ctx, q, obj)
			}
			return err
		}
		var one int
		err = q.QueryRowContext(ctx, fmt.Sprintf("SELECT 1 FROM %s WHERE id = ?", c.table), c.bind(key)).Scan(&one)
		if err == nil {
			err = store.ErrStale
		}
		return c.about(key, err)
	})
	if err != nil {
		*m.revision = before
	}
	return err
}

// values returns the values of all columns but id.
func (c collection[T, K]) values(obj *T) ([]any, error) {
	kept := *obj
	if c.doc != nil {
		kept = c.doc(kept)
	}
	doc, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", c.name, c.keyText(c.key(obj)), err)
	}
	m := c.common(obj)
	values := []any{string(doc), strings.ToLower(m.search), m.name, *m.archived, *m.revision, at(*m.updated)}
	if c.fields != nil {
		values = append(values, deref(c.fields(obj))...)
	}
	return values, nil
}

// deref turns the pointers that fields gives for scanning into values to bind.
func deref(fields []any) []any {
	for i, f := range fields {
		switch p := f.(type) {
		case *string:
			fields[i] = *p
		case *bool:
			fields[i] = *p
		case *uint8:
			fields[i] = int64(*p)
		case *uint32:
			fields[i] = int64(*p)
		case *[]byte:
			fields[i] = blob(*p)
		}
	}
	return fields
}

func (c collection[T, K]) Archive(ctx context.Context, key K, when time.Time) error {
	return c.write(ctx, func(q querier) error {
		res, err := q.ExecContext(ctx, fmt.Sprintf(
			`UPDATE %s SET revision = revision + (archived = 0), updated_at = CASE archived WHEN 0 THEN ? ELSE updated_at END, archived = 1
			WHERE id = ?`, c.table), at(when), c.bind(key))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return c.about(key, store.ErrNotFound)
	})
}

func (c collection[T, K]) Find(ctx context.Context, key K) (T, error) {
	var zero T
	found, err := c.query(ctx, "id = ?", []any{c.bind(key)}, 1)
	if err == nil && len(found) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return zero, c.about(key, err)
	}
	return found[0], nil
}

// findBatch bounds the parameters of one statement.
const findBatch = 500

func (c collection[T, K]) FindAll(ctx context.Context, keys []K) ([]T, error) {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b K) int { return strings.Compare(c.keyText(a), c.keyText(b)) })
	keys = slices.Compact(keys)
	out := make([]T, 0, len(keys))
	for batch := range slices.Chunk(keys, findBatch) {
		args := make([]any, len(batch))
		for i, k := range batch {
			args[i] = c.bind(k)
		}
		found, err := c.query(ctx, "id IN (?"+strings.Repeat(", ?", len(batch)-1)+")", args, len(batch))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func (c collection[T, K]) List(ctx context.Context, q store.Query) (store.Page[T], error) {
	var page store.Page[T]
	limit, err := q.PageLimit()
	if err != nil {
		return page, err
	}
	cond, args, err := c.condition(q)
	if err != nil {
		return page, err
	}
	if q.After != "" {
		key, err := c.parse(q.After)
		if err != nil {
			return page, fmt.Errorf("page after %q: %w", q.After, store.ErrQuery)
		}
		cond += " AND id > ?"
		args = append(args, c.bind(key))
	}
	// One more than asked for tells whether there is a next page.
	page.Items, err = c.query(ctx, cond, args, limit+1)
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = c.keyText(c.key(&page.Items[limit-1]))
	}
	return page, err
}

func (c collection[T, K]) Count(ctx context.Context, q store.Query) (n int, err error) {
	cond, args, err := c.condition(q)
	if err != nil {
		return 0, err
	}
	err = c.read.QueryRowContext(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE %s", c.table, cond), args...).Scan(&n)
	return n, err
}

// condition translates the filters of q, not its paging.
func (c collection[T, K]) condition(q store.Query) (string, []any, error) {
	cond, args := "1", []any(nil)
	if !q.Archived {
		cond = "archived = 0"
	}
	if q.Text != "" {
		cond += " AND instr(search, ?) > 0"
		args = append(args, strings.ToLower(q.Text))
	}
	for _, field := range slices.Sorted(maps.Keys(q.Where)) {
		sql, ok := c.where[field]
		if field == store.ByName {
			sql, ok = "name = ?", true
		}
		if !ok {
			return "", nil, fmt.Errorf("list of %ss by %q: %w", c.name, field, store.ErrQuery)
		}
		cond += " AND " + sql
		args = append(args, q.Where[field])
	}
	return cond, args, nil
}

// query reads the objects for which cond holds, ordered by identifier.
func (c collection[T, K]) query(ctx context.Context, cond string, args []any, limit int) ([]T, error) {
	columns := strings.Join(append([]string{"doc", "archived", "revision", "updated_at"}, c.columns...), ", ")
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY id LIMIT ?", columns, c.table, cond)
	var out []T
	err := each(ctx, c.read, func(rows *sql.Rows) error {
		var doc []byte
		var obj T
		if err := rows.Scan(append([]any{&doc}, discard(3+len(c.columns))...)...); err != nil {
			return err
		}
		if err := json.Unmarshal(doc, &obj); err != nil {
			return err
		}
		// Scanned after doc is read: columns win.
		m := c.common(&obj)
		dest := []any{&doc, m.archived, m.revision, micros{m.updated}}
		if c.fields != nil {
			dest = append(dest, c.fields(&obj)...)
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		out = append(out, obj)
		return nil
	}, query, append(slices.Clone(args), limit)...)
	if err != nil || c.loaded == nil || len(out) == 0 {
		return out, err
	}
	pointers := make([]*T, len(out))
	for i := range out {
		pointers[i] = &out[i]
	}
	return out, c.loaded(ctx, c.read, pointers)
}

// discard returns n scan targets whose values nobody wants.
func discard(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = new(any)
	}
	return out
}

// about names the object in an error.
func (c collection[T, K]) about(key K, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	return fmt.Errorf("%s %s: %w", c.name, c.keyText(key), err)
}

// conflict translates a broken uniqueness into store.Conflict.
func (c collection[T, K]) conflict(err error) error {
	if !notUnique(err) {
		return err
	}
	for part, field := range c.unique {
		if strings.Contains(err.Error(), c.table+"."+part) {
			return &store.Conflict{Kind: c.name, Field: field}
		}
	}
	return err // a new unique column that nobody named
}

// notUnique reports whether err says that a value must be unique and is not.
func notUnique(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}
