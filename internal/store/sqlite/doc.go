// Package sqlite keeps everything in one SQLite file, for one process.
//
//	writer: one connection, BEGIN IMMEDIATE    reader: four connections, query_only
//	             └───────────────┬──────────────────────────┘
//	              starling.db (WAL, synchronous=FULL, STRICT tables)
//
// One writing connection makes Go queue writers in memory instead of letting SQLite
// answer "busy"; the reader's snapshots never wait for it. FULL, because "stored
// before sent" has to hold across a loss of power.
//
// Contents of files are rows too, in chunks, and not files beside the database: one
// file is one backup that fits together, PostgreSQL replicas will need the same
// shape, and blocks that fit a LoRaWAN session are 4 MB at most. A chunk is a
// transaction of its own, so that an upload neither holds the writer nor memory.
//
// The package does no network I/O and reads no clock, except to name and age uploads.
package sqlite
