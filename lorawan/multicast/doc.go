// Package multicast speaks TS005, remote multicast setup (default FPort 200, unicast
// only), in versions 1.0.0 and 2.0.0, and derives the keys of multicast groups.
//
//	GenAppKey (1.0.x)   AppKey (1.1)
//	        \             /
//	          McRootKey            per device
//	              |
//	          McKEKey ------ wraps ------+
//	                                     v
//	                 McKey  ---->  McKey_encrypted ----> McGroupSetupReq
//	                /     \        per group and device
//	        McAppSKey     McNwkSKey
//	         per group     per group
//
//	server                                         device
//	  | McGroupSetupReq   keys, address, counters    |
//	  |--------------------------------------------->|
//	  |                           McGroupSetupAns    |
//	  |<---------------------------------------------|
//	  | McClassCSessionReq   when, how long, where   |
//	  |--------------------------------------------->|
//	  |        McClassCSessionAns   TimeToStart      |
//	  |<---------------------------------------------|
//
// TimeToStart is the only check of a device's clock before a session, and nothing checks
// its keys: a device with a wrong GenAppKey answers everything and hears no fragment.
// A session cannot be cancelled, only replaced by another or ended with its group.
//
// Both versions have the same layouts. Version 2.0.0 adds StartMissed to the session
// answers; as devices of version 1.0.0 send it too, it is read in both.
//
// The package does not seal multicast frames (lorawan.Session does) and keeps no groups.
package multicast
