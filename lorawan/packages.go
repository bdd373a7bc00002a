package lorawan

import "cmp"

// AllPackages returns the application-layer packages in the order of their identifiers.
func AllPackages() [5]PackageID {
	return [...]PackageID{MultiPackage, ClockSync, McSetup, Fragmentation, FirmwareMgmt}
}

// PackageVersions says which application-layer packages a device has, in which version.
// 0: the device does not have it, or nobody knows.
type PackageVersions struct {
	ClockSync     Version `json:"clock_sync"`    // TS003
	McSetup       Version `json:"mc_setup"`      // TS005
	Fragmentation Version `json:"fragmentation"` // TS004
	FirmwareMgmt  Version `json:"firmware_mgmt"` // TS006
	MultiPackage  Version `json:"multi_package"` // TS007
}

// Of returns the version of one package, 0 if it is absent or there is no such package.
func (p PackageVersions) Of(id PackageID) Version {
	if v := p.field(id); v != nil {
		return *v
	}
	return 0
}

// Set notes the version of one package. A package that is none of the five is ignored.
func (p *PackageVersions) Set(id PackageID, v Version) {
	if field := p.field(id); field != nil {
		*field = v
	}
}

func (p *PackageVersions) field(id PackageID) *Version {
	switch id {
	case ClockSync:
		return &p.ClockSync
	case McSetup:
		return &p.McSetup
	case Fragmentation:
		return &p.Fragmentation
	case FirmwareMgmt:
		return &p.FirmwareMgmt
	case MultiPackage:
		return &p.MultiPackage
	}
	return nil
}

// Over returns p with the versions of base where p has none: what one device has told of
// itself over what its profile says of all.
func (p PackageVersions) Over(base PackageVersions) PackageVersions {
	return PackageVersions{
		ClockSync:     cmp.Or(p.ClockSync, base.ClockSync),
		McSetup:       cmp.Or(p.McSetup, base.McSetup),
		Fragmentation: cmp.Or(p.Fragmentation, base.Fragmentation),
		FirmwareMgmt:  cmp.Or(p.FirmwareMgmt, base.FirmwareMgmt),
		MultiPackage:  cmp.Or(p.MultiPackage, base.MultiPackage),
	}
}

// PackagePorts says on which FPort a device expects each package. 0: the port that the
// package's specification recommends. TS007 has a fixed port and no entry.
type PackagePorts struct {
	ClockSync     uint8 `json:"clock_sync,omitempty"`
	McSetup       uint8 `json:"mc_setup,omitempty"`
	Fragmentation uint8 `json:"fragmentation,omitempty"`
	FirmwareMgmt  uint8 `json:"firmware_mgmt,omitempty"`
}

// Of returns the FPort of one package, never 0 for a package that exists.
func (p PackagePorts) Of(id PackageID) uint8 {
	var port uint8
	switch id {
	case ClockSync:
		port = p.ClockSync
	case McSetup:
		port = p.McSetup
	case Fragmentation:
		port = p.Fragmentation
	case FirmwareMgmt:
		port = p.FirmwareMgmt
	}
	return cmp.Or(port, id.DefaultFPort())
}

// Package returns which package listens on an FPort.
func (p PackagePorts) Package(fport uint8) (PackageID, bool) {
	for _, id := range AllPackages() {
		if p.Of(id) == fport {
			return id, true
		}
	}
	return 0, false
}
