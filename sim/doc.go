// Package sim is a virtual LoRaWAN network in virtual time: end-devices, the radio
// between them and gateways, and a network server whose customer is the caller.
//
//	caller (a FUOTA server, a test, a what-if)
//	   |  SendUnicast, SendMulticast, EnsureGroup      ^  Event: Uplink, Sent,
//	   v                                               |  Failed, Joined, Summary
//	network server   queues, counters, MIC, de-duplication, RX1/RX2, ping slots
//	   |                                               ^
//	gateways         half-duplex, duty cycle per sub-band, one transmission at a time
//	   |        \                                      ^
//	links        loss per device, gateway and direction: independent or in bursts
//	   v                                               |
//	devices          package device: real frames, real keys, class A, B and C
//
// Time passes only in Advance, which runs the network until something happens that
// the network server would report, and returns that. A campaign of days takes
// seconds. Nothing else moves: no goroutine, no clock, no global randomness.
//
// The same Config and the same calls give the same events, byte for byte. Every
// link and every device has a random stream of its own, derived from Config.Seed
// and its name, so that one more device leaves the luck of the others as it was
// (it may still take their air time).
//
// What it does not do: there is no geometry, no signal strength and no ADR; a frame
// is lost or it is not. Beacons are taken as sent: they cost no air time here, and
// whether a device has locked on to them is the device's own model. Unicast is class
// A only. A device transmits whenever it likes: the duty cycle of devices is theirs.
// Uplinks do not collide unless Config.Collisions is set.
//
// A Network is not safe for concurrent use.
//
// Sources: TS001-1.0.4 (receive windows, class B), RP002-1.0.3 (through package region).
package sim
