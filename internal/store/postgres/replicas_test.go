package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

func TestListenersAreWoken(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	a, database := running(t)
	b := openDatabase(t, database)
	posted, shared, done := make(chan struct{}, 100), make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(done)
		b.Listen(ctx, func() { posted <- struct{}{} }, func() { shared <- struct{}{} })
	}()
	wait := func(what string, woken <-chan struct{}) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s wakes nobody", what)
		}
	}
	both := func(what string) {
		t.Helper()
		wait(what, posted)
		wait(what, shared)
	}
	both("the beginning")
	if _, err := a.Post(ctx, store.Letter{CampaignID: "c"}); err != nil {
		t.Fatal(err)
	}
	wait("a letter", posted)
	if err := a.Leave(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	wait("an end", shared)
	if err := a.Campaigns().Create(ctx, &fleet.Campaign{ID: "d"}); err != nil {
		t.Fatal(err)
	}
	if err := a.CreateRun(ctx, store.Run{CampaignID: "d"}); err != nil {
		t.Fatal(err)
	}
	wait("a start", shared)

	// Its connection breaks: it listens again, and looks what it has missed.
	killer := connect(t, database)
	defer killer.Close(ctx)
	run(t, killer, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
	both("a broken connection")
	cancel()
	<-done
}

// Who renews while another looks for the dead keeps his lease, however late the renewal is committed.
func TestARenewalOnItsWayIsNotOverlooked(t *testing.T) {
	ctx := context.Background()
	s, database := running(t)
	for _, id := range []string{"a", "b"} {
		if err := s.Join(ctx, store.Replica{ID: id}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if share, err := s.ClaimRuns(ctx, "a"); err != nil || len(share.Claimed) != 1 {
		t.Fatal(share, err)
	}
	if err := s.Renew(ctx, "a", -time.Hour); err != nil {
		t.Fatal(err)
	}
	renewing := connect(t, database)
	defer renewing.Close(ctx)
	// As Renew, begun when there was still time.
	run(t, renewing, "BEGIN", "UPDATE replica SET until = until + 7200000000 WHERE id = 'a'")
	if share, err := s.ClaimRuns(ctx, "b"); err != nil || len(share.Claimed) != 0 {
		t.Errorf("claimed %+v from a replica that may be renewing, %v", share, err)
	}
	run(t, renewing, "COMMIT")
	if err := s.Renew(ctx, "a", time.Hour); err != nil {
		t.Error(err)
	}
	if share, err := s.ClaimRuns(ctx, "b"); err != nil || len(share.Claimed) != 0 {
		t.Errorf("claimed %+v, %v", share, err)
	}
}

// A process that is stopped in the middle of a commit does not keep its campaign.
func TestATransactionThatIsLeftAloneIsEnded(t *testing.T) {
	ctx := context.Background()
	s, database := running(t)
	dsn := urlOf(database)
	if !strings.Contains(dsn, "?") {
		dsn += "?"
	}
	stopped, err := postgres.Open(ctx, dsn+"&idle_in_transaction_session_timeout=300ms", storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stopped.Close() }()
	locked, ended := make(chan struct{}), make(chan error, 1)
	released := make(chan struct{})
	go func() {
		ended <- stopped.Tx(ctx, func(o store.Objects) error {
			if err := o.Campaigns().Archive(ctx, "c", time.Unix(1, 0)); err != nil {
				return err
			}
			close(locked)
			<-released
			_, err := o.Campaigns().Find(ctx, "c")
			return err
		})
	}()
	<-locked
	if err := s.CommitStep(ctx, numbered(1)); err != nil { // it writes the row of the campaign, too
		t.Error(err)
	}
	close(released)
	if err := <-ended; err == nil {
		t.Error("the transaction that was left alone is committed")
	}
}
