package multipackage

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/wire"
)

const (
	packageRecordLen = 3
	maxNbPackages    = 15
)

// DevPackageReq asks which packages the device has, in which versions, on which ports.
// Downlink, package 0, CID 0x01, no body (TS007-1.0.0).
type DevPackageReq struct{}

// CID returns 0x01.
func (DevPackageReq) CID() byte { return cidDevPackage }

// Name returns "DevPackageReq".
func (DevPackageReq) Name() string { return "DevPackageReq" }

// String returns "DevPackageReq".
func (c DevPackageReq) String() string { return c.Name() }

// Append appends the one byte of the command.
func (c DevPackageReq) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	return append(b, c.CID()), nil
}

// PackageInfo is one record of DevPackageAns.
type PackageInfo struct {
	PackageIdentifier lorawan.PackageID
	PackageVersion    lorawan.Version
	FPort             uint8
}

// DevPackageAns lists the packages of a device.
// Uplink, package 0, CID 0x01, 1 byte and NbPackages records follow (TS007-1.0.0):
//
//	     0                 1                  2            3
//	+------------+ +------------------+----------------+-------+
//	| NbPackages | |PackageIdentifier | PackageVersion | FPort | ...
//	+------------+ +------------------+----------------+-------+
//	NbPackages: RFU[7:4] NbPackages[3:0]
type DevPackageAns struct {
	Packages []PackageInfo // at most 15
}

// CID returns 0x01.
func (DevPackageAns) CID() byte { return cidDevPackage }

// Name returns "DevPackageAns".
func (DevPackageAns) Name() string { return "DevPackageAns" }

// String gives the packages for logs, each as identifier, version and port, such as
// "DevPackageAns 1:v2@202 3:v1@201".
func (c DevPackageAns) String() string {
	s := c.Name()
	for _, p := range c.Packages {
		s += fmt.Sprintf(" %d:v%d@%d", uint8(p.PackageIdentifier), uint8(p.PackageVersion), p.FPort)
	}
	return s
}

// Versions returns the versions that the device reports, those of unknown packages aside.
func (c DevPackageAns) Versions() Versions {
	var vs Versions
	for _, p := range c.Packages {
		vs.Set(p.PackageIdentifier, p.PackageVersion)
	}
	return vs
}

// Append appends the command. It returns ErrRange for more than 15 packages.
func (c DevPackageAns) Append(b []byte, v lorawan.Version) ([]byte, error) {
	if err := codec.CheckVersion(v); err != nil {
		return b, err
	}
	if len(c.Packages) > maxNbPackages {
		return b, fmt.Errorf("%s: %d packages, at most %d: %w", c.Name(), len(c.Packages), maxNbPackages, lorawan.ErrRange)
	}
	b = append(b, c.CID(), byte(len(c.Packages)))
	for _, p := range c.Packages {
		b = append(b, byte(p.PackageIdentifier), byte(p.PackageVersion), p.FPort)
	}
	return b, nil
}

func parseDevPackageAns(b []byte) (DevPackageAns, []byte, error) {
	if len(b) < 1 {
		return DevPackageAns{}, b, wire.TooShort("DevPackageAns", len(b), 1)
	}
	n := int(b[0] & maxNbPackages)
	if want := 1 + n*packageRecordLen; len(b) < want {
		return DevPackageAns{}, b, wire.TooShort("DevPackageAns", len(b), want)
	}
	var c DevPackageAns
	b = b[1:]
	for range n {
		c.Packages = append(c.Packages, PackageInfo{lorawan.PackageID(b[0]), lorawan.Version(b[1]), b[2]})
		b = b[packageRecordLen:]
	}
	return c, b, nil
}
