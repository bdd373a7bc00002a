package postgres_test

import (
	"testing"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/storetest"
)

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) store.Store { return openDatabase(b, newDatabase(b, "")) })
}
