// Package multipackage speaks TS007, multi-package access, version 1.0.0 (FPort 225
// always, unicast only): commands of several packages in one frame.
//
//	downlink  | PackageID | CID body | CID body | PackageID | CID body | ... | Token |
//	uplink    | PackageID | answer   | answer   | PackageID | answer   | ... | Token |
//	                      \_ same package _____/
//
// PackageID is 0x80 plus the identifier of the package; CIDs are below 0x80, which tells
// the two apart. Until the first PackageID, commands are of package 0, TS007 itself. The
// answers repeat the token of the commands.
//
// A device collects its answers in a buffer of at most 128 bytes. If that does not fit
// one uplink, it comes in pieces, and the server asks for lost ones:
//
//	server                                    device
//	  | commands, token 3                       |
//	  |---------------------------------------->| answer buffer: 30 bytes
//	  |   MultiPackBufferFrag 0, 10 bytes, 3    |
//	  |<----------------------------------------|
//	  |   MultiPackBufferFrag 10, lost          |
//	  |                        X  --------------|
//	  |   MultiPackBufferFrag 20, 10 bytes, 3   |
//	  |<----------------------------------------|
//	  | MultiPackBufferReq 10..20               |
//	  |---------------------------------------->|
//
// Message is a frame, Reassembly joins the pieces. The commands inside are cut by the
// codecs of their packages, in the versions that the caller names.
//
// LoRa Basics Modem discards a whole frame for one unknown package or command, and gets
// the size of FragSessionDeleteReq and FragDataBlockReceivedAns wrong: send those on
// their own port. Support in the field is rare; DevPackageReq, which gives the version
// and port of every package in one answer, is what it is best for.
package multipackage
