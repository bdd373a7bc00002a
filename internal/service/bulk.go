package service

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// ImportOptions say how a table is imported. The zero value stores all rows or nothing.
type ImportOptions struct {
	bulk.Options
	Mode   bulk.Mode
	DryRun bool // say what would happen, and change nothing
}

// ImportDevices imports a table of devices, read from r to the end. Rows that cannot be stored are
// no error: the report counts them. Errors are ErrTooLarge, bulk.FileError, and those of r and of the
// callbacks; then the report says what GoodRows has stored before.
func (s *Service) ImportDevices(ctx context.Context, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	return s.importTable(ctx, bulk.NewDevices(&target[fleet.Device, lorawan.EUI64]{resource: s.Devices}, objects{s.store}), r, opt)
}

// ImportDeviceSets imports a table of device sets, as ImportDevices does.
func (s *Service) ImportDeviceSets(ctx context.Context, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	return s.importTable(ctx, bulk.NewDeviceSets(&target[fleet.DeviceSet, string]{resource: s.DeviceSets, find: setsByName, free: setNameIsFree}, objects{s.store}), r, opt)
}

// ImportGroups imports a table of multicast groups, as ImportDevices does.
func (s *Service) ImportGroups(ctx context.Context, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	return s.importTable(ctx, bulk.NewGroups(&target[fleet.MulticastGroup, lorawan.EUI64]{resource: s.Groups}), r, opt)
}

func (s *Service) importTable(ctx context.Context, im *bulk.Importer, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	limited := &limitedReader{r: r, left: s.maxContent}
	if opt.DryRun {
		return im.Plan(ctx, limited, opt.Options)
	}
	return im.Apply(ctx, limited, opt.Mode, opt.Options)
}

// ExportDevices writes the devices that are not archived, without their keys, and returns how many.
func (s *Service) ExportDevices(ctx context.Context, w io.Writer, f bulk.Format) (int, error) {
	return bulk.ExportDevices(ctx, w, all(ctx, s.Devices), objects{s.store}, bulk.ExportOptions{Format: f})
}

// ExportDeviceSets writes the device sets that are not archived, and returns how many.
func (s *Service) ExportDeviceSets(ctx context.Context, w io.Writer, f bulk.Format) (int, error) {
	return bulk.ExportDeviceSets(ctx, w, all(ctx, s.DeviceSets), bulk.ExportOptions{Format: f})
}

// ExportGroups writes the multicast groups that are not archived, without their keys, and returns how many.
func (s *Service) ExportGroups(ctx context.Context, w io.Writer, f bulk.Format) (int, error) {
	return bulk.ExportGroups(ctx, w, all(ctx, s.Groups), bulk.ExportOptions{Format: f})
}

// all goes through the pages of a list. Each page is what was stored when it was read.
func all[T interface{ Validate() error }, K comparable](ctx context.Context, r *Resource[T, K]) bulk.Objects[T] {
	return func(yield func(T, error) bool) {
		q := store.Query{Limit: store.MaxLimit}
		for {
			page, err := r.List(ctx, q)
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

// target lets an import store objects under the rules that hold for single ones.
type target[T interface{ Validate() error }, K comparable] struct {
	resource *Resource[T, K]
	find     func(context.Context, store.Objects, []K) ([]T, error) // by what a table knows objects by; nil: by identifier
	free     func(context.Context, store.Objects, *T) error         // returns why a new object is none; nil: the store sees that
}

// FindAll returns the objects of the keys that exist.
func (t *target[T, K]) FindAll(ctx context.Context, keys []K) ([]T, error) {
	if t.find != nil {
		return t.find(ctx, t.resource.service.store, keys)
	}
	return t.resource.rules.collection(t.resource.service.store).FindAll(ctx, keys)
}

// Check returns what the rules have against each change. What only the store can see,
// such as a value that must be unique, it does not know.
func (t *target[T, K]) Check(ctx context.Context, changes []bulk.Change[T]) ([]error, error) {
	o := newReferences(t.resource.service.store)
	reasons := make([]error, len(changes))
	for i, c := range changes {
		err := aboutRow(t.resource.allowed(ctx, o, c.Before, &c.After))
		if err != nil && !errors.Is(err, bulk.ErrRefused) && len(fleet.FieldErrors(err)) == 0 {
			return nil, err
		}
		reasons[i] = err
	}
	return reasons, nil
}

// Tx runs f in a transaction of the store.
func (t *target[T, K]) Tx(ctx context.Context, f func(bulk.Writer[T]) error) error {
	return t.resource.service.store.Tx(ctx, func(o store.Objects) error { return f(&writer[T, K]{t, newReferences(o)}) })
}

// writer is a target inside of a transaction.
type writer[T interface{ Validate() error }, K comparable] struct {
	*target[T, K]
	objects store.Objects
}

// Write creates or updates one object as Create and Update of its Resource do.
func (w *writer[T, K]) Write(ctx context.Context, c bulk.Change[T]) error {
	if c.Before != nil {
		return aboutRow(w.resource.replace(ctx, w.objects, c.Before, &c.After))
	}
	if err := w.resource.complete(&c.After); err != nil {
		return err
	}
	if w.free != nil {
		if err := w.free(ctx, w.objects, &c.After); err != nil {
			return aboutRow(err)
		}
	}
	return aboutRow(w.resource.insert(ctx, w.objects, &c.After))
}

// references are objects that are asked for a device profile once: all rows of a table
// share a few. They are good for one transaction, or one look at some rows.
type references struct {
	store.Objects
	profiles profilesOnce
}

func newReferences(o store.Objects) references {
	return references{o, profilesOnce{o.Profiles(), map[string]fleet.DeviceProfile{}}}
}

// Profiles returns the collection that remembers what it found.
func (r references) Profiles() store.Collection[fleet.DeviceProfile, string] { return r.profiles }

type profilesOnce struct {
	store.Collection[fleet.DeviceProfile, string]
	found map[string]fleet.DeviceProfile
}

// Find returns a profile, as it was when it was asked for first.
func (p profilesOnce) Find(ctx context.Context, id string) (fleet.DeviceProfile, error) {
	if known, ok := p.found[id]; ok {
		return known, nil
	}
	profile, err := p.Collection.Find(ctx, id)
	if err == nil {
		p.found[id] = profile
	}
	return profile, err
}

// refusal is an error that is about one row, in the words of the rule.
type refusal struct{ error }

func (r refusal) Unwrap() error        { return r.error }
func (r refusal) Is(target error) bool { return target == bulk.ErrRefused }

// aboutRow marks the errors that are about one object, and returns all others as they are.
func aboutRow(err error) error {
	for _, rule := range []error{ErrInUse, store.ErrStale, store.ErrConflict} {
		if errors.Is(err, rule) {
			return refusal{err}
		}
	}
	return err
}

// setsByName returns the device sets of the names that are not archived. Of several with
// one name it returns two.
func setsByName(ctx context.Context, o store.Objects, names []string) ([]fleet.DeviceSet, error) {
	var found []fleet.DeviceSet
	for _, name := range names {
		page, err := o.DeviceSets().List(ctx, store.Query{Limit: 2, Where: map[store.Field]string{store.ByName: name}})
		if err != nil {
			return nil, err
		}
		found = append(found, page.Items...)
	}
	return found, nil
}

// setNameIsFree keeps two imports at the same time from creating the same set twice.
func setNameIsFree(ctx context.Context, o store.Objects, x *fleet.DeviceSet) error {
	found, err := setsByName(ctx, o, []string{x.Name})
	if err == nil && len(found) > 0 {
		err = &store.Conflict{Kind: "device set", Field: "name"}
	}
	return err
}

// objects answers what tables refer to.
type objects struct{ store.Objects }

// ByTriplet returns the profiles of the hardware, archived or not.
func (o objects) ByTriplet(ctx context.Context, hardware []fleet.Triplet) ([]fleet.DeviceProfile, error) {
	var found []fleet.DeviceProfile
	for _, t := range hardware {
		q := store.Query{Archived: true, Limit: store.MaxLimit, // a module has 256 revisions at most
			Where: map[store.Field]string{store.ByProducer: t.ProducerID, store.ByModule: t.ModuleID}}
		page, err := o.Profiles().List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("device profiles: %w", err)
		}
		for _, p := range page.Items {
			if p.Triplet() == t {
				found = append(found, p)
			}
		}
	}
	return found, nil
}

// ByID returns the profiles of the identifiers, archived or not.
func (o objects) ByID(ctx context.Context, ids []string) ([]fleet.DeviceProfile, error) {
	return o.Profiles().FindAll(ctx, ids)
}

// Existing returns which of the devices exist, archived or not.
func (o objects) Existing(ctx context.Context, devices []lorawan.EUI64) ([]lorawan.EUI64, error) {
	found, err := o.Devices().FindAll(ctx, devices)
	if err != nil {
		return nil, err
	}
	known := make([]lorawan.EUI64, len(found))
	for i, d := range found {
		known[i] = d.DevEUI
	}
	return known, nil
}
