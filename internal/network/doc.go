// Package network is what Starling asks of a LoRaWAN network server, whichever it is.
//
//	            engine                          owns keys, schedule, state
//	   Adapter    |    ^  Source
//	  send, flush v    |  events, time
//	+----------------------------------+
//	| simulated | chirpstack | ...     |        own the wire
//	+----------------------------------+
//	      network server, gateways, radio
//
// Everything asynchronous comes as an Event; what a network can do is data (Caps), so
// that nobody above asks which network it is. Delivery is at least once everywhere: a
// frame carries an ID that its reports repeat, and the receiver of events must take one
// twice. An adapter never retries a multicast frame unless it is certain that the frame
// was not accepted: a counter that goes back is worse than a lost fragment.
package network
