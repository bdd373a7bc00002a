package device

import (
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// Config is everything that makes one device: what is in its flash when it leaves the
// factory, where it lives, and how it behaves. Slices are shared, never changed.
type Config struct {
	DevEUI  lorawan.EUI64
	DevAddr lorawan.DevAddr // unicast session, activated by personalisation

	NwkSKey, AppSKey lorawan.AES128Key
	Session          *lorawan.Session  // of DevAddr and these keys, for others to share; nil: New expands them
	RootKey          lorawan.AES128Key // GenAppKey of a LoRaWAN 1.0 device, AppKey of a 1.1 one
	LoRaWAN11        bool              // RootKey is an AppKey

	Band           region.Band
	Options        region.Options // repeater, dwell time: they shorten uplinks
	UplinkDR       uint8          // data rate of all uplinks; there is no ADR
	ClassB, ClassC bool           // multicast sessions that it can have; unicast is always class A

	Packages Packages
	Ports    Ports
	Stack    Stack

	Firmware  uint32        // version that runs at Start, as DevVersionAns reports it
	HWVersion uint32        // hardware version of DevVersionAns
	Image     []byte        // what runs at Start; nil: unknown, RunningImageSHA256 is empty then
	Install   Installer     // how a block becomes an image, shared with other devices; nil: it is one
	FlashTime time.Duration // how long a reboot takes when it installs an image

	UplinkPeriod time.Duration // application uplinks; 0: none
	UplinkJitter time.Duration // each is early or late by up to this much

	ClockOffset   time.Duration // device clock minus true time at Start, again after each reboot
	ClockDriftPPM float64       // positive: the clock runs fast
	Start         time.Time     // when the device is switched on
	Seed          uint64        // of everything random; the DevEUI is mixed in

	Behaviour Behaviour

	Crowd *Crowd // of the simulation that the device is part of; nil: it is on its own
}

// Packages holds the version of each application-layer package that the device has;
// 0: it does not have the package and ignores its FPort.
type Packages = lorawan.PackageVersions

// Ports holds the FPort of each package; 0 is the default of its specification.
type Ports = lorawan.PackagePorts

// UnicastSession returns the session of the device: what Session says, or its keys expanded.
func (c *Config) UnicastSession() *lorawan.Session {
	if c.Session != nil {
		return c.Session
	}
	s := lorawan.NewSession(c.DevAddr, c.NwkSKey, c.AppSKey)
	return &s
}

// packageAt returns the package of the device that listens on port. A package that the
// device lacks leaves its port to others.
func (c *Config) packageAt(port uint8) (lorawan.PackageID, bool) {
	for _, id := range lorawan.AllPackages() {
		if c.Packages.Of(id) != 0 && c.Ports.Of(id) == port {
			return id, true
		}
	}
	return 0, false
}
