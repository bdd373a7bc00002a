package service_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// overtaken is a source of random numbers. Logging in asks it after the password was found right and
// before the session is stored: then something else happens.
type overtaken struct{ happens func() }

func (m *overtaken) Read(b []byte) (int, error) {
	if f := m.happens; f != nil {
		m.happens = nil
		f()
	}
	return rand.Read(b)
}

func TestALogInThatIsOvertakenLetsNobodyIn(t *testing.T) {
	anna := identity.User{Login: "anna@example.org", SubscriberID: fleet.DefaultSubscriber}
	ways := map[string]func(*service.Service) (service.Session, error){
		"password": func(s *service.Service) (service.Session, error) {
			return s.Login(context.Background(), anna.Login, password, "192.0.2.1")
		},
		"provider": func(s *service.Service) (service.Session, error) {
			return s.LoginOIDC(context.Background(), identity.Claims{Subject: "anna", Email: anna.Login, EmailVerified: true}, "192.0.2.1")
		},
	}
	changes := map[string]func(*world, string) error{
		"another password": func(w *world, id string) error { return w.SetPassword(ctx, id, "", password+"!") },
		"another subject": func(w *world, id string) error {
			_, err := w.Users.Update(ctx, id, service.AnyRevision, func(u *identity.User) error { u.OIDCSubject = "another"; return nil })
			return err
		},
		"archived": func(w *world, id string) error { return w.Users.Archive(ctx, id, service.AnyRevision) },
	}
	for way, enter := range ways {
		for what, change := range changes {
			t.Run(way+"/"+what, func(t *testing.T) {
				w := newWorld(t)
				u, err := w.CreateUser(ctx, anna, password)
				if err != nil {
					t.Fatal(err)
				}
				slow := service.New(service.Config{Store: w.store, Runner: w.runner, Random: &overtaken{func() {
					if err := change(w, u.ID); err != nil {
						t.Error(err)
					}
				}}})
				_, err = enter(slow)
				wantError(t, err, service.ErrUnauthenticated)
				if page, err := w.Tokens(ctx, store.Query{}); err != nil || len(page.Items) != 0 {
					t.Errorf("%d sessions, %v", len(page.Items), err)
				}
				if what != "another password" {
					return
				}
				if _, err := w.Login(context.Background(), anna.Login, password+"!", "192.0.2.1"); err != nil {
					t.Errorf("the new password: %v", err)
				}
			})
		}
	}
}

// impatient is a Runner whose caller goes away while the order is obeyed.
type impatient struct {
	service.Runner
	leave func()
}

func (r impatient) Start(ctx context.Context, id string, along store.Along) error {
	r.leave()
	return r.Runner.Start(ctx, id, along)
}

func (r impatient) Order(ctx context.Context, id string, in campaign.Input, audit ...store.AuditEntry) (campaign.Receipt, error) {
	r.leave()
	return r.Runner.Order(ctx, id, in, audit...)
}

func TestOrdersOfWhoeverDoesNotWaitAreInTheAuditLog(t *testing.T) {
	w := newWorld(t)
	for _, order := range []string{"start", "stop"} {
		asking, leave := context.WithCancel(ctx)
		s := service.New(service.Config{Store: w.store, Runner: impatient{w.runner, leave}})
		_, err := map[string]func(context.Context, string) (fleet.Campaign, error){"start": s.Start, "stop": s.Stop}[order](asking, w.campaign.ID)
		if err != nil {
			t.Errorf("%s: %v", order, err)
		}
		page, err := w.Audit(ctx, store.AuditQuery{Action: "campaign." + order})
		if err != nil || len(page.Items) != 1 || page.Items[0].ObjectID != w.campaign.ID {
			t.Errorf("%s: %v, %v", order, page.Items, err)
		}
	}
}
