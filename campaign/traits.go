package campaign

import (
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/clocksync"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
	"github.com/starling-fuota/starling/lorawan/multicast"
	"github.com/starling-fuota/starling/lorawan/multipackage"
)

// Traits is what a campaign must know of a kind of device: the parts of its profile
// and file that steer a conversation.
type Traits struct {
	ProfileID       string                `json:"profile_id,omitempty"`
	Packages        fleet.Packages        `json:"packages"` // versions
	Ports           fleet.Ports           `json:"ports"`
	StatusStyle     fleet.StatusStyle     `json:"status_style"`
	FirmwareDialect fleet.FirmwareDialect `json:"firmware_dialect"`
	RebootsItself   bool                  `json:"reboots_itself"`
	UplinkPeriod    time.Duration         `json:"uplink_period"`
	TimeTolerance   time.Duration         `json:"time_tolerance"`
	Power           fleet.Power           `json:"power,omitzero"` // as the profile has it; no stage depends on it, only the report
}

// TraitsOf merges a profile with what the file overrides; the file wins.
func TraitsOf(p fleet.DeviceProfile, f *fleet.File) Traits {
	t := Traits{
		ProfileID: p.ID, Power: p.Power,
		Packages: p.Packages, Ports: p.Ports, StatusStyle: p.StatusStyle, FirmwareDialect: p.FirmwareDialect,
		RebootsItself: p.RebootsItself, UplinkPeriod: p.DefaultUplinkPeriod, TimeTolerance: p.TimeTolerance,
	}
	if f != nil {
		if f.DefaultUplinkPeriod > 0 {
			t.UplinkPeriod = f.DefaultUplinkPeriod
		}
		if f.TimeTolerance > 0 {
			t.TimeTolerance = f.TimeTolerance
		}
	}
	return t
}

// FPort returns the FPort of a package on this kind of device.
func (t *Traits) FPort(p lorawan.PackageID) uint8 { return t.Ports.Of(p) }

// ParseUplink reads the commands of an uplink. An FPort of no package gives none and no
// error: it is application data. With an error, the commands understood before it are
// returned too.
func (t *Traits) ParseUplink(fport uint8, payload []byte) ([]lorawan.Command, error) {
	pkg, ok := t.Ports.Package(fport)
	v := t.Packages.Of(pkg)
	if !ok || v == 0 {
		return nil, nil
	}
	var commands []lorawan.Command
	var err error
	switch pkg {
	case lorawan.ClockSync:
		commands, err = clocksync.ParseUplink(v, payload)
	case lorawan.McSetup:
		commands, err = multicast.ParseUplink(v, payload)
	case lorawan.Fragmentation:
		if t.StatusStyle == fleet.StatusWL55v2 {
			// This stack reports version 2 and keeps the byte order of version 1.
			commands, err = fragmentation.ParseUplinkLenient(payload, fragmentation.Expect{V1Order: true})
			break
		}
		commands, err = fragmentation.ParseUplink(v, payload)
	case lorawan.FirmwareMgmt:
		commands, err = firmware.ParseUplink(v, payload)
	case lorawan.MultiPackage:
		var m multipackage.Message
		m, err = multipackage.ParseUplink(payload, t.Packages)
		for _, item := range m.Items {
			commands = append(commands, item.Command)
		}
	}
	if err != nil {
		err = fmt.Errorf("FPort %d, %s version %s: %w", fport, pkg, v, err)
	}
	return commands, err
}
