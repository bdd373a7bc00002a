package bulk

import (
	"context"
	"slices"
	"strconv"
)

// batchRows and batchBytes bound what is compared and written at once.
const (
	batchRows  = 500
	batchBytes = 4 << 20
)

// judge compares rows with what is stored and decides what to do with each.
func (e *engine[R, T, K]) judge(ctx context.Context, rows []*row[R]) error {
	for _, r := range rows {
		e.once(r)
	}
	if err := e.find(ctx, rows); err != nil {
		return err
	}
	if e.resolve != nil {
		whole := slices.DeleteFunc(slices.Clone(rows), func(r *row[R]) bool { return r.has == 0 })
		if err := e.resolve(ctx, whole); err != nil {
			return err
		}
	}
	var changed []*row[R]
	for _, r := range rows {
		if e.decide(r); r.action == Create || r.action == Update {
			changed = append(changed, r)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	refused, err := e.target.Check(ctx, e.changes(changed))
	if err != nil {
		return err
	}
	for i, reason := range refused {
		if reason != nil {
			if !changed[i].refuse(reason, true) {
				return reason
			}
			changed[i].action = Failed
		}
	}
	return nil
}

// once refuses what an earlier row of the file has already.
func (e *engine[R, T, K]) once(r *row[R]) {
	if e.kind.keyed(r) {
		key := e.kind.key(&r.in)
		if first, ok := e.rows[key]; ok {
			r.fail(e.kind.keys[0], problem{e.kind.withOthers("is") + " the same as in row " + strconv.Itoa(first), "remove one of the two rows"})
		} else {
			e.rows[key] = r.line
		}
	}
	for i := range e.kind.columns {
		c := &e.kind.columns[i]
		if !c.unique || r.has&(1<<i) == 0 {
			continue
		}
		value := c.write(&r.in, Reference)
		if e.seen[i] == nil {
			e.seen[i] = map[string]int{}
		}
		if first, ok := e.seen[i][value]; ok {
			r.fail(c.name, problem{"is the same as in row " + strconv.Itoa(first), "remove one of the two rows"})
		} else {
			e.seen[i][value] = r.line
		}
	}
}

// find loads what is stored under the keys of the rows.
func (e *engine[R, T, K]) find(ctx context.Context, rows []*row[R]) error {
	byKey := make(map[K]*row[R], len(rows))
	keys := make([]K, 0, len(rows))
	for _, r := range rows {
		if e.kind.keyed(r) {
			key := e.kind.key(&r.in)
			byKey[key] = r
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := e.target.FindAll(ctx, keys)
	if err != nil {
		return err
	}
	for _, obj := range found {
		stored := e.kind.load(obj)
		r := byKey[e.kind.key(&stored)]
		if r == nil {
			continue // not asked for
		}
		r.twice = r.before != nil
		r.before = &stored
	}
	for _, r := range rows {
		if r.twice {
			r.fail(e.kind.keys[0], problem{"is that of several stored objects", "rename or archive all but one"})
		}
	}
	return nil
}

// decide merges the cells with what is stored and says what changes.
func (e *engine[R, T, K]) decide(r *row[R]) {
	if !e.kind.keyed(r) {
		return // what it would change is not known, and that has been said
	}
	if r.before != nil {
		r.after = *r.before
	}
	excused := ""
	if e.kind.excused != nil {
		excused = e.kind.excused(r)
	}
	for i := range e.kind.columns {
		c := &e.kind.columns[i]
		switch bit := uint64(1) << i; {
		case c.name == excused && r.has&bit == 0:
			if r.empty&bit != 0 {
				c.clear(&r.after)
			}
		case r.has&bit != 0 && c.copy != nil:
			c.copy(&r.after, &r.in)
		case r.failedAt(c.name):
		case r.empty&bit != 0 && (r.before == nil || c.write(r.before, Reference) != ""):
			r.fail(c.name, problem{"is empty", "this column is mandatory"})
		case c.required && r.before == nil && r.where[i] == absent && c.read != nil:
			r.fail(c.name, problem{"is missing", "a new object needs this column"})
		}
	}
	if e.kind.settle != nil {
		e.kind.settle(r)
	}
	*e.kind.archived(&r.after) = false // what is in a file is meant to be there
	r.refuse((*e.kind.object(&r.after)).Validate(), false)
	if len(r.errs) > 0 {
		return
	}
	if r.before == nil {
		r.action = Create
		return
	}
	for i := range e.kind.columns {
		if c := &e.kind.columns[i]; c.equal != nil && !c.equal(r.before, &r.after) {
			r.changes = append(r.changes, c.name)
		}
	}
	if *e.kind.archived(r.before) {
		r.changes = append(r.changes, "archived")
	}
	r.action = Unchanged
	if len(r.changes) > 0 {
		r.action = Update
	}
}

func (e *engine[R, T, K]) changes(rows []*row[R]) []Change[T] {
	list := make([]Change[T], len(rows))
	for i, r := range rows {
		list[i] = e.change(r)
	}
	return list
}

func (e *engine[R, T, K]) change(r *row[R]) Change[T] {
	c := Change[T]{After: *e.kind.object(&r.after)}
	if r.before != nil {
		c.Before = e.kind.object(r.before)
	}
	return c
}
