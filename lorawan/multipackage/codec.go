package multipackage

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
)

// Command identifiers of package 0. Requests and answers share them.
const (
	cidPackageVersion  = 0x00
	cidDevPackage      = 0x01
	cidMultiPackBuffer = 0x02
)

// nextDownlink reads a command of package 0. A MultiPackBufferReq among others is only
// recognised, so that it can be refused: where it is alone ParseDownlink reads it.
func nextDownlink(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	if len(b) == 0 {
		return nil, b, errNoCommand()
	}
	switch b[0] {
	case cidPackageVersion:
		return lorawan.PackageVersionReq{}, b[1:], nil
	case cidDevPackage:
		return DevPackageReq{}, b[1:], nil
	case cidMultiPackBuffer:
		return MultiPackBufferReq{}, nil, nil
	}
	return nil, b, fmt.Errorf("multipackage %s downlink, CID 0x%02x: %w", v, b[0], lorawan.ErrUnknownCID)
}

// nextUplink reads a command of package 0, and recognises MultiPackBufferFrag as
// nextDownlink does MultiPackBufferReq.
func nextUplink(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	if len(b) == 0 {
		return nil, b, errNoCommand()
	}
	switch b[0] {
	case cidPackageVersion:
		return command(lorawan.ParsePackageVersionAns(b[1:]))
	case cidDevPackage:
		return command(parseDevPackageAns(b[1:]))
	case cidMultiPackBuffer:
		return MultiPackBufferFrag{}, nil, nil
	}
	return nil, b, fmt.Errorf("multipackage %s uplink, CID 0x%02x: %w", v, b[0], lorawan.ErrUnknownCID)
}

// command turns what a parser of one type returns into what the dispatch returns.
func command[C lorawan.Command](c C, rest []byte, err error) (lorawan.Command, []byte, error) {
	return c, rest, err
}

func checkVersion(v lorawan.Version) error {
	if v != lorawan.V1 {
		return fmt.Errorf("multipackage version %s: %w", v, lorawan.ErrVersion)
	}
	return nil
}

func errShort(name string, have, want int) error {
	return fmt.Errorf("%s: %d of %d bytes: %w", name, have, want, lorawan.ErrShort)
}

func errNoCommand() error {
	return fmt.Errorf("PackageID without a command: %w", lorawan.ErrShort)
}
