package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

const password = "correct horse battery"

// subscriber makes a subscriber.
func (w *world) subscriber(id string) fleet.Subscriber {
	w.Helper()
	return created(w, w.Subscribers, fleet.Subscriber{ID: id, Name: id})
}

// person makes a user and returns a context in which it asks.
func (w *world) person(login string, role identity.Role, subscriber string) context.Context {
	w.Helper()
	u, err := w.CreateUser(service.As(ctx, identity.System("")), identity.User{Login: login, Role: role, SubscriberID: subscriber}, password)
	if err != nil {
		w.Fatal(err)
	}
	return w.login(u.Login)
}

func (w *world) login(login string) context.Context {
	w.Helper()
	s, err := w.Login(ctx, login, password, "192.0.2.1:5")
	if err != nil {
		w.Fatal(err)
	}
	a, err := w.Authenticate(ctx, s.Secret, "")
	if err != nil {
		w.Fatal(err)
	}
	a.From = "192.0.2.1:5"
	return service.As(context.Background(), a)
}

func TestNothingGoesWithoutSomebodyWhoAsks(t *testing.T) {
	w := newWorld(t)
	bare := context.Background()
	_, err := w.Devices.List(bare, store.Query{})
	wantError(t, err, service.ErrUnauthenticated)
	_, err = w.Devices.Create(bare, fleet.Device{})
	wantError(t, err, service.ErrUnauthenticated)
	_, err = w.Start(bare, w.campaign.ID)
	wantError(t, err, service.ErrUnauthenticated)
	_, err = w.Progress(bare, w.campaign.ID)
	wantError(t, err, service.ErrUnauthenticated)
	_, err = w.ImportDevices(bare, strings.NewReader(""), service.ImportOptions{})
	wantError(t, err, service.ErrUnauthenticated)
	_, err = w.Audit(bare, store.AuditQuery{})
	wantError(t, err, service.ErrUnauthenticated)
	_, err = w.DeviceKey(bare, w.device.DevEUI)
	wantError(t, err, service.ErrUnauthenticated)
}

func TestRolesMayWhatTheyMay(t *testing.T) {
	w := newWorld(t)
	viewer, operator, admin := w.person("vera", identity.Viewer, fleet.DefaultSubscriber), w.person("otto", identity.Operator, fleet.DefaultSubscriber), w.person("anna", identity.Administrator, fleet.DefaultSubscriber)
	rename := func(ctx context.Context) error {
		_, err := w.Devices.Update(ctx, w.device.DevEUI, service.AnyRevision, func(d *fleet.Device) error { d.Name += "x"; return nil })
		return err
	}
	manage := func(ctx context.Context) error { _, err := w.Users.List(ctx, store.Query{}); return err }
	reveal := func(ctx context.Context) error { _, err := w.DeviceKey(ctx, w.device.DevEUI); return err }
	serve := func(ctx context.Context) error {
		_, err := w.Subscribers.Create(ctx, fleet.Subscriber{ID: "new", Name: "new"})
		return err
	}
	for _, c := range []struct {
		who  string
		as   context.Context
		do   func(context.Context) error
		want error
	}{
		{"viewer changes", viewer, rename, service.ErrForbidden}, {"operator changes", operator, rename, nil}, {"administrator changes", admin, rename, nil},
		{"viewer manages", viewer, manage, service.ErrForbidden}, {"operator manages", operator, manage, service.ErrForbidden}, {"administrator manages", admin, manage, nil},
		{"operator reveals", operator, reveal, service.ErrForbidden}, {"administrator reveals", admin, reveal, nil},
		{"administrator of a subscriber makes subscribers", admin, serve, service.ErrForbidden},
	} {
		if err := c.do(c.as); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.who, err)
		}
	}
}

func TestNobodyMakesSomebodyWhoMayMore(t *testing.T) {
	w := newWorld(t)
	admin := w.person("anna", identity.Administrator, fleet.DefaultSubscriber)
	made, err := w.CreateUser(admin, identity.User{Login: "eve", Role: identity.Administrator}, password)
	if err != nil || made.SubscriberID != fleet.DefaultSubscriber {
		t.Errorf("a user made in a subscriber belongs to %q, %v", made.SubscriberID, err)
	}
	secret, _, err := w.CreateToken(admin, identity.Token{Name: "limited", Scopes: []identity.Permission{identity.ManageUsers, identity.Self}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.Authenticate(ctx, secret, "")
	if err != nil {
		t.Fatal(err)
	}
	limited := service.As(ctx, a)
	_, err = w.CreateUser(limited, identity.User{Login: "mallory", Role: identity.Administrator}, password)
	wantError(t, err, service.ErrForbidden)
	_, _, err = w.CreateToken(limited, identity.Token{Name: "more", Scopes: []identity.Permission{identity.RevealKeys}})
	wantError(t, err, service.ErrForbidden)
	_, like, err := w.CreateToken(limited, identity.Token{Name: "like it"})
	if err != nil || !slices.Equal(like.Scopes, []identity.Permission{identity.ManageUsers, identity.Self}) {
		t.Errorf("a token made by a limited one may %v, %v", like.Scopes, err)
	}
	wantError(t, w.SetPassword(limited, made.ID, "", "another password"), service.ErrForbidden)
}

func TestSubscribersDoNotSeeOneAnother(t *testing.T) {
	w := newWorld(t)
	w.subscriber("acme")
	other := w.person("anna@acme", identity.Administrator, "acme")
	_, err := w.Devices.Find(other, w.device.DevEUI)
	wantError(t, err, store.ErrNotFound)
	_, err = w.Campaigns.Find(other, w.campaign.ID)
	wantError(t, err, store.ErrNotFound)
	_, err = w.Timeline(other, w.campaign.ID, store.TimelineQuery{})
	wantError(t, err, store.ErrNotFound)
	_, err = w.Start(other, w.campaign.ID)
	wantError(t, err, store.ErrNotFound)
	wantError(t, w.Groups.Archive(other, w.group.DevEUI, service.AnyRevision), store.ErrNotFound)
	_, err = w.DeviceSets.Create(other, fleet.DeviceSet{Name: "theirs", Devices: []lorawan.EUI64{w.device.DevEUI}})
	wantField(t, err, "devices[0]")
	page, err := w.Users.List(other, store.Query{})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("sees %v, %v", page.Items, err)
	}
	own, err := w.Audit(other, store.AuditQuery{SubscriberID: fleet.DefaultSubscriber})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range own.Items {
		if e.SubscriberID != "acme" {
			t.Errorf("sees %+v", e)
		}
	}
	// The same hardware may be known to both.
	p := w.profile
	p.Revision = 0
	if got, err := w.Profiles.Create(other, p); err != nil || got.SubscriberID != "acme" {
		t.Errorf("profile %+v, %v", got, err)
	}
}

func TestSessionsEndWhenTheyShould(t *testing.T) {
	w := newWorld(t)
	u, err := w.CreateUser(ctx, identity.User{Login: "anna", Role: identity.Operator, SubscriberID: fleet.DefaultSubscriber}, password)
	if err != nil {
		t.Fatal(err)
	}
	enter := func() string {
		s, err := w.Login(ctx, "Anna", password, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		return s.Secret
	}
	refused := func(why, secret string) {
		t.Helper()
		if _, err := w.Authenticate(ctx, secret, ""); !errors.Is(err, service.ErrUnauthenticated) {
			t.Errorf("%s: %v", why, err)
		}
	}
	out := enter()
	a, err := w.Authenticate(ctx, out, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Logout(service.As(ctx, a)); err != nil {
		t.Fatal(err)
	}
	refused("logged out", out)

	before, asking := enter(), enter()
	a, err = w.Authenticate(ctx, asking, "")
	if err != nil {
		t.Fatal(err)
	}
	own := service.As(ctx, a)
	wantField(t, w.SetPassword(own, u.ID, "wrong password", "another password"), "current")
	if err := w.SetPassword(own, u.ID, password, password+"!"); err != nil {
		t.Fatal(err)
	}
	refused("the password was changed elsewhere", before)
	if _, err := w.Authenticate(ctx, asking, ""); err != nil {
		t.Errorf("who changed the password is logged out: %v", err)
	}
	_, err = w.Login(ctx, "anna", password, "192.0.2.1")
	wantError(t, err, service.ErrUnauthenticated)

	w.wall = w.wall.Add(13 * time.Hour)
	refused("expired", asking)
	s, err := w.Login(ctx, "anna", password+"!", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Users.Archive(ctx, u.ID, service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	refused("the user is archived", s.Secret)
	refused("no secret", "stl_"+strings.Repeat("A", 43))
}

func TestGuessingIsSlow(t *testing.T) {
	w := newWorld(t)
	w.person("anna", identity.Viewer, fleet.DefaultSubscriber)
	var wait *service.RetryError
	for i := range 10 {
		if _, err := w.Login(ctx, "anna", "wrong password", fmt.Sprintf("192.0.2.%d", i)); errors.As(err, &wait) {
			break
		}
	}
	if wait == nil || wait.After <= 0 {
		t.Fatal("ten wrong passwords in a row are free")
	}
	_, err := w.Login(ctx, "anna", password, "192.0.2.77")
	wantError(t, err, service.ErrTooMany)
	w.wall = w.wall.Add(wait.After + time.Second)
	if _, err := w.Login(ctx, "anna", password, "192.0.2.77"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestTheFirstAdministratorIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	u, err := w.FirstAdministrator(context.Background(), "root", password)
	if err != nil || !u.Server() || u.Role != identity.Administrator {
		t.Fatalf("%v, %v", u, err)
	}
	_, err = w.FirstAdministrator(context.Background(), "again", password)
	wantError(t, err, service.ErrState)
	wantError(t, w.Users.Archive(ctx, u.ID, service.AnyRevision), service.ErrState)
	_, err = w.Users.Update(ctx, u.ID, service.AnyRevision, func(u *identity.User) error { u.Role = identity.Viewer; return nil })
	wantError(t, err, service.ErrState)
}

func TestEveryChangeIsInTheAuditLog(t *testing.T) {
	w := newWorld(t)
	admin := w.person("anna", identity.Administrator, fleet.DefaultSubscriber)
	key := lorawan.MustParseAES128Key("00112233445566778899aabbccddeeff")
	if _, err := w.Devices.Update(admin, w.device.DevEUI, service.AnyRevision, func(d *fleet.Device) error { d.Tag, d.RootKey = "canary", key; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DeviceKey(admin, w.device.DevEUI); err != nil {
		t.Fatal(err)
	}
	page, err := w.Audit(ctx, store.AuditQuery{Kind: "device", ObjectID: w.device.DevEUI.String()})
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, e := range page.Items {
		actions = append(actions, e.Action)
		if strings.Contains(strings.ToLower(string(e.Changes)), key.Hex()) {
			t.Errorf("the log has the key: %s", e.Changes)
		}
	}
	if want := []string{"device.reveal_keys", "device.update", "device.create"}; !slices.Equal(actions, want) {
		t.Errorf("got %q, want %q", actions, want)
	}
	update := page.Items[1]
	var changes map[string]map[string]any
	if err := json.Unmarshal(update.Changes, &changes); err != nil {
		t.Fatal(err)
	}
	if update.Login != "anna" || update.From == "" || changes["tag"]["after"] != "canary" || changes["root_key"]["after"] != "[redacted]" || len(changes) != 2 {
		t.Errorf("%+v %v", update, changes)
	}
	// A change that is refused leaves nothing.
	n := len(page.Items)
	if _, err := w.Devices.Update(admin, w.device.DevEUI, service.AnyRevision, func(d *fleet.Device) error { d.ProfileID = "nowhere"; return nil }); err == nil {
		t.Error("accepted")
	}
	if page, err = w.Audit(ctx, store.AuditQuery{Kind: "device", ObjectID: w.device.DevEUI.String()}); err != nil || len(page.Items) != n {
		t.Errorf("%d entries, want %d, %v", len(page.Items), n, err)
	}
}

func TestQuotasHold(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Subscribers.Create(ctx, fleet.Subscriber{ID: "small", Name: "small", Quota: fleet.Quota{Devices: 3}}); err != nil {
		t.Fatal(err)
	}
	in := service.As(ctx, identity.System("small"))
	p := w.profile
	profile, err := w.Profiles.Create(in, p)
	if err != nil {
		t.Fatal(err)
	}
	device := func(n byte) fleet.Device { return fleet.Device{DevEUI: lorawan.EUI64{9, n}, ProfileID: profile.ID} }
	for n := range byte(3) {
		if _, err := w.Devices.Create(in, device(n)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = w.Devices.Create(in, device(4))
	wantError(t, err, service.ErrQuota)
	if err := w.Devices.Archive(in, device(0).DevEUI, service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Devices.Create(in, device(4)); err != nil {
		t.Errorf("archived devices count: %v", err)
	}
	_, err = w.Devices.Update(in, device(0).DevEUI, service.AnyRevision, func(d *fleet.Device) error { d.Archived = false; return nil })
	wantError(t, err, service.ErrQuota)
}

func TestAnArchivedSubscriberStartsNothing(t *testing.T) {
	w := newWorld(t)
	w.subscriber("acme")
	in := service.As(ctx, identity.System("acme"))
	set, setErr := w.DeviceSets.Create(in, fleet.DeviceSet{Name: "all", Filter: &fleet.DeviceFilter{Text: "x"}})
	g := newGroup(7)
	_, groupErr := w.Groups.Create(in, g)
	east, regionErr := w.Regions.Create(in, fleet.Region{Name: "east", Groups: []lorawan.EUI64{g.DevEUI}})
	c, err := w.Campaigns.Create(in, fleet.Campaign{Name: "late", Type: fleet.MCGroupCampaign, DeviceSets: []string{set.ID}, Regions: []string{east.ID}, MaxDuration: time.Hour, SuccessThreshold: 90})
	if err := errors.Join(setErr, groupErr, regionErr, err); err != nil {
		t.Fatal(err)
	}
	if err := w.Subscribers.Archive(ctx, "acme", service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	_, err = w.Start(in, c.ID)
	wantError(t, err, service.ErrState)
	if len(w.runner.orders) > 0 {
		t.Errorf("%q", w.runner.orders)
	}
}

// vouched returns somebody without a password, who logs in through a provider.
func (w *world) vouched(login string, role identity.Role) (identity.User, context.Context) {
	w.Helper()
	u, err := w.CreateUser(ctx, identity.User{Login: login, Role: role, SubscriberID: fleet.DefaultSubscriber}, "")
	if err != nil {
		w.Fatal(err)
	}
	s, err := w.LoginOIDC(context.Background(), identity.Claims{Subject: "subject of " + login, Email: login, EmailVerified: true}, "192.0.2.1")
	if err != nil {
		w.Fatal(err)
	}
	return u, w.shows(s.Secret)
}

// shows returns a context in which whoever has a secret asks.
func (w *world) shows(secret string) context.Context {
	w.Helper()
	a, err := w.Authenticate(ctx, secret, "")
	if err != nil {
		w.Fatal(err)
	}
	return service.As(context.Background(), a)
}

func TestALimitedTokenSetsNoFirstPassword(t *testing.T) {
	w := newWorld(t)
	u, session := w.vouched("anna@example.org", identity.Administrator)
	secret, _, err := w.CreateToken(session, identity.Token{Name: "limited", Scopes: []identity.Permission{identity.Self, identity.ReadFleet}})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, w.SetPassword(w.shows(secret), u.ID, "", password), service.ErrForbidden)
	if _, err := w.Login(context.Background(), u.Login, password, "192.0.2.1"); err == nil {
		t.Error("it did all the same")
	}
	if err := w.SetPassword(session, u.ID, "", password); err != nil {
		t.Errorf("by a session: %v", err)
	}
}

func TestWhoIsFoundByAnAddressIsInTheAuditLog(t *testing.T) {
	w := newWorld(t)
	u, _ := w.vouched("anna@example.org", identity.Viewer)
	for range 2 { // the second time is found by the subject, which changes nothing
		page, err := w.Audit(ctx, store.AuditQuery{Kind: "user", ObjectID: u.ID, Action: "user.update"})
		if err != nil || len(page.Items) != 1 || !strings.Contains(string(page.Items[0].Changes), `"oidc_subject":{"after":"subject of anna@example.org"}`) {
			t.Errorf("%+v, %v", page.Items, err)
		}
		if _, err := w.LoginOIDC(context.Background(), identity.Claims{Subject: "subject of " + u.Login}, "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestArchivingAUserEndsEverythingForGood(t *testing.T) {
	ways := map[string]func(*world, string) error{
		"archive": func(w *world, id string) error { return w.Users.Archive(ctx, id, service.AnyRevision) },
		"update": func(w *world, id string) error {
			_, err := w.Users.Update(ctx, id, service.AnyRevision, func(u *identity.User) error { u.Archived = true; return nil })
			return err
		},
	}
	for name, archive := range ways {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u, session := w.vouched("anna@example.org", identity.Operator)
			w.person("otto", identity.Viewer, fleet.DefaultSubscriber)
			api, token, err := w.CreateToken(session, identity.Token{Name: "ci"})
			if err != nil {
				t.Fatal(err)
			}
			if err := archive(w, u.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Users.Update(ctx, u.ID, service.AnyRevision, func(u *identity.User) error { u.Archived = false; return nil }); err != nil {
				t.Fatal(err)
			}
			_, err = w.Authenticate(ctx, api, "")
			wantError(t, err, service.ErrUnauthenticated)
			if page, err := w.Tokens(ctx, store.Query{}); err != nil || len(page.Items) != 1 {
				t.Errorf("%v, %v: those of others stay, and no more", page.Items, err)
			}
			if page, err := w.Audit(ctx, store.AuditQuery{Action: "token.revoke", ObjectID: token.ID}); err != nil || len(page.Items) != 1 {
				t.Errorf("%v, %v", page.Items, err)
			}
		})
	}
}

func TestALimitedTokenArchivesNobodyWhoMayMore(t *testing.T) {
	w := newWorld(t)
	admin := w.person("anna", identity.Administrator, fleet.DefaultSubscriber)
	u, _ := w.vouched("otto@example.org", identity.Viewer)
	secret, _, err := w.CreateToken(admin, identity.Token{Name: "limited", Scopes: []identity.Permission{identity.ManageUsers}})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, w.Users.Archive(w.shows(secret), u.ID, service.AnyRevision), service.ErrForbidden)
	if err := w.Users.Archive(admin, u.ID, service.AnyRevision); err != nil {
		t.Error(err)
	}
}
