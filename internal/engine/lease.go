package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// Lease is how a process shares the campaigns of a store with others.
//
//	now          now + TTL - margin      now + TTL
//	 |── sends ──────────┤ does not send   ┤ others take its campaigns over
//	 Renew ── Renew ── Renew (each begins a new row of this picture)
//
// Fencing keeps a process that comes late from writing; nothing keeps it from sending but
// its own clock. So it stops sending before its lease ends, and asks the clock before each frame.
type Lease struct {
	TTL   time.Duration    // others take over when this one was not heard of for so long; 0: DefaultTTL
	Renew time.Duration    // how often it is heard of; 0: three times in a TTL, and a little more
	Name  string           // for people, such as "host:pid"
	Alone bool             // no other process may run campaigns of the store
	Now   func() time.Time // monotonic and without jumps; nil: time.Now
}

// Defaults of Lease: a replica that dies is replaced within DefaultTTL and DefaultRenew.
const (
	DefaultTTL   = 10 * time.Second
	DefaultRenew = 3 * time.Second
)

// margin is the part of the TTL before the end of a lease in which nothing is sent any more: what a call to the network
// server takes, and what clocks run apart in a TTL, must fit in.
const margin = 0.2

// forEver is the lease of a process that is alone anyway.
const forEver = 100 * 365 * 24 * time.Hour

// ErrNoLease says that others may be running the campaigns.
var ErrNoLease = fmt.Errorf("this server could not reach the database and may have been replaced, this %w", service.ErrAway)

// tenure is the lease of this process while Run lasts. Its methods are safe for concurrent use.
type tenure struct {
	store store.Store
	lease *Lease // nil: this process is alone
	log   *slog.Logger
	wake  func()

	mu    sync.Mutex
	id    string    // of the present replica; "": none
	until time.Time // when to stop sending
	lost  bool      // the lease has ended: forget everything
	look  bool      // who runs what may have changed
	mail  bool      // there may be letters
}

func newTenure(s store.Store, lease *Lease, log *slog.Logger, wake func()) *tenure {
	t := &tenure{store: s, log: log, wake: wake}
	if lease == nil {
		return t
	}
	l := *lease
	if l.TTL == 0 {
		l.TTL = DefaultTTL
	}
	if l.Renew == 0 {
		l.Renew = l.TTL * 3 / 10
	}
	if l.Now == nil {
		l.Now = time.Now
	}
	t.lease = &l
	return t
}

// alone tells if no other process runs campaigns of the store: then there is nothing to renew, to share, or to post.
func (t *tenure) alone() bool { return t.lease == nil }

// join begins a life as a replica.
func (t *tenure) join(ctx context.Context) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	r, ttl, began := store.Replica{ID: id.String()}, forEver, time.Time{}
	if t.alone() {
		// Whoever else was there is dead.
		if err := t.store.EndLeases(ctx); err != nil {
			return err
		}
	} else {
		r.Name, r.Alone, ttl, began = t.lease.Name, t.lease.Alone, t.lease.TTL, t.lease.Now()
	}
	if err := t.store.Join(ctx, r, ttl); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.id, t.lost, t.look, t.mail = r.ID, false, true, true
	t.renewed(began)
	return nil
}

// begin is the first join. A process that must be alone waits for the lease of another to end: that
// may be its own earlier life, which was killed.
func (t *tenure) begin(ctx context.Context) error {
	err := t.join(ctx)
	if t.alone() || !t.lease.Alone {
		return err
	}
	ticks := time.NewTicker(t.lease.Renew)
	defer ticks.Stop()
	for last := t.lease.Now().Add(t.lease.TTL + t.lease.Renew); errors.Is(err, store.ErrAlone) && t.lease.Now().Before(last); err = t.join(ctx) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
	}
	return err
}

// renewed notes that the lease is good for a TTL from began, when it was asked for. The caller holds mu.
func (t *tenure) renewed(began time.Time) {
	if !t.alone() {
		t.until = began.Add(t.lease.TTL - time.Duration(margin*float64(t.lease.TTL)))
	}
}

// owner returns the ID under which campaigns are owned; "": none.
func (t *tenure) owner() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost {
		return ""
	}
	return t.id
}

// maySend tells if nobody else can have taken the campaigns over yet.
func (t *tenure) maySend() bool {
	if t.alone() {
		return true
	}
	now := t.lease.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	// The monotonic clock stands still while a machine sleeps; that on the wall does not.
	return t.id != "" && !t.lost && now.Before(t.until) && now.Round(0).Before(t.until.Round(0))
}

// keep renews the lease and listens to other replicas until ctx ends.
func (t *tenure) keep(ctx context.Context) {
	if t.alone() {
		return
	}
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() { t.store.Listen(ctx, t.posted, t.shared) })
	ticks := time.NewTicker(t.lease.Renew)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			t.renew(ctx)
		}
	}
}

// renew makes the lease longer, and has the engine look around.
func (t *tenure) renew(ctx context.Context) {
	defer t.wake()
	id := t.owner()
	if id == "" {
		t.shared() // so that the engine joins again
		return
	}
	began := t.lease.Now()
	ctx, cancel := context.WithTimeout(ctx, t.lease.TTL/2)
	defer cancel()
	err := t.store.Renew(ctx, id, t.lease.TTL)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.id != id:
	case err == nil:
		t.renewed(began)
		t.look, t.mail = true, true
	case errors.Is(err, store.ErrFenced):
		t.lost = true
	case ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded):
		t.log.Warn("lease not renewed, trying again", "err", err)
	}
}

// posted notes that there may be letters.
func (t *tenure) posted() {
	t.mu.Lock()
	t.mail = true
	t.mu.Unlock()
	t.wake()
}

// shared notes that who runs what may have changed.
func (t *tenure) shared() {
	t.mu.Lock()
	t.look, t.mail = true, true
	t.mu.Unlock()
	t.wake()
}

// end notes that the lease is over.
func (t *tenure) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = true
}

// take returns what is to be done, and forgets it.
func (t *tenure) take() (lost, look, mail bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lost, look, mail = t.lost || t.id == "", t.look, t.mail
	t.look, t.mail = false, false
	return lost, look, mail
}

// tend does what a replica owes the others: it forgets what is no longer its own, takes its
// share, gives back what is more, and reads its letters.
func (e *Engine) tend(ctx context.Context) {
	if e.tenure.alone() {
		return
	}
	lost, look, mail := e.tenure.take()
	if lost {
		if len(e.runs) > 0 {
			e.log.Warn("the lease has ended, others may run these campaigns", "campaigns", len(e.runs))
		}
		for _, r := range slices.Clone(e.runs) {
			e.forget(r)
		}
		e.unloaded = nil
		if !look {
			return // tried again at the next tick
		}
		if err := e.tenure.join(ctx); err != nil {
			e.log.Warn("cannot share campaigns with other servers, trying again", "err", err)
			return
		}
		mail = true
	}
	if look {
		e.share(ctx)
		e.findOthers(ctx)
		e.findForgotten()
	}
	if mail {
		e.readLetters(ctx)
	}
}

// share claims runs up to the fair share and gives back what is above it.
func (e *Engine) share(ctx context.Context) {
	e.recall(ctx)
	share, err := e.store.ClaimRuns(ctx, e.tenure.owner())
	if err != nil {
		if errors.Is(err, store.ErrFenced) {
			e.tenure.end()
		}
		e.log.Warn("no campaigns claimed", "err", err)
		return
	}
	e.unloaded = append(e.unloaded, share.Claimed...)
	e.unloaded = slices.DeleteFunc(e.unloaded, func(r store.ActiveRun) bool {
		err := e.takeOver(ctx, r)
		if err != nil {
			e.log.Error("campaign cannot be loaded, trying again", "campaign", r.CampaignID, "err", err)
		}
		return err == nil || errors.Is(err, store.ErrFenced)
	})
	if share.Surplus > 0 {
		e.giveBack(ctx, share.Surplus)
	}
}

// findForgotten looks for runs that this replica owns and does not know of: a start, or a claim, may have
// been committed although it returned an error. Nobody else would ever run them.
func (e *Engine) findForgotten() {
	id := e.tenure.owner()
	for _, r := range e.others.active {
		own := func(o *run) bool { return o.id == r.CampaignID }
		waits := func(o store.ActiveRun) bool { return o.CampaignID == r.CampaignID }
		if id != "" && r.Owner == id && !slices.ContainsFunc(e.runs, own) && !slices.ContainsFunc(e.unloaded, waits) {
			e.log.Warn("campaign is this server's own without its knowledge, loading it", "campaign", r.CampaignID, "epoch", r.Epoch)
			e.unloaded = append(e.unloaded, r) // at the next look
		}
	}
}

// takeOver loads a run that was claimed.
func (e *Engine) takeOver(ctx context.Context, claimed store.ActiveRun) error {
	s, err := e.store.LoadRun(ctx, claimed.CampaignID)
	if err != nil {
		return err
	}
	if s.Epoch != claimed.Epoch {
		return store.ErrFenced
	}
	if err := e.load(ctx, s); err != nil {
		return err
	}
	e.log.Info("campaign goes on", "campaign", s.CampaignID, "epoch", s.Epoch)
	return nil
}

// giveBack lets go of n campaigns, the latest first, for others to take.
func (e *Engine) giveBack(ctx context.Context, n int) {
	var ids []string
	for _, r := range slices.Backward(slices.Clone(e.runs)) {
		if len(ids) == n {
			break
		}
		if r.lost || e.commit(ctx, r) != nil || e.mark(ctx, r) != nil {
			continue // it is loaded again, or was somebody else's
		}
		e.forget(r)
		ids = append(ids, r.id)
	}
	if len(ids) == 0 {
		return
	}
	if err := e.store.Release(ctx, e.tenure.owner(), ids...); err != nil {
		// They stay its own, and are nobody's work: only a new life brings them back.
		e.tenure.end()
		e.log.Warn("campaigns not given back", "campaigns", ids, "err", err)
		return
	}
	e.log.Info("campaigns given back for other servers", "campaigns", ids)
}

// fenced forgets a campaign that somebody else owns now, if err says so.
func (e *Engine) fenced(r *run, err error) bool {
	if !errors.Is(err, store.ErrFenced) {
		return false
	}
	r.lost = true
	e.forget(r)
	e.tenure.shared() // find out by whom
	e.log.Warn("campaign is run by another server now", "campaign", r.id, "epoch", r.epoch)
	return true
}
