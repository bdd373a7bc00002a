package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

func TestStore(t *testing.T) {
	// Migrated once and copied for every test.
	migrated := newDatabase(t, "")
	s := openDatabase(t, migrated)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	databases := map[string]string{} // by the places that the suite asks for
	storetest.Run(t, func(t *testing.T, place string, kek secret.KEK) store.Store {
		if databases[place] == "" {
			databases[place] = newDatabase(t, migrated)
		}
		return openDatabaseWith(t, databases[place], kek)
	})
}

func openDatabase(t testing.TB, name string) *postgres.Store {
	t.Helper()
	return openDatabaseWith(t, name, storetest.KEK())
}

func openDatabaseWith(t testing.TB, name string, kek secret.KEK) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), urlOf(name), kek)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestADatabaseOfANewerProgramIsLeftAlone(t *testing.T) {
	name := newDatabase(t, "")
	openDatabase(t, name)
	conn := connect(t, name)
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)"); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(context.Background(), urlOf(name), storetest.KEK()); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsThatWereChangedOrMovedAreRefused(t *testing.T) {
	name := newDatabase(t, "")
	storetest.DamagedSecrets(t, openDatabase(t, name), behind(t, name))
}

func TestClaimsThatWereChangedOrMovedAreRefused(t *testing.T) {
	name := newDatabase(t, "")
	storetest.DamagedClaims(t, openDatabase(t, name), behind(t, name), func(b []byte) string { return fmt.Sprintf(`'\x%x'::bytea`, b) })
}

func TestTheAuditLogIsAppendedToOnly(t *testing.T) {
	name := newDatabase(t, "")
	storetest.AppendOnly(t, openDatabase(t, name), behind(t, name), "TRUNCATE audit")
}

// behind returns what runs SQL behind the back of the store.
func behind(t *testing.T, database string) func(string) error {
	conn := connect(t, database)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return func(query string) error {
		_, err := conn.Exec(context.Background(), query)
		return err
	}
}
