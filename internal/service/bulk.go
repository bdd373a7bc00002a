package service

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/identity"
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
	return s.importTable(ctx, r, opt, "device", func(o store.Objects) *bulk.Importer {
		return bulk.NewDevices(&target[fleet.Device, lorawan.EUI64]{resource: s.Devices, reader: o}, objects{o})
	})
}

// ImportDeviceSets imports a table of device sets, as ImportDevices does.
func (s *Service) ImportDeviceSets(ctx context.Context, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	return s.importTable(ctx, r, opt, "device_set", func(o store.Objects) *bulk.Importer {
		return bulk.NewDeviceSets(&target[fleet.DeviceSet, string]{resource: s.DeviceSets, reader: o, find: setsByName, free: setNameIsFree}, objects{o})
	})
}

// ImportGroups imports a table of multicast groups, as ImportDevices does.
func (s *Service) ImportGroups(ctx context.Context, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	return s.importTable(ctx, r, opt, "multicast_group", func(o store.Objects) *bulk.Importer {
		return bulk.NewGroups(&target[fleet.MulticastGroup, lorawan.EUI64]{resource: s.Groups, reader: o})
	})
}

func (s *Service) importTable(ctx context.Context, r io.Reader, opt ImportOptions, kind string, importer func(store.Objects) *bulk.Importer) (bulk.Report, error) {
	o, err := s.reader(ctx, identity.WriteFleet)
	if err != nil {
		return bulk.Report{}, err
	}
	im, limited := importer(o), &limitedReader{r: r, left: s.maxContent}
	if opt.DryRun {
		return im.Plan(ctx, limited, opt.Options)
	}
	report, err := im.Apply(ctx, limited, opt.Mode, opt.Options)
	if report.Written == 0 {
		return report, err
	}
	// Beside the entries of its rows: what was a table has one entry that says so.
	note := fmt.Sprintf("%d rows: %d created, %d updated, %d unchanged, %d failed", report.Rows, report.Created, report.Updated, report.Unchanged, report.Failed)
	recorded := s.change(ctx, identity.WriteFleet, func(c *changes) error {
		c.record(kind+".import", kind, "", nil, note)
		return nil
	})
	return report, errors.Join(err, recorded)
}

// ExportDevices writes the devices that are not archived and returns how many.
func (s *Service) ExportDevices(ctx context.Context, w io.Writer, opt bulk.ExportOptions) (int, error) {
	o, err := s.exporting(ctx, "device", opt)
	if err != nil {
		return 0, err
	}
	return bulk.ExportDevices(ctx, w, all(ctx, s.Devices), objects{o}, opt)
}

// ExportDeviceSets writes the device sets that are not archived, and returns how many.
func (s *Service) ExportDeviceSets(ctx context.Context, w io.Writer, opt bulk.ExportOptions) (int, error) {
	return bulk.ExportDeviceSets(ctx, w, all(ctx, s.DeviceSets), opt)
}

// ExportGroups writes the multicast groups that are not archived and returns how many.
func (s *Service) ExportGroups(ctx context.Context, w io.Writer, opt bulk.ExportOptions) (int, error) {
	if _, err := s.exporting(ctx, "multicast_group", opt); err != nil {
		return 0, err
	}
	return bulk.ExportGroups(ctx, w, all(ctx, s.Groups), opt)
}

// exporting returns the objects that who asks may read. An export of keys needs the
// permission to reveal them and is recorded before the first of them goes out.
func (s *Service) exporting(ctx context.Context, kind string, opt bulk.ExportOptions) (store.Objects, error) {
	o, err := s.reader(ctx, identity.ReadFleet)
	if err != nil || !opt.Keys {
		return o, err
	}
	return o, s.change(ctx, identity.RevealKeys, func(c *changes) error {
		c.record(kind+".export_keys", kind, "", nil, "the keys of all that are not archived")
		return nil
	})
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
	reader   store.Objects                                          // of the subscriber whose table it is
	find     func(context.Context, store.Objects, []K) ([]T, error) // by what a table knows objects by; nil: by identifier
	free     func(context.Context, store.Objects, *T) error         // returns why a new object is none; nil: the store sees that
}

// FindAll returns the objects of the keys that exist.
func (t *target[T, K]) FindAll(ctx context.Context, keys []K) ([]T, error) {
	if t.find != nil {
		return t.find(ctx, t.reader, keys)
	}
	return t.resource.rules.collection(t.reader).FindAll(ctx, keys)
}

// Check returns what the rules have against each change. What only the store can see,
// such as a value that must be unique, it does not know.
func (t *target[T, K]) Check(ctx context.Context, changes []bulk.Change[T]) ([]error, error) {
	o := newReferences(t.reader)
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

// Tx runs f in a transaction in which who asks may write.
func (t *target[T, K]) Tx(ctx context.Context, f func(bulk.Writer[T]) error) error {
	return t.resource.change(ctx, func(c *changes) error {
		c.Objects = newReferences(c.Objects)
		return f(&writer[T, K]{t, c})
	})
}

// writer is a target inside of a transaction.
type writer[T interface{ Validate() error }, K comparable] struct {
	*target[T, K]
	changes *changes
}

// Write creates or updates one object as Create and Update of its Resource do.
func (w *writer[T, K]) Write(ctx context.Context, c bulk.Change[T]) error {
	if c.Before != nil {
		return aboutRow(w.resource.replace(ctx, w.changes, c.Before, &c.After))
	}
	if w.free != nil {
		if err := w.free(ctx, w.changes, &c.After); err != nil {
			return aboutRow(err)
		}
	}
	return aboutRow(w.resource.insert(ctx, w.changes, &c.After))
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
	for _, rule := range []error{ErrInUse, ErrQuota, store.ErrStale, store.ErrConflict} {
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
