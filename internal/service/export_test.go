package service

import (
	"context"
	"log/slog"
	"time"
)

// WorkOnce does the job that has waited longest, as Work would.
func (s *Service) WorkOnce(ctx context.Context) (bool, error) { return s.workOnce(ctx) }

// KeepHouse does what Work does unasked, and returns when it will do it again.
func (s *Service) KeepHouse(ctx context.Context, log *slog.Logger, due time.Time) time.Time {
	return s.keepHouse(ctx, log, due)
}
