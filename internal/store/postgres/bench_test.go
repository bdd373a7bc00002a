package postgres_test

import (
	"testing"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) store.Store { return openDatabase(b, newDatabase(b, "")) })
}

// BenchmarkLoad prints a table; see docs/performance.md.
func BenchmarkLoad(b *testing.B) {
	database := newDatabase(b, "")
	storetest.Load(b, openDatabase(b, database), func() error {
		conn := connect(b, database)
		defer conn.Close(b.Context())
		_, err := conn.Exec(b.Context(), "VACUUM ANALYZE") // as autovacuum does, sooner or later
		return err
	})
}
