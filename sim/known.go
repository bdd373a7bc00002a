package sim

import (
	"cmp"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// usualUplinkDR is the data rate of the uplinks of known devices, in the middle of what the bands have.
const usualUplinkDR = 3

// flashTime is how long the reboot of a known device into another image takes.
const flashTime = 30 * time.Second

// KnownDevice makes a simulated device of what a server knows of it: it has the keys, packages,
// ports and firmware of the device, the manners of the stack that the profile's
// StatusStyle stands for, and the limits that the profile gives. It lives in the band of
// the device or, if that is open, of the group that it listens to.
//
// DevAddr, session keys and links are left to the caller. Its clock is right: a clock
// that is off would need TS003, which not every device has.
func KnownDevice(d fleet.Device, p fleet.DeviceProfile, band region.Band, o region.Options) DeviceSpec {
	if d.Band != 0 {
		band = d.Band
	}
	period := cmp.Or(p.DefaultUplinkPeriod, fleet.DefaultUplinkPeriod)
	return DeviceSpec{Config: device.Config{
		DevEUI: d.DevEUI, RootKey: d.RootKey, LoRaWAN11: d.LoRaWANVersion == fleet.LoRaWAN11,
		Band: band, Options: o, UplinkDR: UsualUplinkDR(band),
		ClassB: d.Classes.Has(fleet.ClassB), ClassC: d.Classes.Has(fleet.ClassC),
		Packages: d.Packages.Over(p.Packages), Ports: p.Ports, Stack: stackOf(p),
		Firmware: d.Firmware.Uint32(), HWVersion: p.HWVersion, FlashTime: flashTime,
		UplinkPeriod: period, UplinkJitter: period / 20,
	}}
}

// UsualUplinkDR returns the data rate that uplinks of known devices have in a band: DR3, or the
// first that there is.
func UsualUplinkDR(band region.Band) uint8 {
	usual := uint8(usualUplinkDR)
	for dr := uint8(0); !band.Usable(usual, lorawan.Uplink) && dr < 16; dr++ {
		usual = dr
	}
	return usual
}

// stacks are the manners that a status style stands for.
var stacks = map[fleet.StatusStyle]device.Stack{
	fleet.StatusSpec:    device.Ideal,
	fleet.StatusLoRaMac: device.LoRaMacStock,
	fleet.StatusLBM:     device.LBM,
	fleet.StatusZephyr:  device.Zephyr,
	fleet.StatusWL55v2:  device.ActilityWL55v2,
}

// stackOf returns the stack of a profile. Limits are the profile's and not those that the
// stack ships with: every product changes them, and a campaign is planned by the profile.
func stackOf(p fleet.DeviceProfile) device.Stack {
	s := stacks[p.StatusStyle]
	s.Decoder.NbFrag, s.Decoder.BlockSize, s.Decoder.MaxLostPercent = int(p.Decoder.MaxNbFrag), 0, 0
	s.Decoder.FragSize, s.Decoder.MinFragSize = int(p.Decoder.MaxFragSize), int(p.Decoder.MinFragSize)
	s.Decoder.MaxLost = int(p.Decoder.MaxLost)
	s.RebootsItself = p.RebootsItself
	s.Groups = int(max(p.MaxGroups, 1))
	s.FirmwareDialect = device.TS006
	if p.FirmwareDialect == fleet.TS006RC1 {
		s.FirmwareDialect = device.RC1
	}
	return s
}
