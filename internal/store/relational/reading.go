package relational

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/starling-fuota/starling/internal/store"
)

func (c collection[T, K]) Find(ctx context.Context, key K) (T, error) {
	var zero T
	own, scope := c.own()
	found, _, err := c.query(ctx, condition{"id = ?" + own, append([]any{c.bind(key)}, scope...)}, nil, 1)
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
	keys = slices.DeleteFunc(slices.Compact(keys), func(k K) bool { return !keepable(c.keyText(k)) })
	out := make([]T, 0, len(keys))
	for batch := range slices.Chunk(keys, findBatch) {
		values := make([]any, len(batch))
		for i, k := range batch {
			values[i] = c.bind(k)
		}
		cond, args := c.In("id", values)
		own, scope := c.own()
		found, _, err := c.query(ctx, condition{cond + own, append(slices.Clone(args), scope...)}, c.order(nil), len(batch))
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
	if err == nil {
		err = q.Check(c.kind.kind)
	}
	if err != nil {
		return page, err
	}
	cond, err := c.selection(ctx, q)
	if err != nil {
		return page, err
	}
	terms, list := c.order(q.Sort), listOf(c.kind.kind, c.subscriber, q)
	if q.After != "" {
		values, err := parseCursor(q.After, list, terms)
		if err != nil {
			return page, err
		}
		cond = cond.after(terms, values)
	}
	if cond, err = c.searched(ctx, cond, q); err != nil {
		return page, err
	}
	limit++ // one more than asked for tells whether there is a next page
	var items []T
	var places [][]place
	switch {
	case len(q.Sort) > 1:
		// On one view: if rows changed between the two, the page would seem to be the last one.
		err = c.View(ctx, func(v Querier) error {
			c := c
			c.Reader = v
			cond, err := c.bounded(ctx, cond, terms, limit)
			if err == nil {
				items, places, err = c.query(ctx, c.narrowed(cond, terms, limit), terms, limit)
			}
			return err
		})
	case q.Text != "" || len(q.Sort) > 0 && len(q.Where) > 0:
		items, places, err = c.query(ctx, c.narrowed(cond, terms, limit), terms, limit)
	default:
		items, places, err = c.query(ctx, cond, terms, limit)
	}
	if page.Items = items; len(items) == limit {
		page.Items, page.Next = items[:limit-1], cursorOf(list, places[limit-2])
	}
	return page, err
}

func (c collection[T, K]) Count(ctx context.Context, q store.Query) (n int, err error) {
	if err := q.Check(c.kind.kind); err != nil {
		return 0, err
	}
	cond, err := c.selection(ctx, q)
	if err != nil {
		return 0, err
	}
	err = one(ctx, c.Reader, []any{&n}, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE %s", c.table, cond.sql), cond.args...)
	return n, err
}

// query reads the objects for which cond holds in the order of the terms, and the values of these.
func (c collection[T, K]) query(ctx context.Context, cond condition, terms []term, limit int) (out []T, places [][]place, err error) {
	columns := slices.Concat([]string{"doc", "subscriber_id", "archived", "revision", "updated_at"}, c.columns)
	for _, s := range c.sealed {
		columns = append(columns, s.column)
	}
	for _, t := range terms {
		columns = append(columns, t.column)
	}
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s", strings.Join(columns, ", "), c.table, cond.sql)
	if len(terms) > 0 {
		query += " ORDER BY " + orderBy(terms)
	}
	query += " LIMIT ?"
	args := append(slices.Clone(cond.args), int64(limit))
	read := func(q Querier) error {
		var raw [][]byte // sealed values; opened later, because that may need a query of its own
		out, places = nil, nil
		err := each(ctx, q, func(scan func(...any) error) error {
			var obj T
			m := c.common(&obj)
			// The document comes first: columns win.
			dest := []any{document{&obj}, m.subscriber, m.archived, m.revision, Micros{m.updated}}
			if c.fields != nil {
				dest = append(dest, c.fields(&obj)...)
			}
			secrets := make([][]byte, len(c.sealed))
			for i := range secrets {
				dest = append(dest, &secrets[i])
			}
			row := make([]place, len(terms))
			for i, t := range terms {
				row[i].of = t.of
				dest = append(dest, &row[i])
			}
			err := scan(dest...)
			out, places, raw = append(out, obj), append(places, row), append(raw, secrets...)
			return err
		}, query, args...)
		if err == nil && len(c.sealed) > 0 {
			err = c.unsealAll(ctx, q, out, raw)
		}
		if err != nil {
			out, places = nil, nil
		}
		return err
	}
	if c.loaded == nil {
		err = read(c.Reader)
		return out, places, err
	}
	err = c.View(ctx, func(q Querier) error {
		if err := read(q); err != nil || len(out) == 0 {
			return err
		}
		pointers := make([]*T, len(out))
		for i := range out {
			pointers[i] = &out[i]
		}
		return c.loaded(ctx, c.Dialect, q, pointers)
	})
	return out, places, err
}
