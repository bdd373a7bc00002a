// Package fragmentation speaks TS004, fragmented data block transport (default FPort
// 201), in versions 1.0.0 and 2.0.0, and computes the data block MIC of version 2.0.0.
//
//	server                                         device
//	  | FragSessionSetupReq  (unicast)               |
//	  |--------------------------------------------->|
//	  |                       FragSessionSetupAns    |
//	  |<---------------------------------------------|
//	  | DataFragment N=1..M, then coded (multicast)  |
//	  |=============================================>|
//	  | FragSessionStatusReq (multicast or unicast)  |
//	  |--------------------------------------------->|
//	  |   FragSessionStatusAns, randomly delayed     |
//	  |<---------------------------------------------|
//	  |   FragDataBlockReceivedReq (2.0.0, uplink)   |
//	  |<---------------------------------------------|
//	  | FragDataBlockReceivedAns                     |
//	  |--------------------------------------------->|
//
// The versions are incompatible on the wire and in the parity code, and nothing on the
// air gives the mix away: never guess the version of a device.
//
// What MissingFrag of a status answer is worth depends on the device: LoRaMac-node and
// its descendants count fragments that the parity code has long recovered, LoRa Basics
// Modem reports 1 after a reception without loss, Zephyr derives it from the number of
// frames. Zero is a sign of success; other values are no sign of failure.
//
// The package does not make or combine coded fragments (package fec does), holds no
// session state and does not check the order of fragments.
package fragmentation
