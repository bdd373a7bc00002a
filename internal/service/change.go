package service

import (
	"context"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// changes is one transaction in which somebody changes objects. What is done is recorded in
// the same transaction: there is no change without its entry in the audit log.
//
//	Service.change ──> f(changes) ──> Create, Update, ... within the actor's subscriber
//	                       └ record ──┐
//	                    commit  <── Record(trail)
type changes struct {
	store.Objects // of the actor's subscriber, or of all
	everything    store.Objects
	actor         identity.Actor
	within        string    // the subscriber that they are made in; "": of all
	now           time.Time // of objects
	wall          time.Time // of people
	trail         []store.AuditEntry

	subscriber *fleet.Subscriber // whose objects these are, once looked up
	counted    map[string]int    // objects that count against a quota, by kind, once counted
}

// change runs f in a transaction within the actor's subscriber, if the actor may do p.
func (s *Service) change(ctx context.Context, p identity.Permission, f func(*changes) error) error {
	a, err := may(ctx, p)
	if err != nil {
		return err
	}
	return s.changeAs(ctx, a, a.SubscriberID, f)
}

// changeOverall is change for people and for what belongs to the server.
func (s *Service) changeOverall(ctx context.Context, p identity.Permission, f func(*changes) error) error {
	a, err := may(ctx, p)
	if err != nil {
		return err
	}
	return s.changeAs(ctx, a, whole(a), f)
}

func (s *Service) changeAs(ctx context.Context, a identity.Actor, subscriberID string, f func(*changes) error) error {
	return s.store.Tx(ctx, func(o store.Objects) error {
		// Made anew each time: a transaction that collided runs again from its start.
		c := &changes{Objects: o.Within(subscriberID), everything: o, actor: a, within: subscriberID, now: s.now(), wall: s.wall(), counted: map[string]int{}}
		if err := f(c); err != nil {
			return err
		}
		if len(c.trail) == 0 {
			return nil
		}
		return o.Record(ctx, c.trail...)
	})
}

// record notes that something was done to an object.
func (c *changes) record(action, kind, id, note string) {
	c.recordIn(c.actor.SubscriberID, action, kind, id, nil, note)
}

// recordIn is record for an object of a subscriber, and what has changed of it; diff may be nil.
func (c *changes) recordIn(subscriberID, action, kind, id string, diff []byte, note string) {
	e := entry(c.actor, c.wall, action, kind, id, note)
	e.SubscriberID, e.Changes = subscriberID, diff
	c.trail = append(c.trail, e)
}

// entry returns the audit entry of something that an actor does.
func entry(a identity.Actor, now time.Time, action, kind, id, note string) store.AuditEntry {
	return store.AuditEntry{At: now, SubscriberID: a.SubscriberID, UserID: a.UserID, Login: a.Login, TokenID: a.TokenID,
		From: a.From, RequestID: a.RequestID, Action: action, Kind: kind, ObjectID: id, Note: note}
}

// whose returns the subscriber that the changes are made in, or ErrState if it is archived.
func (c *changes) whose(ctx context.Context) (fleet.Subscriber, error) {
	if c.subscriber == nil {
		id := c.actor.SubscriberID
		if id == "" {
			id = fleet.DefaultSubscriber
		}
		found, err := c.everything.Subscribers().Find(ctx, id)
		if err != nil {
			return found, err
		}
		c.subscriber = &found
	}
	if c.subscriber.Archived {
		return *c.subscriber, fmt.Errorf("subscriber %s is archived, changing its objects %w", c.subscriber.ID, ErrState)
	}
	return *c.subscriber, nil
}

// admit counts one more object of a kind against its quota, or returns ErrQuota.
func (c *changes) admit(ctx context.Context, kind string, limit int, count func(context.Context, store.Query) (int, error)) error {
	if limit == 0 {
		return nil
	}
	n, ok := c.counted[kind]
	if !ok {
		var err error
		// Counted once in a transaction, so that an import costs one count and not one per row.
		if n, err = count(ctx, store.Query{}); err != nil {
			return err
		}
	}
	if n >= limit {
		return fmt.Errorf("subscriber %s has its %d %ss, one more %w: archive some, or ask for a higher quota", c.subscriber.ID, limit, kind, ErrQuota)
	}
	c.counted[kind] = n + 1
	return nil
}
