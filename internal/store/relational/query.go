package relational

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// condition is a part of WHERE and its parameters.
type condition struct {
	sql  string
	args []any
}

// and returns the condition that both hold.
func (c condition) and(sql string, args ...any) condition {
	if c.sql != "" {
		sql = c.sql + " AND " + sql
	}
	return condition{sql, append(slices.Clip(c.args), args...)}
}

// selection translates the filters of q, not its order and paging. Query.Check has passed.
func (c collection[T, K]) selection(ctx context.Context, q store.Query) (condition, error) {
	var cond condition
	if c.subscriber != "" {
		cond = cond.and("subscriber_id = ?", c.subscriber)
	}
	if _, said := q.Where[store.ByArchived]; !q.Archived && !said {
		cond = cond.and("NOT archived") // SQLite takes no index for that: nearly all are not archived, and other indexes are better
	}
	cond, err := c.match(ctx, cond, q)
	if err == nil && cond.sql == "" {
		cond.sql = "TRUE"
	}
	return cond, err
}

// match adds the text and the fields that q asks for.
func (c collection[T, K]) match(ctx context.Context, cond condition, q store.Query) (condition, error) {
	if q.Text != "" {
		if err := checkText(q.Text); err != nil {
			return cond, fmt.Errorf("%w: text %q %w", store.ErrQuery, q.Text, err)
		}
		cond = cond.and(c.Position+"(search, ?) > 0", strings.ToLower(q.Text))
	}
	for _, field := range slices.Sorted(maps.Keys(q.Where)) {
		value := q.Where[field]
		err := checkText(value)
		if err != nil {
			err = fmt.Errorf("%w: %w", store.ErrQuery, err)
		} else {
			cond, err = c.filter(ctx, cond, field, value)
		}
		if err != nil {
			return cond, fmt.Errorf("%ss by %s %q: %w", c.name, field, value, err)
		}
	}
	return cond, nil
}

// fewFound is how many objects a search may find to be sorted by something else than their identifiers.
const fewFound = 2000

// searched looks first for what has the text, if the list is sorted by something else. If that is little, only that
// is sorted: to go through all in their order until a page is full would mean to read each object. If
// it is much, this is just what fills a page soonest.
func (c collection[T, K]) searched(ctx context.Context, cond condition, q store.Query) (condition, error) {
	if q.Text == "" || len(q.Sort) == 0 || c.column(q.Sort[0].Field) == "id" {
		return cond, nil
	}
	var found []any
	own, scope := c.own()
	err := each(ctx, c.Reader, func(scan func(...any) error) error {
		var key K
		err := scan(c.target(&key))
		found = append(found, c.bind(key))
		return err
	}, fmt.Sprintf("SELECT id FROM %s WHERE %s(search, ?) > 0%s LIMIT ?", c.table, c.Position, own),
		slices.Concat([]any{strings.ToLower(q.Text)}, scope, []any{int64(fewFound + 1)})...)
	switch {
	case err != nil:
		return cond, err
	case len(found) == 0:
		return condition{sql: "FALSE"}, nil
	case len(found) > fewFound:
		return cond, nil
	}
	sql, args := c.In("id", found)
	return cond.and(sql, args...), nil
}

// narrowed returns the condition that a row is on the page. Where rows must be looked at that are not on it, only
// indexes and short columns are read and sorted for that, and documents not before the page is known.
func (c collection[T, K]) narrowed(cond condition, terms []term, limit int) condition {
	sql := fmt.Sprintf("id IN (SELECT id FROM %s WHERE %s ORDER BY %s LIMIT ?)", c.table, cond.sql, orderBy(terms))
	return condition{sql, append(slices.Clip(cond.args), int64(limit))}
}

// bounded adds the condition that a row's first value is not beyond that of the last row of the page, which an
// index on the first term finds soon. To sort by several is then to sort a part of the list and not all of it.
func (c collection[T, K]) bounded(ctx context.Context, cond condition, terms []term, limit int) (condition, error) {
	last := place{of: terms[0].of}
	err := one(ctx, c.Reader, []any{&last}, fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT 1 OFFSET ?", terms[0].column, c.table, cond.sql, orderBy(terms[:1])),
		append(slices.Clip(cond.args), int64(limit-1))...)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return cond, nil // there are fewer
	case err != nil:
		return cond, err
	case terms[0].desc:
		return cond.and(terms[0].column+" >= ?", last.value), nil
	}
	return cond.and(terms[0].column+" <= ?", last.value), nil
}

// filter adds the condition that a field has a value.
func (c collection[T, K]) filter(ctx context.Context, cond condition, field store.Field, value string) (condition, error) {
	if special := c.special[field]; special != nil {
		return special(ctx, c.DB, cond, value, c.match)
	}
	info, _ := store.FieldOf(c.kind.kind, field)
	column := c.column(field)
	if by, ok := c.ordered[field]; ok {
		return version(cond, by, value), nil
	}
	switch info.Type {
	case store.NumberField:
		return between(cond, column, value, parseNumber)
	case store.TimeField:
		return between(cond, column, value, parseTime)
	case store.BoolField:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return cond, fmt.Errorf("is neither true nor false: %w", store.ErrQuery)
		}
		if b {
			return cond.and(column + " = TRUE"), nil
		}
		return cond.and(column + " = FALSE"), nil
	case store.EUIField:
		return cond.and(column+" = ?", euiOrNone(value)), nil
	}
	return cond.and(column+" = ?", value), nil
}

// version adds the condition that a firmware version is this one. What is no version is that of nothing.
func version(cond condition, column, value string) condition {
	f, err := fleet.ParseFirmware(value)
	if err != nil {
		return cond.and("FALSE")
	}
	return cond.and(column+" = ?", FirmwareOrder(f))
}

// column returns the column of a field.
func (k *kind[T, K]) column(field store.Field) string {
	if name, ok := k.rename[field]; ok {
		return name
	}
	return string(field)
}

// between adds the condition that a column has the value, or one of the range "from..to".
func between(cond condition, column, value string, parse func(string) (from, to int64, err error)) (condition, error) {
	first, second, isRange := strings.Cut(value, "..")
	if !isRange {
		from, to, err := parse(value)
		switch {
		case err != nil:
			return cond, err
		case from == to:
			return cond.and(column+" = ?", from), nil
		}
		return cond.and(column+" BETWEEN ? AND ?", from, to), nil
	}
	if first != "" {
		from, _, err := parse(first)
		if err != nil {
			return cond, err
		}
		cond = cond.and(column+" >= ?", from)
	}
	if second != "" {
		_, to, err := parse(second)
		if err != nil {
			return cond, err
		}
		cond = cond.and(column+" <= ?", to)
	}
	return cond, nil
}

func parseNumber(s string) (from, to int64, err error) {
	if s == "" {
		return 0, 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("is no whole number: give one, or a range such as 1..5: %w", store.ErrQuery)
	}
	return n, n, nil
}

// parseTime reads a time, which is one microsecond, or a date, which is a day of them.
func parseTime(s string) (from, to int64, err error) {
	if s == "" {
		return 0, 0, nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.UnixMicro(), day.AddDate(0, 0, 1).UnixMicro() - 1, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, 0, fmt.Errorf("is no time: give a date such as 2026-03-01, a time such as 2026-03-01T12:00:00Z, or a range such as 2026-03-01..2026-03-31: %w", store.ErrQuery)
	}
	return t.UnixMicro(), t.UnixMicro(), nil
}

// euiOrNone returns the bytes of an EUI64 in its text form, or NULL, which equals nothing:
// what cannot be an identifier identifies nothing.
func euiOrNone(s string) any {
	e, err := lorawan.ParseEUI64(s)
	if err != nil {
		return nil
	}
	return ID(e)
}

// term is a column to order by.
type term struct {
	column string
	of     valueType
	desc   bool
}

// order returns the columns to order by. The last one is unique.
func (c collection[T, K]) order(sort []store.Sort) (terms []term) {
	desc := false
	for _, s := range sort {
		info, _ := store.FieldOf(c.kind.kind, s.Field)
		t := term{c.column(s.Field), typeOf[info.Type], s.Desc}
		if by, ok := c.ordered[s.Field]; ok {
			t.column, t.of = by, numberValue
		}
		terms, desc = append(terms, t), s.Desc
		if t.column == "id" {
			return terms // nothing is equal from here on
		}
	}
	id := textValue
	if _, byEUI := store.FieldOf(c.kind.kind, store.ByDevEUI); byEUI {
		id = bytesValue
	}
	return append(terms, term{"id", id, desc})
}

// orderBy returns the terms as ORDER BY wants them.
func orderBy(terms []term) string {
	out := make([]string, len(terms))
	for i, t := range terms {
		out[i] = t.column
		if t.desc {
			out[i] += " DESC"
		}
	}
	return strings.Join(out, ", ")
}

// after adds the condition that a row comes after the one with these values. The engines
// find the place in an index on the terms, if they all go in one direction: page 10,000 then
// costs as much as page 1.
func (c condition) after(terms []term, values []any) condition {
	uniform := !slices.ContainsFunc(terms, func(t term) bool { return t.desc != terms[0].desc })
	if uniform {
		columns := make([]string, len(terms))
		for i, t := range terms {
			columns[i] = t.column
		}
		return c.and(fmt.Sprintf("(%s) %s (?%s)", strings.Join(columns, ", "), beyond(terms[0]), strings.Repeat(", ?", len(terms)-1)), values...)
	}
	// a >= x AND (a > x OR (b >= y AND (b > y OR ...))): the first comparison is what an index can use.
	var sql strings.Builder
	var args []any
	for i, t := range terms {
		if i == len(terms)-1 {
			fmt.Fprintf(&sql, "%s %s ?", t.column, beyond(t))
			args = append(args, values[i])
			break
		}
		fmt.Fprintf(&sql, "%s %s= ? AND (%s %s ? OR (", t.column, beyond(t), t.column, beyond(t))
		args = append(args, values[i], values[i])
	}
	sql.WriteString(strings.Repeat("))", len(terms)-1))
	return c.and(sql.String(), args...)
}

func beyond(t term) string {
	if t.desc {
		return "<"
	}
	return ">"
}
