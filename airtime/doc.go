// Package airtime keeps account of what gateways transmit, by the duty cycle of their
// regions, so that a server knows before it sends what a frame will cost and whether a
// gateway may carry it.
//
//	reports of what was transmitted            an uplink: gateways, channel, data rate
//	          │ Spend                                       │ Crowded
//	          v                                             v
//	Governor ── gateway ── sub-band ── Budget      would its answer go out in RX1,
//	                                   per hour    or in RX2 at a multiple of the air time?
//
// A class A device opens two receive windows after an uplink. RX1 is on the channel and near
// the data rate of the uplink; RX2 is on one channel at one data rate for all, which in
// EU868 is SF12: one command there takes as long as twenty in RX1 at SF7. Network servers
// fall back to RX2 without a word when the gateway has no duty cycle left for RX1, so a server
// that sends without keeping count pays twenty times the price for its haste.
//
// A Budget is exact: no hour, wherever it begins, holds more than its limit. A Governor is
// what a server can know: it sees the reports of its network and nothing of what other
// applications send through the same gateways. What other processes have spent, or an earlier life of this
// one, it is told by whoever has kept it (Recall).
//
// The package reads no clock and does no I/O. Source: RP002-1.0.3 (through package region, whose
// duty cycles are planning defaults).
package airtime
