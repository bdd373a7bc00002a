package postgres_test

import (
	"context"
	"strings"
	"testing"

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
	storetest.Run(t, func(t *testing.T, place string) store.Store {
		if databases[place] == "" {
			databases[place] = newDatabase(t, migrated)
		}
		return openDatabase(t, databases[place])
	})
}

func openDatabase(t testing.TB, name string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), urlOf(name))
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
	if _, err := postgres.Open(context.Background(), urlOf(name)); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
}
