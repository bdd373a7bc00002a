package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

type eventsInput struct {
	KeyInput
	LastEventID int64 `header:"Last-Event-ID" minimum:"0" maximum:"9007199254740991" doc:"Continue after this timeline entry"`
}

// heartbeat shows that a silent stream lives.
type heartbeat struct {
	At time.Time `json:"at"`
}

// events registers the stream of what happens in a campaign.
//
// It reads what is committed instead of listening to the engine: any process that
// reaches the store can serve any viewer, a slow viewer holds up nobody, and a viewer
// that comes back with Last-Event-ID misses nothing.
func (a *api) events() {
	op := huma.Operation{OperationID: "watch-campaign", Method: http.MethodGet, Path: Prefix + "/campaigns/{id}/events", Tags: []string{"campaigns"},
		Summary:     "Watch a campaign",
		Description: "Sends the timeline and, at first and whenever it changed, the progress. Timeline entries carry their seq as event id. The stream ends after the campaign has.",
		Errors:      []int{http.StatusInternalServerError}, // complete adds the others
		Middlewares: huma.Middlewares{a.campaignExists},
	}
	a.admit(identity.ReadFleet, &op)
	sse.Register(a.huma, op, map[string]any{"progress": progress{}, "timeline": entry{}, "heartbeat": heartbeat{}}, a.watch)
}

// campaignExists answers 404 before the stream begins: afterwards it is too late.
func (a *api) campaignExists(ctx huma.Context, next func(huma.Context)) {
	if _, err := a.Service.Campaigns.Find(ctx.Context(), ctx.Param("id")); err != nil {
		_, w := humago.Unwrap(ctx)
		writeProblem(w, problem(ctx.Context(), a.Log, err))
		return
	}
	next(ctx)
}

// watch sends what is new until the campaign has ended, the viewer has gone or the server stops.
func (a *api) watch(ctx context.Context, in *eventsInput, send sse.Sender) {
	seq, version, silence, unasked := in.LastEventID, int64(-1), time.Duration(0), time.Duration(0)
	tick := time.NewTicker(a.Poll)
	defer tick.Stop()
	for {
		news, ended, err := a.news(ctx, in.ID, &seq, &version, send)
		if err != nil {
			if ctx.Err() == nil {
				a.Log.WarnContext(ctx, "event stream ended", "request_id", requestID(ctx), "campaign", in.ID, "error", err)
			}
			return
		}
		if ended {
			return
		}
		if unasked += a.Poll; unasked >= a.Heartbeat {
			unasked = 0
			if err := stillMay(ctx); err != nil {
				a.Log.InfoContext(ctx, "event stream ended with its token", "request_id", requestID(ctx), "campaign", in.ID, "reason", err)
				return
			}
		}
		if silence += a.Poll; news {
			silence = 0
		} else if silence >= a.Heartbeat {
			silence = 0
			if send.Data(heartbeat{time.Now().UTC()}) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// news sends the timeline after seq and, if version is old, the progress.
func (a *api) news(ctx context.Context, id string, seq, version *int64, send sse.Sender) (news, ended bool, err error) {
	// The campaign is read before the run: if it has ended, everything is committed.
	c, err := a.Service.Campaigns.Find(ctx, id)
	if err != nil {
		return false, false, err
	}
	info, err := a.Service.RunInfo(ctx, id)
	if err != nil {
		return false, false, err
	}
	for *seq < info.LastSeq {
		entries, err := a.Service.Timeline(ctx, id, store.TimelineQuery{After: *seq, Limit: store.MaxLimit})
		if err != nil || len(entries) == 0 {
			return news, false, err
		}
		for _, t := range entries {
			if err := send(sse.Message{ID: int(t.Seq), Data: showEntry(t)}); err != nil {
				return news, false, err
			}
			*seq, news = t.Seq, true
		}
	}
	// The revision rises when a campaign is started before any step is made.
	if now := info.Version + c.Revision; *version != now {
		p, err := a.Service.Progress(ctx, id)
		if err != nil {
			return news, false, err
		}
		if err := send.Data(showProgress(p)); err != nil {
			return news, false, err
		}
		*version, news = now, true
	}
	return news, c.Status.Ended(), nil
}
