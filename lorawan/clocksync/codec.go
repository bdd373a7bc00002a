package clocksync

import (
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

// Command identifiers. Requests and answers share them; the direction tells them apart.
const (
	cidAppTime                  = 0x01
	cidDeviceAppTimePeriodicity = 0x02
	cidForceDeviceResync        = 0x03
)

var codec = wire.Codec{Package: lorawan.ClockSync, Newest: lorawan.V2, Down: parseDownlink, Up: parseUplink}

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
	case cidAppTime:
		return wire.Parsed(parseAppTimeAns(body))
	case cidDeviceAppTimePeriodicity:
		return wire.Parsed(parseDeviceAppTimePeriodicityReq(body))
	case cidForceDeviceResync:
		return wire.Parsed(parseForceDeviceResyncReq(body))
	}
	return wire.Unknown()
}

func parseUplink(_ lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	switch cid {
	case cidAppTime:
		return wire.Parsed(parseAppTimeReq(body))
	case cidDeviceAppTimePeriodicity:
		return wire.Parsed(parseDeviceAppTimePeriodicityAns(body))
	}
	return wire.Unknown()
}
