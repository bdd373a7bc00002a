package relational

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
)

// GeneralUsage returns what each subscriber used, all of it as of one instant.
func (d DB) GeneralUsage(ctx context.Context, q store.UsageQuery) ([]store.GeneralUsage, error) {
	made, madeArgs := of(q, "", "created_at < ?", At(q.Until))
	ended, endedArgs := endedIn(q)
	var used map[string]store.GeneralUsage
	err := d.View(ctx, func(view Querier) error {
		used = map[string]store.GeneralUsage{}
		// count reads rows of a subscriber, a type and a number.
		count := func(add func(u *store.GeneralUsage, kind string, n int), query string, args ...any) error {
			return each(ctx, view, func(scan func(...any) error) error {
				var u store.GeneralUsage
				var subscriber, kind string
				var n int
				err := scan(&subscriber, &kind, &n)
				u = used[subscriber]
				u.SubscriberID = subscriber
				add(&u, kind, n)
				used[subscriber] = u
				return err
			}, query, args...)
		}
		if err := count(func(*store.GeneralUsage, string, int) {},
			"SELECT id, '', 0 FROM subscriber WHERE "+made, madeArgs...); err != nil {
			return err
		}
		if err := count(func(u *store.GeneralUsage, _ string, n int) { u.Devices = n },
			"SELECT subscriber_id, '', COUNT(*) FROM device WHERE "+made+" GROUP BY subscriber_id", madeArgs...); err != nil {
			return err
		}
		if err := count(func(u *store.GeneralUsage, _ string, n int) { u.Campaigns = n },
			"SELECT c.subscriber_id, '', COUNT(*) FROM campaign c WHERE "+ended+" GROUP BY c.subscriber_id", endedArgs...); err != nil {
			return err
		}
		return count(setPassed, `SELECT c.subscriber_id, c.type, COUNT(DISTINCT d.dev_eui) FROM campaign c JOIN run_device d ON d.campaign_id = c.id
			WHERE `+ended+" AND d.outcome = ? GROUP BY c.subscriber_id, c.type", append(slices.Clone(endedArgs), q.Passed)...)
	})
	return slices.SortedFunc(maps.Values(used), func(a, b store.GeneralUsage) int { return strings.Compare(a.SubscriberID, b.SubscriberID) }), err
}

// setPassed notes how many devices passed campaigns of one type.
func setPassed(u *store.GeneralUsage, kind string, n int) {
	switch kind {
	case fleet.MCGroupCampaign.String():
		u.MCGroup = n
	case fleet.BinaryCampaign.String():
		u.Binary = n
	case fleet.FOTACampaign.String():
		u.FOTA = n
	}
}

// SmartDeltaUsage returns how the devices of each profile were updated.
func (d DB) SmartDeltaUsage(ctx context.Context, q store.UsageQuery) (out []store.SmartDeltaUsage, err error) {
	ended, args := endedIn(q)
	args = slices.Concat([]any{q.Passed, fleet.DeltaFile.String(), fleet.DeltaFile.String()}, args, []any{fleet.FOTACampaign.String()})
	err = each(ctx, d.Reader, func(scan func(...any) error) error {
		var u store.SmartDeltaUsage
		err := scan(&u.SubscriberID, &u.ProfileID, &u.Devices, &u.FullImage, &u.Delta)
		out = append(out, u)
		return err
	}, `SELECT c.subscriber_id, v.profile_id,
			COUNT(DISTINCT CASE WHEN d.outcome = ? THEN d.dev_eui END),
			COUNT(DISTINCT CASE WHEN f.type <> ? THEN c.id END),
			COUNT(DISTINCT CASE WHEN f.type = ? THEN c.id END)
		FROM campaign c JOIN file f ON f.id = c.file_id JOIN run_device d ON d.campaign_id = c.id JOIN device v ON v.id = d.dev_eui
		WHERE `+ended+" AND c.type = ? GROUP BY c.subscriber_id, v.profile_id", args...)
	// Sorted here, because engines may order texts in their own ways.
	slices.SortFunc(out, func(a, b store.SmartDeltaUsage) int {
		return cmp.Or(strings.Compare(a.SubscriberID, b.SubscriberID), strings.Compare(a.ProfileID, b.ProfileID))
	})
	return out, err
}

// endedIn returns the condition that a campaign c ended in the time of q.
func endedIn(q store.UsageQuery) (string, []any) {
	// The time 0 is that of campaigns that have not ended.
	return of(q, "c.", "c.ended > 0 AND c.ended >= ? AND c.ended < ?", At(q.From), At(q.Until))
}

// of adds to a condition that the row is of the subscriber of q, if it names one.
func of(q store.UsageQuery, table, cond string, args ...any) (string, []any) {
	if q.SubscriberID == "" {
		return cond, args
	}
	return cond + " AND " + table + "subscriber_id = ?", append(args, q.SubscriberID)
}

// FirstActivity returns when the first thing was done.
func (d DB) FirstActivity(ctx context.Context) (first time.Time, err error) {
	err = each(ctx, d.Reader, func(scan func(...any) error) error {
		var at time.Time
		err := scan(Micros{&at})
		if first.IsZero() || !at.IsZero() && at.Before(first) {
			first = at
		}
		return err
	}, `SELECT COALESCE(MIN(started), 0) FROM campaign WHERE started > 0
		UNION ALL SELECT COALESCE(MIN(at), 0) FROM audit WHERE seq = (SELECT MIN(seq) FROM audit)`)
	return first, err
}

// tables of the kinds of objects that have nothing but an archived flag.
var tables = map[store.Kind]string{
	store.KindDevice: "device", store.KindDeviceSet: "device_set", store.KindGroup: "multicast_group", store.KindRegion: "region",
	store.KindFile: "file", store.KindProfile: "device_profile", store.KindSmartDeltaKey: "smart_delta_key",
	store.KindSubscriber: "subscriber", store.KindUser: "account", store.KindToken: "token", store.KindReport: "report",
}

// CountObjects counts objects by state, each kind as of an instant of its own.
func (d DB) CountObjects(ctx context.Context) (out []store.ObjectCount, err error) {
	states := map[store.Kind]string{
		store.KindCampaign: "SELECT CASE WHEN archived THEN 'ARCHIVED' ELSE status END, COUNT(*) FROM campaign GROUP BY 1",
		store.KindJob:      "SELECT state, COUNT(*) FROM job GROUP BY state",
	}
	for kind, table := range tables {
		states[kind] = fmt.Sprintf("SELECT CASE WHEN archived THEN 'ARCHIVED' ELSE 'ACTIVE' END, COUNT(*) FROM %s GROUP BY archived", table)
	}
	for _, kind := range slices.Sorted(maps.Keys(states)) {
		from := len(out)
		if err := each(ctx, d.Reader, func(scan func(...any) error) error {
			c := store.ObjectCount{Kind: kind}
			err := scan(&c.State, &c.N)
			out = append(out, c)
			return err
		}, states[kind]); err != nil {
			return nil, fmt.Errorf("count of kind %s: %w", kind, err)
		}
		slices.SortFunc(out[from:], func(a, b store.ObjectCount) int { return strings.Compare(a.State, b.State) })
	}
	return out, nil
}
