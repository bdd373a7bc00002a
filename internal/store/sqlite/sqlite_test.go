package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/internal/store/storetest"
	"github.com/starling-fuota/starling/lorawan"
)

// opener opens the database of a place. Whoever has it open already counts as killed: that
// is what the suite means by opening twice.
func opener() storetest.OpenWith {
	alive := map[string]*sqlite.Store{}
	return func(t *testing.T, place string, kek secret.KEK) store.Store {
		t.Helper()
		if s := alive[place]; s != nil {
			_ = s.Die() // or closed before, in good order
		}
		// A name that would end the path of a careless DSN.
		s, err := sqlite.Open(context.Background(), filepath.Join(place, "star ling?#%41.db"), kek)
		if err != nil {
			t.Fatal(err)
		}
		alive[place] = s
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
}

func TestStore(t *testing.T) { storetest.Run(t, opener()) }

func TestADatabaseOfANewerProgramIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "starling.db")
	s, err := sqlite.Open(context.Background(), path, storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(context.Background(), path, storetest.KEK()); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
}

func TestOpenSaysWhichFileItCouldNotUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no such directory", "starling.db")
	if _, err := sqlite.Open(context.Background(), path, storetest.KEK()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

// Two servers on one database would each send the frames of its campaigns.
func TestADatabaseHasOneProcess(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "starling.db")
	s, err := sqlite.Open(ctx, path, storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	if second, err := sqlite.Open(ctx, path, storetest.KEK()); !errors.Is(err, sqlite.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Fatalf("%v, %v", second, err)
	}
	if err := s.Ping(ctx); err != nil {
		t.Errorf("the first one, after the second was refused: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	s, err = sqlite.Open(ctx, path, storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheOwnerReadsTheFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(context.Background(), filepath.Join(dir, "starling.db"), storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 2 {
		t.Fatalf("%v, %v: want the database and its log", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestAbandonedUploadsAreDropped(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "starling.db")
	s, err := sqlite.Open(ctx, path, storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept, err := s.PutContent(ctx, strings.NewReader("kept"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// A crash two days ago, and an upload that is under way. The finished content is made as old as the crash.
	if _, err := db.Exec(`INSERT INTO content_chunk VALUES ('01900000-0000-7000-8000-000000000000', 0, x'01'), ('ffffffff-0000-7000-8000-000000000000', 0, x'02');
		UPDATE content_chunk SET upload = '01900000-0000-7000-8000-000000000001' WHERE upload = (SELECT upload FROM content);
		UPDATE content SET upload = '01900000-0000-7000-8000-000000000001'`); err != nil {
		t.Fatal(err)
	}
	if err := s.Die(); err != nil {
		t.Fatal(err)
	}
	again, err := sqlite.Open(ctx, path, storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	var left int
	if err := db.QueryRow("SELECT COUNT(*) FROM content_chunk").Scan(&left); err != nil || left != 2 {
		t.Errorf("%d chunks left, %v", left, err)
	}
	if _, err := again.OpenContent(ctx, kept.SHA256); err != nil {
		t.Error(err)
	}
}

// TestNothingAcknowledgedIsLostByAKill lets a child process commit steps and say so
// after each, kills it, and looks at what the file holds.
func TestNothingAcknowledgedIsLostByAKill(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), "STARLING_TEST_COMMIT_FOREVER="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscan(lines.Text(), &said); err != nil {
			t.Fatalf("child says %q", lines.Text())
		}
		if said == 40 {
			if _, err := sqlite.Open(ctx, filepath.Join(dir, "starling.db"), storetest.KEK()); !errors.Is(err, sqlite.ErrLocked) {
				t.Errorf("opened while the child has it: %v", err)
			}
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed, as it should be
	if said < 40 {
		t.Fatalf("the child stopped by itself after %d steps", said)
	}

	s, err := sqlite.Open(ctx, filepath.Join(dir, "starling.db"), storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run, err := s.LoadRun(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	var kept int
	if _, err := fmt.Sscan(string(run.Header), &kept); err != nil {
		t.Fatal(err)
	}
	if kept < said || kept > said+1 {
		t.Errorf("acknowledged %d steps, kept %d", said, kept)
	}
	// Whole steps only: everything that a step writes tells the same number.
	info, err := s.RunInfo(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	pending, err := s.PendingOutbox(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	if info.LastSeq != int64(kept) || len(pending) != kept || !bytes.Equal(run.Devices[lorawan.EUI64{1}], run.Header) {
		t.Errorf("header %d, timeline %d, outbox %d, device %s", kept, info.LastSeq, len(pending), run.Devices[lorawan.EUI64{1}])
	}
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("STARLING_TEST_COMMIT_FOREVER"); dir != "" {
		fmt.Fprintln(os.Stderr, commitForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// commitForever is the life of the child process, until it is killed.
func commitForever(dir string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, filepath.Join(dir, "starling.db"), storetest.KEK())
	if err != nil {
		return err
	}
	if err := s.Campaigns().Create(ctx, &fleet.Campaign{ID: "c"}); err != nil {
		return err
	}
	if err := s.CreateRun(ctx, store.Run{CampaignID: "c"}); err != nil {
		return err
	}
	for n := 1; ; n++ {
		state := fmt.Appendf(nil, "%d", n)
		err := s.CommitStep(ctx, store.Step{CampaignID: "c", Status: fleet.Running, Header: state, At: time.Now(),
			Devices:  []store.Row{{DevEUI: lorawan.EUI64{1}, State: state}},
			Outbox:   []store.Outgoing{{ID: string(state), DevEUI: lorawan.EUI64{1}}},
			Timeline: []store.TimelineEntry{{Code: "step"}}})
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
}
