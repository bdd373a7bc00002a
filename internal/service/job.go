package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// Kinds of jobs. Their work is in jobKinds.
const (
	jobChangeMany    = "objects.change"
	jobRotateSecrets = "secrets.rotate"
	jobReportUsage   = "reports.usage"
	jobStartCampaign = "campaigns.start"
	jobForecast      = "campaigns.forecast"
	jobDelta         = "files.delta"
)

// How jobs are worked on.
const (
	jobLease    = time.Minute     // a worker that is not heard of for so long has died
	jobPoll     = 2 * time.Second // how often a worker looks for jobs that others left
	jobAttempts = 5
	jobPause    = 5 * time.Second // before a second attempt; doubles
)

// work does a job, from its start or from where an earlier attempt ended, and returns its
// result. It may be called again after any interruption: whatever it does must bear that.
type work func(ctx context.Context, s *Service, j *task) (result any, err error)

var jobKinds = map[string]work{
	jobChangeMany:    changeMany,
	jobRotateSecrets: rotateSecrets,
	jobReportUsage:   reportUsage,
	jobStartCampaign: startScheduled,
	jobForecast:      keepForecast,
	jobDelta:         generateDelta,
}

// task is a job at work.
type task struct {
	store.Job
	report func(progress, total int) error // tells how far it is, and renews the lease; its error ends the work
}

// errGone ends the work on a job that was cancelled, or that somebody else has claimed.
var errGone = errors.New("the job is somebody else's, or cancelled")

// enqueue stores a job for who asks, in the transaction that wants it.
func (s *Service) enqueue(ctx context.Context, c *changes, kind string, args any) (store.Job, error) {
	return s.enqueueFor(ctx, c, c.wall, kind, args)
}

// enqueueFor is enqueue for a job that is not to begin before a time.
func (s *Service) enqueueFor(ctx context.Context, c *changes, due time.Time, kind string, args any) (store.Job, error) {
	j, err := newJob(c.actor, c.wall, due, kind, args)
	if err != nil {
		return j, err
	}
	if err := c.everything.Jobs().Create(ctx, &j); err != nil {
		return j, err
	}
	c.record("job.create", "job", j.ID, kind)
	return j, nil
}

// newJob returns a job that somebody wants at a time of people, and that is not to begin before another.
func newJob(a identity.Actor, wall, due time.Time, kind string, args any) (store.Job, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return store.Job{}, err
	}
	j := store.Job{Kind: kind, State: store.JobQueued, Args: raw, SubscriberID: a.SubscriberID, UserID: a.UserID, Login: a.Login,
		DueAt: due, CreatedAt: wall, UpdatedAt: wall}
	return j, setID(&j.ID)
}

// Jobs returns a page of the jobs of who asks's subscriber.
func (s *Service) Jobs(ctx context.Context, q store.Query) (store.Page[store.Job], error) {
	o, err := s.overall(ctx, identity.ReadFleet)
	if err != nil {
		return store.Page[store.Job]{}, err
	}
	return o.Jobs().List(ctx, q)
}

// FindJob returns one job.
func (s *Service) FindJob(ctx context.Context, id string) (store.Job, error) {
	o, err := s.overall(ctx, identity.ReadFleet)
	if err != nil {
		return store.Job{}, err
	}
	return o.Jobs().Find(ctx, id)
}

// CancelJob ends a job that has not ended: what it did stays done. Cancelling twice is no error.
func (s *Service) CancelJob(ctx context.Context, id string) (job store.Job, err error) {
	err = s.changeOverall(ctx, identity.WriteFleet, func(c *changes) error {
		if job, err = c.Jobs().Find(ctx, id); err != nil {
			return err
		}
		switch {
		case job.Kind == jobRotateSecrets && !c.actor.May(identity.ManageServer):
			return fmt.Errorf("cancelling a job that needs the permission %s %w", identity.ManageServer, ErrForbidden)
		case job.State == store.JobCancelled:
			return nil
		case job.State.Ended():
			return fmt.Errorf("job %s is %s, cancelling it %w", id, job.State, ErrState)
		}
		job.State, job.EndedAt, job.UpdatedAt = store.JobCancelled, c.wall, c.wall
		c.recordIn(job.SubscriberID, "job.cancel", "job", id, nil, job.Kind)
		return c.Jobs().Update(ctx, &job)
	})
	return job, err
}

// Work does jobs until ctx ends, one after the other: they are side work, and the server's
// time belongs to campaigns. It starts those that come with the time itself, such as monthly
// reports. Several processes may work on one store.
func (s *Service) Work(ctx context.Context, log *slog.Logger) {
	var housework time.Time
	for {
		housework = s.keepHouse(ctx, log, housework)
		busy, err := s.workOnce(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error("job", "error", err)
		}
		if busy && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.queued:
		case <-time.After(jobPoll):
		}
	}
}

// wake lets Work look for jobs at once.
func (s *Service) wake() {
	select {
	case s.queued <- struct{}{}:
	default: // it will look anyway
	}
}

// workOnce does the job that has waited longest, if there is one.
func (s *Service) workOnce(ctx context.Context) (bool, error) {
	j, err := s.claim(ctx)
	if err != nil || j.ID == "" {
		return false, err
	}
	t := &task{Job: j}
	t.report = func(progress, total int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.Progress, t.Total, t.LeaseUntil, t.UpdatedAt = progress, total, s.wall().Add(jobLease), s.wall()
		return s.keep(ctx, &t.Job)
	}
	do, ok := jobKinds[j.Kind]
	if !ok {
		return true, s.end(ctx, t, nil, fmt.Errorf("job %s is of a kind %q that this version does not know", j.ID, j.Kind))
	}
	system := identity.System(j.SubscriberID)
	system.UserID, system.Login, system.RequestID = j.UserID, j.Login, "job-"+j.ID
	result, err := s.attempt(As(ctx, system), do, t)
	if ctx.Err() != nil || errors.Is(err, errGone) {
		return true, ctx.Err() // whoever claims it next goes on
	}
	return true, s.end(ctx, t, result, err)
}

// attempt does a job. One that panics has failed: it must not end the server, which would begin it again
// at its next start, and the one after that.
func (s *Service) attempt(ctx context.Context, do work, t *task) (result any, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = nil, fmt.Errorf("job %s of kind %s panicked: %v", t.ID, t.Kind, v)
		}
	}()
	return do(ctx, s, t)
}

// claim takes the job that is due, or that a worker died over. The revision makes sure that
// only one takes it.
func (s *Service) claim(ctx context.Context) (store.Job, error) {
	now := s.wall()
	for _, state := range []store.JobState{store.JobRunning, store.JobQueued} {
		page, err := s.store.Jobs().List(ctx, store.Query{Limit: store.MaxLimit, Where: map[store.Field]string{store.ByState: string(state)}})
		if err != nil {
			return store.Job{}, err
		}
		for _, j := range page.Items {
			if state == store.JobRunning && j.LeaseUntil.After(now) || j.DueAt.After(now) {
				continue
			}
			j.State, j.LeaseUntil, j.UpdatedAt, j.Attempts = store.JobRunning, now.Add(jobLease), now, j.Attempts+1
			if j.StartedAt.IsZero() {
				j.StartedAt = now
			}
			switch err := s.store.Jobs().Update(ctx, &j); {
			case err == nil:
				return j, nil
			case !errors.Is(err, store.ErrStale):
				return store.Job{}, err
			}
		}
	}
	return store.Job{}, nil
}

// keep stores a claimed job, or returns errGone.
func (s *Service) keep(ctx context.Context, j *store.Job) error {
	err := s.store.Jobs().Update(ctx, j)
	if errors.Is(err, store.ErrStale) {
		return errGone
	}
	return err
}

// end stores how a job ended, or that it will be tried again.
func (s *Service) end(ctx context.Context, t *task, result any, failure error) error {
	now := s.wall()
	t.UpdatedAt, t.LeaseUntil = now, time.Time{}
	var raw json.RawMessage
	if result != nil {
		var err error
		if raw, err = json.Marshal(result); err != nil {
			failure = errors.Join(failure, err)
		}
	}
	switch {
	case failure == nil:
		t.State, t.EndedAt, t.Result, t.Error = store.JobDone, now, raw, ""
	case t.Attempts >= jobAttempts || isFinal(failure):
		t.State, t.EndedAt, t.Result, t.Error = store.JobFailed, now, raw, explain(failure)
	default:
		t.State, t.DueAt, t.Error = store.JobQueued, now.Add(jobPause<<(t.Attempts-1)), explain(failure)
	}
	err := s.keep(ctx, &t.Job)
	if errors.Is(err, errGone) {
		return nil
	}
	return errors.Join(err, unexpected(failure))
}

// isFinal reports whether trying again cannot help.
func isFinal(err error) bool {
	for _, final := range []error{ErrState, ErrForbidden, ErrInUse, ErrApproval, store.ErrNotFound, store.ErrQuery, store.ErrConflict} {
		if errors.Is(err, final) {
			return true
		}
	}
	return len(fleet.FieldErrors(err)) > 0
}

// explain returns what people may read of a failure: errors that are not theirs may hold anything.
func explain(err error) string {
	if isFinal(err) {
		return err.Error()
	}
	return "the server made a mistake; its log has more"
}

// unexpected returns an error that is for the log.
func unexpected(err error) error {
	if err == nil || isFinal(err) {
		return nil
	}
	return err
}
