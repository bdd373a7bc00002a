package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

// oldDatabase makes a file of schema 1 with rows, and their keys in clear.
func oldDatabase(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "starling.db")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range storetest.OldRows(func(b []byte) string { return fmt.Sprintf("x'%x'", b) }) {
		if _, err := tx.Exec(statement); err != nil {
			t.Fatalf("%v: %s", err, statement)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if clearKeys(t, path) == 0 {
		t.Fatal("the test looks for keys that were never there")
	}
	return path
}

// clearKeys counts the keys that can be read in the files of a database.
func clearKeys(t *testing.T, path string) (n int) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lower := bytes.ToLower(b)
		for _, key := range storetest.OldKeys() {
			if bytes.Contains(b, key) || bytes.Contains(lower, []byte(hex.EncodeToString(key))) {
				n++
			}
		}
	}
	return n
}

func TestADatabaseOfSchema1KeepsItsRowsAndHidesItsKeys(t *testing.T) {
	path := oldDatabase(t)
	for range 2 { // the second time there is nothing left to do
		s, err := sqlite.Open(context.Background(), path, storetest.KEK())
		if err != nil {
			t.Fatal(err)
		}
		storetest.OldRowsAreKept(t, s)
		if n := clearKeys(t, path); n != 0 { // with the log still there
			t.Errorf("%d keys are in clear while the database is open", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if n := clearKeys(t, path); n != 0 {
			t.Errorf("%d keys are in clear", n)
		}
	}
}

// failing is a KEK that cannot be reached, after some calls.
type failing struct {
	secret.KEK
	calls int
}

var errAway = errors.New("the key service is away")

func (f *failing) Wrap(ctx context.Context, plain []byte) (string, []byte, error) {
	if f.calls--; f.calls < 0 {
		return "", nil, errAway
	}
	return f.KEK.Wrap(ctx, plain)
}

func TestSealingGoesOnAfterACrash(t *testing.T) {
	path := oldDatabase(t)
	if _, err := sqlite.Open(context.Background(), path, &failing{storetest.KEK(), 0}); !errors.Is(err, errAway) {
		t.Fatalf("got %v", err)
	}
	// In the second batch, in the second table, and when all is done but written down.
	for _, stop := range []struct{ trigger, left string }{
		{"UPDATE OF root_key ON device WHEN OLD.updated_at = 5 AND OLD.name = 'd1500'", "seal device 01000000000003e7, seal multicast_group , seal smart_delta_key , purge "},
		{"UPDATE OF mc_key ON multicast_group", "seal multicast_group , seal smart_delta_key , purge "},
		{"DELETE ON upkeep WHEN OLD.task = 'purge'", "purge "},
	} {
		behind(t, path, "CREATE TRIGGER stop BEFORE "+stop.trigger+" BEGIN SELECT RAISE(ABORT, 'stop'); END")
		if _, err := sqlite.Open(context.Background(), path, storetest.KEK()); err == nil || !strings.Contains(err.Error(), "stop") {
			t.Fatalf("%s: got %v", stop.trigger, err)
		}
		if left := behind(t, path, "SELECT group_concat(task || ' ' || position, ', ') FROM upkeep"); left != stop.left {
			t.Errorf("%s: left to do is %q", stop.trigger, left)
		}
		behind(t, path, "DROP TRIGGER stop")
	}
	s, err := sqlite.Open(context.Background(), path, storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	storetest.OldRowsAreKept(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := clearKeys(t, path); n != 0 {
		t.Errorf("%d keys are in clear", n)
	}
}

// behind runs SQL on a closed database and returns the text that it gives.
func behind(t *testing.T, path, query string) (text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&text); err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return text
}

func TestSecretsThatWereChangedOrMovedAreRefused(t *testing.T) {
	s, exec := openBehind(t)
	storetest.DamagedSecrets(t, s, exec)
}

func TestClaimsThatWereChangedOrMovedAreRefused(t *testing.T) {
	s, exec := openBehind(t)
	storetest.DamagedClaims(t, s, exec, func(b []byte) string { return fmt.Sprintf("x'%x'", b) })
}

func TestTheAuditLogIsAppendedToOnly(t *testing.T) {
	s, exec := openBehind(t)
	storetest.AppendOnly(t, s, exec)
}

// openBehind opens a store, and the same file behind its back.
func openBehind(t *testing.T) (*sqlite.Store, func(string) error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "starling.db")
	s, err := sqlite.Open(context.Background(), path, storetest.KEK())
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, func(query string) error { _, err := db.Exec(query); return err }
}

func TestATemporaryDatabaseCannotBeOpenedAgain(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "starling.db")
	s, err := sqlite.Temporary(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	storetest.KeepASecret(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = sqlite.Temporary(ctx, path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := storetest.FindTheSecret(s); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("got %v", err)
	}
	if _, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "x.db"), nil); err == nil {
		t.Error("opened without a key")
	}
}
