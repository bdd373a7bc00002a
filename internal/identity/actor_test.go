package identity_test

import (
	"errors"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/identity"
)

func TestATokenAllowsNoMoreThanItsUserAndItsScopes(t *testing.T) {
	operator := identity.User{ID: "u1", Login: "ada", SubscriberID: "s1", Role: identity.Operator}
	archived := operator
	archived.Archived = true
	for _, tc := range []struct {
		name   string
		user   identity.User
		scopes []identity.Permission
		want   string
	}{
		{"no scopes", operator, nil, "fleet:read fleet:write campaigns:run reports:read self"},
		{"fewer", operator, []identity.Permission{identity.ReadFleet}, "fleet:read"},
		{"more than the user", operator, []identity.Permission{identity.ReadFleet, identity.RevealKeys, identity.ManageServer}, "fleet:read"},
		{"only more", operator, []identity.Permission{identity.RevealKeys}, ""},
		{"unknown only", operator, []identity.Permission{"fleet:*"}, ""},
		{"archived user", archived, nil, ""},
	} {
		token := identity.Token{ID: "t1", UserID: "u1", Scopes: tc.scopes}
		if got := token.Permissions(tc.user.Permissions()).String(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestWhoMayActWhere(t *testing.T) {
	of := func(subscriber string) identity.User {
		return identity.User{ID: "u1", Login: "ada", SubscriberID: subscriber, Role: identity.Administrator}
	}
	live := identity.Token{ID: "t1", UserID: "u1", ExpiresAt: noon.Add(time.Hour)}
	with := func(change func(*identity.Token)) identity.Token {
		tok := live
		change(&tok)
		return tok
	}
	archived := of("s1")
	archived.Archived = true
	for _, tc := range []struct {
		name  string
		user  identity.User
		token identity.Token
		in    string
		want  string // subscriber acted in
		err   error
	}{
		{"own by default", of("s1"), live, "", "s1", nil},
		{"own by name", of("s1"), live, "s1", "s1", nil},
		{"another's", of("s1"), live, "s2", "", identity.ErrSubscriber},
		{"server in one", of(""), live, "s2", "s2", nil},
		{"server in none", of(""), live, "", "", nil},
		{"archived user", archived, live, "", "", identity.ErrNotLive},
		{"revoked", of("s1"), with(func(k *identity.Token) { k.Archived = true }), "", "", identity.ErrNotLive},
		{"expires now", of("s1"), with(func(k *identity.Token) { k.ExpiresAt = noon }), "", "", identity.ErrNotLive},
		{"never expires", of("s1"), with(func(k *identity.Token) { k.ExpiresAt = time.Time{} }), "", "s1", nil},
		{"somebody else's token", of("s1"), with(func(k *identity.Token) { k.UserID = "u2" }), "", "", identity.ErrNotLive},
		{"nobody", identity.User{}, identity.Token{}, "", "", identity.ErrNotLive},
	} {
		a, err := identity.NewActor(tc.user, tc.token, tc.in, noon)
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
			continue
		}
		if err != nil {
			if a != (identity.Actor{}) {
				t.Errorf("%s: an actor in spite of %v", tc.name, err)
			}
			continue
		}
		if a.SubscriberID != tc.want || a.Server != tc.user.Server() || a.May(identity.ManageServer) != a.Server || !a.May(identity.RevealKeys) {
			t.Errorf("%s: %+v", tc.name, a)
		}
	}
}

func TestTheZeroActorMayDoNothingAndTheSystemEverything(t *testing.T) {
	for _, p := range identity.AllPermissions() {
		if (identity.Actor{}).May(p) {
			t.Errorf("nobody may %s", p)
		}
		if !identity.System("s1").May(p) {
			t.Errorf("the system may not %s", p)
		}
	}
	for _, tc := range []struct {
		actor identity.Actor
		want  string
	}{
		{identity.Actor{}, "nobody"},
		{identity.System("s1"), "(system) in s1"},
		{identity.Actor{Login: "ada", From: "192.0.2.1"}, "ada from 192.0.2.1"},
	} {
		if got := tc.actor.String(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
