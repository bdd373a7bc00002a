package service

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// Resource holds the use cases that every kind of object has.
type Resource[T interface{ Validate() error }, K comparable] struct {
	service *Service
	rules   rules[T, K]
}

// rules say what is particular about one kind of object.
type rules[T any, K comparable] struct {
	name        string // of the kind in the audit log, such as "device_set"
	read, write identity.Permission
	overall     bool // users of the server see the objects of all subscribers

	collection func(store.Objects) store.Collection[T, K]
	meta       func(*T) meta
	id         func(*T) string            // the identifier as text
	keys       func(*T) map[string][]byte // what the audit log must not show; nil: nothing

	// quota returns how many there may be, 0: as many as there are. nil: as many.
	quota func(fleet.Quota) int

	// created fills in what the server makes: an ID, a key, the defaults of the subscriber.
	created func(*T, fleet.SubscriberDefaults) error

	// authored notes whose work the new or changed object is; nil: nobody needs to know.
	authored func(obj *T, who fleet.Person)

	// check sees whether obj may be stored. before is nil for a new object.
	check func(ctx context.Context, o store.Objects, before, obj *T) error

	// free blanks what may change at any time, because only people read it or
	// because devices report it.
	free func(*T)

	// frozen returns why the rest must not change now, or nil.
	frozen func(ctx context.Context, o store.Objects, before *T) error

	// kept returns why the object must not be archived now, or nil. nil: frozen says it.
	kept func(ctx context.Context, o store.Objects, before *T) error

	// left ends what an object that was archived leaves behind, in the same transaction; nil: nothing.
	left func(ctx context.Context, c *changes, obj *T) error

	// changed completes a change; nil: nothing to do.
	changed func(before, obj *T, now time.Time)
}

// meta gives access to what the service sets in every object.
type meta struct {
	subscriber       *string
	created, updated *time.Time
	revision         *int64
	archived         *bool
}

// in returns the objects that who asks may read.
func (r *Resource[T, K]) in(ctx context.Context) (store.Collection[T, K], error) {
	from := r.service.reader
	if r.rules.overall {
		from = r.service.overall
	}
	o, err := from(ctx, r.rules.read)
	if err != nil {
		return nil, err
	}
	return r.rules.collection(o), nil
}

// change runs f in a transaction in which who asks may write.
func (r *Resource[T, K]) change(ctx context.Context, f func(*changes) error) error {
	if r.rules.overall {
		return r.service.changeOverall(ctx, r.rules.write, f)
	}
	return r.service.change(ctx, r.rules.write, f)
}

// Create stores a new object and returns it as it is stored.
func (r *Resource[T, K]) Create(ctx context.Context, obj T) (T, error) {
	var made T
	err := r.change(ctx, func(c *changes) error {
		made = obj
		return r.insert(ctx, c, &made)
	})
	return made, err
}

// insert completes a new object and stores it, if it is valid.
func (r *Resource[T, K]) insert(ctx context.Context, c *changes, obj *T) error {
	if err := r.complete(ctx, c, obj); err != nil {
		return err
	}
	if err := r.rules.collection(c).Create(ctx, obj); err != nil {
		return err
	}
	return r.record(c, "create", nil, obj)
}

// insertAll is insert of many objects, whose transaction is given up if one cannot be stored. It returns which one that is.
func (r *Resource[T, K]) insertAll(ctx context.Context, c *changes, objs []*T) (refused int, err error) {
	for i, obj := range objs {
		if err := r.complete(ctx, c, obj); err != nil {
			return i, err
		}
	}
	if refused, err = r.rules.collection(c).CreateAll(ctx, objs); err != nil {
		return refused, err
	}
	for i, obj := range objs {
		if err := r.record(c, "create", nil, obj); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// complete fills in what the server makes of a new object, and returns why it must not be stored, or nil.
func (r *Resource[T, K]) complete(ctx context.Context, c *changes, obj *T) error {
	subscriber, err := c.whose(ctx)
	if err != nil {
		return err
	}
	m := r.rules.meta(obj)
	*m.created, *m.updated, *m.archived = c.now, c.now, false
	if c.within != "" {
		*m.subscriber = c.within
	}
	if r.rules.created != nil {
		if err := r.rules.created(obj, subscriber.Defaults); err != nil {
			return err
		}
	}
	if r.rules.authored != nil {
		r.rules.authored(obj, person(c.actor))
	}
	if err := (*obj).Validate(); err != nil {
		return err
	}
	if err := r.allowed(ctx, c, nil, obj); err != nil {
		return err
	}
	return r.admit(ctx, c)
}

// admit holds one more object against the quota.
func (r *Resource[T, K]) admit(ctx context.Context, c *changes) error {
	if r.rules.quota == nil {
		return nil
	}
	subscriber, err := c.whose(ctx)
	if err != nil {
		return err
	}
	return c.admit(ctx, r.rules.name, r.rules.quota(subscriber.Quota), r.rules.collection(c).Count)
}

// replace stores obj in place of before; both have the revision that is stored.
func (r *Resource[T, K]) replace(ctx context.Context, c *changes, before, obj *T) error {
	if _, err := c.whose(ctx); err != nil {
		return err
	}
	if err := (*obj).Validate(); err != nil {
		return err
	}
	if err := r.allowed(ctx, c, before, obj); err != nil {
		return err
	}
	action := "update"
	switch was, is := *r.rules.meta(before).archived, *r.rules.meta(obj).archived; {
	case was && !is:
		action = "restore"
		if err := r.admit(ctx, c); err != nil {
			return err
		}
	case is && !was:
		action = "archive"
	}
	*r.rules.meta(obj).updated = c.now
	if r.rules.changed != nil {
		r.rules.changed(before, obj, c.now)
	}
	if r.rules.authored != nil {
		r.rules.authored(obj, person(c.actor))
	}
	if err := r.rules.collection(c).Update(ctx, obj); err != nil {
		return err
	}
	if err := r.record(c, action, before, obj); err != nil || action != "archive" || r.rules.left == nil {
		return err
	}
	return r.rules.left(ctx, c, obj)
}

// record notes what became of an object. before is nil for a new one.
func (r *Resource[T, K]) record(c *changes, action string, before, obj *T) error {
	var was any
	var keysBefore, keysAfter map[string][]byte
	if before != nil {
		was = before
	}
	if r.rules.keys != nil {
		keysAfter = r.rules.keys(obj)
		if before != nil {
			keysBefore = r.rules.keys(before)
		}
	}
	d, err := diff(was, obj, keysBefore, keysAfter)
	if err != nil {
		return err
	}
	c.recordIn(*r.rules.meta(obj).subscriber, r.rules.name+"."+action, r.rules.name, r.rules.id(obj), d, "")
	return nil
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
	c, err := r.in(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return c.Find(ctx, key)
}

// List returns a page of objects.
func (r *Resource[T, K]) List(ctx context.Context, q store.Query) (store.Page[T], error) {
	c, err := r.in(ctx)
	if err != nil {
		return store.Page[T]{}, err
	}
	return c.List(ctx, q)
}

// Count returns how many objects List would go through.
func (r *Resource[T, K]) Count(ctx context.Context, q store.Query) (int, error) {
	c, err := r.in(ctx)
	if err != nil {
		return 0, err
	}
	return c.Count(ctx, q)
}

// AnyRevision makes Update go ahead whatever revision is stored.
const AnyRevision = 0

// Update changes one object and returns it as it is stored. It returns ErrStale if
// the stored revision is not the given one. change sees the stored object; it may be called
// again, and its error ends the update. Nothing is stored if nothing changed.
func (r *Resource[T, K]) Update(ctx context.Context, key K, revision int64, change func(*T) error) (T, error) {
	var obj T
	err := r.change(ctx, func(c *changes) (err error) {
		obj, err = r.update(ctx, c, key, revision, change)
		return err
	})
	return obj, err
}

func (r *Resource[T, K]) update(ctx context.Context, c *changes, key K, revision int64, change func(*T) error) (T, error) {
	before, err := r.rules.collection(c).Find(ctx, key)
	if err != nil {
		return before, err
	}
	obj := before
	if stored := *r.rules.meta(&before).revision; revision != AnyRevision && revision != stored {
		return obj, fmt.Errorf("revision %d, stored is %d: %w", revision, stored, store.ErrStale)
	}
	if err := change(&obj); err != nil {
		return obj, err
	}
	if reflect.DeepEqual(before, obj) {
		return obj, nil
	}
	return obj, r.replace(ctx, c, &before, &obj)
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

// Archive takes an object out of the lists. Archiving twice is no error. It returns
// ErrStale if the stored revision is not the given one.
func (r *Resource[T, K]) Archive(ctx context.Context, key K, revision int64) error {
	return r.change(ctx, func(c *changes) error { return r.archive(ctx, c, key, revision) })
}

func (r *Resource[T, K]) archive(ctx context.Context, c *changes, key K, revision int64) error {
	all := r.rules.collection(c)
	before, err := all.Find(ctx, key)
	if err != nil {
		return err
	}
	if stored := *r.rules.meta(&before).revision; revision != AnyRevision && revision != stored {
		return fmt.Errorf("revision %d, stored is %d: %w", revision, stored, store.ErrStale)
	}
	if *r.rules.meta(&before).archived {
		return nil
	}
	if err := r.mayArchive(ctx, c, before); err != nil {
		return err
	}
	if err := all.Archive(ctx, key, c.now); err != nil {
		return err
	}
	obj := before
	*r.rules.meta(&obj).archived = true
	if err := r.record(c, "archive", &before, &obj); err != nil || r.rules.left == nil {
		return err
	}
	return r.rules.left(ctx, c, &obj)
}
