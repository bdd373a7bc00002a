// Package bulk reads and writes the fleet as tables of comma-separated values (RFC 4180).
// Devices, device sets and multicast groups have the formats of the reference server, column
// by column, and a friendly one with a header row; device profiles and regions have the
// latter. Files, Smart Delta keys and campaigns are written only.
//
//	io.Reader ──> scanner ──> table ──> row ──> plan ──────> Outcome per row, Report
//	              records     columns   object    │ FindAll    └─> bad rows as they were
//	                                              └─ Tx ──> Target
//
//	Source ──> row ──> cells ──> io.Writer
//
// What holds for every import:
//
//   - Reading is streaming. The longest record, the number of fields and the number of rows
//     are bounded, so a hostile file costs little.
//   - Every row gets one Outcome: create, update (and which fields), unchanged, or failed
//     with all that is wrong with it. A row counts as a text editor counts lines.
//   - Errors never repeat what a cell holds: columns get mixed up, and then a name is a key.
//   - An import that is all or nothing writes in one transaction, or nothing.
//   - What has been exported and is imported again is unchanged.
//
// The package opens no files, speaks no HTTP and knows no database: a Target does the
// storing and knows the server's rules. It does not read spreadsheets (XLSX).
//
// Source: RFC 4180; the bulk formats of the reference server's public documentation, as
// docs/bulk.md describes them.
package bulk
