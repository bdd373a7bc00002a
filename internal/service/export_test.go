package service

import "context"

// WorkOnce does the job that has waited longest, as Work would.
func (s *Service) WorkOnce(ctx context.Context) (bool, error) { return s.workOnce(ctx) }
