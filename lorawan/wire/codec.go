package wire

import (
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
)

const cidPackageVersion = 0x00

// A Parser reads the body of the command cid, from after the CID on, and returns the
// command and what follows it. It is asked for versions that the package has and for a
// CID other than 0x00. For a command that version v lacks it returns
// lorawan.ErrUnknownCID as it is: the Codec adds which one and where.
type Parser func(v lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error)

// Codec cuts the payloads of one package into commands.
type Codec struct {
	Package lorawan.PackageID
	Newest  lorawan.Version // the versions are 1 to this one
	Down    Parser          // commands that a server sends
	Up      Parser          // commands that a device sends
}

// CheckVersion returns ErrVersion for a version that the package does not have, as every
// command but PackageVersionReq and PackageVersionAns must before it is written.
func (c Codec) CheckVersion(v lorawan.Version) error {
	if v < lorawan.V1 || v > c.Newest {
		return fmt.Errorf("%s, version %s: %w", c.Package, v, lorawan.ErrVersion)
	}
	return nil
}

// ParseDownlink reads the commands that a server sends to a device. On error it returns
// what came before the failing command: the length of an unknown command is unknown, so
// nothing after it can be read.
func (c Codec) ParseDownlink(v lorawan.Version, b []byte) ([]lorawan.Command, error) {
	return parseAll(v, b, c.NextDownlink)
}

// ParseUplink reads the commands that a device sends to a server, as ParseDownlink does
// in the other direction.
func (c Codec) ParseUplink(v lorawan.Version, b []byte) ([]lorawan.Command, error) {
	return parseAll(v, b, c.NextUplink)
}

// NextDownlink reads the first downlink command of b and returns what follows it, or b
// itself with an error. PackageVersionReq needs no version: any v will do.
func (c Codec) NextDownlink(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	if len(b) > 0 && b[0] == cidPackageVersion {
		return lorawan.PackageVersionReq{}, b[1:], nil
	}
	return c.next("downlink", c.Down, v, b)
}

// NextUplink reads the first uplink command of b and returns what follows it, or b
// itself with an error. PackageVersionAns needs no version: any v will do.
func (c Codec) NextUplink(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	if len(b) > 0 && b[0] == cidPackageVersion {
		ans, rest, err := lorawan.ParsePackageVersionAns(b[1:])
		if err != nil {
			return nil, b, err
		}
		return ans, rest, nil
	}
	return c.next("uplink", c.Up, v, b)
}

func (c Codec) next(direction string, parse Parser, v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	if len(b) == 0 {
		return nil, b, fmt.Errorf("%s, %s without a command: %w", c.Package, direction, lorawan.ErrShort)
	}
	if err := c.CheckVersion(v); err != nil {
		return nil, b, err
	}
	cmd, rest, err := parse(v, b[0], b[1:])
	if errors.Is(err, lorawan.ErrUnknownCID) {
		err = fmt.Errorf("%s %s, %s with CID 0x%02x: %w", c.Package, v, direction, b[0], err)
	}
	if err != nil {
		return nil, b, err
	}
	return cmd, rest, nil
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

// Parsed turns what the parser of one command type returns into what a Parser returns.
func Parsed[C lorawan.Command](c C, rest []byte, err error) (lorawan.Command, []byte, error) {
	return c, rest, err
}

// Unknown is what a Parser returns for a command that the version lacks.
func Unknown() (lorawan.Command, []byte, error) { return nil, nil, lorawan.ErrUnknownCID }
