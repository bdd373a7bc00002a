package fragmentation

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

// Command identifiers. Requests and answers share them; the direction tells them apart.
const (
	cidFragSessionStatus     = 0x01
	cidFragSessionSetup      = 0x02
	cidFragSessionDelete     = 0x03
	cidFragDataBlockReceived = 0x04 // version 2.0.0 only; the device asks, the server answers
	cidDataFragment          = 0x08
)

const maxFragIndex = 3

var codec = wire.Codec{Package: lorawan.Fragmentation, Newest: lorawan.V2, Down: parseDownlink, Up: parseUplink}

// ParseDownlink reads the commands that a server sends to a device. On error it returns
// what came before the failing command: the length of an unknown command is unknown, so
// nothing after it can be read. The error wraps ErrShort, ErrRange, ErrUnknownCID or
// ErrVersion.
func ParseDownlink(v lorawan.Version, b []byte) ([]lorawan.Command, error) {
	return codec.ParseDownlink(v, b)
}

// ParseUplink reads the commands that a device sends to a server, as ParseDownlink does
// in the other direction. ParseUplinkLenient forgives a device that mixes the versions.
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

func parseDownlink(v lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	switch {
	case cid == cidFragSessionStatus:
		return wire.Parsed(parseFragSessionStatusReq(body))
	case cid == cidFragSessionSetup:
		return wire.Parsed(parseFragSessionSetupReq(v, body))
	case cid == cidFragSessionDelete:
		return wire.Parsed(parseFragSessionDeleteReq(body))
	case cid == cidFragDataBlockReceived && v == lorawan.V2:
		return wire.Parsed(parseFragDataBlockReceivedAns(body))
	case cid == cidDataFragment:
		return wire.Parsed(parseDataFragment(body))
	}
	return wire.Unknown()
}

func parseUplink(v lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	switch {
	case cid == cidFragSessionStatus:
		return wire.Parsed(parseFragSessionStatusAns(v, body))
	case cid == cidFragSessionSetup:
		return wire.Parsed(parseFragSessionSetupAns(v, body))
	case cid == cidFragSessionDelete:
		return wire.Parsed(parseFragSessionDeleteAns(body))
	case cid == cidFragDataBlockReceived && v == lorawan.V2:
		return wire.Parsed(parseFragDataBlockReceivedReq(body))
	}
	return wire.Unknown()
}

// MayBeMulticast reports whether a device accepts c in a multicast frame. Of all commands
// of all packages only two may come that way; devices drop the others in silence.
func MayBeMulticast(c lorawan.Command) bool {
	switch c.(type) {
	case FragSessionStatusReq, DataFragment:
		return true
	}
	return false
}

// errNotInV1 refuses a field that version 1.0.0 has no room for.
func errNotInV1(name, field string) error {
	return fmt.Errorf("%s: version 1.0.0 has no %s: %w", name, field, lorawan.ErrRange)
}
