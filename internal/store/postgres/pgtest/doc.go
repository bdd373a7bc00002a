// Package pgtest gives tests a PostgreSQL of their own.
//
//	TestMain ──> Main: starts a server in a temporary directory, reached by a socket only
//	test     ──> NewDatabase ──> URL ──> postgres.Open
//	tests end ──> the server stops, and its directory goes
//
// TEST_DATABASE_URL names another server, whose user may create databases. Without PostgreSQL
// on the machine the tests that need it are skipped; in CI (CI=true) they fail instead.
//
// The package is for tests only: the program never imports it.
package pgtest
