package firmware

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
)

// Command identifiers. Requests and answers share them; the direction tells them apart.
const (
	cidPackageVersion     = 0x00
	cidDevVersion         = 0x01
	cidDevRebootTime      = 0x02
	cidDevRebootCountdown = 0x03
	cidDevUpgradeImage    = 0x04
	cidDevDeleteImage     = 0x05
)

// ParseDownlink reads the commands that a server sends to a device. On error it returns
// what came before the failing command: the length of an unknown command is unknown, so
// nothing after it can be read. The error wraps ErrShort, ErrUnknownCID or ErrVersion.
func ParseDownlink(v lorawan.Version, b []byte) ([]lorawan.Command, error) {
	return parseAll(v, b, NextDownlink)
}

// ParseUplink reads the commands that a device sends to a server, as ParseDownlink does
// in the other direction.
func ParseUplink(v lorawan.Version, b []byte) ([]lorawan.Command, error) {
	return parseAll(v, b, NextUplink)
}

// NextDownlink reads the first downlink command of b and returns what follows it, or b
// itself with an error. PackageVersionReq needs no version: any v will do.
func NextDownlink(v lorawan.Version, b []byte) (lorawan.Command, []byte, error) {
	if len(b) == 0 {
		return nil, b, fmt.Errorf("firmware downlink without a command: %w", lorawan.ErrShort)
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
		return nil, b, fmt.Errorf("firmware uplink without a command: %w", lorawan.ErrShort)
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
	switch cid {
	case cidDevVersion:
		return DevVersionReq{}, body, nil
	case cidDevRebootTime:
		return command(parseDevRebootTimeReq(body))
	case cidDevRebootCountdown:
		return command(parseDevRebootCountdownReq(body))
	case cidDevUpgradeImage:
		return DevUpgradeImageReq{}, body, nil
	case cidDevDeleteImage:
		return command(parseDevDeleteImageReq(body))
	}
	return nil, nil, fmt.Errorf("firmware %s downlink, CID 0x%02x: %w", v, cid, lorawan.ErrUnknownCID)
}

func nextUplink(v lorawan.Version, cid byte, body []byte) (lorawan.Command, []byte, error) {
	if cid == cidPackageVersion {
		return command(lorawan.ParsePackageVersionAns(body))
	}
	if err := checkVersion(v); err != nil {
		return nil, nil, err
	}
	switch cid {
	case cidDevVersion:
		return command(parseDevVersionAns(body))
	case cidDevRebootTime:
		return command(parseDevRebootTimeAns(body))
	case cidDevRebootCountdown:
		return command(parseDevRebootCountdownAns(body))
	case cidDevUpgradeImage:
		return command(parseDevUpgradeImageAns(body))
	case cidDevDeleteImage:
		return command(parseDevDeleteImageAns(body))
	}
	return nil, nil, fmt.Errorf("firmware %s uplink, CID 0x%02x: %w", v, cid, lorawan.ErrUnknownCID)
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

func checkVersion(v lorawan.Version) error {
	if v != lorawan.V1 {
		return fmt.Errorf("firmware version %s: %w", v, lorawan.ErrVersion)
	}
	return nil
}

func errShort(name string, have, want int) error {
	return fmt.Errorf("%s: %d of %d bytes: %w", name, have, want, lorawan.ErrShort)
}
