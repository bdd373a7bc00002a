// Package lorawan holds the small values that every LoRaWAN package shares:
// EUI64, DevAddr, AES128Key, the version of an application-layer package, GPS
// time, and the frame and key primitives of the link layer.
//
//	             lorawan                 EUI64 DevAddr AES128Key Version Command
//	                |                    GPS time, AES-CMAC, data frames
//	   +------------+--------------------------------------------+
//	  wire                payloads to commands, fields to bits   region
//	   +----------+-------------+-----------+------------+       RP002
//	clocksync fragmentation multicast   firmware   multipackage
//	TS003     TS004         TS005       TS006      TS007
//
// Values are comparable and their zero value means "none". Text is the form
// people write (most significant byte first); binary is the form on the air
// (little endian). The package does no I/O and reads no clock.
//
// Sources: TS001-1.0.4 (link layer), TS003 to TS007 (application packages).
package lorawan
