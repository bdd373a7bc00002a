// Package firmware speaks TS006, firmware management (default FPort 203, unicast only),
// in version 1.0.0, and reads the answers of devices that follow a release candidate of it.
//
//	server                                      device
//	  | DevUpgradeImageReq   image ready?         |
//	  |------------------------------------------>|
//	  |     DevUpgradeImageAns   valid, version   |
//	  |<------------------------------------------|
//	  | DevRebootTimeReq / DevRebootCountdownReq  |
//	  |------------------------------------------>|
//	  |                          ...Ans           |
//	  |<------------------------------------------|
//	  |                                  reboot, install
//	  | DevVersionReq                             |
//	  |------------------------------------------>|
//	  |               DevVersionAns               |
//	  |<------------------------------------------|
//
// A device holds one planned reboot; a newer command replaces it. If a valid image is
// there at the reboot, it is installed.
//
// The wire format is one; what differs in the field is what the answers mean. Dialect
// names those differences and the functions of interpret.go judge answers with it. The
// package does not look into images and holds no state.
package firmware
