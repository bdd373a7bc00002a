package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/lorawan"
)

// Library says what handles a received image on the device.
type Library uint8

// Libraries. The zero value means "not said": on a file, the profile's holds.
const (
	LibraryUnset Library = iota
	SmartDelta           // the device can unpack and verify Smart Delta patches
	OtherLibrary         // full images only, or a format that Starling does not know
)

var libraryNames = []string{"", "smart_delta", "other"}

// ParseLibrary reads "smart_delta", "other" or "".
func ParseLibrary(s string) (Library, error) { return parseEnum[Library]("library", libraryNames, s) }

// String returns "smart_delta", "other" or "".
func (l Library) String() string { return enumText(libraryNames, l) }

// MarshalText returns what ParseLibrary reads, or ErrText.
func (l Library) MarshalText() ([]byte, error) { return marshalEnum("library", libraryNames, l) }

// UnmarshalText reads what ParseLibrary reads.
func (l *Library) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLibrary(string(b))
	return err
}

// StatusStyle says how a device's stack fills FragSessionStatusAns: the fields
// mean different things in different stacks.
type StatusStyle uint8

// Status styles. The zero value follows the text of TS004.
const (
	StatusSpec    StatusStyle = iota
	StatusLoRaMac             // NbFragReceived is the last index; MissingFrag never falls
	StatusLBM                 // MissingFrag is 1 after a reception without loss
	StatusZephyr              // NbFragReceived counts frames of any session
	StatusWL55v2              // as LoRaMac; reports version 2 but sends the byte order of version 1
)

var statusStyleNames = []string{"spec", "loramac", "lbm", "zephyr", "wl55v2"}

// ParseStatusStyle reads "spec", "loramac", "lbm", "zephyr" or "wl55v2".
func ParseStatusStyle(s string) (StatusStyle, error) {
	return parseEnum[StatusStyle]("status style", statusStyleNames, s)
}

// String returns the name of the style.
func (s StatusStyle) String() string { return enumText(statusStyleNames, s) }

// MarshalText returns the name of the style, or ErrText.
func (s StatusStyle) MarshalText() ([]byte, error) {
	return marshalEnum("status style", statusStyleNames, s)
}

// UnmarshalText reads what ParseStatusStyle reads.
func (s *StatusStyle) UnmarshalText(b []byte) (err error) {
	*s, err = ParseStatusStyle(string(b))
	return err
}

// FirmwareDialect says which firmware management package a device speaks.
type FirmwareDialect uint8

// Dialects. The bytes are the same; the release candidate's devices behave
// differently around reboot and deletion.
const (
	TS006    FirmwareDialect = iota // TS006-1.0.0
	TS006RC1                        // the release candidate that is in the field
)

var dialectNames = []string{"ts006", "rc1"}

// ParseFirmwareDialect reads "ts006" or "rc1".
func ParseFirmwareDialect(s string) (FirmwareDialect, error) {
	return parseEnum[FirmwareDialect]("firmware dialect", dialectNames, s)
}

// String returns the name of the dialect.
func (d FirmwareDialect) String() string { return enumText(dialectNames, d) }

// MarshalText returns the name of the dialect, or ErrText.
func (d FirmwareDialect) MarshalText() ([]byte, error) {
	return marshalEnum("firmware dialect", dialectNames, d)
}

// UnmarshalText reads what ParseFirmwareDialect reads.
func (d *FirmwareDialect) UnmarshalText(b []byte) (err error) {
	*d, err = ParseFirmwareDialect(string(b))
	return err
}

// Packages says which application-layer packages a device has, in which version.
type Packages = lorawan.PackageVersions

// Ports says on which FPort a device expects each package.
type Ports = lorawan.PackagePorts

// Decoder holds the limits of a device's fragmentation decoder (TS004). 0: unlimited.
type Decoder struct {
	MaxNbFrag        uint16 `json:"max_nb_frag,omitempty"`        // uncoded fragments in a block
	MinFragSize      uint8  `json:"min_frag_size,omitempty"`      // bytes
	MaxFragSize      uint8  `json:"max_frag_size,omitempty"`      // bytes
	FragSizeMultiple uint8  `json:"frag_size_multiple,omitempty"` // FragSize must be a multiple, for flash rows
	MaxLost          uint16 `json:"max_lost,omitempty"`           // uncoded fragments that it can make up for
}

// DeviceProfile describes a kind of device: what it is, so that files find their
// devices, and how its stack behaves, so that campaigns talk to it properly. It is
// unique by ProducerID, ModuleID and HWRevision.
type DeviceProfile struct {
	ID                  string          `json:"id"`
	SubscriberID        string          `json:"subscriber_id,omitempty"`
	Name                string          `json:"name"`
	Description         string          `json:"description,omitempty"`
	ProducerID          string          `json:"producer_id"`
	ModuleID            string          `json:"module_id"`
	HWRevision          uint8           `json:"hw_revision"`
	HWVersion           uint32          `json:"hw_version"` // as reported in DevVersionAns; 0: not checked
	TimeTolerance       time.Duration   `json:"-"`          // "time_tolerance_s": clock drift to allow for at a session start
	DefaultUplinkPeriod time.Duration   `json:"-"`          // "default_uplink_period_s": drives every unicast timer; 0: DefaultUplinkPeriod
	MCUType             string          `json:"mcu_type,omitempty"`
	Library             Library         `json:"library,omitempty"`
	SmartDeltaKeyID     string          `json:"smart_delta_key_id,omitempty"`
	DeltaFormats        []delta.Format  `json:"delta_formats,omitempty"` // that devices with SmartDelta decode; none: any
	Packages            Packages        `json:"packages"`
	Ports               Ports           `json:"ports,omitzero"`
	Decoder             Decoder         `json:"decoder,omitzero"`
	StatusStyle         StatusStyle     `json:"status_style"`
	RebootsItself       bool            `json:"reboots_itself"` // installs and reboots after a complete image without a command
	FirmwareDialect     FirmwareDialect `json:"firmware_dialect"`
	MaxGroups           uint8           `json:"max_groups,omitempty"` // multicast groups it can hold, 1..4; 0: 1

	// Descriptor is what devices expect of every session that carries a file.
	Descriptor DescriptorTemplate `json:"descriptor,omitzero"`
	Power      Power              `json:"power,omitzero"` // what the radio draws; 0: defaults

	Archived  bool      `json:"archived"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	Revision  int64     `json:"revision"`
}

// What holds when neither file nor profile says otherwise.
const (
	DefaultUplinkPeriod  = time.Hour
	DefaultTimeTolerance = 10 * time.Second
)

// Triplet identifies the hardware that a profile stands for.
type Triplet struct {
	ProducerID string
	ModuleID   string
	HWRevision uint8
}

// String returns "producer/module/revision".
func (t Triplet) String() string {
	return fmt.Sprintf("%s/%s/%d", t.ProducerID, t.ModuleID, t.HWRevision)
}

// Triplet returns what makes p unique.
func (p DeviceProfile) Triplet() Triplet { return Triplet{p.ProducerID, p.ModuleID, p.HWRevision} }

// Validate reports everything that is wrong with p, as joined FieldErrors.
func (p DeviceProfile) Validate() error {
	var c checks
	c.name("name", p.Name, true)
	c.text("description", p.Description, MaxDescription)
	c.name("producer_id", p.ProducerID, true)
	c.name("module_id", p.ModuleID, true)
	c.text("mcu_type", p.MCUType, MaxName)
	c.timing(p.TimeTolerance, p.DefaultUplinkPeriod)
	c.that(int(p.Library) < len(libraryNames), "library", "is unknown", "use one of "+quoted(libraryNames))
	c.that(int(p.StatusStyle) < len(statusStyleNames), "status_style", "is unknown", "use one of "+quoted(statusStyleNames))
	c.that(int(p.FirmwareDialect) < len(dialectNames), "firmware_dialect", "is unknown", "use one of "+quoted(dialectNames))
	c.that(p.MaxGroups <= 4, "max_groups", "is more than 4", "TS005 has four groups at most")
	c.packages(p.Packages)
	c.ports(p.Ports)
	c.decoder(p.Decoder)
	p.Power.check(&c)
	c.deltaFormats(p.DeltaFormats)
	return c.err()
}

// deltaFormats checks names of patch formats: each known and once.
func (c *checks) deltaFormats(list []delta.Format) {
	for i, f := range list {
		at := fmt.Sprintf("delta_formats[%d]", i)
		c.that(slices.Contains(delta.Formats(), f), at, fmt.Sprintf("is unknown: %q", f), fmt.Sprintf("use some of %q", delta.Formats()))
		c.that(!slices.Contains(list[:i], f), at, "is in the list twice", "remove one of them")
	}
}

// Decodes reports whether devices of profile p decode patches of format f.
func (p DeviceProfile) Decodes(f delta.Format) bool {
	return len(p.DeltaFormats) == 0 || slices.Contains(p.DeltaFormats, f)
}

// timing checks the two durations that profiles and files share.
func (c *checks) timing(tolerance, period time.Duration) {
	c.span("time_tolerance_s", tolerance, 24*time.Hour)
	c.span("default_uplink_period_s", period, 31*24*time.Hour)
}

func (c *checks) packages(p Packages) {
	for _, x := range []struct {
		field    string
		v, limit lorawan.Version
	}{
		{"clock_sync", p.ClockSync, lorawan.V2},
		{"mc_setup", p.McSetup, lorawan.V2},
		{"fragmentation", p.Fragmentation, lorawan.V2},
		{"firmware_mgmt", p.FirmwareMgmt, lorawan.V1},
		{"multi_package", p.MultiPackage, lorawan.V1},
	} {
		c.that(x.v <= x.limit, "packages."+x.field, fmt.Sprintf("has no version %d", uint8(x.v)), "0 means that the device does not have the package")
	}
}

// ports checks that every package has an application port of its own: an uplink
// must tell by its FPort who is speaking.
func (c *checks) ports(p Ports) {
	taken := map[uint8]string{lorawan.MultiPackage.DefaultFPort(): "multi_package"}
	for _, x := range []struct {
		field string
		id    lorawan.PackageID
	}{
		{"clock_sync", lorawan.ClockSync}, {"mc_setup", lorawan.McSetup},
		{"fragmentation", lorawan.Fragmentation}, {"firmware_mgmt", lorawan.FirmwareMgmt},
	} {
		port := p.Of(x.id)
		other := taken[port]
		c.that(port <= 225, "ports."+x.field, "is not within 1 to 225", "LoRaWAN keeps higher ports for itself")
		c.that(other == "", "ports."+x.field, fmt.Sprintf("is the same as that of %s: %d", other, port), "give each package a port of its own")
		taken[port] = x.field
	}
}

func (c *checks) decoder(d Decoder) {
	c.that(d.MaxNbFrag <= 16383, "decoder.max_nb_frag", "is more than 16383", "fragment numbers have 14 bits")
	c.that(d.MaxFragSize == 0 || d.MinFragSize <= d.MaxFragSize, "decoder.min_frag_size", "is more than max_frag_size", "")
	c.that(d.MaxFragSize == 0 || d.FragSizeMultiple <= d.MaxFragSize, "decoder.frag_size_multiple", "is more than max_frag_size", "")
}

// profileJSON is DeviceProfile without its methods, for the JSON form.
type profileJSON DeviceProfile

type profileDoc struct {
	profileJSON
	TimeTolerance       seconds `json:"time_tolerance_s"`
	DefaultUplinkPeriod seconds `json:"default_uplink_period_s"`
}

// MarshalJSON writes the durations in seconds.
func (p DeviceProfile) MarshalJSON() ([]byte, error) {
	return json.Marshal(profileDoc{profileJSON(p), seconds(p.TimeTolerance), seconds(p.DefaultUplinkPeriod)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *DeviceProfile) UnmarshalJSON(b []byte) error {
	doc := profileDoc{profileJSON(*p), seconds(p.TimeTolerance), seconds(p.DefaultUplinkPeriod)}
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	*p = DeviceProfile(doc.profileJSON)
	p.TimeTolerance, p.DefaultUplinkPeriod = time.Duration(doc.TimeTolerance), time.Duration(doc.DefaultUplinkPeriod)
	return nil
}
