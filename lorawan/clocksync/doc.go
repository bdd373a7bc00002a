// Package clocksync speaks TS003, application layer clock synchronisation
// (default FPort 202, unicast only), in versions 1.0.0 and 2.0.0.
//
//	device                                  server
//	  | AppTimeReq DeviceTime Token          |
//	  |------------------------------------->| correction = GPS time of reception
//	  |                                      |              - DeviceTime
//	  |          AppTimeAns TimeCorrection   |
//	  |<-------------------------------------| only if asked for, or if off
//	  | DeviceTime += TimeCorrection         |
//	  | Token++                              |
//
// The next AppTimeReq with the next token is the only proof that a correction arrived.
// Answer is the whole server side of that exchange: a pure function.
//
// Both versions share one wire format; version 2.0.0 renames one command and says what
// to do with corrections that do not fit. The package does not remember tokens, does not
// recognise the copies of a repeated uplink and does not purge answers that were
// overtaken by a newer request: that needs state, which the caller has.
package clocksync
