package fragmentation

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
)

// Command identifiers. Requests and answers share them; the direction tells them apart.
const (
	cidPackageVersion        = 0x00
	cidFragSessionStatus     = 0x01
	cidFragSessionSetup      = 0x02
	cidFragSessionDelete     = 0x03
	cidFragDataBlockReceived = 0x04 // version 2.0.0 only; the device asks, the server answers
	cidDataFragment          = 0x08
)

const maxFragIndex = 3

// ParseDownlink reads the commands that a server sends to a device. On error it returns
// what came before the failing command: the length of an unknown command is unknown, so
// nothing after it can be read. The error wraps ErrShort, ErrRange, ErrUnknownCID or
// ErrVersion.
func ParseDownlink(v lorawan.Version, b []byte) ([]lorawan.Command, error) {
	return parseAll(v, b, NextDownlink)
}

// ParseUplink reads the commands that a device sends to a server, as ParseDownlink does
// in the other direction. ParseUplinkLenient forgives a device that mixes the versions.
func ParseUplink(v lorawan.Version, b []byte) ([]lorawan.Command, error) {
	return parseAll(v, b, NextUplink)
}

// NextDownlink reads the first downlink command of b and returns what follows it, or b
// itself with an error. PackageVersionReq needs no version: any v will do.
func NextDownlink(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	if len(b) == 0 {
		return nil, b, fmt.Errorf("fragmentation downlink without a command: %w", lorawan.ErrShort)
	}
	c, rest, err := nextDownlink(v, b[0], b[1:])
	if err != nil {
		return nil, b, err
	}
	return c, rest, nil
}

// NextUplink reads the first uplink command of b and returns what follows it, or b
// itself with an error. PackageVersionAns needs no version: any v will do.
func NextUplink(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	if len(b) == 0 {
		return nil, b, fmt.Errorf("fragmentation uplink without a command: %w", lorawan.ErrShort)
	}
	c, rest, err := nextUplink(v, b[0], b[1:])
	if err != nil {
		return nil, b, err
	}
	return c, rest, nil
}

func nextDownlink(v lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	if cid == cidPackageVersion {
		return lorawan.PackageVersionReq{}, body, nil
	}
	if err := checkVersion(v); err != nil {
		return nil, nil, err
	}
	switch {
	case cid == cidFragSessionStatus:
		return command(parseFragSessionStatusReq(body))
	case cid == cidFragSessionSetup:
		return command(parseFragSessionSetupReq(v, body))
	case cid == cidFragSessionDelete:
		return command(parseFragSessionDeleteReq(body))
	case cid == cidFragDataBlockReceived && v == lorawan.V2:
		return command(parseFragDataBlockReceivedAns(body))
	case cid == cidDataFragment:
		return command(parseDataFragment(body))
	}
	return nil, nil, fmt.Errorf("fragmentation %s downlink, CID 0x%02x: %w", v, cid, lorawan.ErrUnknownCID)
}

func nextUplink(v lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	if cid == cidPackageVersion {
		return command(lorawan.ParsePackageVersionAns(body))
	}
	if err := checkVersion(v); err != nil {
		return nil, nil, err
	}
	switch {
	case cid == cidFragSessionStatus:
		return command(parseFragSessionStatusAns(v, body))
	case cid == cidFragSessionSetup:
		return command(parseFragSessionSetupAns(v, body))
	case cid == cidFragSessionDelete:
		return command(parseFragSessionDeleteAns(body))
	case cid == cidFragDataBlockReceived && v == lorawan.V2:
		return command(parseFragDataBlockReceivedReq(body))
	}
	return nil, nil, fmt.Errorf("fragmentation %s uplink, CID 0x%02x: %w", v, cid, lorawan.ErrUnknownCID)
}

func parseAll(v lorawan.Version, b []byte,
	next func(lorawan.Version, []byte) (lorawan.Command, []byte, error),
) ([]lorawan.Command, error) {
	var cmds []lorawan.Command
	for len(b) > 0 {
		c, rest, err := next(v, b)
		if err != nil {
			return cmds, err
		}
		cmds, b = append(cmds, c), rest
	}
	return cmds, nil
}

// command turns what a parser of one type returns into what the dispatch returns.
func command[C lorawan.Command](c C, rest []byte, err error) (lorawan.Command, []byte, error) {
	return c, rest, err
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

func checkVersion(v lorawan.Version) error {
	if v != lorawan.V1 && v != lorawan.V2 {
		return fmt.Errorf("fragmentation version %s: %w", v, lorawan.ErrVersion)
	}
	return nil
}

func errShort(name string, have, want int) error {
	return fmt.Errorf("%s: %d of %d bytes: %w", name, have, want, lorawan.ErrShort)
}

// checkMax refuses a field that needs more bits than it has.
func checkMax(name, field string, value, limit int) error {
	if value > limit {
		return fmt.Errorf("%s: %s %d is above %d: %w", name, field, value, limit, lorawan.ErrRange)
	}
	return nil
}

// errNotInV1 refuses a field that version 1.0.0 has no room for.
func errNotInV1(name, field string) error {
	return fmt.Errorf("%s: version 1.0.0 has no %s: %w", name, field, lorawan.ErrRange)
}

// bit returns b if on, and 0 otherwise.
func bit(on bool, b byte) byte {
	if on {
		return b
	}
	return 0
}

// flag appends " name" to s if on: a flag that is off is no news.
func flag(s string, on bool, name string) string {
	if on {
		return s + " " + name
	}
	return s
}
