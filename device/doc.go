// Package device is a complete FUOTA end-device: what the simulator runs, and what a
// device maker can read as a reference. It speaks LoRaWAN 1.0 as an ABP class A device
// with class B and C multicast sessions, and the application packages TS003 (clock),
// TS004 (fragments), TS005 (multicast), TS006 (firmware) and TS007 (several at once).
//
//	        Receive(at, phy)                       Wake(now) -> Uplink
//	              |                                        ^
//	open: session by address, MIC, FCnt           transmit: duty cycle, seal, FCnt
//	              |                                        |
//	dispatch: package by FPort, commands                 outbox: answers of one
//	              |                                        ^ package share a frame
//	execute --+-- clocksync      clock, agenda             |
//	          +-- multicast      groups, sessions ---> Hears: RX1, RX2, class C,
//	          +-- fragmentation  fec.Decoder                  ping slots
//	          +-- firmware       image, reboot
//	          +-- multipackage   answer buffer
//
// A device has no goroutine and reads no clock: whoever runs it calls Wake at NextWake,
// asks Hears whether a downlink finds the receiver open, and hands over with Receive what
// arrived. The same configuration and the same calls give the same bytes; Seed decides
// everything random. All times at the interface are true time. The device's own clock
// is off and drifts, and it is that clock which opens sessions and plans reboots.
//
// Stack makes it answer, and err, as the stacks in the field do; Behaviour makes it
// misbehave. A received block is a firmware image if the Descriptor of its session is not
// zero: the Descriptor is the version then, in the byte order of DevVersionAns.
//
// What it does not do: join, ADR, MAC commands, confirmed uplinks, unicast class B or C.
// Beacons are not received as frames: a device that searched long enough has the beacon.
//
// Sources: TS001-1.0.4, TS003 to TS005 in versions 1.0.0 and 2.0.0, TS006-1.0.0 and its
// release candidates as devices speak them, TS007-1.0.0.
package device
