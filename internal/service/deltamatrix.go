package service

import (
	"cmp"
	"context"
	"slices"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// DeltaMatrix says for one device profile which versions its devices run, which full images there
// are to go to, and which deltas lead from one to the other:
//
//	             targets (firmware files)
//	                2.0.0.0   3.0.0.0
//	bases  1.0.0.0   1.2 kB      -        400 devices
//	       2.0.0.0      .     4.6 kB     1200 devices
//
// Archived files, and files without content, are not in it. Its lists are ordered by version.
type DeltaMatrix struct {
	ProfileID string
	Devices   int // that are not archived
	Unknown   int // of these, whose version nobody knows
	Other     int // of these, that run a version of which there is no file, and from which no delta starts
	Bases     []DeltaBase
	Targets   []fleet.File
	Deltas    []DeltaOffer
}

// DeltaBase is a version that devices may run.
type DeltaBase struct {
	Version fleet.Firmware
	Devices int
	FileID  string // a full image of it, which deltas can be made from; "": there is none
}

// DeltaOffer is a delta that could be sent.
type DeltaOffer struct {
	File       fleet.File
	TargetID   string // the full image that it leads to; "": there is none
	TargetSize int64  // bytes; 0: there is none
	Devices    int    // that run its base
}

// Ratio returns the size of the delta by that of its target; 0 if there is no target.
func (o DeltaOffer) Ratio() float64 {
	if o.TargetSize == 0 {
		return 0
	}
	return float64(o.File.Size) / float64(o.TargetSize)
}

// DeltaMatrix returns the deltas of a device profile, or ErrNotFound.
func (s *Service) DeltaMatrix(ctx context.Context, profileID string) (DeltaMatrix, error) {
	o, err := s.reader(ctx, identity.ReadFleet)
	if err != nil {
		return DeltaMatrix{}, err
	}
	if _, err := o.Profiles().Find(ctx, profileID); err != nil {
		return DeltaMatrix{}, err
	}
	m := DeltaMatrix{ProfileID: profileID}
	images := map[uint32]fleet.File{} // by version; of several, that which came last
	var deltas []fleet.File
	versions := map[uint32]fleet.Firmware{}
	for f, err := range store.All(ctx, o.Files(), store.Query{Where: map[store.Field]string{store.ByProfile: profileID}}) {
		switch {
		case err != nil:
			return m, err
		case !f.HasContent():
		case f.Type == fleet.FirmwareFile:
			m.Targets = append(m.Targets, f)
			if had, ok := images[f.Version.Uint32()]; !ok || f.CreatedAt.After(had.CreatedAt) {
				images[f.Version.Uint32()] = f
			}
			versions[f.Version.Uint32()] = f.Version
		case f.Type == fleet.DeltaFile:
			deltas = append(deltas, f)
			if _, ok := versions[f.BaseVersion.Uint32()]; !ok {
				versions[f.BaseVersion.Uint32()] = f.BaseVersion
			}
		}
	}
	running, err := m.count(ctx, o, versions)
	if err != nil {
		return m, err
	}
	for v, version := range versions {
		m.Bases = append(m.Bases, DeltaBase{version, running[v], images[v].ID})
	}
	for _, f := range deltas {
		to := images[f.Version.Uint32()]
		m.Deltas = append(m.Deltas, DeltaOffer{f, to.ID, to.Size, running[f.BaseVersion.Uint32()]})
	}
	m.sort()
	return m, nil
}

// count fills in how many devices there are, and returns how many run each version.
func (m *DeltaMatrix) count(ctx context.Context, o store.Objects, versions map[uint32]fleet.Firmware) (map[uint32]int, error) {
	of := func(more map[store.Field]string) (int, error) {
		where := map[store.Field]string{store.ByProfile: m.ProfileID}
		for field, value := range more {
			where[field] = value
		}
		return o.Devices().Count(ctx, store.Query{Where: where})
	}
	var err error
	if m.Devices, err = of(nil); err != nil {
		return nil, err
	}
	if m.Unknown, err = of(map[store.Field]string{store.ByFirmware: ""}); err != nil {
		return nil, err
	}
	m.Other = m.Devices - m.Unknown
	running := map[uint32]int{}
	for v := range versions {
		// One version has two forms, and a device need not have that of the file.
		for _, form := range []fleet.Firmware{fleet.DottedFirmware(v), fleet.FreeFirmware(v)} {
			n, err := of(map[store.Field]string{store.ByFirmware: form.String()})
			if err != nil {
				return nil, err
			}
			running[v] += n
		}
		m.Other -= running[v]
	}
	m.Other = max(m.Other, 0) // counted one after the other: a device may have reported in between
	return running, nil
}

// sort puts the lists in an order that does not depend on that of the store.
func (m *DeltaMatrix) sort() {
	slices.SortFunc(m.Bases, func(a, b DeltaBase) int { return compareVersions(a.Version, b.Version) })
	slices.SortFunc(m.Targets, func(a, b fleet.File) int {
		return cmp.Or(compareVersions(a.Version, b.Version), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(m.Deltas, func(a, b DeltaOffer) int {
		return cmp.Or(compareVersions(a.File.Version, b.File.Version), compareVersions(a.File.BaseVersion, b.File.BaseVersion),
			cmp.Compare(a.File.Size, b.File.Size), cmp.Compare(a.File.ID, b.File.ID))
	})
}

// compareVersions orders those that have an order, and the others behind them by their bits.
func compareVersions(a, b fleet.Firmware) int {
	if order, ok := a.Compare(b); ok {
		return order
	}
	rank := func(f fleet.Firmware) int {
		if f.Ordered() {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Uint32(), b.Uint32()))
}
