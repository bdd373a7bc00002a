package cli

import (
	"context"
	"strings"
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
	List    List                 `cmd:"" help:"List devices."`
	Show    Show                 `cmd:"" help:"Show a device."`
	Create  Create[deviceFields] `cmd:"" help:"Create a device."`
	Update  Update[deviceFields] `cmd:"" help:"Change a device."`
	Archive Archive              `cmd:"" help:"Take devices out of the lists."`
	Import  importTable          `cmd:"" help:"Create and change devices as a table says."`
	Export  exportTable          `cmd:"" help:"Write all devices as a table."`
	Bulk    Bulk[deviceFields]   `cmd:"" help:"Archive, restore or change many devices."`
	Keys    revealKeys           `cmd:"" help:"Reveal the keys of a device."`

	FirmwareHistory firmwareHistory `cmd:"" help:"List what a device ran, and since when."`
}

func (*Device) noun() *noun {
	return &noun{path: "devices", fields: "archived, band, classes, created_at, dev_eui, firmware, firmware_changed, lorawan_version, name, profile_id, tag, updated_at", only: "device_set",
		columns: columns{"dev_eui", "name", "tag", "profile_id", "classes", "firmware", "firmware_changed"},
		wide:    append(columns{"band", "lorawan_version", "firmware_reported", "root_key_set", "packages"}, stamps...)}
}

type deviceFields struct {
	DevEUI         *string `json:"dev_eui,omitempty" name:"dev-eui" help:"16 hexadecimal digits."`
	Name           *string `json:"name,omitempty" help:"For people."`
	Tag            *string `json:"tag,omitempty" help:"Free text to search for."`
	Classes        *string `json:"classes,omitempty" help:"Multicast classes: B, C or B,C."`
	LoRaWANVersion *string `json:"lorawan_version,omitempty" name:"lorawan-version" help:"1.0 or 1.1."`
	ProfileID      *string `json:"profile_id,omitempty" name:"profile" complete:"device-profiles" help:"Identifier of the device profile."`
	Band           *string `json:"band,omitempty" help:"Such as EU868; none: any."`
	Firmware       *string `json:"firmware,omitempty" help:"What it runs: X.Y.Z.P or 8 hexadecimal digits."`
	RootKeyFile    string  `json:"-" placeholder:"FILE" complete:"file" help:"File with GenAppKey (1.0) or AppKey (1.1), 32 hexadecimal digits; - for standard input."`

	Versions packageFlags `json:"packages,omitzero" embed:"" group:"Package versions that differ from the profile's:"`
}

func (f deviceFields) secrets(_ context.Context, std *Streams) (map[string]string, error) {
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
	List    List              `cmd:"" help:"List device sets."`
	Show    Show              `cmd:"" help:"Show a device set."`
	Create  Create[setFields] `cmd:"" help:"Create a device set."`
	Update  Update[setFields] `cmd:"" help:"Change a device set."`
	Archive Archive           `cmd:"" help:"Take device sets out of the lists."`
	Import  importTable       `cmd:"" help:"Create and change device sets as a table says."`
	Export  exportTable       `cmd:"" help:"Write all device sets as a table."`
	Bulk    Bulk[setFields]   `cmd:"" help:"Archive, restore or change many device sets."`

	FromCampaign fromCampaign `cmd:"" help:"Create a device set of what became of a campaign."`
}

func (*Set) noun() *noun {
	return &noun{path: "device-sets", fields: "archived, created_at, id, name, updated_at", only: "device",
		columns: columns{"id", "name", "device_count", "description"},
		wide:    append(columns{"filter"}, stamps...)}
}

type fromCampaign struct {
	Campaign string   `arg:"" complete:"campaigns" help:"Identifier of the campaign."`
	Name     string   `required:"" help:"Name of the new set."`
	Outcome  []string `default:"failed" help:"Outcomes of the devices to take: verified, failed, stopped or active."`
}

// Help is shown below the summary of the command.
func (*fromCampaign) Help() string {
	return "Such as all devices that failed, for the next campaign."
}

// Run makes the set and writes it.
func (f *fromCampaign) Run(ctx context.Context, c *Client, std *Streams) error {
	raw, err := c.call(ctx, "POST", nil, map[string]any{"name": f.Name, "outcomes": f.Outcome}, "campaigns", f.Campaign, "device-sets")
	if err != nil {
		return err
	}
	return c.show(std.Out, raw)
}

type setFields struct {
	noSecrets
	Name        *string  `json:"name,omitempty" help:"For people."`
	Description *string  `json:"description,omitempty" help:"For people, longer."`
	Devices     []string `json:"devices,omitempty" name:"device" complete:"devices" help:"DevEUIs; replaces the list."`

	Filter filterFlags `json:"filter,omitzero" embed:"" group:"A set that is a filter, instead of a list of devices:"`
}

// filterFlags are the devices of a set that is a filter. The flag --filter looks for sets.
type filterFlags struct {
	Where map[string]string `json:"where,omitempty" mapsep:"," placeholder:"FIELD=VALUE" help:"What its devices have, such as tag=north; all must hold. Fields: band, classes, firmware, lorawan_version, name, profile_id, tag."`
	Text  *string           `json:"text,omitempty" help:"Part of the name, tag or DevEUI of its devices."`
}

// Group is "group".
type Group struct {
	Connection
	List    List                `cmd:"" help:"List multicast groups."`
	Show    Show                `cmd:"" help:"Show a multicast group."`
	Create  Create[groupFields] `cmd:"" help:"Create a multicast group."`
	Update  Update[groupFields] `cmd:"" help:"Change a multicast group."`
	Archive Archive             `cmd:"" help:"Take multicast groups out of the lists."`
	Import  importTable         `cmd:"" help:"Create and change multicast groups as a table says."`
	Export  exportTable         `cmd:"" help:"Write all multicast groups as a table."`
	Bulk    Bulk[groupFields]   `cmd:"" help:"Archive, restore or change many multicast groups."`
	Keys    revealKeys          `cmd:"" help:"Reveal the key of a multicast group."`
}

func (*Group) noun() *noun {
	return &noun{path: "multicast-groups", fields: "archived, band, created_at, data_rate, dev_eui, frequency, mc_addr, name, session_class, tag, updated_at",
		columns: columns{"dev_eui", "name", "mc_addr", "band", "session_class", "frequency", "data_rate", "redundancy", "f_cnt_down"},
		wide:    append(columns{"tag", "ping_slot_periodicity_s", "dwell_time", "mc_key_set"}, stamps...)}
}

type groupFields struct {
	DevEUI              *string `json:"dev_eui,omitempty" name:"dev-eui" help:"16 hexadecimal digits."`
	Name                *string `json:"name,omitempty" help:"For people."`
	Tag                 *string `json:"tag,omitempty" help:"Free text to search for."`
	Band                *string `json:"band,omitempty" help:"Such as EU868."`
	DwellTime           *bool   `json:"dwell_time,omitempty" negatable:"" help:"The downlink dwell-time limit holds."`
	McAddr              *string `json:"mc_addr,omitempty" name:"mc-addr" help:"Group address, 8 hexadecimal digits."`
	Frequency           *uint32 `json:"frequency,omitempty" help:"Hz; 0: the class B hopping sequence."`
	DataRate            *uint8  `json:"data_rate,omitempty" help:"0 to 15."`
	Redundancy          *string `json:"redundancy,omitempty" help:"NO_REDUNDANCY_ONE, SEVEN_TO_EIGHT, FIVE_TO_SIX, THREE_TO_FOUR or ONE_TO_TWO."`
	PingSlotPeriodicity *int    `json:"ping_slot_periodicity_s,omitempty" help:"Seconds, 1 to 128; class B only."`
	SessionClass        *string `json:"session_class,omitempty" name:"class" help:"B or C."`
	FCntDown            *uint32 `json:"f_cnt_down,omitempty" name:"f-cnt-down" help:"The counter that the next frame takes."`
	McKeyFile           string  `json:"-" name:"mc-key-file" placeholder:"FILE" complete:"file" help:"File with McKey, 32 hexadecimal digits; - for standard input; none: a random key."`
}

func (f groupFields) secrets(_ context.Context, std *Streams) (map[string]string, error) {
	return secret(std, "mc_key", f.McKeyFile)
}

// Region is "region".
type Region struct {
	Connection
	List    List                 `cmd:"" help:"List regions."`
	Show    Show                 `cmd:"" help:"Show a region."`
	Create  Create[regionFields] `cmd:"" help:"Create a region."`
	Update  Update[regionFields] `cmd:"" help:"Change a region."`
	Archive Archive              `cmd:"" help:"Take regions out of the lists."`
	Import  importTable          `cmd:"" help:"Create and change regions as a table says."`
	Export  exportList           `cmd:"" help:"Write all regions as a table."`
	Bulk    Bulk[regionFields]   `cmd:"" help:"Archive, restore or change many regions."`
}

func (*Region) noun() *noun {
	return &noun{path: "regions", fields: "archived, created_at, id, name, updated_at",
		columns: columns{"id", "name", "groups", "description"},
		wide:    stamps}
}

type regionFields struct {
	noSecrets
	Name        *string  `json:"name,omitempty" help:"For people."`
	Description *string  `json:"description,omitempty" help:"For people, longer."`
	Groups      []string `json:"groups,omitempty" name:"group" complete:"multicast-groups" help:"DevEUIs of multicast groups; replaces the list."`
}

// Profile is "profile".
type Profile struct {
	Connection
	List    List                  `cmd:"" help:"List device profiles."`
	Show    Show                  `cmd:"" help:"Show a device profile."`
	Create  Create[profileFields] `cmd:"" help:"Create a device profile."`
	Update  Update[profileFields] `cmd:"" help:"Change a device profile."`
	Archive Archive               `cmd:"" help:"Take device profiles out of the lists."`
	Import  importTable           `cmd:"" help:"Create and change device profiles as a table says."`
	Export  exportList            `cmd:"" help:"Write all device profiles as a table."`
	Bulk    Bulk[profileFields]   `cmd:"" help:"Archive, restore or change many device profiles."`
	Deltas  listDeltas            `cmd:"" help:"List the deltas for the devices of a profile, and what they save."`
}

func (*Profile) noun() *noun {
	return &noun{path: "device-profiles", fields: "archived, created_at, hw_revision, id, mcu_type, module_id, name, producer_id, updated_at",
		columns: columns{"id", "name", "producer_id", "module_id", "hw_revision", "default_uplink_period_s", "library"},
		wide:    append(columns{"hw_version", "mcu_type", "time_tolerance_s", "packages", "ports", "decoder", "power", "status_style", "firmware_dialect", "max_groups", "descriptor", "smart_delta_key_id", "delta_formats"}, stamps...)}
}

type profileFields struct {
	noSecrets
	Name                *string   `json:"name,omitempty" help:"For people."`
	Description         *string   `json:"description,omitempty" help:"For people, longer."`
	ProducerID          *string   `json:"producer_id,omitempty" name:"producer" help:"Unique with module and hardware revision."`
	ModuleID            *string   `json:"module_id,omitempty" name:"module" help:"Unique with producer and hardware revision."`
	HWRevision          *uint8    `json:"hw_revision,omitempty" name:"hw-revision" help:"0 to 255."`
	HWVersion           *uint32   `json:"hw_version,omitempty" name:"hw-version" help:"As reported in DevVersionAns; 0: not checked."`
	TimeTolerance       *seconds  `json:"time_tolerance_s,omitempty" placeholder:"TIME" help:"Clock drift to allow for, such as 5s; 0: 10s."`
	DefaultUplinkPeriod *seconds  `json:"default_uplink_period_s,omitempty" name:"uplink-period" placeholder:"TIME" help:"Time between uplinks, such as 15m; 0: 1h."`
	MCUType             *string   `json:"mcu_type,omitempty" name:"mcu-type" help:"For people: the microcontroller."`
	Library             *string   `json:"library,omitempty" help:"smart_delta or other."`
	SmartDeltaKeyID     *string   `json:"smart_delta_key_id,omitempty" name:"key" complete:"smart-delta-keys" help:"Identifier of the smart delta key."`
	DeltaFormats        *[]string `json:"delta_formats,omitempty" sep:"," placeholder:"FORMAT,..." help:"Delta formats that smart_delta of these devices decodes; none: any."`
	StatusStyle         *string   `json:"status_style,omitempty" help:"spec, loramac, lbm, zephyr or wl55v2."`
	RebootsItself       *bool     `json:"reboots_itself,omitempty" negatable:"" help:"Installs a complete image without a command."`
	FirmwareDialect     *string   `json:"firmware_dialect,omitempty" help:"ts006 or rc1, the release candidate."`
	MaxGroups           *uint8    `json:"max_groups,omitempty" placeholder:"N" help:"Multicast groups that it can hold, 1 to 4; 0: 1."`
	Descriptor          *string   `json:"descriptor,omitempty" help:"Descriptor of its fragmentation sessions: version-le, version-be, size-le or 8 hexadecimal digits; none: version-le."`

	Versions packageFlags `json:"packages,omitzero" embed:"" group:"Package versions:"`
	Ports    portFlags    `json:"ports,omitzero" embed:"" prefix:"port-" group:"FPorts:"`
	Decoder  decoderFlags `json:"decoder,omitzero" embed:"" prefix:"decoder-" group:"Limits of the fragmentation decoder:"`
	Power    powerFlags   `json:"power,omitzero" embed:"" prefix:"power-" group:"What the radio draws, for predictions:"`
}

// Key is "key".
type Key struct {
	Connection
	List    List              `cmd:"" help:"List smart delta keys."`
	Show    Show              `cmd:"" help:"Show a smart delta key, without its private half."`
	Create  Create[keyFields] `cmd:"" help:"Create a smart delta key."`
	Update  Update[keyFields] `cmd:"" help:"Change the texts of a smart delta key."`
	Archive Archive           `cmd:"" help:"Take smart delta keys out of the lists."`
	Export  exportList        `cmd:"" help:"Write all smart delta keys as a table, without their private halves."`
	Bulk    Bulk[keyFields]   `cmd:"" help:"Archive, restore or change many smart delta keys."`
	Keys    revealKeys        `cmd:"" help:"Reveal the private half of a smart delta key."`
}

func (*Key) noun() *noun {
	return &noun{path: "smart-delta-keys", fields: "archived, created_at, id, name, updated_at",
		columns: columns{"id", "name", "public_key", "description"},
		wide:    stamps}
}

type keyFields struct {
	Name           *string `json:"name,omitempty" help:"For people."`
	Description    *string `json:"description,omitempty" help:"For people, longer."`
	PrivateKeyFile string  `json:"-" placeholder:"FILE" complete:"file" help:"P-256 private key, PKCS#8 in PEM; - for standard input."`
}

func (f keyFields) secrets(_ context.Context, std *Streams) (map[string]string, error) {
	return secret(std, "private_key", f.PrivateKeyFile)
}
