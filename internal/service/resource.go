package service

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/starling-fuota/starling/internal/store"
)

// Resource holds the use cases that every kind of object has.
type Resource[T interface{ Validate() error }, K comparable] struct {
	service *Service
	rules   rules[T, K]
}

// rules say what is particular about one kind of object.
type rules[T any, K comparable] struct {
	collection func(store.Objects) store.Collection[T, K]
	meta       func(*T) meta

	// created fills in what the server makes: an ID, a key.
	created func(*T) error

	// check sees whether obj may be stored. before is nil for a new object.
	check func(ctx context.Context, o store.Objects, before, obj *T) error

	// free blanks what may change at any time, because only people read it or
	// because devices report it.
	free func(*T)

	// frozen returns why the rest must not change now, or nil.
	frozen func(ctx context.Context, o store.Objects, before *T) error

	// kept returns why the object must not be archived now, or nil. nil: frozen says it.
	kept func(ctx context.Context, o store.Objects, before *T) error

	// changed completes a change; nil: nothing to do.
	changed func(before, obj *T, now time.Time)
}

// meta gives access to what the service sets in every object.
type meta struct {
	created, updated *time.Time
	revision         *int64
	archived         *bool
}

// Create stores a new object and returns it as it is stored.
func (r *Resource[T, K]) Create(ctx context.Context, obj T) (T, error) {
	if err := r.complete(&obj); err != nil {
		return obj, err
	}
	err := r.service.store.Tx(ctx, func(o store.Objects) error { return r.insert(ctx, o, &obj) })
	return obj, err
}

// complete fills in what the server makes of a new object, and sees whether it is valid.
func (r *Resource[T, K]) complete(obj *T) error {
	now := r.service.now()
	m := r.rules.meta(obj)
	*m.created, *m.updated, *m.archived = now, now, false
	if r.rules.created != nil {
		if err := r.rules.created(obj); err != nil {
			return err
		}
	}
	return (*obj).Validate()
}

// insert stores a new object that is complete.
func (r *Resource[T, K]) insert(ctx context.Context, o store.Objects, obj *T) error {
	if err := r.allowed(ctx, o, nil, obj); err != nil {
		return err
	}
	return r.rules.collection(o).Create(ctx, obj)
}

// replace stores obj in place of before; both have the revision that is stored.
func (r *Resource[T, K]) replace(ctx context.Context, o store.Objects, before, obj *T) error {
	if err := (*obj).Validate(); err != nil {
		return err
	}
	if err := r.allowed(ctx, o, before, obj); err != nil {
		return err
	}
	now := r.service.now()
	*r.rules.meta(obj).updated = now
	if r.rules.changed != nil {
		r.rules.changed(before, obj, now)
	}
	return r.rules.collection(o).Update(ctx, obj)
}

// allowed returns why obj must not be stored now in place of before, which is nil for a
// new object; or nil.
func (r *Resource[T, K]) allowed(ctx context.Context, o store.Objects, before, obj *T) error {
	if before != nil {
		if err := r.mayChange(ctx, o, *before, *obj); err != nil {
			return err
		}
	}
	return r.rules.check(ctx, o, before, obj)
}

// Find returns one object, archived or not.
func (r *Resource[T, K]) Find(ctx context.Context, key K) (T, error) {
	return r.rules.collection(r.service.store).Find(ctx, key)
}

// List returns a page of objects.
func (r *Resource[T, K]) List(ctx context.Context, q store.Query) (store.Page[T], error) {
	return r.rules.collection(r.service.store).List(ctx, q)
}

// Count returns how many objects List would go through.
func (r *Resource[T, K]) Count(ctx context.Context, q store.Query) (int, error) {
	return r.rules.collection(r.service.store).Count(ctx, q)
}

// AnyRevision makes Update go ahead whatever revision is stored.
const AnyRevision = 0

// Update changes one object and returns it as it is stored. It returns ErrStale if
// the stored revision is not the given one. change sees the stored object; it may be called
// again, and its error ends the update. Nothing is stored if nothing changed.
func (r *Resource[T, K]) Update(ctx context.Context, key K, revision int64, change func(*T) error) (T, error) {
	var obj T
	err := r.service.store.Tx(ctx, func(o store.Objects) error {
		c := r.rules.collection(o)
		before, err := c.Find(ctx, key)
		if err != nil {
			return err
		}
		obj = before
		if stored := *r.rules.meta(&before).revision; revision != AnyRevision && revision != stored {
			return fmt.Errorf("revision %d, stored is %d: %w", revision, stored, store.ErrStale)
		}
		if err := change(&obj); err != nil {
			return err
		}
		if reflect.DeepEqual(before, obj) {
			return nil
		}
		return r.replace(ctx, o, &before, &obj)
	})
	return obj, err
}

// mayChange returns why obj must not replace before now, or nil.
func (r *Resource[T, K]) mayChange(ctx context.Context, o store.Objects, before, obj T) error {
	was, is := r.rules.meta(&before).archived, r.rules.meta(&obj).archived
	if !*was && *is {
		if err := r.mayArchive(ctx, o, before); err != nil {
			return err
		}
	}
	*was, *is = false, false
	a, b := before, obj
	r.rules.free(&a)
	r.rules.free(&b)
	if reflect.DeepEqual(a, b) {
		return nil
	}
	return r.rules.frozen(ctx, o, &before)
}

func (r *Resource[T, K]) mayArchive(ctx context.Context, o store.Objects, obj T) error {
	if r.rules.kept != nil {
		return r.rules.kept(ctx, o, &obj)
	}
	return r.rules.frozen(ctx, o, &obj)
}

// Archive takes an object out of the lists. Archiving twice is no error.
func (r *Resource[T, K]) Archive(ctx context.Context, key K) error {
	return r.service.store.Tx(ctx, func(o store.Objects) error {
		c := r.rules.collection(o)
		obj, err := c.Find(ctx, key)
		if err != nil {
			return err
		}
		if *r.rules.meta(&obj).archived {
			return nil
		}
		if err := r.mayArchive(ctx, o, obj); err != nil {
			return err
		}
		return c.Archive(ctx, key, r.service.now())
	})
}
