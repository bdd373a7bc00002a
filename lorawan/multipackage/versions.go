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
// enough to find it out. TS007 itself has one version, and is read and written in it
// whatever Versions says: its DevPackageReq is what one asks first.
type Versions = lorawan.PackageVersions

func versionOf(p lorawan.PackageID, vs Versions) lorawan.Version {
	if p == lorawan.MultiPackage {
		return lorawan.V1
	}
	return vs.Of(p)
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
