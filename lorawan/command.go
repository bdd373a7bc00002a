package lorawan

import (
	"errors"
	"fmt"
)

// Errors that callers test with errors.Is. The codecs wrap them with what they
// alone know: the command, the field, the bytes they had.
var (
	ErrText       = errors.New("not the expected hexadecimal text")
	ErrShort      = errors.New("command too short")
	ErrUnknownCID = errors.New("unknown command identifier")
	ErrRange      = errors.New("value does not fit its field")
	ErrVersion    = errors.New("package version does not have this command")
	ErrTrailing   = errors.New("bytes after a command that must stand alone")
)

// PackageID is a PackageIdentifier as reported in PackageVersionAns.
type PackageID uint8

// The application-layer packages of the LoRa Alliance.
const (
	MultiPackage  PackageID = 0 // TS007
	ClockSync     PackageID = 1 // TS003
	McSetup       PackageID = 2 // TS005
	Fragmentation PackageID = 3 // TS004
	FirmwareMgmt  PackageID = 4 // TS006
)

// DefaultFPort returns the FPort that the package's specification recommends.
// Only the 225 of TS007 is binding; the others can be set per device profile.
// It returns 0 for an unknown package.
func (p PackageID) DefaultFPort() uint8 {
	switch p {
	case MultiPackage:
		return 225
	case ClockSync:
		return 202
	case McSetup:
		return 200
	case Fragmentation:
		return 201
	case FirmwareMgmt:
		return 203
	}
	return 0
}

// String returns the specification's number and subject, such as "TS004 fragmentation".
func (p PackageID) String() string {
	switch p {
	case MultiPackage:
		return "TS007 multi-package access"
	case ClockSync:
		return "TS003 clock synchronisation"
	case McSetup:
		return "TS005 remote multicast setup"
	case Fragmentation:
		return "TS004 fragmentation"
	case FirmwareMgmt:
		return "TS006 firmware management"
	}
	return fmt.Sprintf("package %d", uint8(p))
}

// Version is a PackageVersion as reported in PackageVersionAns. Versions 1 and 2
// of a package are declared incompatible by their specifications: the same bytes
// mean different things, so every codec takes the version as an argument.
type Version uint8

// The package versions in the field.
const (
	V1 Version = 1 // TS003/4/5-1.0.0, TS006-1.0.0, TS007-1.0.0
	V2 Version = 2 // TS003/4/5-2.0.0
)

// String returns "1.0.0" or "2.0.0".
func (v Version) String() string { return fmt.Sprintf("%d.0.0", uint8(v)) }

// Command is one command of a package, in either direction.
type Command interface {
	// CID is the first byte on the wire.
	CID() byte
	// Name is the specification's name, such as "FragSessionSetupReq".
	Name() string
	// Append appends the CID and the body of version v to b. It returns b
	// unchanged and ErrRange if a field does not fit its bits (a masked value
	// would do something nobody asked for), or ErrVersion if v lacks the command.
	Append(b []byte, v Version) ([]byte, error)
}

// AppendAll appends several commands of one package to b, or returns b unchanged
// and the first error.
func AppendAll(b []byte, v Version, cmds ...Command) ([]byte, error) {
	out := b
	for _, c := range cmds {
		var err error
		if out, err = c.Append(out, v); err != nil {
			return b, err
		}
	}
	return out, nil
}

// PackageVersionReq asks for the version of the package on whose FPort it is sent.
// Downlink, CID 0x00, no body; the same in every package and version.
type PackageVersionReq struct{}

// CID returns 0x00.
func (PackageVersionReq) CID() byte { return 0x00 }

// Name returns "PackageVersionReq".
func (PackageVersionReq) Name() string { return "PackageVersionReq" }

// String returns "PackageVersionReq".
func (c PackageVersionReq) String() string { return c.Name() }

// Append appends the one byte of the command.
func (c PackageVersionReq) Append(b []byte, _ Version) ([]byte, error) {
	return append(b, c.CID()), nil
}

// PackageVersionAns tells which package, in which version, listens on this FPort.
// Uplink, CID 0x00, 2 bytes follow; the same in every package and version:
//
//	0                  1
//	+------------------+----------------+
//	|PackageIdentifier | PackageVersion |
//	+------------------+----------------+
type PackageVersionAns struct {
	PackageIdentifier PackageID
	PackageVersion    Version
}

// CID returns 0x00.
func (PackageVersionAns) CID() byte { return 0x00 }

// Name returns "PackageVersionAns".
func (PackageVersionAns) Name() string { return "PackageVersionAns" }

// String gives the fields for logs, such as "PackageVersionAns package=3 version=2".
func (c PackageVersionAns) String() string {
	return fmt.Sprintf("%s package=%d version=%d", c.Name(), uint8(c.PackageIdentifier), uint8(c.PackageVersion))
}

// Append appends the three bytes of the command.
func (c PackageVersionAns) Append(b []byte, _ Version) ([]byte, error) {
	return append(b, c.CID(), byte(c.PackageIdentifier), byte(c.PackageVersion)), nil
}

// ParsePackageVersionAns reads the body after the CID and returns what follows it.
func ParsePackageVersionAns(b []byte) (PackageVersionAns, []byte, error) {
	if len(b) < 2 {
		return PackageVersionAns{}, b, fmt.Errorf("PackageVersionAns: %d of 2 bytes: %w", len(b), ErrShort)
	}
	return PackageVersionAns{PackageID(b[0]), Version(b[1])}, b[2:], nil
}
