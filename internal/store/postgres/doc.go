// Package postgres keeps everything in a PostgreSQL database, for any number of processes at once.
//
//	replica ─┐
//	replica ─┼─ pool of connections ──> one database: the rows of package relational
//	replica ─┘
//
// Transactions that write are SERIALIZABLE, and those that PostgreSQL refuses for that
// (SQLSTATE 40001), or to end a deadlock (40P01), are run again after a short random
// wait. So whoever writes sees the database as if he were alone, as with SQLite, and
// store.Store.Tx may run its function several times. What reads more than one
// table reads one snapshot, which waits for nobody and is never refused.
//
// A step of a campaign takes four exchanges with the server, whatever it holds: begin,
// the fence (a lock on the row of the run, and its epoch), everything else in one go
// with an array for each column, commit.
//
// Texts compare byte by byte (COLLATE "C"), so that lists have the same order on
// every engine and every machine. The package reads no clock.
package postgres
