package service

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// How the server keeps house.
const (
	houseEvery = time.Hour   // and when a month begins
	houseRetry = time.Minute // after an error
	catchUp    = 12          // months whose reports are made up for, after a time without a server
	claimLife  = 24 * time.Hour
)

// keepHouse does what nobody asks for, unless it is too early for that, and returns when to come back. Every
// process does it: whatever is done here bears being done by several at once.
func (s *Service) keepHouse(ctx context.Context, log *slog.Logger, due time.Time) time.Time {
	now := s.wall()
	if now.Before(due) {
		return due
	}
	_, dropErr := s.store.DropClaims(ctx, now.Add(-claimLife))
	if err := errors.Join(s.scheduleReports(ctx), dropErr); err != nil {
		if ctx.Err() == nil {
			log.Error("keeping house", "error", err)
		}
		return now.Add(houseRetry)
	}
	if next := monthOf(now).AddDate(0, 1, 0); next.Before(now.Add(houseEvery)) {
		return next
	}
	return now.Add(houseEvery)
}

// monthOf returns the beginning of the month, in UTC, that a time is in.
func monthOf(t time.Time) time.Time {
	return time.Date(t.UTC().Year(), t.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
}

// scheduleReports has the reports of every month made that is over, if it has not: back to the
// month in which anybody first did anything here, and not further than catchUp.
func (s *Service) scheduleReports(ctx context.Context) error {
	first, err := s.store.FirstActivity(ctx)
	if err != nil || first.IsZero() {
		return err
	}
	now := monthOf(s.wall())
	var ids []string
	due := map[string]time.Time{} // months by the identifier of their job
	for n := catchUp; n > 0; n-- {
		if month := now.AddDate(0, -n, 0); !month.Before(monthOf(first)) {
			id := scheduledID(month, "")
			ids, due[id] = append(ids, id), month
		}
	}
	done, err := s.store.Jobs().FindAll(ctx, ids)
	if err != nil {
		return err
	}
	for _, j := range done {
		delete(due, j.ID)
	}
	for _, id := range ids { // the oldest first
		if month, ok := due[id]; ok {
			if err := s.scheduleMonth(ctx, month); err != nil {
				return fmt.Errorf("usage reports of %s: %w", month.Format(store.MonthLayout), err)
			}
		}
	}
	return nil
}

// scheduleMonth has the reports of a month made, for the whole server and for every subscriber. All its
// jobs are stored in one transaction, and their identifiers follow from what they are about: of
// several processes that do this at the same time one succeeds, and the others find it done.
func (s *Service) scheduleMonth(ctx context.Context, month time.Time) error {
	err := s.changeAs(ctx, identity.System(""), "", func(c *changes) error {
		if _, err := c.Jobs().Find(ctx, scheduledID(month, "")); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := scheduleReport(ctx, c, month, ""); err != nil {
			return err
		}
		for x, err := range store.All(ctx, c.Subscribers(), store.Query{}) {
			if err != nil {
				return err
			}
			if !x.CreatedAt.Before(month.AddDate(0, 1, 0)) {
				continue // nothing to tell
			}
			if err := scheduleReport(ctx, c, month, x.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrConflict) {
		return nil // somebody else was quicker
	}
	return err
}

// scheduleReport stores the job that makes the reports of a month for a subscriber; "": for the server.
func scheduleReport(ctx context.Context, c *changes, month time.Time, subscriberID string) error {
	args, err := newReportArgs(month.Format(store.MonthLayout))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return err
	}
	j := store.Job{ID: scheduledID(month, subscriberID), Kind: jobReportUsage, State: store.JobQueued, Args: raw, SubscriberID: subscriberID,
		Login: c.actor.Login, DueAt: c.wall, CreatedAt: c.wall, UpdatedAt: c.wall}
	c.recordIn(subscriberID, "job.create", "job", j.ID, nil, fmt.Sprintf("%s of %s", j.Kind, args.Month))
	return c.Jobs().Create(ctx, &j)
}

// scheduledID returns the identifier of the job that makes the scheduled reports of a month. It is a
// UUID of version 8 (RFC 9562): like those of version 7 it begins with a time, here the one at
// which the month was over, and the rest is a hash in the place of random bits.
func scheduledID(month time.Time, subscriberID string) string {
	sum := sha256.Sum256([]byte(jobReportUsage + "\n" + month.Format(store.MonthLayout) + "\n" + subscriberID))
	var u uuid.UUID
	copy(u[:], sum[:])
	over := uint64(month.AddDate(0, 1, 0).UnixMilli())
	binary.BigEndian.PutUint64(u[:8], over<<16|uint64(sum[6])<<8|uint64(sum[7]))
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}
