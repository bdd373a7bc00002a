// Package relational is what the engines with SQL have in common: which columns an
// object has, which filters, how its document is made, which page comes next, how contents
// are cut into chunks, what is asked of runs, claims, the audit log and usage. One truth, so
// that the engines cannot drift apart.
//
//	sqlite.Store    postgres.Store      connections, transactions, schema, batches of rows
//	      └────┬──────────┘
//	relational.DB                       collections, contents, progress, audit, claims, usage
//	           │   └─ Vault                 seals and unseals columns, keeps data keys
//	           │ SQL with "?"
//	relational.Querier                  of the engine, over a connection or a transaction
//
// The SQL here is what both engines understand; the few words that differ are in
// Dialect. Committing a step is not here: it is where the speed of an engine lies.
//
// Times are microseconds since 1970, 0 for none; identifiers are their 8 bytes. The
// package opens nothing and reads no clock, except to name and age uploads and data keys.
package relational
