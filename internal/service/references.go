package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// referTo returns a FieldError unless the object exists and is not archived.
func referTo[T any, K comparable](ctx context.Context, c store.Collection[T, K], field string, key K, archived func(T) bool) error {
	obj, err := c.Find(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return invalid(field, fmt.Sprintf("leads nowhere: %v", key), "create it first, or correct the identifier")
	case err != nil:
		return err
	case archived(obj):
		return invalid(field, fmt.Sprintf("leads to something archived: %v", key), "bring it back, or choose another")
	}
	return nil
}

// referToAll returns a FieldError for the first of many keys that does not exist.
// Archived members stay where they are: campaigns leave them out.
func referToAll[T any](ctx context.Context, c store.Collection[T, lorawan.EUI64], field string, keys []lorawan.EUI64, keyOf func(T) lorawan.EUI64) error {
	found, err := c.FindAll(ctx, keys)
	if err != nil || len(found) == len(keys) {
		return err
	}
	known := make(map[lorawan.EUI64]bool, len(found))
	for _, obj := range found {
		known[keyOf(obj)] = true
	}
	for i, key := range keys {
		if !known[key] {
			return invalid(fmt.Sprintf("%s[%d]", field, i), "leads nowhere: "+key.String(), "create it first, or correct the identifier")
		}
	}
	return nil
}

func exists[T any, K comparable](ctx context.Context, c store.Collection[T, K], key K) (bool, error) {
	_, err := c.Find(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// orInvalid returns err, or the FieldError if there is none.
func orInvalid(err error, field, problem, hint string) error {
	if err != nil {
		return err
	}
	return invalid(field, problem, hint)
}

// running returns all RUNNING campaigns. There are few: they share the air.
func running(ctx context.Context, o store.Objects) ([]fleet.Campaign, error) {
	q := store.Query{Archived: true, Where: map[store.Field]string{store.ByStatus: fleet.Running.String()}}
	var found []fleet.Campaign
	for c, err := range store.All(ctx, o.Campaigns(), q) {
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}

// inUse returns ErrInUse if a running campaign uses something.
func inUse(ctx context.Context, o store.Objects, uses func(fleet.Campaign) (bool, error)) error {
	campaigns, err := running(ctx, o)
	if err != nil {
		return err
	}
	for _, c := range campaigns {
		used, err := uses(c)
		if err != nil {
			return err
		}
		if used {
			return fmt.Errorf("%w: %q (%s)", ErrInUse, c.Name, c.ID)
		}
	}
	return nil
}

// deviceInUse asks for the devices that a campaign runs with, and not for its sets: those
// may be filters, and who matches a filter changes.
func deviceInUse(ctx context.Context, o store.Objects, d *fleet.Device) error {
	ids, err := o.RunningWith(ctx, d.DevEUI)
	if err != nil || len(ids) == 0 {
		return err
	}
	c, err := o.Campaigns().Find(ctx, ids[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %q (%s)", ErrInUse, c.Name, c.ID)
}

func usesGroup(ctx context.Context, o store.Objects, c fleet.Campaign, group lorawan.EUI64) (bool, error) {
	groups, err := groupsOf(ctx, o, c)
	return groups[group], err
}

// groupsOf returns the multicast groups of a campaign's regions.
func groupsOf(ctx context.Context, o store.Objects, c fleet.Campaign) (map[lorawan.EUI64]bool, error) {
	regions, err := o.Regions().FindAll(ctx, c.Regions)
	groups := map[lorawan.EUI64]bool{}
	for _, r := range regions {
		for _, g := range r.Groups {
			groups[g] = true
		}
	}
	return groups, err
}

// usesProfile reports whether a campaign's file or devices are of a profile.
func usesProfile(ctx context.Context, o store.Objects, c fleet.Campaign, profileID string) (bool, error) {
	if c.FileID != "" {
		file, err := o.Files().Find(ctx, c.FileID)
		if err != nil || file.ProfileID == profileID {
			return true, err
		}
	}
	for _, set := range c.DeviceSets {
		n, err := o.Devices().Count(ctx, store.Query{Archived: true,
			Where: map[store.Field]string{store.ByDeviceSet: set, store.ByProfile: profileID}})
		if err != nil || n > 0 {
			return true, err
		}
	}
	return false, nil
}
