// Package store says what Starling keeps and how it is asked for, in the words of
// the domain. Engines (sqlite, postgres) implement it and prove it with the one suite of
// package storetest; nothing above this package knows which engine runs.
//
//	service ──> Objects    devices, sets, groups, users, jobs, ... : Create Find List Update Archive
//	        │              Within one subscriber; Record what was done, in the same transaction
//	        ├─> Contents   the bytes of files, under their SHA-256
//	        ├─> Audits, Histories, Usages   what was done, what devices ran, what was used
//	        └─> Secrets    the keys that secrets are sealed under, and their rotation
//	api     ──> Claims     requests that must not have an effect twice
//	engine  ──> Runs       running campaigns: CreateRun, CommitStep, outbox, timeline
//	        ├─> Leases     which process runs which of them
//	        └─> Inbox      what reached a process that does not
//
// What every engine promises:
//
//   - A call returns nil only when its effect is durable: it survives a kill of the
//     process and, for committed steps, a loss of power.
//   - A call that returns an error has changed nothing.
//   - Tx and CommitStep are serialisable: everything in them happens, or nothing, and
//     what they read does not change under them.
//   - Counters that protect devices from replays never go back: the downlink counter
//     of a group and the SessionCnt of a device's fragmentation slot keep the highest
//     value that they ever had, whatever is written later.
//   - Secrets (keys of devices, groups and Smart Delta, network credentials, answers of claims) are sealed before
//     they are written (package secret). One that cannot be unsealed is an error that names object and column; no
//     object is given out without its secret, because whoever stores it again would store it without.
//   - A page of a list costs the same wherever it is in the list, in the order of any one field. In the order of
//     several fields, or of one beside a filter, what the filter lets through is sorted for every page.
//   - Times keep microseconds and come back in UTC.
//
// The store checks no rules beyond uniqueness and revisions, does not know what the
// state of a running campaign means, and reads no clock but for leases, which end by the clock of
// the database because no other is the same for all.
package store
