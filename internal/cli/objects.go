package cli

import (
	"strings"

	"github.com/alecthomas/kong"
)

// Objects are the commands for everything but campaigns.
type Objects struct {
	Device  Device  `cmd:"" help:"Devices."`
	Set     Set     `cmd:"" help:"Device sets."`
	Group   Group   `cmd:"" help:"Multicast groups."`
	Region  Region  `cmd:"" help:"Regions: multicast groups that cover an area."`
	File    File    `cmd:"" help:"Files to send to devices."`
	Profile Profile `cmd:"" help:"Device profiles."`
	Key     Key     `cmd:"" help:"Smart delta keys."`
}

// Device is "device".
type Device struct {
	Connection
	List    List                 `cmd:"" help:"List devices. Filters: name, tag, profile_id, device_set, firmware."`
	Show    Show                 `cmd:"" help:"Show a device."`
	Create  Create[deviceFields] `cmd:"" help:"Create a device."`
	Update  Update[deviceFields] `cmd:"" help:"Change a device."`
	Archive Archive              `cmd:"" help:"Take devices out of the lists."`
}

// AfterApply tells the commands below what they are about.
func (d *Device) AfterApply(k *kong.Context) error {
	return d.bind(k, &noun{"devices", columns{"dev_eui", "name", "tag", "profile_id", "classes", "firmware", "firmware_changed"}})
}

type deviceFields struct {
	DevEUI         *string `json:"dev_eui,omitempty" name:"dev-eui" help:"16 hexadecimal digits."`
	Name           *string `json:"name,omitempty"`
	Tag            *string `json:"tag,omitempty" help:"Free text to search for."`
	Classes        *string `json:"classes,omitempty" help:"Multicast classes: B, C or B,C."`
	LoRaWANVersion *string `json:"lorawan_version,omitempty" name:"lorawan-version" help:"1.0 or 1.1."`
	ProfileID      *string `json:"profile_id,omitempty" name:"profile" help:"Identifier of the device profile."`
	Band           *string `json:"band,omitempty" help:"Such as EU868; none: any."`
	Firmware       *string `json:"firmware,omitempty" help:"X.Y.Z.P or 8 hexadecimal digits."`
	RootKeyFile    string  `json:"-" placeholder:"FILE" help:"File with GenAppKey (1.0) or AppKey (1.1), 32 hexadecimal digits; - for standard input."`
}

func (f deviceFields) secrets(std *Streams) (map[string]string, error) {
	return secret(std, "root_key", f.RootKeyFile)
}

// secret reads a secret from a file; no file is no secret.
func secret(std *Streams, name, file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	b, err := std.readFile(file)
	return map[string]string{name: strings.TrimSpace(string(b))}, err
}

// Set is "set".
type Set struct {
	Connection
	List    List              `cmd:"" help:"List device sets. Filters: name, id, device."`
	Show    Show              `cmd:"" help:"Show a device set."`
	Create  Create[setFields] `cmd:"" help:"Create a device set."`
	Update  Update[setFields] `cmd:"" help:"Change a device set."`
	Archive Archive           `cmd:"" help:"Take device sets out of the lists."`
}

// AfterApply tells the commands below what they are about.
func (s *Set) AfterApply(k *kong.Context) error {
	return s.bind(k, &noun{"device-sets", columns{"id", "name", "device_count", "description"}})
}

type setFields struct {
	noSecrets
	Name        *string  `json:"name,omitempty"`
	Description *string  `json:"description,omitempty"`
	Devices     []string `json:"devices,omitempty" name:"device" help:"DevEUIs; replaces the list."`
}

// Group is "group".
type Group struct {
	Connection
	List    List                `cmd:"" help:"List multicast groups. Filters: name, tag, band, mc_addr."`
	Show    Show                `cmd:"" help:"Show a multicast group."`
	Create  Create[groupFields] `cmd:"" help:"Create a multicast group."`
	Update  Update[groupFields] `cmd:"" help:"Change a multicast group."`
	Archive Archive             `cmd:"" help:"Take multicast groups out of the lists."`
}

// AfterApply tells the commands below what they are about.
func (g *Group) AfterApply(k *kong.Context) error {
	return g.bind(k, &noun{"groups", columns{"dev_eui", "name", "mc_addr", "band", "session_class", "frequency", "data_rate", "redundancy", "f_cnt_down"}})
}

type groupFields struct {
	DevEUI              *string `json:"dev_eui,omitempty" name:"dev-eui" help:"16 hexadecimal digits."`
	Name                *string `json:"name,omitempty"`
	Tag                 *string `json:"tag,omitempty" help:"Free text to search for."`
	Band                *string `json:"band,omitempty" help:"Such as EU868."`
	DwellTime           *bool   `json:"dwell_time,omitempty" help:"The downlink dwell-time limit holds."`
	McAddr              *string `json:"mc_addr,omitempty" name:"mc-addr" help:"Group address, 8 hexadecimal digits."`
	Frequency           *uint32 `json:"frequency,omitempty" help:"Hz; 0: the class B hopping sequence."`
	DataRate            *uint8  `json:"data_rate,omitempty" help:"0 to 15."`
	Redundancy          *string `json:"redundancy,omitempty" help:"NO_REDUNDANCY_ONE, SEVEN_TO_EIGHT, FIVE_TO_SIX, THREE_TO_FOUR or ONE_TO_TWO."`
	PingSlotPeriodicity *int    `json:"ping_slot_periodicity_s,omitempty" help:"Seconds, 1 to 128; class B only."`
	SessionClass        *string `json:"session_class,omitempty" name:"class" help:"B or C."`
	FCntDown            *uint32 `json:"f_cnt_down,omitempty" name:"f-cnt-down" help:"The counter that the next frame takes."`
	McKeyFile           string  `json:"-" name:"mc-key-file" placeholder:"FILE" help:"File with McKey, 32 hexadecimal digits; - for standard input; none: a random key."`
}

func (f groupFields) secrets(std *Streams) (map[string]string, error) {
	return secret(std, "mc_key", f.McKeyFile)
}

// Region is "region".
type Region struct {
	Connection
	List    List                 `cmd:"" help:"List regions. Filters: name, id."`
	Show    Show                 `cmd:"" help:"Show a region."`
	Create  Create[regionFields] `cmd:"" help:"Create a region."`
	Update  Update[regionFields] `cmd:"" help:"Change a region."`
	Archive Archive              `cmd:"" help:"Take regions out of the lists."`
}

// AfterApply tells the commands below what they are about.
func (r *Region) AfterApply(k *kong.Context) error {
	return r.bind(k, &noun{"regions", columns{"id", "name", "groups", "description"}})
}

type regionFields struct {
	noSecrets
	Name        *string  `json:"name,omitempty"`
	Description *string  `json:"description,omitempty"`
	Groups      []string `json:"groups,omitempty" name:"group" help:"DevEUIs of multicast groups; replaces the list."`
}

// Profile is "profile".
type Profile struct {
	Connection
	List    List                  `cmd:"" help:"List device profiles. Filters: name, id, producer_id, module_id."`
	Show    Show                  `cmd:"" help:"Show a device profile."`
	Create  Create[profileFields] `cmd:"" help:"Create a device profile."`
	Update  Update[profileFields] `cmd:"" help:"Change a device profile."`
	Archive Archive               `cmd:"" help:"Take device profiles out of the lists."`
}

// AfterApply tells the commands below what they are about.
func (p *Profile) AfterApply(k *kong.Context) error {
	return p.bind(k, &noun{"profiles", columns{"id", "name", "producer_id", "module_id", "hw_revision", "default_uplink_period_s", "library"}})
}

type profileFields struct {
	noSecrets
	Name                *string  `json:"name,omitempty"`
	Description         *string  `json:"description,omitempty"`
	ProducerID          *string  `json:"producer_id,omitempty" name:"producer" help:"Unique with module and hardware revision."`
	ModuleID            *string  `json:"module_id,omitempty" name:"module"`
	HWRevision          *uint8   `json:"hw_revision,omitempty" name:"hw-revision" help:"0 to 255."`
	HWVersion           *uint32  `json:"hw_version,omitempty" name:"hw-version" help:"As reported in DevVersionAns; 0: not checked."`
	TimeTolerance       *float64 `json:"time_tolerance_s,omitempty" help:"Seconds of clock drift to allow for."`
	DefaultUplinkPeriod *float64 `json:"default_uplink_period_s,omitempty" name:"uplink-period" help:"Seconds between uplinks."`
	MCUType             *string  `json:"mcu_type,omitempty" name:"mcu-type"`
	Library             *string  `json:"library,omitempty" help:"smart_delta or other."`
	SmartDeltaKeyID     *string  `json:"smart_delta_key_id,omitempty" name:"key" help:"Identifier of the smart delta key."`
	StatusStyle         *string  `json:"status_style,omitempty" help:"spec, loramac, lbm, zephyr or wl55v2."`
	RebootsItself       *bool    `json:"reboots_itself,omitempty" help:"Installs a complete image without a command."`
}

// Key is "key".
type Key struct {
	Connection
	List    List              `cmd:"" help:"List smart delta keys. Filters: name, id."`
	Show    Show              `cmd:"" help:"Show a smart delta key, without its private half."`
	Create  Create[keyFields] `cmd:"" help:"Create a smart delta key."`
	Update  Update[keyFields] `cmd:"" help:"Change the texts of a smart delta key."`
	Archive Archive           `cmd:"" help:"Take smart delta keys out of the lists."`
}

// AfterApply tells the commands below what they are about.
func (x *Key) AfterApply(k *kong.Context) error {
	return x.bind(k, &noun{"smart-delta-keys", columns{"id", "name", "public_key", "description"}})
}

type keyFields struct {
	Name           *string `json:"name,omitempty"`
	Description    *string `json:"description,omitempty"`
	PrivateKeyFile string  `json:"-" placeholder:"FILE" help:"P-256 private key, PKCS#8 in PEM; - for standard input."`
}

func (f keyFields) secrets(std *Streams) (map[string]string, error) {
	return secret(std, "private_key", f.PrivateKeyFile)
}
