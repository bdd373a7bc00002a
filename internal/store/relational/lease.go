package relational

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Who owns what follows from two tables: a run names its owner, and an owner lives while it has
// a row in replica that has not run out. A row that ran out never comes back, it can only be deleted: by then a Renew
// that waits for the row finds none. So an owner that renewed in time still owns all that it did not release.

// activeRuns is where the runs are that have something left to do.
const activeRuns = `FROM run JOIN campaign ON campaign.id = run.campaign_id
	WHERE (campaign.status = 'RUNNING' OR run.wake_at <> 0 OR EXISTS (SELECT 1 FROM outbox WHERE outbox.campaign_id = run.campaign_id))`

// Join adds a replica.
func (d DB) Join(ctx context.Context, r store.Replica, ttl time.Duration) error {
	err := d.Write(ctx, func(q Querier) error {
		if err := d.bury(ctx, q); err != nil {
			return err
		}
		var other string
		err := one(ctx, q, []any{&other}, "SELECT name FROM replica WHERE id <> ? AND (alone OR ?) ORDER BY id LIMIT 1", r.ID, r.Alone)
		switch {
		case err == nil:
			return fmt.Errorf("%w: %q", store.ErrAlone, other)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		_, err = q.Exec(ctx, "INSERT INTO replica (id, name, alone, until) VALUES (?, ?, ?, "+d.Clock+" + ?)", r.ID, r.Name, r.Alone, ttl.Microseconds())
		if _, ok := d.Taken(err); ok {
			err = &store.Conflict{Kind: "replica", Field: "id"}
		}
		return err
	})
	return aboutReplica(r.ID, err)
}

// Renew makes a lease longer. It is one statement, so that a process that is stopped in the middle holds no lock.
func (d DB) Renew(ctx context.Context, replicaID string, ttl time.Duration) error {
	err := d.Once(ctx, func(q Querier) error {
		n, err := q.Exec(ctx, "UPDATE replica SET until = "+d.Clock+" + ? WHERE id = ? AND until > "+d.Clock, ttl.Microseconds(), replicaID)
		if err == nil && n == 0 {
			err = store.ErrFenced
		}
		return err
	})
	return aboutReplica(replicaID, err)
}

// bury takes away replicas whose time has run out. One whose row is locked may be renewing right now.
func (d DB) bury(ctx context.Context, q Querier) error {
	_, err := q.Exec(ctx, "DELETE FROM replica WHERE id IN (SELECT id FROM replica WHERE until <= "+d.Clock+d.SkipLocked+")")
	return err
}

// ClaimRuns gives a replica its share of the runs that nobody owns.
func (d DB) ClaimRuns(ctx context.Context, replicaID string) (share store.Share, err error) {
	err = d.Write(ctx, func(q Querier) error {
		share = store.Share{}
		if err := d.bury(ctx, q); err != nil {
			return err
		}
		if err := d.dropLetters(ctx, q); err != nil {
			return err
		}
		var replicas, runs, mine, alive int
		err := one(ctx, q, []any{&replicas, &alive}, "SELECT COUNT(*), COUNT(CASE WHEN id = ? THEN 1 END) FROM replica", replicaID)
		if err == nil && alive == 0 {
			err = store.ErrFenced
		}
		if err == nil {
			err = one(ctx, q, []any{&runs, &mine}, "SELECT COUNT(*), COUNT(CASE WHEN run.owner = ? THEN 1 END) "+activeRuns, replicaID)
		}
		if err != nil {
			return err
		}
		fair := (runs + replicas - 1) / replicas
		share.Surplus = max(0, mine-fair)
		if mine >= fair {
			return nil
		}
		err = each(ctx, q, func(scan func(...any) error) error {
			r := store.ActiveRun{Owner: replicaID}
			err := scan(&r.CampaignID, &r.Epoch)
			r.Epoch++
			share.Claimed = append(share.Claimed, r)
			return err
		}, "SELECT run.campaign_id, run.epoch "+activeRuns+" AND run.owner NOT IN (SELECT id FROM replica) ORDER BY run.campaign_id LIMIT ?"+d.skipLockedOf("run"),
			int64(fair-mine))
		if err != nil {
			return err
		}
		_, err = q.ExecAll(ctx, "UPDATE run SET owner = ?, epoch = ? WHERE campaign_id = ?", len(share.Claimed), func(i int) []any {
			return []any{replicaID, share.Claimed[i].Epoch, share.Claimed[i].CampaignID}
		})
		return err
	})
	return share, aboutReplica(replicaID, err)
}

func (d DB) skipLockedOf(table string) string {
	if d.SkipLocked == "" {
		return ""
	}
	return " FOR UPDATE OF " + table + " SKIP LOCKED"
}

// Release gives runs back.
func (d DB) Release(ctx context.Context, replicaID string, campaignIDs ...string) error {
	if len(campaignIDs) == 0 {
		return nil
	}
	err := d.Write(ctx, func(q Querier) error {
		_, err := q.ExecAll(ctx, "UPDATE run SET owner = '' WHERE campaign_id = ? AND owner = ?", len(campaignIDs), func(i int) []any {
			return []any{campaignIDs[i], replicaID}
		})
		if err == nil {
			err = d.announce(ctx, q)
		}
		return err
	})
	return aboutReplica(replicaID, err)
}

// Leave ends a lease.
func (d DB) Leave(ctx context.Context, replicaID string) error {
	err := d.Write(ctx, func(q Querier) error {
		_, err := q.Exec(ctx, "DELETE FROM replica WHERE id = ?", replicaID)
		if err == nil {
			err = d.announce(ctx, q)
		}
		return err
	})
	return aboutReplica(replicaID, err)
}

// EndLeases ends all leases.
func (d DB) EndLeases(ctx context.Context) error {
	return d.Write(ctx, func(q Querier) error {
		_, err := q.Exec(ctx, "DELETE FROM replica")
		return err
	})
}

// announce wakes whoever listens, when the transaction has been committed.
func (d DB) announce(ctx context.Context, q Querier) error {
	if d.Notify == "" {
		return nil
	}
	_, err := q.Exec(ctx, d.Notify)
	return err
}

// ActiveRuns returns the runs that have something left to do.
func (d DB) ActiveRuns(ctx context.Context) (runs []store.ActiveRun, err error) {
	err = each(ctx, d.Reader, func(scan func(...any) error) error {
		var r store.ActiveRun
		err := scan(&r.CampaignID, &r.Epoch, &r.Owner)
		runs = append(runs, r)
		return err
	}, `SELECT run.campaign_id, run.epoch, COALESCE((SELECT id FROM replica WHERE id = run.owner AND until > `+d.Clock+`), '') `+activeRuns+` ORDER BY run.campaign_id`)
	return runs, err
}

// RunMembers returns the devices and groups of a run.
func (d DB) RunMembers(ctx context.Context, campaignID string) (devices, groups []lorawan.EUI64, err error) {
	read := func(table string) (euis []lorawan.EUI64, err error) {
		err = each(ctx, d.Reader, func(scan func(...any) error) error {
			var e lorawan.EUI64
			err := scan(EUI{&e})
			euis = append(euis, e)
			return err
		}, "SELECT dev_eui FROM "+table+" WHERE campaign_id = ? ORDER BY dev_eui", campaignID)
		return euis, err
	}
	if devices, err = read("run_device"); err == nil {
		groups, err = read("run_group")
	}
	return devices, groups, AboutRun(campaignID, err)
}

// unexpected returns store.ErrStale if there is an active run that is not among the known ones.
func unexpected(ctx context.Context, q Querier, known []string) error {
	var found string
	err := each(ctx, q, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		if !slices.Contains(known, id) {
			found = id
		}
		return err
	}, "SELECT run.campaign_id "+activeRuns+" ORDER BY run.campaign_id")
	if err == nil && found != "" {
		err = fmt.Errorf("campaign %s was started, what is in use %w", found, store.ErrStale)
	}
	return err
}

func aboutReplica(id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("replica %s: %w", id, err)
}
