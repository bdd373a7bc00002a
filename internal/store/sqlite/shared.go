package sqlite

import (
	"context"
	"io"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// What package relational does for every engine.

// PutContent stores r in chunks; see store.Contents.
func (s *Store) PutContent(ctx context.Context, r io.Reader) (store.Content, error) {
	return s.db().PutContent(ctx, r)
}

// OpenContent returns a reader that fetches one chunk at a time.
func (s *Store) OpenContent(ctx context.Context, sum string) (io.ReadCloser, error) {
	return s.db().OpenContent(ctx, sum)
}

func (s *Store) dropAbandonedUploads(ctx context.Context) error {
	return s.db().DropAbandonedUploads(ctx)
}

// LoadRun returns one run as of one instant.
func (s *Store) LoadRun(ctx context.Context, campaignID string) (store.Run, error) {
	return s.db().LoadRun(ctx, campaignID)
}

// LoadRuns returns the runs with something left to do as of one instant.
func (s *Store) LoadRuns(ctx context.Context) ([]store.Run, error) { return s.db().LoadRuns(ctx) }

// PendingOutbox returns the frames to send, oldest first.
func (s *Store) PendingOutbox(ctx context.Context, campaignID string) ([]store.Outgoing, error) {
	return s.db().PendingOutbox(ctx, campaignID)
}

// SessionCnts returns the last used counters of the given devices.
func (s *Store) SessionCnts(ctx context.Context, devices []lorawan.EUI64) ([]store.SessionCnt, error) {
	return s.db().SessionCnts(ctx, devices)
}

// RunInfo returns what changes with every step.
func (s *Store) RunInfo(ctx context.Context, campaignID string) (store.RunInfo, error) {
	return s.db().RunInfo(ctx, campaignID)
}

// Stages returns the stages of a run in their order.
func (s *Store) Stages(ctx context.Context, campaignID string) ([]store.StageProgress, error) {
	return s.db().Stages(ctx, campaignID)
}

// Tally counts devices by what people see of them.
func (s *Store) Tally(ctx context.Context, campaignID string) ([]store.Tally, error) {
	return s.db().Tally(ctx, campaignID)
}

// DeviceProgress returns a page of the devices of a run.
func (s *Store) DeviceProgress(ctx context.Context, campaignID string, q store.ProgressQuery) (store.Page[store.Row], error) {
	return s.db().DeviceProgress(ctx, campaignID, q)
}

// GroupProgress returns the groups of a run.
func (s *Store) GroupProgress(ctx context.Context, campaignID string) ([]store.Row, error) {
	return s.db().GroupProgress(ctx, campaignID)
}

// Timeline returns entries in the order of commit.
func (s *Store) Timeline(ctx context.Context, campaignID string, q store.TimelineQuery) ([]store.TimelineEntry, error) {
	return s.db().Timeline(ctx, campaignID, q)
}
