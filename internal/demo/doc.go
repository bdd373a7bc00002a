// Package demo shows the main job of Starling from end to end, on real code at every
// step: a firmware file goes in, and a simulated fleet proves that it runs it.
//
//	file ──> service: profiles, devices, sets, groups, regions, file, three campaigns
//	              │            (what an operator does through REST or CLI)
//	              v
//	         engine on SQLite ──> simulated network ──> device code, one per device
//	              │ progress                                  │ what it really runs
//	              v                                           v
//	         stage bars                              table or JSON report
//
// It is a composition root beside cmd: it wires the parts and knows no rule of theirs.
package demo
