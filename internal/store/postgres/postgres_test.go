package postgres_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

// databases are those of the places that the suite asks for.
var databases sync.Map

func open(t *testing.T, place string) store.Store {
	t.Helper()
	name, known := databases.Load(filepath.Clean(place))
	if !known {
		name = newDatabase(t, "")
		databases.Store(filepath.Clean(place), name)
	}
	return openDatabase(t, name.(string))
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

func TestStore(t *testing.T) { storetest.Run(t, open) }

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
