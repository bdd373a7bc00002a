package service

import (
	"context"
	"fmt"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// Tokens returns a page of tokens and sessions: the own ones, or with ManageUsers those of all
// users whom who asks manages.
func (s *Service) Tokens(ctx context.Context, q store.Query) (store.Page[identity.Token], error) {
	a, err := may(ctx, identity.Self)
	if err != nil {
		return store.Page[identity.Token]{}, err
	}
	if !a.May(identity.ManageUsers) {
		own := map[store.Field]string{store.ByUser: a.UserID}
		for field, value := range q.Where {
			if field == store.ByUser && value != a.UserID {
				return store.Page[identity.Token]{}, nil
			}
			own[field] = value
		}
		q.Where = own
	}
	return s.store.Within(whole(a)).Tokens().List(ctx, q)
}

// FindToken returns one token, of those that Tokens lists.
func (s *Service) FindToken(ctx context.Context, id string) (identity.Token, error) {
	a, err := may(ctx, identity.Self)
	if err != nil {
		return identity.Token{}, err
	}
	t, err := s.store.Within(whole(a)).Tokens().Find(ctx, id)
	if err == nil && t.UserID != a.UserID && !a.May(identity.ManageUsers) {
		return identity.Token{}, fmt.Errorf("token %s: %w", id, store.ErrNotFound)
	}
	return t, err
}

// CreateToken makes an API token for who asks, and returns its secret, which nobody can see
// again. Only name, scopes and expiry are taken from t. A token cannot do more than who made it.
func (s *Service) CreateToken(ctx context.Context, t identity.Token) (secret string, _ identity.Token, err error) {
	a, err := may(ctx, identity.Self)
	if err != nil {
		return "", t, err
	}
	if !a.Permissions.Contains(identity.PermissionsOf(t.Scopes...)) {
		return "", t, fmt.Errorf("a token with more permissions than your own %w", ErrForbidden)
	}
	if len(t.Scopes) == 0 {
		// What is limited makes nothing that is not.
		if u, err := s.store.Users().Find(ctx, a.UserID); err != nil {
			return "", t, err
		} else if a.Permissions != u.Permissions() {
			t.Scopes = a.Permissions.Slice()
		}
	}
	secret, digest, err := identity.NewSecret(s.random, identity.KindAPI)
	if err != nil {
		return "", t, err
	}
	made := t
	err = s.changeAs(ctx, a, whole(a), func(c *changes) error {
		u, err := c.Users().Find(ctx, a.UserID)
		if err != nil {
			return err
		}
		made = identity.Token{Name: t.Name, Kind: identity.KindAPI, UserID: u.ID, SubscriberID: u.SubscriberID, Scopes: t.Scopes,
			ExpiresAt: t.ExpiresAt.UTC(), Digest: digest, CreatedAt: c.wall, UpdatedAt: c.wall}
		if err := setID(&made.ID); err != nil {
			return err
		}
		if err := made.Validate(); err != nil {
			return err
		}
		if err := c.Tokens().Create(ctx, &made); err != nil {
			return err
		}
		d, err := diff(nil, made, nil, nil)
		c.recordIn(u.SubscriberID, "token.create", "token", made.ID, d, "")
		return err
	})
	if err != nil {
		return "", t, err
	}
	return secret, made, nil
}

// RevokeToken makes a token useless at once. Revoking twice is no error.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	t, err := s.FindToken(ctx, id)
	if err != nil || t.Archived {
		return err
	}
	a, _ := ActorOf(ctx)
	return s.changeAs(ctx, a, whole(a), func(c *changes) error {
		c.recordIn(t.SubscriberID, "token.revoke", "token", id, nil, "")
		return c.Tokens().Archive(ctx, id, c.wall)
	})
}
