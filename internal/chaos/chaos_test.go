package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/store/postgres/pgtest"
)

var (
	runs     = flag.Int("chaos.runs", 10, "seeded runs of each chaos test; 200 is what is promised")
	first    = flag.Uint64("chaos.seed", 0, "first seed")
	parallel = flag.Int("chaos.parallel", 4, "runs at the same time")
	verbose  = flag.Bool("chaos.v", false, "print what the servers of runs that went wrong have written")
)

// leaseTTL is short, so that a test need not wait long for others to take over.
const leaseTTL = 700 * time.Millisecond

// play runs all seeds, and returns what happened in them.
func play(t *testing.T, story func(t *testing.T, seed uint64) (*run, error)) (all tally) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	seeds := make(chan uint64)
	for range *parallel {
		wg.Go(func() {
			for seed := range seeds {
				r, err := story(t, seed)
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
				if r == nil {
					continue
				}
				if err != nil && *verbose {
					t.Log(r.said())
				} else if *verbose {
					t.Logf("seed %d: %+v", seed, r.did)
				}
				mu.Lock()
				all.add(r.did)
				mu.Unlock()
			}
		})
	}
	for i := range *runs {
		seeds <- *first + uint64(i)
	}
	close(seeds)
	wg.Wait()
	t.Logf("%d runs: %+v", *runs, all)
	return all
}

// newRun makes the world of a seed and whoever runs its campaign.
func newRun(seed uint64, cfg replicaConfig, many int) (*run, error) {
	w, err := newWorld(seed)
	if err != nil {
		return nil, err
	}
	cfg.Lazy = seed%2 == 1
	return &run{seed: seed, r: rand.New(rand.NewPCG(seed, 5)), world: w, hub: newHub(w.net, w.witness, seed), replicas: cfg, many: many}, nil
}

// whole plays a run that is ready and looks at what it leaves.
func (r *run) whole() error {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "chaos") // short: the name of a socket has 108 bytes
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := r.replicas.open(ctx)
	if err != nil {
		return err
	}
	if err := r.world.populate(ctx, db); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if err := r.play(dir); err != nil {
		return err
	}
	if db, err = r.replicas.open(ctx); err != nil {
		return err
	}
	wrong, err := r.world.check(ctx, db)
	c, errFind := db.Campaigns().Find(ctx, campaignID)
	err = errors.Join(err, errFind)
	if little := r.count(&c); little != nil {
		wrong = append(wrong, little.Error())
	}
	if *verbose && len(wrong) > 0 {
		wrong = append(wrong, r.world.timeline(ctx, db))
	}
	if err == nil {
		err = db.Close()
	}
	if err == nil && len(wrong) > 0 {
		err = fmt.Errorf("%d things are wrong:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
	return err
}

// A process that has its database in a file is killed again and again.
func TestOneServerIsKilled(t *testing.T) {
	all := play(t, func(t *testing.T, seed uint64) (*run, error) {
		r, err := newRun(seed, replicaConfig{SQLite: filepath.Join(t.TempDir(), "starling.db")}, 1)
		if err != nil {
			return nil, err
		}
		r.decide(r.luck(4))
		return r, r.whole()
	})
	if all.killsMid < *runs/4 || all.again == 0 {
		t.Errorf("too little happened to show anything: %+v", all)
	}
}

// Of three processes that share a database one is killed and one is stopped for longer than its lease in each run: the one
// that has the campaign, mostly.
func TestOneServerOfThreeIsKilledAndOneIsStopped(t *testing.T) {
	template := pgtest.NewDatabase(t, "")
	if err := prepare(t, template); err != nil {
		t.Fatal(err)
	}
	var making sync.Mutex // PostgreSQL copies a database for one at a time
	all := play(t, func(t *testing.T, seed uint64) (*run, error) {
		making.Lock()
		database := pgtest.NewDatabase(t, template)
		making.Unlock()
		r, err := newRun(seed, replicaConfig{Postgres: pgtest.URL(database), TTL: leaseTTL}, 3)
		if err != nil {
			return nil, err
		}
		r.decide(r.luck(3))
		if err := r.whole(); err != nil {
			return r, err
		}
		return r, oneOwnerEach(t, database)
	})
	if all.killsMid < *runs/4 || all.stopsMid < *runs/4 || all.fenced < *runs/4 || all.takenOver < 2**runs {
		t.Errorf("too little happened to show anything: %+v", all)
	}
}

// Who ends in good order leaves its campaigns to others at once, long before its lease ends.
func TestAnOrderlyEndHandsOverAtOnce(t *testing.T) {
	const ttl = 2 * hang // whoever waited for it would not end within reason
	database := pgtest.NewDatabase(t, "")
	r, err := newRun(*first, replicaConfig{Postgres: pgtest.URL(database), TTL: ttl}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{5, 12, 20} {
		r.hub.add(r.deed(afterFrames(at), false, syscall.SIGTERM))
	}
	if err := r.whole(); err != nil {
		t.Error(err)
		t.Log(r.said())
	}
	if r.did.terms < 2 || r.did.takenOver < 2 {
		t.Errorf("too little happened to show anything: %+v", r.did)
	}
}

// impatient has PostgreSQL end transactions of processes that were stopped in the middle of one.
func impatient(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		panic(err) // pgtest makes URLs
	}
	q := u.Query()
	q.Set("idle_in_transaction_session_timeout", leaseTTL.String())
	q.Set("pool_max_conns", "3")
	u.RawQuery = q.Encode()
	return u.String()
}

// prepare makes the database that others are copies of, in which every step leaves a trace: whose it was.
func prepare(t *testing.T, database string) error {
	ctx := context.Background()
	db, err := replicaConfig{Postgres: pgtest.URL(database)}.open(ctx)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	conn := pgtest.Connect(t, database)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, `
		CREATE TABLE trace (epoch BIGINT, version BIGINT, owner TEXT, by TEXT);
		CREATE FUNCTION trace() RETURNS TRIGGER AS $$ BEGIN
			INSERT INTO trace VALUES (NEW.epoch, NEW.version, NEW.owner, current_setting('application_name')); RETURN NULL;
		END $$ LANGUAGE plpgsql;
		CREATE TRIGGER trace AFTER UPDATE ON run FOR EACH ROW WHEN (NEW.version <> OLD.version) EXECUTE FUNCTION trace();`)
	return err
}

// oneOwnerEach tells if the steps of one epoch were those of one process, in an unbroken row.
func oneOwnerEach(t *testing.T, database string) error {
	ctx := context.Background()
	conn := pgtest.Connect(t, database)
	defer func() { _ = conn.Close(ctx) }()
	var crowded, back, steps, versions int
	if err := conn.QueryRow(ctx, `SELECT
		(SELECT count(*) FROM (SELECT FROM trace GROUP BY epoch HAVING count(DISTINCT by) > 1 OR count(DISTINCT owner) > 1) AS x),
		(SELECT count(*) FROM (SELECT epoch < lag(epoch) OVER (ORDER BY version) AS back FROM trace) AS x WHERE back),
		(SELECT count(*) FROM trace), (SELECT count(DISTINCT version) FROM trace)`).Scan(&crowded, &back, &steps, &versions); err != nil {
		return err
	}
	if crowded+back > 0 || steps == 0 || steps != versions {
		return fmt.Errorf("%d epochs of several owners, %d steps of an epoch after the next, %d steps, %d versions", crowded, back, steps, versions)
	}
	return nil
}
