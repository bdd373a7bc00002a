package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/lorawan"
)

// shelf is a Target in memory: transactions, revisions, and rules that refuse.
type shelf[T any, K comparable] struct {
	objects  map[K]T
	key      func(T) K
	revision func(*T) *int64
	refuse   func(T) error // of Check and Write
	late     func(T) error // of Write only
	twice    bool          // run every transaction twice
	asked    int           // the most keys in one FindAll
}

func (s *shelf[T, K]) FindAll(_ context.Context, keys []K) ([]T, error) {
	s.asked = max(s.asked, len(keys))
	var found []T
	for _, k := range keys {
		if obj, ok := s.objects[k]; ok {
			found = append(found, obj)
		}
	}
	return found, nil
}

func (s *shelf[T, K]) Check(_ context.Context, changes []bulk.Change[T]) ([]error, error) {
	if s.refuse == nil {
		return nil, nil
	}
	reasons := make([]error, len(changes))
	for i, c := range changes {
		reasons[i] = s.refuse(c.After)
	}
	return reasons, nil
}

func (s *shelf[T, K]) Tx(_ context.Context, f func(bulk.Writer[T]) error) error {
	if s.twice {
		_ = f(&draft[T, K]{s, maps.Clone(s.objects)})
	}
	d := &draft[T, K]{s, maps.Clone(s.objects)}
	if err := f(d); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	s.objects = d.objects
	return nil
}

type draft[T any, K comparable] struct {
	shelf   *shelf[T, K]
	objects map[K]T
}

func (d *draft[T, K]) Write(_ context.Context, changes []bulk.Change[T]) (int, error) {
	for i, c := range changes {
		if err := d.write(c); err != nil {
			return i, err
		}
	}
	return 0, nil
}

func (d *draft[T, K]) write(c bulk.Change[T]) error {
	for _, rule := range []func(T) error{d.shelf.refuse, d.shelf.late} {
		if rule != nil {
			if err := rule(c.After); err != nil {
				return err
			}
		}
	}
	stored, exists := d.objects[d.shelf.key(c.After)]
	if exists != (c.Before != nil) || exists && *d.shelf.revision(&stored) != *d.shelf.revision(c.Before) {
		return fmt.Errorf("changed meanwhile: %w", bulk.ErrRefused)
	}
	*d.shelf.revision(&c.After)++
	d.objects[d.shelf.key(c.After)] = c.After
	return nil
}

func (s *shelf[T, K]) all(less func(a, b T) int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, obj := range slices.SortedFunc(maps.Values(s.objects), less) {
			if !yield(obj, nil) {
				return
			}
		}
	}
}

// server is a fleet in memory.
type server struct {
	devices  *shelf[fleet.Device, lorawan.EUI64]
	sets     *shelf[fleet.DeviceSet, string]
	groups   *shelf[fleet.MulticastGroup, lorawan.EUI64]
	regions  *shelf[fleet.Region, string]
	kinds    *shelf[fleet.DeviceProfile, fleet.Triplet] // profiles that are imported and exported
	profiles []fleet.DeviceProfile
}

func newServer() *server {
	s := &server{
		devices: &shelf[fleet.Device, lorawan.EUI64]{objects: map[lorawan.EUI64]fleet.Device{},
			key: func(d fleet.Device) lorawan.EUI64 { return d.DevEUI }, revision: func(d *fleet.Device) *int64 { return &d.Revision }},
		sets: &shelf[fleet.DeviceSet, string]{objects: map[string]fleet.DeviceSet{},
			key: func(s fleet.DeviceSet) string { return s.Name }, revision: func(s *fleet.DeviceSet) *int64 { return &s.Revision }},
		groups: &shelf[fleet.MulticastGroup, lorawan.EUI64]{objects: map[lorawan.EUI64]fleet.MulticastGroup{},
			key: func(g fleet.MulticastGroup) lorawan.EUI64 { return g.DevEUI }, revision: func(g *fleet.MulticastGroup) *int64 { return &g.Revision }},
		regions: &shelf[fleet.Region, string]{objects: map[string]fleet.Region{},
			key: func(r fleet.Region) string { return r.Name }, revision: func(r *fleet.Region) *int64 { return &r.Revision }},
		kinds: &shelf[fleet.DeviceProfile, fleet.Triplet]{objects: map[fleet.Triplet]fleet.DeviceProfile{},
			key: fleet.DeviceProfile.Triplet, revision: func(p *fleet.DeviceProfile) *int64 { return &p.Revision }},
		profiles: []fleet.DeviceProfile{
			{ID: "p1", Name: "meter", ProducerID: "ACME", ModuleID: "M1", HWRevision: 2},
			{ID: "p2", Name: "valve", ProducerID: "ACME", ModuleID: "V7", HWRevision: 255},
			{ID: "old", Name: "old", ProducerID: "ACME", ModuleID: "M0", HWRevision: 0, Archived: true},
		},
	}
	s.groups.refuse = func(g fleet.MulticastGroup) error {
		for _, other := range s.groups.objects {
			if other.McAddr == g.McAddr && other.DevEUI != g.DevEUI {
				return fmt.Errorf("there is already a multicast group with this mc_addr: %w", bulk.ErrRefused)
			}
		}
		return nil
	}
	return s
}

func (s *server) ByTriplet(_ context.Context, hardware []fleet.Triplet) (found []fleet.DeviceProfile, _ error) {
	for _, p := range s.profiles {
		if slices.Contains(hardware, p.Triplet()) {
			found = append(found, p)
		}
	}
	return found, nil
}

func (s *server) ByID(_ context.Context, ids []string) (found []fleet.DeviceProfile, _ error) {
	for _, p := range s.profiles {
		if slices.Contains(ids, p.ID) {
			found = append(found, p)
		}
	}
	return found, nil
}

func (s *server) Existing(_ context.Context, devices []lorawan.EUI64) (found []lorawan.EUI64, _ error) {
	if len(devices) > 500 {
		return nil, errors.New("asked for too many")
	}
	for _, e := range devices {
		if _, ok := s.devices.objects[e]; ok {
			found = append(found, e)
		}
	}
	return found, nil
}

func (s *server) ExistingGroups(_ context.Context, groups []lorawan.EUI64) (found []lorawan.EUI64, _ error) {
	for _, e := range groups {
		if _, ok := s.groups.objects[e]; ok {
			found = append(found, e)
		}
	}
	return found, nil
}

// members of a filter are the devices with its tag, or all.
func (s *server) members(_ context.Context, set fleet.DeviceSet) (found []lorawan.EUI64, _ error) {
	for d := range s.allDevices() {
		if tag, ok := set.Filter.Where["tag"]; !ok || d.Tag == tag {
			found = append(found, d.DevEUI)
		}
	}
	return found, nil
}

func (s *server) importer(kind string) *bulk.Importer {
	switch kind {
	case "devices":
		return bulk.NewDevices(s.devices, s)
	case "sets":
		return bulk.NewDeviceSets(s.sets, s)
	case "regions":
		return bulk.NewRegions(s.regions, s)
	case "profiles":
		return bulk.NewProfiles(s.kinds)
	}
	return bulk.NewGroups(s.groups)
}

func (s *server) allDevices() iter.Seq2[fleet.Device, error] {
	return s.devices.all(func(a, b fleet.Device) int { return a.DevEUI.Compare(b.DevEUI) })
}

func (s *server) allSets() iter.Seq2[fleet.DeviceSet, error] {
	return s.sets.all(func(a, b fleet.DeviceSet) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) })
}

func (s *server) allGroups() iter.Seq2[fleet.MulticastGroup, error] {
	return s.groups.all(func(a, b fleet.MulticastGroup) int { return a.DevEUI.Compare(b.DevEUI) })
}

// twins is a Target that finds all sets with a name.
type twins struct {
	*shelf[fleet.DeviceSet, string]
}

func (t *twins) FindAll(_ context.Context, names []string) (found []fleet.DeviceSet, _ error) {
	for _, s := range t.objects {
		if slices.Contains(names, s.Name) {
			found = append(found, s)
		}
	}
	return found, nil
}
