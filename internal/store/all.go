package store

import (
	"context"
	"iter"
)

// Lister is what can be listed: a Collection, or what stands before one.
type Lister[T any] interface {
	List(ctx context.Context, q Query) (Page[T], error)
}

// All goes through all objects that a query finds, page by page; q.Limit does not matter. Each page is what
// was stored when it was read, and is read whole before its first object is given out: the
// collection may be changed on the way. An error ends it.
func All[T any](ctx context.Context, from Lister[T], q Query) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := q
		q.Limit = MaxLimit
		for {
			page, err := from.List(ctx, q)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, obj := range page.Items {
				if !yield(obj, nil) {
					return
				}
			}
			if q.After = page.Next; q.After == "" {
				return
			}
		}
	}
}
