package postgres_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver "pgx"
	"github.com/pressly/goose/v3"

	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

// TestEverySchemaIsBroughtUpToDate opens a database of every earlier version, and
// compares what comes out with what an empty one becomes.
func TestEverySchemaIsBroughtUpToDate(t *testing.T) {
	ctx := context.Background()
	fresh := newDatabase(t, "")
	openDatabase(t, fresh)
	expected := schema(t, fresh)
	if !strings.Contains(expected, "run_device.dev_eui bytea") || !strings.Contains(expected, "CREATE UNIQUE INDEX multicast_group_mc_addr") {
		t.Fatalf("schema is %s", expected)
	}
	files, err := fs.Glob(os.DirFS("migrations"), "*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for version := range len(files) + 1 {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			database := newDatabase(t, "")
			_, p := migrations(t, database)
			if version > 0 {
				if _, err := p.UpTo(ctx, int64(version)); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time there is nothing left to do
				openDatabase(t, database)
				if got := schema(t, database); got != expected {
					t.Errorf("from version %d:\n%s\nfrom none:\n%s", version, got, expected)
				}
			}
		})
	}
}

// migrations returns a database and what brings it to a version.
func migrations(t *testing.T, database string) (*sql.DB, *goose.Provider) {
	t.Helper()
	db, err := sql.Open("pgx", urlOf(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // before the database goes
	p, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("migrations"))
	if err != nil {
		t.Fatal(err)
	}
	return db, p
}

// TestADatabaseOfSchema1KeepsItsRowsAndHidesItsKeys lets replicas that start together find clear keys.
func TestADatabaseOfSchema1KeepsItsRowsAndHidesItsKeys(t *testing.T) {
	ctx, database := context.Background(), newDatabase(t, "")
	db, p := migrations(t, database)
	if _, err := p.UpTo(ctx, 1); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range storetest.OldRows(func(b []byte) string { return fmt.Sprintf(`'\x%x'::bytea`, b) }) {
		if _, err := tx.Exec(statement); err != nil {
			t.Fatalf("%v: %s", err, statement)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { storetest.OldRowsAreKept(t, openDatabase(t, database)) })
	}
	wg.Wait()
	for column, table := range map[string]string{"root_key": "device", "mc_key": "multicast_group", "private_key": "smart_delta_key"} {
		rows, err := db.Query("SELECT " + column + " FROM " + table)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var stored []byte
			if err := rows.Scan(&stored); err != nil {
				t.Fatal(err)
			}
			for _, key := range storetest.OldKeys() {
				if bytes.Contains(stored, key) {
					t.Fatalf("%s of %s is in clear", column, table)
				}
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// schema lists the columns and indexes of a database.
func schema(t *testing.T, database string) string {
	t.Helper()
	conn := connect(t, database)
	defer conn.Close(context.Background())
	rows, err := conn.Query(context.Background(), `
		SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(collation_name, '') || ' ' || is_identity AS line
			FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%'
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'
		UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'goose%'
		ORDER BY line`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestOpenSaysWhichDatabaseItCouldNotUseAndNoPassword(t *testing.T) {
	for _, dsn := range []string{"postgres://starling:s3cret@/nowhere?host=/no/such/socket", "postgres://starling:s3cret@host:port:port/x"} {
		_, err := postgres.Open(context.Background(), dsn, storetest.KEK())
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	}
	_, err := postgres.Open(context.Background(), "postgres://starling@/nowhere?host=/no/such/socket", storetest.KEK())
	if err == nil || !strings.Contains(err.Error(), "database nowhere on /no/such/socket") {
		t.Errorf("got %v", err)
	}
}
