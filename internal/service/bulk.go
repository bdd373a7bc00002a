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
		return bulk.NewDevices(&target[fleet.Device, lorawan.EUI64, lorawan.EUI64]{resource: s.Devices, reader: o, find: byKey(store.Objects.Devices),
			key:    func(d *fleet.Device) lorawan.EUI64 { return d.DevEUI },
			expect: func(ctx context.Context, r references, keys []lorawan.EUI64) error { return r.groups.expect(ctx, keys) }}, objects{o})
	})
}

// ImportDeviceSets imports a table of device sets, as ImportDevices does.
func (s *Service) ImportDeviceSets(ctx context.Context, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	return s.importTable(ctx, r, opt, "device_set", func(o store.Objects) *bulk.Importer {
		return bulk.NewDeviceSets(&target[fleet.DeviceSet, string, string]{resource: s.DeviceSets, reader: o,
			find: byName(store.Objects.DeviceSets), free: nameIsFree("device set", store.Objects.DeviceSets, func(x *fleet.DeviceSet) string { return x.Name })}, objects{o})
	})
}

// ImportGroups imports a table of multicast groups, as ImportDevices does.
func (s *Service) ImportGroups(ctx context.Context, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	return s.importTable(ctx, r, opt, "multicast_group", func(o store.Objects) *bulk.Importer {
		return bulk.NewGroups(&target[fleet.MulticastGroup, lorawan.EUI64, lorawan.EUI64]{resource: s.Groups, reader: o, find: byKey(store.Objects.Groups),
			key: func(g *fleet.MulticastGroup) lorawan.EUI64 { return g.DevEUI },
			expect: func(ctx context.Context, r references, keys []lorawan.EUI64) error {
				return r.devices.expect(ctx, keys)
			}})
	})
}

// ImportRegions imports a table of regions, as ImportDevices does.
func (s *Service) ImportRegions(ctx context.Context, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	return s.importTable(ctx, r, opt, "region", func(o store.Objects) *bulk.Importer {
		return bulk.NewRegions(&target[fleet.Region, string, string]{resource: s.Regions, reader: o,
			find: byName(store.Objects.Regions), free: nameIsFree("region", store.Objects.Regions, func(x *fleet.Region) string { return x.Name })}, objects{o})
	})
}

// ImportProfiles imports a table of device profiles, as ImportDevices does.
func (s *Service) ImportProfiles(ctx context.Context, r io.Reader, opt ImportOptions) (bulk.Report, error) {
	return s.importTable(ctx, r, opt, "device_profile", func(o store.Objects) *bulk.Importer {
		find := func(ctx context.Context, o store.Objects, hardware []fleet.Triplet) ([]fleet.DeviceProfile, error) {
			return objects{o}.ByTriplet(ctx, hardware)
		}
		return bulk.NewProfiles(&target[fleet.DeviceProfile, string, fleet.Triplet]{resource: s.Profiles, reader: o, find: find})
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
		c.record(kind+".import", kind, "", note)
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
	o, err := s.reader(ctx, identity.ReadFleet)
	if err != nil {
		return 0, err
	}
	members := func(ctx context.Context, x fleet.DeviceSet) ([]lorawan.EUI64, error) { return store.Members(ctx, o, x) }
	return bulk.ExportDeviceSets(ctx, w, all(ctx, s.DeviceSets), members, opt)
}

// ExportRegions writes the regions that are not archived, and returns how many. This and those
// below know the friendly format only, and have no keys to write.
func (s *Service) ExportRegions(ctx context.Context, w io.Writer, opt bulk.ExportOptions) (int, error) {
	return bulk.ExportRegions(ctx, w, all(ctx, s.Regions), opt)
}

// ExportProfiles writes the device profiles that are not archived, and returns how many.
func (s *Service) ExportProfiles(ctx context.Context, w io.Writer, opt bulk.ExportOptions) (int, error) {
	return bulk.ExportProfiles(ctx, w, all(ctx, s.Profiles), opt)
}

// ExportFiles writes what is known of the files that are not archived, and returns how many.
func (s *Service) ExportFiles(ctx context.Context, w io.Writer, opt bulk.ExportOptions) (int, error) {
	return bulk.ExportFiles(ctx, w, all(ctx, s.Files), opt)
}

// ExportSmartDeltaKeys writes the public halves of the keys that are not archived, and returns how many.
func (s *Service) ExportSmartDeltaKeys(ctx context.Context, w io.Writer, opt bulk.ExportOptions) (int, error) {
	return bulk.ExportSmartDeltaKeys(ctx, w, all(ctx, s.SmartDeltaKeys), opt)
}

// ExportCampaigns writes the settings and states of the campaigns that are not archived, and returns how many.
func (s *Service) ExportCampaigns(ctx context.Context, w io.Writer, opt bulk.ExportOptions) (int, error) {
	return bulk.ExportCampaigns(ctx, w, all(ctx, s.Campaigns), opt)
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
		c.record(kind+".export_keys", kind, "", "the keys of all that are not archived")
		return nil
	})
}

// all goes through the objects of a kind that are not archived.
func all[T interface{ Validate() error }, K comparable](ctx context.Context, r *Resource[T, K]) bulk.Objects[T] {
	return store.All(ctx, r, store.Query{})
}

// target lets an import store objects under the rules that hold for single ones. A table
// knows them by L, the store by K.
type target[T interface{ Validate() error }, K, L comparable] struct {
	resource *Resource[T, K]
	reader   store.Objects // of the subscriber whose table it is
	find     func(context.Context, store.Objects, []L) ([]T, error)
	free     func(context.Context, store.Objects, *T) error // returns why a new object is none; nil: the store sees that

	key func(*T) K // with expect
	// expect tells the objects that the rules look at which new identifiers they will be asked about; nil: none.
	expect func(context.Context, references, []K) error
}

// announce prepares the rules for changes, so that they ask the store once and not per row.
func (t *target[T, K, L]) announce(ctx context.Context, r references, changes []bulk.Change[T]) error {
	if t.expect == nil {
		return nil
	}
	var keys []K
	for i := range changes {
		if c := &changes[i]; c.Before == nil {
			keys = append(keys, t.key(&c.After))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return t.expect(ctx, r, keys)
}

// FindAll returns the objects of the keys that exist.
func (t *target[T, K, L]) FindAll(ctx context.Context, keys []L) ([]T, error) {
	return t.find(ctx, t.reader, keys)
}

// Check returns what the rules have against each change. What only the store can see,
// such as a value that must be unique, it does not know.
func (t *target[T, K, L]) Check(ctx context.Context, changes []bulk.Change[T]) ([]error, error) {
	o := newReferences(t.reader)
	if err := t.announce(ctx, o, changes); err != nil {
		return nil, err
	}
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
func (t *target[T, K, L]) Tx(ctx context.Context, f func(bulk.Writer[T]) error) error {
	return t.resource.change(ctx, func(c *changes) error {
		r := newReferences(c.Objects)
		c.Objects = r
		return f(&writer[T, K, L]{t, c, r})
	})
}

// writer is a target inside of a transaction.
type writer[T interface{ Validate() error }, K, L comparable] struct {
	*target[T, K, L]
	changes    *changes
	references references
}

// Write creates and updates objects as Create and Update of their Resource do.
func (w *writer[T, K, L]) Write(ctx context.Context, changes []bulk.Change[T]) (int, error) {
	if err := w.announce(ctx, w.references, changes); err != nil {
		return 0, err
	}
	// New objects that follow one another go to the store together.
	var fresh []*T
	store := func(before int) (int, error) {
		refused, err := w.resource.insertAll(ctx, w.changes, fresh)
		refused += before - len(fresh)
		fresh = fresh[:0]
		return refused, aboutRow(err)
	}
	for i := range changes {
		c := &changes[i]
		if c.Before == nil {
			if w.free != nil {
				if err := w.free(ctx, w.changes, &c.After); err != nil {
					return i, aboutRow(err)
				}
			}
			fresh = append(fresh, &c.After)
			continue
		}
		if refused, err := store(i); err != nil {
			return refused, err
		}
		if err := w.resource.replace(ctx, w.changes, c.Before, &c.After); err != nil {
			return i, aboutRow(err)
		}
	}
	return store(len(changes))
}

// references are objects that are asked for the same thing once: the rows of a table share a few
// device profiles, and nearly none has the DevEUI of something else. They are good for one
// transaction, or one look at some rows.
type references struct {
	store.Objects
	profiles profilesOnce
	devices  *absent[fleet.Device]         // of all subscribers
	groups   *absent[fleet.MulticastGroup] // of all subscribers
}

func newReferences(o store.Objects) references {
	everybody := o.Within("")
	return references{o, profilesOnce{o.Profiles(), map[string]fleet.DeviceProfile{}},
		&absent[fleet.Device]{everybody.Devices(), func(d *fleet.Device) lorawan.EUI64 { return d.DevEUI }, nil},
		&absent[fleet.MulticastGroup]{everybody.Groups(), func(g *fleet.MulticastGroup) lorawan.EUI64 { return g.DevEUI }, nil}}
}

// Profiles returns the collection that remembers what it found.
func (r references) Profiles() store.Collection[fleet.DeviceProfile, string] { return r.profiles }

// Within returns the objects of a subscriber; "": of all, where the rules look for DevEUIs that are taken.
func (r references) Within(subscriberID string) store.Objects {
	o := r.Objects.Within(subscriberID)
	if subscriberID == "" {
		return everybody{o, r}
	}
	return o
}

// everybody are the objects of all subscribers.
type everybody struct {
	store.Objects
	references references
}

// Devices returns the collection that remembers what it does not have.
func (e everybody) Devices() store.Collection[fleet.Device, lorawan.EUI64] {
	return e.references.devices
}

// Groups returns the collection that remembers what it does not have.
func (e everybody) Groups() store.Collection[fleet.MulticastGroup, lorawan.EUI64] {
	return e.references.groups
}

// absent is a collection that has been asked for many identifiers at once.
type absent[T any] struct {
	store.Collection[T, lorawan.EUI64]
	key     func(*T) lorawan.EUI64
	missing map[lorawan.EUI64]bool // of those that were asked for last
}

// expect finds out which of the objects do not exist.
func (a *absent[T]) expect(ctx context.Context, keys []lorawan.EUI64) error {
	found, err := a.FindAll(ctx, keys)
	if err != nil {
		return err
	}
	a.missing = make(map[lorawan.EUI64]bool, len(keys))
	for _, k := range keys {
		a.missing[k] = true
	}
	for i := range found {
		delete(a.missing, a.key(&found[i]))
	}
	return nil
}

// Find returns an object, and does not ask for what is known to be missing.
func (a *absent[T]) Find(ctx context.Context, key lorawan.EUI64) (obj T, err error) {
	if a.missing[key] {
		return obj, fmt.Errorf("%s: %w", key, store.ErrNotFound)
	}
	return a.Collection.Find(ctx, key)
}

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

// byKey returns a search for objects by their identifiers.
func byKey[T any, K comparable](in func(store.Objects) store.Collection[T, K]) func(context.Context, store.Objects, []K) ([]T, error) {
	return func(ctx context.Context, o store.Objects, keys []K) ([]T, error) { return in(o).FindAll(ctx, keys) }
}

// byName returns a search for objects by names that the store does not keep unique. It finds
// what is not archived, and of several with one name two.
func byName[T any](in func(store.Objects) store.Collection[T, string]) func(context.Context, store.Objects, []string) ([]T, error) {
	return func(ctx context.Context, o store.Objects, names []string) ([]T, error) {
		var found []T
		for _, name := range names {
			page, err := in(o).List(ctx, store.Query{Limit: 2, Where: map[store.Field]string{store.ByName: name}})
			if err != nil {
				return nil, err
			}
			found = append(found, page.Items...)
		}
		return found, nil
	}
}

// nameIsFree keeps two imports at the same time from creating the same object twice.
func nameIsFree[T any](kind string, in func(store.Objects) store.Collection[T, string], name func(*T) string) func(context.Context, store.Objects, *T) error {
	find := byName(in)
	return func(ctx context.Context, o store.Objects, x *T) error {
		found, err := find(ctx, o, []string{name(x)})
		if err == nil && len(found) > 0 {
			err = &store.Conflict{Kind: kind, Field: "name"}
		}
		return err
	}
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

// ExistingGroups returns which of the multicast groups exist, archived or not.
func (o objects) ExistingGroups(ctx context.Context, groups []lorawan.EUI64) ([]lorawan.EUI64, error) {
	found, err := o.Groups().FindAll(ctx, groups)
	if err != nil {
		return nil, err
	}
	known := make([]lorawan.EUI64, len(found))
	for i, g := range found {
		known[i] = g.DevEUI
	}
	return known, nil
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
