// Package cli is the command line of Starling: a thin client of the REST API, and
// the conventions that every command follows.
//
//	starling device list ──> kong: grammar, flags ──> Client ──> /api/v1 of the server
//	     │                     ▲                        │ token, subscriber, Idempotency-Key
//	     │   flag > environment > context > default     │ again after a lost connection,
//	     │                     (config.yaml, 0600)      │ and when the server asks for patience
//	     ▼
//	stdout: data        stderr: messages          exit code: what became of it
//
// Data goes to standard output, as a table, JSON, YAML or CSV, and nothing else does; messages go
// to standard error and say what to do next. Keys, passwords and tokens are read from files,
// standard input, a terminal or the environment, never from flags: other users of a machine can see those.
//
// A noun (type noun) is a collection of the API; its columns, filters and orders are
// written once, and its flags are a struct whose JSON is what the API takes. A test compares
// all of them with the API's own document. The commands of a noun are generic: List, Show, Create,
// Update, Archive, Bulk, and importTable, exportTable or exportList.
//
// Exit codes:
//
//	0  done                              5  the server found something invalid
//	1  failed otherwise                  6  not allowed
//	2  wrong use of the command          7  timed out
//	3  there is no such thing            8  a campaign or job ended without success
//	4  conflict: exists, in use, stale   130 interrupted
//
// The package holds no rules of the domain; the server does. It does not make the first
// administrator of a server: that is done on the database, by command starling itself.
package cli
