package identity

import (
	"errors"
	"fmt"
	"time"
)

// Errors of NewActor. What they say is for the log: a caller without a good token is told
// that it is not good, not why.
var (
	ErrNotLive    = errors.New("identity: token or user is no longer valid")
	ErrSubscriber = errors.New("identity: the user belongs to another subscriber")
)

// SystemLogin is the login of actors that are the server itself. No user can have it:
// parentheses are not part of logins.
const SystemLogin = "(system)"

// Actor is who does something, and in which subscriber. The zero value may do nothing.
type Actor struct {
	UserID       string      `json:"user_id,omitempty"` // "": the system
	Login        string      `json:"login"`
	TokenID      string      `json:"token_id,omitempty"`
	SubscriberID string      `json:"subscriber_id,omitempty"` // the one acted in; "": what belongs to all
	Server       bool        `json:"server"`                  // the user belongs to no subscriber
	Permissions  Permissions `json:"permissions"`
	From         string      `json:"from,omitempty"`       // network address of the caller
	RequestID    string      `json:"request_id,omitempty"` // finds the log lines of the request
}

// NewActor returns the actor that a request with token t of user u is at now, acting in
// the subscriber in. in "" is the user's own; only users of the server may name another.
// It returns ErrNotLive if the token is revoked, expired or somebody else's or the user is
// archived, and ErrSubscriber. From and RequestID are the caller's to fill in.
func NewActor(u User, t Token, in string, now time.Time) (Actor, error) {
	switch {
	case u.ID == "" || t.UserID != u.ID:
		return Actor{}, fmt.Errorf("token %s is not of user %s: %w", t.ID, u.ID, ErrNotLive)
	case u.Archived:
		return Actor{}, fmt.Errorf("user %s is archived: %w", u.ID, ErrNotLive)
	case !t.Live(now):
		return Actor{}, fmt.Errorf("token %s is revoked or expired: %w", t.ID, ErrNotLive)
	case in != "" && in != u.SubscriberID && !u.Server():
		return Actor{}, fmt.Errorf("subscriber %q: %w", in, ErrSubscriber)
	case in == "":
		in = u.SubscriberID
	}
	return Actor{
		UserID:       u.ID,
		Login:        u.Login,
		TokenID:      t.ID,
		SubscriberID: in,
		Server:       u.Server(),
		Permissions:  t.Permissions(u.Permissions()),
	}, nil
}

// System returns the server itself, acting in a subscriber: jobs, clean-up and the commands of
// an operator on the server's own machine. It may do everything.
func System(subscriberID string) Actor {
	return Actor{Login: SystemLogin, SubscriberID: subscriberID, Server: true, Permissions: PermissionsOf(permissions...)}
}

// May reports whether a is allowed p.
func (a Actor) May(p Permission) bool { return a.Permissions.Has(p) }

// String returns who it is and from where, for logs.
func (a Actor) String() string {
	s := a.Login
	if s == "" {
		s = "nobody"
	}
	if a.SubscriberID != "" {
		s += " in " + a.SubscriberID
	}
	if a.From != "" {
		s += " from " + a.From
	}
	return s
}
