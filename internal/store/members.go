package store

import (
	"context"
	"fmt"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// QueryOf returns the query that finds the members of a set with a filter: devices that are not
// archived and match all of it.
func QueryOf(f fleet.DeviceFilter) Query {
	q := Query{Text: f.Text}
	for field, value := range f.Where {
		if q.Where == nil {
			q.Where = make(map[Field]string, len(f.Where))
		}
		q.Where[Field(field)] = value
	}
	return q
}

// Members returns the devices of a set: those that it lists, in its order, or those that its filter finds
// now, ordered by DevEUI. They are looked for among the devices of the set's subscriber, if the
// set says which that is, and of those that o sees. A filter is read page by page, so that devices
// may be missed or found that change meanwhile, unless o is a transaction.
func Members(ctx context.Context, o Objects, set fleet.DeviceSet) ([]lorawan.EUI64, error) {
	if set.Filter == nil {
		return set.Devices, nil
	}
	var members []lorawan.EUI64
	if set.SubscriberID != "" {
		o = o.Within(set.SubscriberID)
	}
	for d, err := range All(ctx, o.Devices(), QueryOf(*set.Filter)) {
		if err != nil {
			return nil, fmt.Errorf("members of device set %s: %w", set.ID, err)
		}
		members = append(members, d.DevEUI)
	}
	return members, nil
}
