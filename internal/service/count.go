package service

import (
	"context"

	"github.com/starling-fuota/starling/internal/identity"
)

// Count is a number of objects, as package metrics wants it.
type Count struct {
	Kind  string // of the object in the audit log, such as "device" or "job"
	State string // ACTIVE or ARCHIVED; of campaigns that are not archived, their status; of jobs, their state
	N     int64
}

// Counts returns how many objects of each kind are in each state, over all subscribers.
// States without objects are left out.
func (s *Service) Counts(ctx context.Context) ([]Count, error) {
	if _, err := may(ctx, identity.ReadMetrics); err != nil {
		return nil, err
	}
	counted, err := s.store.CountObjects(ctx)
	if err != nil {
		return nil, err
	}
	counts := make([]Count, len(counted))
	for i, c := range counted {
		counts[i] = Count{string(c.Kind), c.State, c.N}
	}
	return counts, nil
}
