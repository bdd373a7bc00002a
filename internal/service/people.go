package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// sessionLife is how long somebody stays logged in.
const sessionLife = 12 * time.Hour

// usedEvery bounds how often the use of a token is written down.
const usedEvery = time.Minute

// Session is a right to act that somebody got by logging in. The secret is told once.
type Session struct {
	Secret string
	Token  identity.Token
	User   identity.User
}

// definePeople says what is particular about users and subscribers.
func (s *Service) definePeople() {
	never := func(context.Context, store.Objects, *identity.User) error { return nil }
	s.Users = &Resource[identity.User, string]{s, rules[identity.User, string]{
		name: "user", read: identity.ManageUsers, write: identity.ManageUsers, overall: true,
		collection: store.Objects.Users,
		id:         func(u *identity.User) string { return u.ID },
		keys:       func(u *identity.User) map[string][]byte { return map[string][]byte{"password": []byte(u.PasswordHash)} },
		meta: func(u *identity.User) meta {
			return meta{&u.SubscriberID, &u.CreatedAt, &u.UpdatedAt, &u.Revision, &u.Archived}
		},
		created: func(u *identity.User, _ fleet.SubscriberDefaults) (err error) {
			if u.Login, err = identity.ParseLogin(u.Login); err != nil {
				return err
			}
			return setID(&u.ID)
		},
		check: checkUser, free: func(*identity.User) {}, frozen: never, kept: mayLeave, left: endTokens,
	}}
	s.Subscribers = &Resource[fleet.Subscriber, string]{s, rules[fleet.Subscriber, string]{
		name: "subscriber", read: identity.ManageUsers, write: identity.ManageServer, overall: true,
		collection: store.Objects.Subscribers,
		id:         func(x *fleet.Subscriber) string { return x.ID },
		keys:       func(x *fleet.Subscriber) map[string][]byte { return map[string][]byte{"as_key": x.ASKey} },
		meta: func(x *fleet.Subscriber) meta {
			return meta{&x.ID, &x.CreatedAt, &x.UpdatedAt, &x.Revision, &x.Archived}
		},
		created: func(x *fleet.Subscriber, _ fleet.SubscriberDefaults) error {
			if x.ID == "" {
				return setID(&x.ID)
			}
			return nil
		},
		check: func(context.Context, store.Objects, *fleet.Subscriber, *fleet.Subscriber) error { return nil },
		free:  func(*fleet.Subscriber) {},
		frozen: func(context.Context, store.Objects, *fleet.Subscriber) error {
			return nil
		},
		kept: func(ctx context.Context, o store.Objects, x *fleet.Subscriber) error {
			if x.ID == fleet.DefaultSubscriber {
				return fmt.Errorf("subscriber %s is where things belong that name no other, archiving it %w", x.ID, ErrState)
			}
			return inUse(ctx, o.Within(x.ID), func(fleet.Campaign) (bool, error) { return true, nil })
		},
	}}
}

// checkUser keeps people from making somebody who may do more than they may themselves, and
// the server from losing its last administrator.
func checkUser(ctx context.Context, o store.Objects, before, u *identity.User) error {
	if before != nil {
		if before.SubscriberID != u.SubscriberID {
			return invalid("subscriber_id", "cannot be changed", "create another user and archive this")
		}
		if err := outranked(ctx, before.Role.Permissions(before.Server())); err != nil {
			return err
		}
		if isServerAdministrator(before) && !isServerAdministrator(u) {
			if err := oneAdministratorStays(ctx, o, before); err != nil {
				return err
			}
		}
	} else if !u.Server() {
		if err := referTo(ctx, o.Subscribers(), "subscriber_id", u.SubscriberID, func(s fleet.Subscriber) bool { return s.Archived }); err != nil {
			return err
		}
	}
	return outranked(ctx, u.Role.Permissions(u.Server()))
}

// outranked returns ErrForbidden if somebody with these permissions may do more than who asks.
func outranked(ctx context.Context, theirs identity.Permissions) error {
	a, _ := ActorOf(ctx)
	if !a.Permissions.Contains(theirs) {
		return fmt.Errorf("a user who may do more than you do yourself %w: ask somebody who may do as much", ErrForbidden)
	}
	return nil
}

func isServerAdministrator(u *identity.User) bool {
	return u.Server() && u.Role == identity.Administrator && !u.Archived
}

// mayLeave returns why a user must not be archived, or nil.
func mayLeave(ctx context.Context, o store.Objects, u *identity.User) error {
	if err := outranked(ctx, u.Role.Permissions(u.Server())); err != nil {
		return err
	}
	return oneAdministratorStays(ctx, o, u)
}

// oneAdministratorStays returns ErrState if u is the last who can administer the server.
func oneAdministratorStays(ctx context.Context, o store.Objects, u *identity.User) error {
	if !isServerAdministrator(u) {
		return nil
	}
	n, err := serverAdministrators(ctx, o)
	if err == nil && n < 2 {
		err = fmt.Errorf("user %s is the last administrator of the server, removing it %w: make another one first", u.ID, ErrState)
	}
	return err
}

func serverAdministrators(ctx context.Context, o store.Objects) (int, error) {
	return o.Users().Count(ctx, store.Query{Where: map[store.Field]string{
		store.BySubscriber: "", store.ByRole: identity.Administrator.String()}})
}

// CreateUser stores a new user. password "" is none: then only an OpenID provider lets it in.
func (s *Service) CreateUser(ctx context.Context, u identity.User, password string) (identity.User, error) {
	if _, err := may(ctx, identity.ManageUsers); err != nil {
		return u, err
	}
	if password != "" {
		hash, err := identity.HashPassword(ctx, s.random, u.Login, password)
		if err != nil {
			return u, errors.Join(err, u.Validate())
		}
		u.PasswordHash = hash
	}
	return s.Users.Create(ctx, u)
}

// FirstAdministrator makes the first user of a server: one who may do everything. It returns
// ErrState if the server has an administrator. No other use case makes somebody out of nothing.
func (s *Service) FirstAdministrator(ctx context.Context, login, password string) (identity.User, error) {
	n, err := serverAdministrators(ctx, s.store)
	if err == nil && n > 0 {
		err = fmt.Errorf("the server has an administrator, making a first one %w: log in as one to make others", ErrState)
	}
	if err != nil {
		return identity.User{}, err
	}
	return s.CreateUser(As(ctx, identity.System("")), identity.User{Login: login, Role: identity.Administrator}, password)
}

// SetPassword gives a user another password and ends all of its sessions but the one that
// asks. Who changes the own password shows the current one; for another user it takes ManageUsers.
func (s *Service) SetPassword(ctx context.Context, userID, current, password string) error {
	a, err := may(ctx, identity.Self)
	if err != nil {
		return err
	}
	own := a.UserID == userID && userID != ""
	if !own && !a.May(identity.ManageUsers) {
		// Whether there is such a user is not theirs to know.
		return fmt.Errorf("user %s: %w", userID, store.ErrNotFound)
	}
	u, err := s.store.Within(whole(a)).Users().Find(ctx, userID)
	if err != nil {
		return err
	}
	if own && u.PasswordHash != "" {
		if wait := s.limiter.Try(u.Login, a.From); wait > 0 {
			return &RetryError{wait}
		}
		ok, _, err := identity.CheckPassword(ctx, u.PasswordHash, current)
		if err != nil {
			return err
		}
		if !ok {
			return invalid("current", "is not the current password", "")
		}
		s.limiter.Succeeded(u.Login, a.From)
	}
	if !own || u.PasswordHash == "" {
		// Whoever need not show a password must be able to do all that the new one lets in for: else a
		// limited token makes itself a session that is not limited.
		if err := outranked(ctx, u.Role.Permissions(u.Server())); err != nil {
			return err
		}
	}
	hash, err := identity.HashPassword(ctx, s.random, u.Login, password)
	if err != nil {
		return err
	}
	return s.changeAs(ctx, a, whole(a), func(c *changes) error {
		u, err := c.Users().Find(ctx, userID)
		if err != nil {
			return err
		}
		u.PasswordHash, u.UpdatedAt = hash, c.wall
		if err := c.Users().Update(ctx, &u); err != nil {
			return err
		}
		c.recordIn(u.SubscriberID, "user.password", "user", u.ID, nil, "")
		return endSessions(ctx, c, u.ID, a.TokenID)
	})
}

// ResetPassword gives the user with a login another password. It is for who can reach the
// database itself, when nobody is left who can log in.
func (s *Service) ResetPassword(ctx context.Context, login, password string) error {
	u, err := s.userBy(ctx, store.ByLogin, login)
	if err != nil {
		return fmt.Errorf("user %q: %w", login, err)
	}
	return s.SetPassword(As(ctx, identity.System("")), u.ID, "", password)
}

// endSessions revokes the sessions of a user but one.
func endSessions(ctx context.Context, c *changes, userID, but string) error {
	return revoke(ctx, c, map[store.Field]string{store.ByUser: userID, store.ByKind: identity.KindSession.String()}, but)
}

// endTokens revokes all that an archived user has: whoever brings the user back brings no secret back
// with it, which may be why the user was archived.
func endTokens(ctx context.Context, c *changes, u *identity.User) error {
	return revoke(ctx, c, map[store.Field]string{store.ByUser: u.ID}, "")
}

// revoke revokes the tokens and sessions that are found, but one.
func revoke(ctx context.Context, c *changes, where map[store.Field]string, but string) error {
	for t, err := range store.All(ctx, c.Tokens(), store.Query{Where: where}) {
		if err != nil {
			return err
		}
		if t.ID == but {
			continue
		}
		if err := c.Tokens().Archive(ctx, t.ID, c.wall); err != nil {
			return err
		}
		if t.Kind == identity.KindAPI {
			c.recordIn(t.SubscriberID, "token.revoke", "token", t.ID, nil, "")
		}
	}
	return nil
}

// Login lets somebody in by login and password. It returns ErrUnauthenticated, whatever of both was
// wrong, or a RetryError. from is the network address of who asks.
func (s *Service) Login(ctx context.Context, login, password, from string) (Session, error) {
	if wait := s.limiter.Try(login, from); wait > 0 {
		return Session{}, &RetryError{wait}
	}
	u, err := s.userBy(ctx, store.ByLogin, login)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Session{}, err
	}
	// Somebody who does not exist costs as much time as a wrong password.
	ok, outdated, err := identity.CheckPassword(ctx, u.PasswordHash, password)
	if err != nil {
		return Session{}, err
	}
	if !ok || s.shutOut(ctx, u) != nil {
		return Session{}, s.refuse(ctx, u, from)
	}
	s.limiter.Succeeded(login, from)
	renewed := u
	if outdated {
		if hash, err := identity.HashPassword(ctx, s.random, u.Login, password); err == nil {
			renewed.PasswordHash = hash
		}
	}
	return s.begin(ctx, u, renewed, from)
}

// LoginOIDC lets somebody in whom an OpenID provider has vouched for: the user with this
// subject, or, the first time, the one whose login is the verified e-mail address.
func (s *Service) LoginOIDC(ctx context.Context, c identity.Claims, from string) (Session, error) {
	u, err := s.userBy(ctx, store.ByOIDCSubject, c.Subject)
	if errors.Is(err, store.ErrNotFound) && c.EmailVerified && c.Email != "" {
		if u, err = s.userBy(ctx, store.ByLogin, c.Email); err == nil && u.OIDCSubject != "" {
			return Session{}, s.refuse(ctx, u, from)
		}
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Session{}, s.refuse(ctx, identity.User{}, from)
	case err != nil:
		return Session{}, err
	case s.shutOut(ctx, u) != nil:
		return Session{}, s.refuse(ctx, u, from)
	}
	bound := u
	bound.OIDCSubject = c.Subject
	return s.begin(ctx, u, bound, from)
}

// userBy returns the user with a value that only one has, archived or not.
func (s *Service) userBy(ctx context.Context, field store.Field, value string) (identity.User, error) {
	if field == store.ByLogin {
		login, err := identity.ParseLogin(value)
		if err != nil {
			return identity.User{}, store.ErrNotFound
		}
		value = login
	}
	if value == "" {
		return identity.User{}, store.ErrNotFound
	}
	page, err := s.store.Users().List(ctx, store.Query{Archived: true, Limit: 1, Where: map[store.Field]string{field: value}})
	if err == nil && len(page.Items) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return identity.User{}, err
	}
	return page.Items[0], nil
}

// shutOut returns why a user must not be let in, or nil.
func (s *Service) shutOut(ctx context.Context, u identity.User) error {
	switch {
	case u.ID == "" || u.Archived:
		return ErrUnauthenticated
	case u.Server():
		return nil
	}
	subscriber, err := s.store.Subscribers().Find(ctx, u.SubscriberID)
	if err == nil && subscriber.Archived {
		err = ErrUnauthenticated
	}
	return err
}

// refuse records an attempt to log in, and returns ErrUnauthenticated. What was typed as
// login is not kept if nobody has it: it may be a password.
func (s *Service) refuse(ctx context.Context, u identity.User, from string) error {
	a, _ := ActorOf(ctx)
	e := store.AuditEntry{At: s.wall(), SubscriberID: u.SubscriberID, UserID: u.ID, Login: u.Login, From: from, RequestID: a.RequestID,
		Action: "session.refused", Kind: "session"}
	return errors.Join(fmt.Errorf("login or password is wrong: %w", ErrUnauthenticated), s.store.Record(ctx, e))
}

// begin makes a session for u, the user as it was when it was found to be let in, and makes it what
// logging in makes of it. If somebody has changed meanwhile what let u in, nobody is let in: else a
// log-in with the password that was just replaced would go through, and bring that password back.
func (s *Service) begin(ctx context.Context, u, becomes identity.User, from string) (Session, error) {
	asked, _ := ActorOf(ctx)
	a := identity.Actor{UserID: u.ID, Login: u.Login, SubscriberID: u.SubscriberID, Server: u.Server(), From: from, RequestID: asked.RequestID}
	secret, digest, err := identity.NewSecret(s.random, identity.KindSession)
	if err != nil {
		return Session{}, err
	}
	session := Session{Secret: secret}
	err = s.changeAs(ctx, a, u.SubscriberID, func(c *changes) error {
		stored, err := c.Users().Find(ctx, u.ID)
		if err != nil {
			return err
		}
		if stored.PasswordHash != u.PasswordHash || stored.OIDCSubject != u.OIDCSubject || stored.Archived {
			return fmt.Errorf("user %s was changed while it logged in: %w", u.ID, ErrUnauthenticated)
		}
		if was := stored; becomes.OIDCSubject != was.OIDCSubject {
			// From now on whoever has this subject is let in: that is a change of the user.
			is := was
			is.OIDCSubject = becomes.OIDCSubject
			if err := s.Users.record(c, "update", &was, &is); err != nil {
				return err
			}
		}
		stored.PasswordHash, stored.OIDCSubject, stored.LastLogin = becomes.PasswordHash, becomes.OIDCSubject, c.wall
		if err := c.Users().Update(ctx, &stored); err != nil {
			return err
		}
		t := identity.Token{Kind: identity.KindSession, UserID: u.ID, SubscriberID: u.SubscriberID, Digest: digest,
			CreatedAt: c.wall, UpdatedAt: c.wall, LastUsed: c.wall, ExpiresAt: c.wall.Add(sessionLife)}
		if err := setID(&t.ID); err != nil {
			return err
		}
		if err := c.Tokens().Create(ctx, &t); err != nil {
			return err
		}
		c.record("session.login", "session", t.ID, "")
		session.Token, session.User = t, stored
		return nil
	})
	return session, err
}

// Authenticate returns who shows a secret. subscriber is the one to act in; "": the user's own, and
// for users of the server fleet.DefaultSubscriber. It returns ErrUnauthenticated, or ErrForbidden for a
// subscriber that the user does not belong to.
func (s *Service) Authenticate(ctx context.Context, secret, subscriber string) (identity.Actor, error) {
	if _, ok := identity.SecretKind(secret); !ok {
		return identity.Actor{}, ErrUnauthenticated
	}
	page, err := s.store.Tokens().List(ctx, store.Query{Limit: 1, Where: map[store.Field]string{store.ByDigest: identity.Digest(secret)}})
	if err != nil {
		return identity.Actor{}, err
	}
	if len(page.Items) == 0 {
		return identity.Actor{}, ErrUnauthenticated
	}
	t := page.Items[0]
	u, err := s.store.Users().Find(ctx, t.UserID)
	if err != nil {
		return identity.Actor{}, err
	}
	if err := s.shutOut(ctx, u); err != nil {
		return identity.Actor{}, err
	}
	if subscriber == "" && u.Server() {
		subscriber = fleet.DefaultSubscriber
	}
	now := s.wall()
	a, err := identity.NewActor(u, t, subscriber, now)
	switch {
	case errors.Is(err, identity.ErrSubscriber):
		return a, fmt.Errorf("acting in another subscriber %w", ErrForbidden)
	case err != nil:
		return a, ErrUnauthenticated
	}
	if u.Server() {
		if _, err := s.store.Subscribers().Find(ctx, subscriber); errors.Is(err, store.ErrNotFound) {
			return a, invalid("Starling-Subscriber", "names no subscriber", "leave it out, or list the subscribers there are")
		} else if err != nil {
			return a, err
		}
	}
	if now.Sub(t.LastUsed) >= usedEvery {
		t.LastUsed = now
		// Somebody else may have noted it meanwhile: that is as good.
		if err := s.store.Tokens().Update(ctx, &t); err != nil && !errors.Is(err, store.ErrStale) {
			return a, err
		}
	}
	return a, nil
}

// Me returns who asks.
func (s *Service) Me(ctx context.Context) (identity.User, identity.Actor, error) {
	a, ok := ActorOf(ctx)
	if !ok {
		return identity.User{}, a, ErrUnauthenticated
	}
	u, err := s.store.Users().Find(ctx, a.UserID)
	return u, a, err
}

// Logout ends the session, or revokes the token, that who asks came with.
func (s *Service) Logout(ctx context.Context) error {
	a, ok := ActorOf(ctx)
	if !ok {
		return ErrUnauthenticated
	}
	return s.changeAs(ctx, a, whole(a), func(c *changes) error {
		c.record("session.logout", "session", a.TokenID, "")
		return c.Tokens().Archive(ctx, a.TokenID, c.wall)
	})
}
