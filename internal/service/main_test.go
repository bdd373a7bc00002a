package service_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/postgres/pgtest"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// engines are the databases that a test runs on, each with what opens an empty one.
var engines = []struct {
	name string
	open func(testing.TB) store.Store
}{
	{"SQLite", func(t testing.TB) store.Store {
		db, err := sqlite.Temporary(ctx, filepath.Join(t.TempDir(), "starling.db"))
		if err != nil {
			t.Fatal(err)
		}
		return db
	}},
	{"PostgreSQL", func(t testing.TB) store.Store {
		db, err := postgres.Open(ctx, pgtest.URL(pgtest.NewDatabase(t, "")), storetest.KEK())
		if err != nil {
			t.Fatal(err)
		}
		return db
	}},
}

// onEngines runs a test on each engine.
func onEngines(t *testing.T, f func(*testing.T, func(testing.TB) *server)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { f(t, func(t testing.TB) *server { return newServer(t, e.open(t)) }) })
	}
}

// server is a service over an empty database.
type server struct {
	testing.TB
	*service.Service
	store store.Store
}

func newServer(t testing.TB, db store.Store) *server {
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &server{t, service.New(service.Config{Store: db, Runner: &fakeRunner{store: db, now: func() time.Time { return clock }}}), db}
}
