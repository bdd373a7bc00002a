package bulk

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// profileColumns are those of a device profile, which the reference server has no table of. The
// key is the hardware: another server gives its profiles other identifiers.
var profileColumns = []column[fleet.DeviceProfile]{
	informing("id", func(p *fleet.DeviceProfile) string { return p.ID }),
	textField("producer_id", "", func(p *fleet.DeviceProfile) *string { return &p.ProducerID }).identifying().called("producer", "vendorid", "manufacturerid"),
	textField("module_id", "", func(p *fleet.DeviceProfile) *string { return &p.ModuleID }).identifying().called("module", "modelid"),
	field("hw_revision", "", func(p *fleet.DeviceProfile) *uint8 { return &p.HWRevision },
		readNumber[uint8](255, "give the hardware revision"), writeNumber[uint8]).identifying().called("hwrev", "hardwarerevision", "revision"),
	textField("name", "", func(p *fleet.DeviceProfile) *string { return &p.Name }).needed().called("profile", "profilename", "deviceprofile"),
	textField("description", "", func(p *fleet.DeviceProfile) *string { return &p.Description }).called("comment"),
	field("hw_version", "", func(p *fleet.DeviceProfile) *uint32 { return &p.HWVersion },
		readNumber[uint32](1<<32-1, "give the number that DevVersionAns carries; 0: not checked"), writeNumber[uint32]).called("hardwareversion"),
	field("time_tolerance_s", "", func(p *fleet.DeviceProfile) *time.Duration { return &p.TimeTolerance }, readSeconds, writeSeconds).called("timetolerance"),
	field("default_uplink_period_s", "", func(p *fleet.DeviceProfile) *time.Duration { return &p.DefaultUplinkPeriod }, readSeconds, writeSeconds).
		called("defaultuplinkperiod", "defaultulperiod"),
	textField("mcu_type", "", func(p *fleet.DeviceProfile) *string { return &p.MCUType }).called("mcu"),
	field("library", "", func(p *fleet.DeviceProfile) *fleet.Library { return &p.Library },
		readNamed(fleet.ParseLibrary, "library", "use smart_delta or other"), writeStringer[fleet.Library]).called("fuotalibrary"),
	textField("smart_delta_key_id", "", func(p *fleet.DeviceProfile) *string { return &p.SmartDeltaKeyID }).called("smartdeltakey"),
	deltaFormats(),
	packageVersion("clock_sync", func(p *fleet.DeviceProfile) *lorawan.Version { return &p.Packages.ClockSync }),
	packageVersion("mc_setup", func(p *fleet.DeviceProfile) *lorawan.Version { return &p.Packages.McSetup }),
	packageVersion("fragmentation", func(p *fleet.DeviceProfile) *lorawan.Version { return &p.Packages.Fragmentation }),
	packageVersion("firmware_mgmt", func(p *fleet.DeviceProfile) *lorawan.Version { return &p.Packages.FirmwareMgmt }),
	packageVersion("multi_package", func(p *fleet.DeviceProfile) *lorawan.Version { return &p.Packages.MultiPackage }),
	small("ports.clock_sync", func(p *fleet.DeviceProfile) *uint8 { return &p.Ports.ClockSync }),
	small("ports.mc_setup", func(p *fleet.DeviceProfile) *uint8 { return &p.Ports.McSetup }),
	small("ports.fragmentation", func(p *fleet.DeviceProfile) *uint8 { return &p.Ports.Fragmentation }),
	small("ports.firmware_mgmt", func(p *fleet.DeviceProfile) *uint8 { return &p.Ports.FirmwareMgmt }),
	count("decoder.max_nb_frag", func(p *fleet.DeviceProfile) *uint16 { return &p.Decoder.MaxNbFrag }),
	small("decoder.min_frag_size", func(p *fleet.DeviceProfile) *uint8 { return &p.Decoder.MinFragSize }),
	small("decoder.max_frag_size", func(p *fleet.DeviceProfile) *uint8 { return &p.Decoder.MaxFragSize }),
	small("decoder.frag_size_multiple", func(p *fleet.DeviceProfile) *uint8 { return &p.Decoder.FragSizeMultiple }),
	count("decoder.max_lost", func(p *fleet.DeviceProfile) *uint16 { return &p.Decoder.MaxLost }),
	field("status_style", "", func(p *fleet.DeviceProfile) *fleet.StatusStyle { return &p.StatusStyle },
		readNamed(fleet.ParseStatusStyle, "status style", "use spec, loramac, lbm, zephyr or wl55v2"), writeStringer[fleet.StatusStyle]),
	field("reboots_itself", "", func(p *fleet.DeviceProfile) *bool { return &p.RebootsItself }, readFlag, writeFlag),
	field("firmware_dialect", "", func(p *fleet.DeviceProfile) *fleet.FirmwareDialect { return &p.FirmwareDialect },
		readNamed(fleet.ParseFirmwareDialect, "firmware dialect", "use ts006 or rc1"), writeStringer[fleet.FirmwareDialect]),
	small("max_groups", func(p *fleet.DeviceProfile) *uint8 { return &p.MaxGroups }),
	field("descriptor", "", func(p *fleet.DeviceProfile) *fleet.DescriptorTemplate { return &p.Descriptor },
		readNamed(fleet.ParseDescriptorTemplate, "descriptor template", "use version-le, version-be, size-le, or 8 hexadecimal digits"), writeTemplate),
	figure("power.volts", func(p *fleet.DeviceProfile) *float64 { return &p.Power.Volts }),
	figure("power.transmit_ma", func(p *fleet.DeviceProfile) *float64 { return &p.Power.TransmitMA }),
	figure("power.receive_ma", func(p *fleet.DeviceProfile) *float64 { return &p.Power.ReceiveMA }),
	figure("power.sleep_ma", func(p *fleet.DeviceProfile) *float64 { return &p.Power.SleepMA }),
	figure("power.battery_mah", func(p *fleet.DeviceProfile) *float64 { return &p.Power.BatteryMAH }),
}

// deltaFormats returns the column of a list of names, with semicolons between them.
func deltaFormats() column[fleet.DeviceProfile] {
	return column[fleet.DeviceProfile]{
		name: "delta_formats", reference: absent, friendly: true,
		read: func(cell string, p *fleet.DeviceProfile) *problem {
			p.DeltaFormats = nil
			for name := range strings.SplitSeq(cell, ";") {
				f, err := delta.ParseFormat(strings.TrimSpace(name))
				if err != nil || f == delta.Auto {
					return &problem{fmt.Sprintf("has no delta format %q", name), fmt.Sprintf("use some of %q, with semicolons between them", delta.Formats())}
				}
				p.DeltaFormats = append(p.DeltaFormats, f)
			}
			return nil
		},
		clear: func(p *fleet.DeviceProfile) { p.DeltaFormats = nil },
		copy:  func(dst, src *fleet.DeviceProfile) { dst.DeltaFormats = src.DeltaFormats },
		equal: func(a, b *fleet.DeviceProfile) bool { return slices.Equal(a.DeltaFormats, b.DeltaFormats) },
		write: func(p *fleet.DeviceProfile, _ Format) string {
			names := make([]string, len(p.DeltaFormats))
			for i, f := range p.DeltaFormats {
				names[i] = string(f)
			}
			return strings.Join(names, ";")
		},
	}
}

// figure returns a column of a number with a fraction; 0 is written as nothing, as in JSON.
func figure(name string, part func(*fleet.DeviceProfile) *float64) column[fleet.DeviceProfile] {
	return field(name, "", part, readFigure, writeFigure)
}

func readFigure(cell string) (float64, *problem) {
	v, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, &problem{"is not a number", "give a number such as 5.3, or leave the cell empty for the default"}
	}
	return v, nil
}

func writeFigure(v float64, _ Format) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// small returns a column of a number in one byte; 0 is written as nothing, as in JSON.
func small(name string, part func(*fleet.DeviceProfile) *uint8) column[fleet.DeviceProfile] {
	return field(name, "", part, readNumber[uint8](255, "leave the cell empty for what holds without it"), writeSome[uint8])
}

// count returns a column of a number in two bytes.
func count(name string, part func(*fleet.DeviceProfile) *uint16) column[fleet.DeviceProfile] {
	return field(name, "", part, readNumber[uint16](1<<16-1, "leave the cell empty for no limit"), writeSome[uint16])
}

func packageVersion(name string, part func(*fleet.DeviceProfile) *lorawan.Version) column[fleet.DeviceProfile] {
	return field("packages."+name, "", part, readNumber[lorawan.Version](2, "give the major version of the package; 0: the device does not have it"), writeNumber[lorawan.Version])
}

func writeSome[V uint8 | uint16](n V, _ Format) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

func writeTemplate(t fleet.DescriptorTemplate, _ Format) string {
	if t.IsZero() {
		return ""
	}
	return t.String()
}
