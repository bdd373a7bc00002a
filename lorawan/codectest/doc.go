// Package codectest checks that the codec of an application-layer package keeps what
// package lorawan/wire promises:
//
//	command --Append--> bytes --Next--> the same command, nothing left    CheckWires
//	bytes with RFU bits set  --Next--> the same command                   CheckWires
//	any bytes --Next--> command --Append--> bytes --Next--> same command  CheckBytes
//	field too large --Append--> ErrRange, nothing written                 Refuses
//
// A codec says what it has in a Direction, one for downlinks and one for uplinks, and
// hands it to RoundTrip in a test and to Fuzz in a fuzz target.
//
// It is for tests only. It does not know what the bytes should be: vectors of others do.
package codectest
