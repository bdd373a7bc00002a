package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/storetest"
	"github.com/starling-fuota/starling/lorawan"
)

// running opens a database with a running campaign "c" of epoch 1.
func running(t *testing.T) (s *postgres.Store, database string) {
	t.Helper()
	ctx, database := context.Background(), newDatabase(t, "")
	s = openDatabase(t, database)
	if err := s.Campaigns().Create(ctx, &fleet.Campaign{ID: "c"}); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateRun(ctx, store.Run{CampaignID: "c", Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	return s, database
}

// numbered is a step in which everything tells the same number, from 1.
func numbered(n int) store.Step {
	state := []byte(strconv.Itoa(n))
	return store.Step{CampaignID: "c", Epoch: 1, Status: fleet.Running, Header: state,
		Devices:  []store.Row{{DevEUI: lorawan.EUI64{1}, State: state}},
		Outbox:   []store.Outgoing{{ID: string(state), DevEUI: lorawan.EUI64{1}}},
		Timeline: []store.TimelineEntry{{Code: "step"}}}
}

// whole returns the number of the last step, and fails the test if parts of a step are missing.
func whole(t *testing.T, s store.Store) int {
	t.Helper()
	ctx := context.Background()
	run, err := s.LoadRun(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.RunInfo(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	pending, err := s.PendingOutbox(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := s.Timeline(ctx, "c", store.TimelineQuery{After: info.LastSeq - 1})
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(string(run.Header)) // "" before the first step
	if info.LastSeq != int64(n) || info.Version != int64(n) || len(pending) != n || len(entries) != min(n, 1) || string(run.Devices[lorawan.EUI64{1}]) != string(run.Header) {
		t.Fatalf("header %d, %+v, outbox %d, timeline ends with %v, device %s", n, info, len(pending), entries, run.Devices[lorawan.EUI64{1}])
	}
	return n
}

// waiting returns when a connection of the store waits for a lock.
func waiting(t *testing.T, conn *pgx.Conn) (pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		err := conn.QueryRow(ctx, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'starling' AND wait_event_type = 'Lock'").Scan(&pid)
		if err == nil {
			return pid
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			t.Fatal(err)
		}
	}
}

// run runs statements that belong to the test.
func run(t *testing.T, conn *pgx.Conn, queries ...string) {
	t.Helper()
	for _, query := range queries {
		if _, err := conn.Exec(context.Background(), query); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAConnectionThatDiesInTheMiddleOfAStepLeavesNothing(t *testing.T) {
	ctx := context.Background()
	s, database := running(t)
	if err := s.CommitStep(ctx, numbered(1)); err != nil {
		t.Fatal(err)
	}
	killer := connect(t, database)
	defer killer.Close(ctx)
	// The step has written everything but its timeline, and waits to do so.
	run(t, killer, "BEGIN", "LOCK TABLE timeline IN EXCLUSIVE MODE")
	done := make(chan error)
	go func() { done <- s.CommitStep(ctx, numbered(2)) }()
	pid := waiting(t, killer)
	run(t, killer, fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
	if err := <-done; err == nil {
		t.Error("a step whose connection died is acknowledged")
	}
	run(t, killer, "ROLLBACK")
	if n := whole(t, s); n != 1 {
		t.Errorf("step %d is stored", n)
	}
	// The store finds another connection.
	if err := s.CommitStep(ctx, numbered(2)); err != nil {
		t.Error(err)
	}
	if n := whole(t, s); n != 2 {
		t.Errorf("step %d is stored", n)
	}
}

// TestNothingAcknowledgedIsLostByKills ends all connections again and again, wherever they
// are. After an error the owner does not know, and loads.
func TestNothingAcknowledgedIsLostByKills(t *testing.T) {
	ctx := context.Background()
	s, database := running(t)
	killer := connect(t, database)
	defer killer.Close(ctx)
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if _, err := killer.Exec(ctx, `SELECT pg_terminate_backend(pid), pg_sleep(0.02) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name = 'starling'`); err != nil {
				done <- err
				return
			}
		}
	}()
	said, failed := 0, 0
	for said < 100 || failed < 5 {
		err := s.CommitStep(ctx, numbered(said+1))
		if err == nil {
			said++
			continue
		}
		failed++
		var run store.Run
		for { // loading meets the killer too
			if run, err = s.LoadRun(ctx, "c"); err == nil {
				break
			}
		}
		kept, _ := strconv.Atoi(string(run.Header))
		if kept < said || kept > said+1 {
			t.Fatalf("acknowledged %d steps, kept %d", said, kept)
		}
		said = kept
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(ctx); err != nil { // throws dead connections away
		_ = s.Ping(ctx)
	}
	var n int
	if n = whole(t, s); n != said {
		t.Errorf("acknowledged %d steps, kept %d", said, n)
	}
	t.Logf("%d steps, %d failed", said, failed)
}

func TestTheOwnerOfAnOldEpochIsFencedOffWhileItWaits(t *testing.T) {
	ctx := context.Background()
	old, database := running(t)
	owner := openDatabase(t, database)
	taking := connect(t, database)
	defer taking.Close(ctx)
	// The run is taken over in the very moment in which the old owner commits a step.
	run(t, taking, "BEGIN", "UPDATE run SET epoch = 2 WHERE campaign_id = 'c'")
	done := make(chan error)
	go func() { done <- old.CommitStep(ctx, numbered(1)) }()
	watching := connect(t, database)
	defer watching.Close(ctx)
	waiting(t, watching)
	run(t, taking, "COMMIT")
	if err := <-done; !errors.Is(err, store.ErrFenced) {
		t.Errorf("got %v", err)
	}
	if n := whole(t, owner); n != 0 {
		t.Errorf("step %d is stored", n)
	}
	step := numbered(1)
	step.Epoch = 2
	if err := owner.CommitStep(ctx, step); err != nil {
		t.Error(err)
	}
	if err := old.CommitStep(ctx, numbered(2)); !errors.Is(err, store.ErrFenced) {
		t.Errorf("got %v", err)
	}
	if n := whole(t, old); n != 1 {
		t.Errorf("step %d is stored", n)
	}
}

// TestATransactionThatCollidesRunsAgainFromTheStart lets an object that f keeps outside
// meet the second attempt as it met the first.
func TestATransactionThatCollidesRunsAgainFromTheStart(t *testing.T) {
	ctx := context.Background()
	s := openDatabase(t, newDatabase(t, ""))
	mine, theirs := fleet.Region{ID: "mine", Name: "a"}, fleet.Region{ID: "theirs", Name: "a"}
	for _, r := range []*fleet.Region{&mine, &theirs} {
		if err := s.Regions().Create(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	attempts := 0
	mine.Name = "b"
	if err := s.Tx(ctx, func(o store.Objects) error {
		attempts++
		if err := o.Regions().Update(ctx, &mine); err != nil {
			return err
		}
		if attempts == 1 { // behind the back of this transaction
			if err := s.Regions().Archive(ctx, "theirs", time.Unix(1, 0)); err != nil {
				return err
			}
		}
		return o.Regions().Archive(ctx, "theirs", time.Unix(2, 0))
	}); err != nil {
		t.Fatal(err)
	}
	if attempts != 2 || mine.Revision != 2 {
		t.Errorf("%d attempts, revision %d", attempts, mine.Revision)
	}
	if r, err := s.Regions().Find(ctx, "mine"); err != nil || r.Name != "b" || r.Revision != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestReplicasMayStartTogether(t *testing.T) {
	database := newDatabase(t, "")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := postgres.Open(context.Background(), urlOf(database), storetest.KEK())
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestReplicasSeeOneAnother(t *testing.T) {
	ctx := context.Background()
	a, database := running(t)
	b := openDatabase(t, database)
	var wg sync.WaitGroup
	// Both believe to own the run with the same epoch: the row of the run keeps steps apart.
	const rounds = 30
	for i, s := range []*postgres.Store{a, b} {
		wg.Go(func() {
			for n := range rounds {
				err := s.CommitStep(ctx, store.Step{CampaignID: "c", Epoch: 1, Status: fleet.Running,
					Outbox:   []store.Outgoing{{ID: fmt.Sprint(i, n)}},
					Timeline: []store.TimelineEntry{{Code: fmt.Sprint(i)}, {Code: fmt.Sprint(i)}}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	entries, err := b.Timeline(ctx, "c", store.TimelineQuery{Limit: store.MaxLimit})
	if err != nil || len(entries) != 4*rounds {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, e := range entries {
		if e.Seq != int64(i+1) || i%2 == 1 && e.Code != entries[i-1].Code {
			t.Fatalf("entry %d is %+v", i, e)
		}
	}
}
