package multicast

import (
	"cmp"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

// Command identifiers. Requests and answers share them; the direction tells them apart.
const (
	cidMcGroupStatus   = 0x01
	cidMcGroupSetup    = 0x02
	cidMcGroupDelete   = 0x03
	cidMcClassCSession = 0x04
	cidMcClassBSession = 0x05
)

// MaxMcGroupID is the highest group number. A device that supports k groups has 0 to
// k-1; LoRaMac-node and its descendants work with group 0 only.
const MaxMcGroupID = 3

var codec = wire.Codec{Package: lorawan.McSetup, Newest: lorawan.V2, Down: parseDownlink, Up: parseUplink}

// ParseDownlink reads the commands that a server sends to a device. On error it returns
// what came before the failing command: the length of an unknown command is unknown, so
// nothing after it can be read. The error wraps ErrShort, ErrUnknownCID or ErrVersion.
func ParseDownlink(v lorawan.Version, b []byte) ([]lorawan.Command, error) {
	return codec.ParseDownlink(v, b)
}

// ParseUplink reads the commands that a device sends to a server, as ParseDownlink does
// in the other direction.
func ParseUplink(v lorawan.Version, b []byte) ([]lorawan.Command, error) {
	return codec.ParseUplink(v, b)
}

// NextDownlink reads the first downlink command of b and returns what follows it, or b
// itself with an error. PackageVersionReq needs no version: any v will do.
func NextDownlink(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	return codec.NextDownlink(v, b)
}

// NextUplink reads the first uplink command of b and returns what follows it, or b
// itself with an error. PackageVersionAns needs no version: any v will do.
func NextUplink(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	return codec.NextUplink(v, b)
}

func parseDownlink(_ lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	switch cid {
	case cidMcGroupStatus:
		return wire.Parsed(parseMcGroupStatusReq(body))
	case cidMcGroupSetup:
		return wire.Parsed(parseMcGroupSetupReq(body))
	case cidMcGroupDelete:
		return wire.Parsed(parseMcGroupDeleteReq(body))
	case cidMcClassCSession:
		return wire.Parsed(parseMcClassCSessionReq(body))
	case cidMcClassBSession:
		return wire.Parsed(parseMcClassBSessionReq(body))
	}
	return wire.Unknown()
}

func parseUplink(_ lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	switch cid {
	case cidMcGroupStatus:
		return wire.Parsed(parseMcGroupStatusAns(body))
	case cidMcGroupSetup:
		return wire.Parsed(parseMcGroupSetupAns(body))
	case cidMcGroupDelete:
		return wire.Parsed(parseMcGroupDeleteAns(body))
	case cidMcClassCSession:
		return wire.Parsed(parseMcClassCSessionAns(body))
	case cidMcClassBSession:
		c, rest, err := parseSessionAns("McClassBSessionAns", body)
		return McClassBSessionAns(c), rest, err
	}
	return wire.Unknown()
}

// checkGroup is the check that nearly every command here begins with.
func checkGroup(name string, v lorawan.Version, mcGroupID uint8) error {
	return cmp.Or(codec.CheckVersion(v), wire.CheckMax(name, "McGroupID", mcGroupID, MaxMcGroupID))
}
