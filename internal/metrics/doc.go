// Package metrics counts what the server does, for Prometheus to read.
//
//	engine ── FragmentSent, CommandSent, Uplink ... ──> counters ──┐
//	API ───── Observe ──> requests, durations, streams ────────────┤
//	store <── Counter, at most every 15 s ── object gauges ────────┼──> Handler ──> GET /metrics
//	Go runtime, process ───────────────────────────────────────────┘
//
// Names begin with fuota_ and use base units: seconds, bytes, totals.
//
// The number of series is bounded, whatever clients and devices send: a label takes values
// from a closed set, or a limited number of words from code, and what is beyond is "other". No
// label holds the identifier of a device, a campaign or a person; who wants to know
// about one asks the API.
//
// Counters live in memory and begin at zero with the process, as Prometheus expects. The
// package keeps no history, knows no store and decides no permission.
package metrics
