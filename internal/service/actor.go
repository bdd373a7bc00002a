package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// Errors about who asks.
var (
	ErrUnauthenticated = errors.New("nobody that the server knows asks for this")
	ErrForbidden       = errors.New("is not permitted")
	ErrTooMany         = errors.New("was tried too often")
)

// RetryError is an ErrTooMany that says how long to wait.
type RetryError struct{ After time.Duration }

// Error says how long to wait.
func (e *RetryError) Error() string {
	return fmt.Sprintf("logging in %v: wait %v", ErrTooMany, e.After.Round(time.Second))
}

// Is makes errors.Is(err, ErrTooMany) true.
func (e *RetryError) Is(target error) bool { return target == ErrTooMany }

type actorKey struct{}

// As returns a context in which a is who asks. Every use case wants one: who forgets it is
// refused, and not let through.
func As(ctx context.Context, a identity.Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who asks.
func ActorOf(ctx context.Context) (identity.Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(identity.Actor)
	return a, ok
}

// may returns who asks if that one may do p, or ErrUnauthenticated or ErrForbidden.
func may(ctx context.Context, p identity.Permission) (identity.Actor, error) {
	a, ok := ActorOf(ctx)
	switch {
	case !ok:
		return a, ErrUnauthenticated
	case !a.May(p):
		return a, fmt.Errorf("this needs the permission %s and %w", p, ErrForbidden)
	}
	return a, nil
}

// reader returns the objects that who asks may see, if that one may do p.
func (s *Service) reader(ctx context.Context, p identity.Permission) (store.Objects, error) {
	a, err := may(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.store.Within(a.SubscriberID), nil
}

// overall returns the objects of people and of the server that who asks may see: users of the
// server see those of all subscribers.
func (s *Service) overall(ctx context.Context, p identity.Permission) (store.Objects, error) {
	a, err := may(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.store.Within(whole(a)), nil
}

// whole returns the subscriber that a sees the people of; "": of all.
func whole(a identity.Actor) string {
	if a.Server {
		return ""
	}
	return a.SubscriberID
}
