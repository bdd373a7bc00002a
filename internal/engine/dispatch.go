package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/store"
)

// retryDelay is how long the outbox of a campaign rests after the network could not be reached.
const retryDelay = 5 * time.Second

// settle stores what steps have changed and sends what that allows, campaign by campaign,
// in this order. A refusal of the network becomes an input, which may bring more to
// send: so it goes on until all is quiet.
//
// With more events at hand a commit can wait for them, unless there is something to send.
func (e *Engine) settle(ctx context.Context) {
	idle := !e.source.Pending()
	for again := true; again; {
		again = false
		for _, r := range slices.Clone(e.runs) {
			refused, err := e.settleRun(ctx, r, idle)
			if err != nil && !errors.Is(err, store.ErrFenced) { // which was said
				e.log.Error("campaign is loaded again", "campaign", r.id, "err", err)
			}
			again = again || refused
		}
	}
}

func (e *Engine) settleRun(ctx context.Context, r *run, idle bool) (refused bool, err error) {
	if e.mustCommit(r, idle) {
		if err := e.commit(ctx, r); err != nil {
			return false, err
		}
	}
	if len(r.outbox) > 0 && !r.lost && !r.retryAt.After(e.source.Now()) {
		refused = e.sendAll(ctx, r)
	}
	if idle || r.c.Done() {
		if err := e.mark(ctx, r); err != nil {
			return refused, err
		}
	}
	if r.c.Done() && r.batch.steps == 0 && len(r.outbox) == 0 && len(r.marks) == 0 {
		e.forget(r)
	}
	return refused, nil
}

// mark stores which frames have gone out.
func (e *Engine) mark(ctx context.Context, r *run) error {
	if len(r.marks) == 0 || r.lost {
		return nil
	}
	if err := e.store.MarkSent(ctx, r.id, r.epoch, r.marks...); err != nil {
		if e.fenced(r, err) {
			return fmt.Errorf("mark %d frames as sent: %w", len(r.marks), err)
		}
		// They would go out twice after a reload, which every receiver can take.
		r.lost, r.retryAt = true, e.source.Now().Add(retryDelay)
		return fmt.Errorf("mark %d frames as sent: %w", len(r.marks), err)
	}
	r.marks = nil
	return nil
}

// sendAll empties the outbox of one campaign and tells if a frame was refused. That a
// frame has gone out is stored with the next commit: a crash before it sends it twice.
func (e *Engine) sendAll(ctx context.Context, r *run) (refused bool) {
	r.retryAt = time.Time{}
	for len(r.outbox) > 0 && e.tenure.maySend() { // else the next renewal wakes the engine
		o := r.outbox[0]
		mark, err := e.send(ctx, o)
		switch {
		case errors.Is(err, network.ErrRejected):
			refused = true
			if err := e.step(r, campaign.NotSent{ID: o.ID, Reason: err.Error()}, also{}); err != nil {
				e.log.Error("refused frame", "campaign", r.id, "frame", o.ID, "err", err)
			}
		case err != nil:
			r.retryAt = e.source.Now().Add(retryDelay)
			e.log.Warn("network not reached, trying again", "campaign", r.id, "frame", o.ID, "err", err)
			return refused
		}
		if err == nil && len(o.Payload) > 0 {
			e.meter.Downlink(o.FPort)
		}
		r.marks = append(r.marks, mark)
		r.outbox = r.outbox[1:]
	}
	return refused
}

// send hands one entry of the outbox to the network server.
func (e *Engine) send(ctx context.Context, o store.Outgoing) (store.Sent, error) {
	mark := store.Sent{ID: o.ID}
	frame := network.Frame{ID: o.ID, FPort: o.FPort, Payload: o.Payload}
	switch {
	case len(o.Payload) == 0 && o.Group.IsZero():
		return mark, e.adapter.FlushUnicast(ctx, o.DevEUI)
	case len(o.Payload) == 0:
		return mark, e.adapter.FlushMulticast(ctx, o.Group)
	case o.Group.IsZero():
		return mark, e.adapter.SendUnicast(ctx, o.DevEUI, frame, o.Flush)
	}
	fcnt, known, err := e.adapter.SendMulticast(ctx, o.Group, frame)
	if known {
		mark.Group, mark.FCnt = o.Group, fcnt
	}
	return mark, err
}
