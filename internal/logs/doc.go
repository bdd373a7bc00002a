// Package logs makes the server's logger: one line per event, and no line with a secret in it.
//
//	slog call ──> attribute ──> is its name a secret's?  ── yes ──> [redacted]
//	              message         │ no
//	              error           v
//	              struct, map   does its text hold a secret? ── the span ──> [redacted]
//	                              │ no
//	                              v
//	                            text or JSON: ts level msg ...
//
// Two rules, because each alone is not enough. Names catch what has no shape (a password).
// Shapes catch what travels under another name: in the text of an error, in a URL,
// in a frame that somebody logged while looking for something else. secretName and secretSpans
// are the rules; what they let through on purpose is written there.
//
// A line is redacted when it is written, not where it is made: no caller can forget it.
// The price for a line without anything suspect is one pass over its strings, and no memory.
//
// This is the last fence, not the first: types that hold keys print as [redacted]
// themselves. The package does not encrypt, rotate or ship logs, and it cannot
// know a secret that looks like an ordinary word under an ordinary name.
package logs
