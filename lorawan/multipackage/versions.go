package multipackage

import (
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// ErrUnknownPackage is returned for a PackageID without a codec: the commands behind it
// have unknown lengths, so nothing after it can be read.
var ErrUnknownPackage = errors.New("unknown package identifier")

// Versions tells how the commands of each package are to be read and written. With an
// unknown version, 0, only PackageVersionReq and PackageVersionAns are possible, which is
// enough to find it out. TS007 itself has one version.
type Versions struct {
	ClockSync     lorawan.Version
	McSetup       lorawan.Version
	Fragmentation lorawan.Version
	FirmwareMgmt  lorawan.Version
}

// Of returns the version of package p, or 0 if it is unknown.
func (vs Versions) Of(p lorawan.PackageID) lorawan.Version {
	switch p {
	case lorawan.MultiPackage:
		return lorawan.V1
	case lorawan.ClockSync:
		return vs.ClockSync
	case lorawan.McSetup:
		return vs.McSetup
	case lorawan.Fragmentation:
		return vs.Fragmentation
	case lorawan.FirmwareMgmt:
		return vs.FirmwareMgmt
	}
	return 0
}

// nextFunc reads the first command of a payload, as NextDownlink and NextUplink of every
// package do.
type nextFunc func(v lorawan.Version, b []byte) (lorawan.Command, []byte, error)

func downlinkParser(p lorawan.PackageID) (nextFunc, error) {
	switch p {
	case lorawan.MultiPackage:
		return codec.NextDownlink, nil
	case lorawan.ClockSync:
		return clocksync.NextDownlink, nil
	case lorawan.McSetup:
		return multicast.NextDownlink, nil
	case lorawan.Fragmentation:
		return fragmentation.NextDownlink, nil
	case lorawan.FirmwareMgmt:
		return firmware.NextDownlink, nil
	}
	return nil, errUnknownPackage(p)
}

func uplinkParser(p lorawan.PackageID) (nextFunc, error) {
	switch p {
	case lorawan.MultiPackage:
		return codec.NextUplink, nil
	case lorawan.ClockSync:
		return clocksync.NextUplink, nil
	case lorawan.McSetup:
		return multicast.NextUplink, nil
	case lorawan.Fragmentation:
		return fragmentation.NextUplink, nil
	case lorawan.FirmwareMgmt:
		return firmware.NextUplink, nil
	}
	return nil, errUnknownPackage(p)
}

func errUnknownPackage(p lorawan.PackageID) error {
	return fmt.Errorf("package identifier %d: %w", uint8(p), ErrUnknownPackage)
}
