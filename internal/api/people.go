package api

import (
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// people registers users, their tokens, and subscribers.
func (a *api) people() {
	s := a.Service
	users := resource[identity.User, string, user]{
		name: "user", plural: "users", kind: store.KindUser, read: identity.ManageUsers, write: identity.ManageUsers, keyField: "id",
		use: s.Users, parse: asID, key: func(u identity.User) string { return u.ID },
		revision: func(u identity.User) int64 { return u.Revision }, show: showUser, apply: (*user).apply, create: a.createUser,
	}
	add(a, users)
	addExport(a, users.listing())
	a.passwords()
	a.tokens()
	subscribers := resource[fleet.Subscriber, string, subscriber]{
		name: "subscriber", plural: "subscribers", kind: store.KindSubscriber, read: identity.ManageUsers, write: identity.ManageServer, keyField: "id",
		use: s.Subscribers, parse: asID, key: func(x fleet.Subscriber) string { return x.ID },
		revision: func(x fleet.Subscriber) int64 { return x.Revision }, show: showSubscriber, apply: (*subscriber).apply,
	}
	add(a, subscribers)
	addExport(a, subscribers.listing())
}
