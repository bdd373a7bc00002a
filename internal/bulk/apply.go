package bulk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// engine imports objects T, as rows R, under keys K.
type engine[R any, T interface{ Validate() error }, K comparable] struct {
	kind    kind[R, T, K]
	target  Target[T, K]
	resolve func(context.Context, []*row[R]) error // references; may be nil

	opt    Options
	mode   *Mode // nil: plan only
	report Report
	rows   map[K]int          // by key: the row that has it
	seen   [64]map[string]int // by column: other values that must be unique, and the row that has each
	bad    *badRows
	kept   []*row[R] // AllOrNothing: what is to be written
}

// run reads all rows. Rows go through in batches: read, judge, write, tell.
func (e *engine[R, T, K]) run(ctx context.Context, in io.Reader, opt Options, mode *Mode) (Report, error) {
	e.opt, e.mode, e.rows = opt, mode, map[K]int{}
	if e.opt.MaxRows <= 0 {
		e.opt.MaxRows = MaxRows
	}
	t, err := openTable(&e.kind, in, opt)
	if err != nil {
		return e.report, err
	}
	e.report.Format, e.report.Delimiter, e.report.Unknown = t.format, t.delimiter, t.unknown
	e.bad = newBadRows(opt.BadRows, t)
	for {
		rows, end, err := e.batch(t)
		if err != nil {
			return e.report, err
		}
		if err := ctx.Err(); err != nil {
			return e.report, err
		}
		if err := e.process(ctx, rows); err != nil {
			return e.report, err
		}
		if end {
			break
		}
	}
	if e.mode != nil && *e.mode == AllOrNothing && e.report.Failed == 0 {
		if err := e.writeAll(ctx); err != nil {
			return e.report, err
		}
	}
	return e.report, nil
}

// batch reads the next rows; end is true when there are no more.
func (e *engine[R, T, K]) batch(t *table) (rows []*row[R], end bool, err error) {
	for size := 0; len(rows) < batchRows && size < batchBytes; {
		rec, err := t.next()
		if errors.Is(err, io.EOF) {
			return rows, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		if e.report.Rows+len(rows) == e.opt.MaxRows {
			return nil, false, &FileError{rec.line, fmt.Sprintf("the file has more than %d rows", e.opt.MaxRows), "import it in parts"}
		}
		r := readRow(&e.kind, t, rec)
		if e.opt.BadRows != nil {
			r.raw = bytes.Clone(rec.raw)
		}
		size += len(rec.raw)
		rows = append(rows, r)
	}
	return rows, false, nil
}

func (e *engine[R, T, K]) process(ctx context.Context, rows []*row[R]) error {
	if len(rows) == 0 {
		return nil
	}
	if err := e.judge(ctx, rows); err != nil {
		return err
	}
	if e.mode != nil && *e.mode == GoodRows {
		if err := e.writeGood(ctx, rows); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if err := e.tell(r); err != nil {
			return err
		}
		e.keep(r)
	}
	e.progress(e.report.Written)
	return nil
}

// keep remembers a row for the one transaction at the end, as long as there will be one.
func (e *engine[R, T, K]) keep(r *row[R]) {
	if e.mode == nil || *e.mode != AllOrNothing {
		return
	}
	if e.report.Failed > 0 {
		e.kept = nil
	} else if r.action == Create || r.action == Update {
		e.kept = append(e.kept, r)
	}
}

// tell counts a row and reports it.
func (e *engine[R, T, K]) tell(r *row[R]) error {
	e.report.Rows++
	*e.counter(r.action)++
	if r.action == Failed {
		if err := e.bad.write(r.raw, r.eol, inRow(r.errs)); err != nil {
			return err
		}
	}
	if e.opt.Outcome == nil {
		return nil
	}
	return e.opt.Outcome(e.outcome(r))
}

func (e *engine[R, T, K]) outcome(r *row[R]) Outcome {
	o := Outcome{Row: r.line, Action: r.action, Errors: r.errs}
	if r.action != Failed {
		o.Key, o.Fields = e.kind.keyText(&r.after), r.changes
	}
	return o
}

func (e *engine[R, T, K]) counter(a Action) *int {
	switch a {
	case Create:
		return &e.report.Created
	case Update:
		return &e.report.Updated
	case Unchanged:
		return &e.report.Unchanged
	}
	return &e.report.Failed
}

func (e *engine[R, T, K]) progress(written int) {
	if e.opt.Progress != nil {
		e.opt.Progress(Progress{Rows: e.report.Rows, Written: written})
	}
}

// refusal is a row that the target did not take.
type refusal[R any] struct {
	row *row[R]
	err error
}

func (r *refusal[R]) Error() string { return r.err.Error() }
func (r *refusal[R]) Unwrap() error { return r.err }

// write stores rows in one transaction. It returns a refusal if that is about a row.
func (e *engine[R, T, K]) write(ctx context.Context, rows []*row[R], written func(n int)) error {
	return e.target.Tx(ctx, func(w Writer[T]) error {
		done := 0
		for part := range slices.Chunk(rows, batchRows) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if i, err := w.Write(ctx, e.changes(part)); err != nil {
				return &refusal[R]{part[i], err}
			}
			if done += len(part); written != nil {
				written(done)
			}
		}
		return nil
	})
}

// refused notes the error on its row and returns the row; or it returns an error that
// ends the import.
func refused[R any](err error) (*row[R], error) {
	var no *refusal[R]
	if !errors.As(err, &no) {
		return nil, err
	}
	if !no.row.refuse(no.err, errors.Is(no.err, ErrRefused)) {
		return nil, err
	}
	no.row.action = Failed
	return no.row, nil
}

// writeGood stores what can be stored. If the batch is refused because of one row, every row gets
// a transaction of its own: which others would be refused is not known.
func (e *engine[R, T, K]) writeGood(ctx context.Context, rows []*row[R]) error {
	var good []*row[R]
	for _, r := range rows {
		if r.action == Create || r.action == Update {
			good = append(good, r)
		}
	}
	if len(good) == 0 {
		return nil
	}
	err := e.write(ctx, good, nil)
	if err == nil {
		e.report.Written += len(good)
		return nil
	}
	if _, err := refused[R](err); err != nil {
		return err
	}
	for _, r := range good {
		if r.action == Failed {
			continue
		}
		err := e.write(ctx, []*row[R]{r}, nil)
		if err == nil {
			e.report.Written++
		} else if _, err := refused[R](err); err != nil {
			return err
		}
	}
	return nil
}

// writeAll stores all changes in one transaction. A refusal takes everything back.
func (e *engine[R, T, K]) writeAll(ctx context.Context) error {
	if len(e.kept) == 0 {
		return nil
	}
	err := e.write(ctx, e.kept, e.progress)
	if err == nil {
		e.report.Written = len(e.kept)
		e.progress(e.report.Written)
		return nil
	}
	r, err := refused[R](err)
	if err != nil {
		return err
	}
	planned := Create
	if r.before != nil {
		planned = Update
	}
	*e.counter(planned)-- // it is counted, and told, once more as what it turned out to be
	e.report.Rows--
	return e.tell(r)
}
