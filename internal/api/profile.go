package api

import (
	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
)

// profile is a fleet.DeviceProfile in JSON.
type profile struct {
	ID                  *string   `json:"id,omitempty" readOnly:"true"`
	Name                *string   `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Description         *string   `json:"description,omitempty" maxLength:"4000" pattern:"^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	ProducerID          *string   `json:"producer_id,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters" doc:"Unique with module_id and hw_revision"`
	ModuleID            *string   `json:"module_id,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	HWRevision          *uint8    `json:"hw_revision,omitempty" maximum:"255"`
	HWVersion           *uint32   `json:"hw_version,omitempty" minimum:"0" maximum:"4294967295" doc:"As reported in DevVersionAns; 0: not checked"`
	TimeTolerance       *float64  `json:"time_tolerance_s,omitempty" minimum:"0" maximum:"86400" multipleOf:"1" doc:"Clock drift to allow for at a session start; 0: the default of 10"`
	DefaultUplinkPeriod *float64  `json:"default_uplink_period_s,omitempty" minimum:"0" maximum:"2678400" multipleOf:"1" doc:"Drives every unicast timer; 0: the default of 3600"`
	MCUType             *string   `json:"mcu_type,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Library             *string   `json:"library,omitempty" enum:",smart_delta,other"`
	SmartDeltaKeyID     *string   `json:"smart_delta_key_id,omitempty" pattern:"^([0-9A-Za-z_-]{1,64})?$" patternDescription:"an identifier"`
	DeltaFormats        *[]string `json:"delta_formats,omitempty" maxItems:"20" enum:"hpatchlite,hpatchlite-inplace,hpatchlite-relocated,detools,detools-inplace" doc:"Delta formats that devices with smart_delta decode, which campaigns and the format auto keep to; none: any"`
	Packages            *packages `json:"packages,omitempty" doc:"Package versions of the device, 0: absent"`
	Ports               *ports    `json:"ports,omitempty" doc:"FPort of each package, 0: the package's default"`
	Decoder             *decoder  `json:"decoder,omitempty" doc:"Limits of the fragmentation decoder, 0: unlimited"`
	StatusStyle         *string   `json:"status_style,omitempty" enum:"spec,loramac,lbm,zephyr,wl55v2" doc:"How the stack fills FragSessionStatusAns"`
	RebootsItself       *bool     `json:"reboots_itself,omitempty" doc:"Installs and reboots after a complete image without a command"`
	FirmwareDialect     *string   `json:"firmware_dialect,omitempty" enum:"ts006,rc1"`
	MaxGroups           *uint8    `json:"max_groups,omitempty" maximum:"4" doc:"Multicast groups it can hold; 0: 1"`
	Descriptor          *string   `json:"descriptor,omitempty" pattern:"^(version-le|version-be|size-le|[0-9a-fA-F]{8})?$" patternDescription:"version-le, version-be, size-le or 8 hexadecimal digits" doc:"What devices expect as descriptor of a fragmentation session; empty: version-le"`
	Power               *power    `json:"power,omitempty" doc:"What the radio draws in each state, for predictions; 0: the defaults"`
	Archived            *bool     `json:"archived,omitempty"`
	Stamp
}

// power is a fleet.Power in JSON.
type power struct {
	Volts      *float64 `json:"volts,omitempty" minimum:"0" maximum:"100" doc:"0: 3.3"`
	TransmitMA *float64 `json:"transmit_ma,omitempty" minimum:"0" maximum:"10000" doc:"Milliamperes; 0: 25.5"`
	ReceiveMA  *float64 `json:"receive_ma,omitempty" minimum:"0" maximum:"10000" doc:"Milliamperes; 0: 5.3"`
	SleepMA    *float64 `json:"sleep_ma,omitempty" minimum:"0" maximum:"10000" doc:"Milliamperes; 0: 0.0012"`
	BatteryMAH *float64 `json:"battery_mah,omitempty" minimum:"0" maximum:"10000000" doc:"Milliampere hours; 0: not known"`
}

type packages struct {
	ClockSync     *uint8 `json:"clock_sync,omitempty" maximum:"2"`
	McSetup       *uint8 `json:"mc_setup,omitempty" maximum:"2"`
	Fragmentation *uint8 `json:"fragmentation,omitempty" maximum:"2"`
	FirmwareMgmt  *uint8 `json:"firmware_mgmt,omitempty" maximum:"1"`
	MultiPackage  *uint8 `json:"multi_package,omitempty" maximum:"1"`
}

type ports struct {
	ClockSync     *uint8 `json:"clock_sync,omitempty" maximum:"225"`
	McSetup       *uint8 `json:"mc_setup,omitempty" maximum:"225"`
	Fragmentation *uint8 `json:"fragmentation,omitempty" maximum:"225"`
	FirmwareMgmt  *uint8 `json:"firmware_mgmt,omitempty" maximum:"225"`
}

type decoder struct {
	MaxNbFrag        *uint16 `json:"max_nb_frag,omitempty" maximum:"16383" doc:"Uncoded fragments in a block"`
	MinFragSize      *uint8  `json:"min_frag_size,omitempty" maximum:"255" doc:"Bytes"`
	MaxFragSize      *uint8  `json:"max_frag_size,omitempty" maximum:"255" doc:"Bytes"`
	FragSizeMultiple *uint8  `json:"frag_size_multiple,omitempty" maximum:"255" doc:"FragSize must be a multiple of it"`
	MaxLost          *uint16 `json:"max_lost,omitempty" maximum:"65535" doc:"Uncoded fragments that it can make up for"`
}

func showProfile(p fleet.DeviceProfile) profile {
	d := p.Decoder
	return profile{ID: &p.ID, Name: &p.Name, Description: &p.Description, ProducerID: &p.ProducerID, ModuleID: &p.ModuleID,
		HWRevision: &p.HWRevision, HWVersion: &p.HWVersion, TimeTolerance: seconds(p.TimeTolerance),
		DefaultUplinkPeriod: seconds(p.DefaultUplinkPeriod), MCUType: &p.MCUType, Library: text(p.Library), SmartDeltaKeyID: &p.SmartDeltaKeyID,
		DeltaFormats: new(each(p.DeltaFormats, func(f delta.Format) string { return string(f) })),
		Packages:     showPackages(p.Packages),
		Ports:        &ports{&p.Ports.ClockSync, &p.Ports.McSetup, &p.Ports.Fragmentation, &p.Ports.FirmwareMgmt},
		Decoder:      &decoder{&d.MaxNbFrag, &d.MinFragSize, &d.MaxFragSize, &d.FragSizeMultiple, &d.MaxLost},
		StatusStyle:  text(p.StatusStyle), RebootsItself: &p.RebootsItself, FirmwareDialect: text(p.FirmwareDialect), MaxGroups: &p.MaxGroups,
		Power:      &power{&p.Power.Volts, &p.Power.TransmitMA, &p.Power.ReceiveMA, &p.Power.SleepMA, &p.Power.BatteryMAH},
		Descriptor: text(p.Descriptor), Archived: &p.Archived, Stamp: stampOf(p.CreatedAt, p.UpdatedAt, p.Revision)}
}

func (in *profile) apply(p *fleet.DeviceProfile) error {
	var r reader
	set(&p.Name, in.Name)
	set(&p.Description, in.Description)
	set(&p.ProducerID, in.ProducerID)
	set(&p.ModuleID, in.ModuleID)
	set(&p.HWRevision, in.HWRevision)
	set(&p.HWVersion, in.HWVersion)
	setSeconds(&p.TimeTolerance, in.TimeTolerance)
	setSeconds(&p.DefaultUplinkPeriod, in.DefaultUplinkPeriod)
	set(&p.MCUType, in.MCUType)
	read(&r, "library", &p.Library, in.Library, fleet.ParseLibrary)
	set(&p.SmartDeltaKeyID, in.SmartDeltaKeyID)
	if f := in.DeltaFormats; f != nil {
		p.DeltaFormats = nil
		for _, name := range *f {
			p.DeltaFormats = append(p.DeltaFormats, delta.Format(name)) // Validate knows them
		}
	}
	in.Packages.apply(&p.Packages)
	if o := in.Ports; o != nil {
		set(&p.Ports.ClockSync, o.ClockSync)
		set(&p.Ports.McSetup, o.McSetup)
		set(&p.Ports.Fragmentation, o.Fragmentation)
		set(&p.Ports.FirmwareMgmt, o.FirmwareMgmt)
	}
	if d := in.Decoder; d != nil {
		set(&p.Decoder.MaxNbFrag, d.MaxNbFrag)
		set(&p.Decoder.MinFragSize, d.MinFragSize)
		set(&p.Decoder.MaxFragSize, d.MaxFragSize)
		set(&p.Decoder.FragSizeMultiple, d.FragSizeMultiple)
		set(&p.Decoder.MaxLost, d.MaxLost)
	}
	read(&r, "status_style", &p.StatusStyle, in.StatusStyle, fleet.ParseStatusStyle)
	set(&p.RebootsItself, in.RebootsItself)
	read(&r, "firmware_dialect", &p.FirmwareDialect, in.FirmwareDialect, fleet.ParseFirmwareDialect)
	set(&p.MaxGroups, in.MaxGroups)
	read(&r, "descriptor", &p.Descriptor, in.Descriptor, fleet.ParseDescriptorTemplate)
	if w := in.Power; w != nil {
		set(&p.Power.Volts, w.Volts)
		set(&p.Power.TransmitMA, w.TransmitMA)
		set(&p.Power.ReceiveMA, w.ReceiveMA)
		set(&p.Power.SleepMA, w.SleepMA)
		set(&p.Power.BatteryMAH, w.BatteryMAH)
	}
	set(&p.Archived, in.Archived)
	return r.err()
}

func showPackages(p fleet.Packages) *packages {
	return &packages{new(uint8(p.ClockSync)), new(uint8(p.McSetup)), new(uint8(p.Fragmentation)), new(uint8(p.FirmwareMgmt)), new(uint8(p.MultiPackage))}
}

// apply sets the versions that the client gave; nil: none.
func (in *packages) apply(p *fleet.Packages) {
	if in == nil {
		return
	}
	setVersion(&p.ClockSync, in.ClockSync)
	setVersion(&p.McSetup, in.McSetup)
	setVersion(&p.Fragmentation, in.Fragmentation)
	setVersion(&p.FirmwareMgmt, in.FirmwareMgmt)
	setVersion(&p.MultiPackage, in.MultiPackage)
}

func setVersion(dst *lorawan.Version, src *uint8) {
	if src != nil {
		*dst = lorawan.Version(*src)
	}
}

// smartDeltaKey is a fleet.SmartDeltaKey in JSON.
type smartDeltaKey struct {
	ID          *string `json:"id,omitempty" readOnly:"true"`
	Name        *string `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	Description *string `json:"description,omitempty" maxLength:"4000" pattern:"^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$" patternDescription:"text without control characters"`
	PrivateKey  *string `json:"private_key,omitempty" writeOnly:"true" maxLength:"10000" doc:"P-256 private key, PKCS#8 in PEM; given once, with the new key"`
	PublicKey   *[]byte `json:"public_key,omitempty" readOnly:"true" doc:"X and Y, 64 bytes: what devices verify patches with"`
	Archived    *bool   `json:"archived,omitempty"`
	Stamp
}

func showSmartDeltaKey(k fleet.SmartDeltaKey) smartDeltaKey {
	return smartDeltaKey{ID: &k.ID, Name: &k.Name, Description: &k.Description, PublicKey: &k.PublicKey, Archived: &k.Archived,
		Stamp: stampOf(k.CreatedAt, k.UpdatedAt, k.Revision)}
}

func (in *smartDeltaKey) apply(k *fleet.SmartDeltaKey) error {
	set(&k.Name, in.Name)
	set(&k.Description, in.Description)
	set(&k.Archived, in.Archived)
	if in.PrivateKey == nil {
		return nil
	}
	if k.Revision > 0 {
		return &fleet.FieldError{Field: "private_key", Problem: "cannot be changed", Hint: "devices hold its public half: make a new smart delta key"}
	}
	k.PrivateKey = []byte(*in.PrivateKey)
	return nil
}
