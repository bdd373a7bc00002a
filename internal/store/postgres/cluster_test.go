package postgres_test

import (
	"testing"

	"github.com/starling-fuota/starling/internal/store/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// The tests of this package say these often.
var (
	newDatabase = pgtest.NewDatabase
	urlOf       = pgtest.URL
	connect     = pgtest.Connect
)
