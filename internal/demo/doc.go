// Package demo shows the main job of Starling from end to end, on real code at every
// step: a firmware file goes in, and a simulated fleet proves that it runs it, by a signed delta
// if it is known what it runs before.
//
//	files ──> service: profiles, devices, sets, groups, regions, key, files, the delta
//	              │    between them, three campaigns (what an operator does through REST or CLI)
//	              v
//	         engine on SQLite ──> simulated network ──> device code, one per device
//	              │ progress                                  │ what it really runs
//	              v                                           v
//	         stage bars                              table or JSON report
//
// It is a composition root beside cmd: it wires the parts and knows no rule of theirs.
package demo
