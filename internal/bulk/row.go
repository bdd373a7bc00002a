package bulk

import (
	"fmt"
	"strings"

	"github.com/starling-fuota/starling/fleet"
)

// row is one row of a file on its way to an object.
type row[R any] struct {
	line int
	raw  []byte // nil unless bad rows are written
	eol  string

	in     R      // what the cells say
	has    uint64 // bit per column: in holds a value for it
	empty  uint64 // bit per column: it is mandatory and the cell is empty
	before *R     // as it is stored; nil: a new object
	after  R      // as it is to be stored
	twice  bool   // more than one stored object has its key

	action  Action
	changes []string
	errs    []RowError

	columns []column[R]
	where   []int
}

func (r *row[R]) index(name string) int {
	for i := range r.columns {
		if r.columns[i].name == name {
			return i
		}
	}
	return absent
}

func (r *row[R]) given(name string) bool { return r.has&(1<<r.index(name)) != 0 }

func (r *row[R]) give(name string) { r.has |= 1 << r.index(name) }

// fail notes a problem with a column, or with the row if name is "".
func (r *row[R]) fail(name string, p problem) {
	e := RowError{Row: r.line, Name: name, Reason: p.reason, Hint: p.hint}
	if i := r.index(name); i != absent && r.where[i] != absent {
		e.Column = letters(r.where[i])
	}
	r.errs = append(r.errs, e)
}

func (r *row[R]) failedAt(name string) bool {
	for _, e := range r.errs {
		if e.Name == name {
			return true
		}
	}
	return false
}

// refuse notes an error of Validate or of the target. It returns false if err is not about the row.
func (r *row[R]) refuse(err error, known bool) bool {
	fields := fleet.FieldErrors(err)
	for _, f := range fields {
		name, _, _ := strings.Cut(f.Field, "[")
		if name == "profile_id" {
			name = "producer_id" // the profile is found by it
		}
		if r.failedAt(name) || f.Field == "profile_id" && (r.failedAt("module_id") || r.failedAt("hw_revision")) {
			continue // said already, and closer to the cell
		}
		reason := f.Problem
		if name != f.Field && f.Field != "profile_id" {
			reason = f.Field + " " + reason
		}
		r.fail(name, problem{reason, f.Hint})
	}
	if len(fields) == 0 && known {
		r.fail("", problem{err.Error(), ""})
	}
	return len(fields) > 0 || known
}

// readRow reads the cells of a record.
func readRow[R, T any, K comparable](k *kind[R, T, K], t *table, rec record) *row[R] {
	r := &row[R]{line: rec.line, eol: rec.eol, columns: k.columns, where: t.where}
	if rec.problem != nil {
		r.fail("", *rec.problem)
		return r
	}
	if n := len(rec.fields); n < t.width || n > t.width && !t.more && strings.Join(rec.fields[t.width:], "") != "" {
		r.fail("", problem{fmt.Sprintf("has %d columns where %d are expected", n, t.width), "check the delimiter, and cells with a delimiter inside: they need quotes"})
		return r
	}
	for i, cell := range rec.fields[:min(len(rec.fields), len(t.meaning))] {
		m := t.meaning[i]
		if m == absent || k.columns[m].read == nil {
			continue
		}
		c := &k.columns[m]
		if t.format == Friendly {
			cell = rearm(cell)
		}
		switch {
		case strings.TrimSpace(cell) != "" || c.text && cell != "":
			if p := c.read(cell, &r.in); p != nil {
				r.fail(c.name, *p)
			} else {
				r.has |= 1 << m
			}
		case c.required:
			r.empty |= 1 << m
		case !c.kept:
			c.clear(&r.in)
			r.has |= 1 << m
		}
	}
	for i := range k.columns {
		if c := &k.columns[i]; r.empty&(1<<i) != 0 && (c.unique || c.identity || c.copy == nil) && t.where[i] != absent {
			r.fail(c.name, problem{"is empty", "this column is mandatory"})
		}
	}
	return r
}
