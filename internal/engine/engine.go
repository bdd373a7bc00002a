package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Errors that callers test with errors.Is, in the terms of service.Runner.
var (
	ErrNotRunning = fmt.Errorf("the campaign is not running, this %w", service.ErrState)
	ErrStopped    = fmt.Errorf("the server is ending, this %w", service.ErrState)
)

// Engine owns the running campaigns of a store and their network.
type Engine struct {
	store   store.Store
	adapter network.Adapter
	source  network.Source
	log     *slog.Logger

	tenure   *tenure
	requests chan request
	done     chan struct{} // closed when Run has ended

	// What follows belongs to the goroutine of Run.
	runs      []*run // in the order of their start
	byDevice  map[lorawan.EUI64]*run
	byGroup   map[lorawan.EUI64]*run
	traits    map[lorawan.EUI64]knownDevice // of devices outside campaigns, as far as needed
	polled    map[lorawan.EUI64]time.Time   // when devices outside campaigns were asked for their version
	others    others                        // what other processes run
	unloaded  []store.ActiveRun             // own, not loaded yet
	unsent    []store.Letter                // for other processes, not posted yet
	unsentAt  time.Time                     // when to post them again; zero: at once
	more      bool                          // further events of the same round are at hand
	air       account                       // of the network's gateways
	publisher func(Progress)
	meter     Meter
}

// run is a campaign with what the shell needs beside it.
type run struct {
	id      string
	c       *campaign.Campaign
	epoch   int64
	wakeAt  time.Time
	outbox  []store.Outgoing // committed, not yet sent, in order
	batch   batch            // stepped, not yet committed
	marks   []store.Sent     // sent, not yet marked in the store
	commits int
	retryAt time.Time       // when to try the outbox again; zero: at once
	counted bool            // its end has been counted
	lost    bool            // memory and store may differ: load it again
	found   []lorawan.EUI64 // devices whose probe has found package versions that the store has not noted with them
}

// Progress is what watchers are told when something visible has changed.
type Progress struct {
	CampaignID string
	campaign.Progress
}

// Config is what an Engine is made of.
type Config struct {
	Store   store.Store
	Adapter network.Adapter
	Source  network.Source
	Log     *slog.Logger
	// Publish is called with the progress of a campaign after visible changes, from the
	// engine's goroutine: it must be quick. Nil: nobody watches.
	Publish func(Progress)
	Meter   Meter // nil: nobody counts
	// Lease is how this process shares the campaigns of the store. Nil: it is the only one that runs any.
	Lease *Lease
}

var _ service.Runner = (*Engine)(nil)

// New makes an engine. Nothing runs before Run.
func New(cfg Config) *Engine {
	publish := cfg.Publish
	if publish == nil {
		publish = func(Progress) {}
	}
	if cfg.Meter == nil {
		cfg.Meter = nobody{}
	}
	return &Engine{
		meter: cfg.Meter, tenure: newTenure(cfg.Store, cfg.Lease, cfg.Log, cfg.Source.Wake),
		store: cfg.Store, adapter: cfg.Adapter, source: cfg.Source, log: cfg.Log,
		requests: make(chan request, 16), done: make(chan struct{}), publisher: publish,
		byDevice: map[lorawan.EUI64]*run{}, byGroup: map[lorawan.EUI64]*run{}, traits: map[lorawan.EUI64]knownDevice{},
		polled: map[lorawan.EUI64]time.Time{},
	}
}

// Run drives the running campaigns, or its share of them, until ctx ends. It is called once.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.done)
	if err := e.tenure.begin(ctx); err != nil {
		return orNil(ctx, err)
	}
	defer e.drain(ctx)
	if e.tenure.alone() {
		if err := e.loadAll(ctx); err != nil {
			return orNil(ctx, err)
		}
	}
	keeping, stop := context.WithCancel(ctx)
	var kept sync.WaitGroup
	defer kept.Wait()
	defer stop()
	kept.Go(func() { e.tenure.keep(keeping) })
	// The end of ctx ends the wait, not a commit that is under way.
	work := context.WithoutCancel(ctx)
	for {
		e.tend(work)
		e.reloadLost(work)
		e.settle(work)
		if e.serveRequests(work) {
			continue // what people want comes on settled ground, and is settled at once
		}
		events, err := e.source.Wait(ctx, e.nextWake())
		if err != nil || ctx.Err() != nil {
			return orNil(ctx, err)
		}
		for i, ev := range events {
			e.more = i+1 < len(events)
			if !e.passOn(ev) {
				e.handle(work, ev)
			}
		}
		e.post(work)
		e.fireTimers()
	}
}

// orNil returns nil if ctx has ended: then errors only say that it has.
func orNil(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil //nolint:nilerr // an order to end, carried out, is no error
	}
	return fmt.Errorf("engine: %w", err)
}

// drainPatience is how long a stopping engine tries to store what it knows.
const drainPatience = 5 * time.Second

// drain stores what has been stepped and sent, so that a restart need not learn or send it
// again, and lets others take over at once. A crash skips this, which costs some repetitions and,
// with several processes, the time until its lease ends.
func (e *Engine) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainPatience)
	defer cancel()
	e.post(ctx)
	for _, r := range slices.Clone(e.runs) {
		if err := e.commit(ctx, r); err != nil {
			e.log.Warn("not stored before the end", "campaign", r.id, "err", err)
			continue
		}
		if err := e.mark(ctx, r); err != nil {
			e.log.Warn("not marked before the end", "campaign", r.id, "err", err)
		}
	}
	if err := e.store.Leave(ctx, e.tenure.owner()); err != nil {
		e.log.Warn("others do not know that this server ends", "err", err)
	}
}

// handle takes one event of the network where it belongs. An event that cannot be
// handled is logged and dropped: one device must not stop the others.
func (e *Engine) handle(ctx context.Context, ev network.Event) {
	var err error
	switch ev.Kind {
	case network.Uplink:
		e.meter.Uplink(ev.FPort)
		err = e.HandleUplink(ctx, ev)
	case network.Sent, network.NotSent:
		err = e.HandleReport(ctx, ev)
	case network.Joined:
		if r := e.byDevice[ev.DevEUI]; r != nil {
			err = e.step(r, campaign.Joined{DevEUI: ev.DevEUI}, also{})
		}
	}
	if err != nil {
		e.log.Warn("event dropped", "dev_eui", ev.DevEUI, "group", ev.Group, "err", err)
	}
}

// fireTimers wakes every campaign whose time has come.
func (e *Engine) fireTimers() {
	now := e.source.Now()
	for _, r := range e.runs {
		if r.lost || r.wakeAt.IsZero() || r.wakeAt.After(now) {
			continue
		}
		if err := e.step(r, campaign.TimerFired{}, also{}); err != nil {
			e.log.Error("step failed", "campaign", r.id, "err", err)
		}
	}
}

// nextWake returns the earliest time at which anything is due, or zero.
func (e *Engine) nextWake() time.Time {
	at := e.unsentAt
	for _, r := range e.runs {
		due := []time.Time{r.retryAt}
		if !r.lost { // else only the next try to load it is due
			due = append(due, r.wakeAt)
			if r.batch.steps > 0 {
				due = append(due, r.batch.since.Add(maxBatchAge))
			}
		}
		for _, t := range due {
			if !t.IsZero() && (at.IsZero() || t.Before(at)) {
				at = t
			}
		}
	}
	return at
}
