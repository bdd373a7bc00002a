// Package cli is the command line of Starling: a thin client of the REST API, and
// the conventions that every command follows.
//
//	starling device list ──> kong: grammar, flags ──> Client ──> /api/v1 of the server
//	     stdout: data        stderr: messages          exit code: what became of it
//
// Data goes to standard output, as a table, JSON, YAML or CSV, and nothing else does; messages go
// to standard error and say what to do next. Keys are read from files or standard
// input, never from flags: other users of a machine can see those.
//
// Exit codes:
//
//	0  done                              5  the server found something invalid
//	1  failed otherwise                  6  not allowed
//	2  wrong use of the command          7  timed out
//	3  there is no such thing            8  the campaign ended without success
//	4  conflict: exists, in use, stale   130 interrupted
//
// The package holds no rules of the domain; the server does.
package cli
