package bulk

import (
	"context"
	"strings"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// deviceRow is a device as a table has it: with the hardware instead of the profile, and
// one column for each kind of root key.
type deviceRow struct {
	fleet.Device
	hardware          hardware
	appKey, genAppKey lorawan.AES128Key
}

// hardware is a fleet.Triplet of which every part may be missing.
type hardware struct {
	fleet.Triplet
	revisionGiven bool
}

var deviceColumns = []column[deviceRow]{
	field("dev_eui", "B", func(r *deviceRow) *lorawan.EUI64 { return &r.DevEUI }, readDevEUI, writeStringer[lorawan.EUI64]).
		identifying().called("eui", "deviceeui", "device"),
	textField("name", "K", func(r *deviceRow) *string { return &r.Name }).called("devicename"),
	textField("tag", "AB", func(r *deviceRow) *string { return &r.Tag }).called("tags"),
	field("classes", "AA", func(r *deviceRow) *fleet.Classes { return &r.Classes }, readClasses, writeStringer[fleet.Classes]).
		called("class", "multicastclass", "multicastclasses", "multicastclasscapable"),
	field("lorawan_version", "W", func(r *deviceRow) *fleet.LoRaWANVersion { return &r.LoRaWANVersion }, readVersion, writeVersion).
		needed().called("lorawan", "version", "macversion"),
	keyField("root_key", "", func(r *deviceRow) *lorawan.AES128Key { return &r.RootKey }).called("devicekey", "rootkeyhex"),
	keyOfVersion("app_key", "X", fleet.LoRaWAN11, func(r *deviceRow) *lorawan.AES128Key { return &r.appKey }),
	keyOfVersion("gen_app_key", "Y", fleet.LoRaWAN10, func(r *deviceRow) *lorawan.AES128Key { return &r.genAppKey }),
	hardwarePart("producer_id", "AD", func(r *deviceRow) *string { return &r.hardware.ProducerID }, readText, writeText).
		called("producer", "vendorid", "manufacturerid"),
	hardwarePart("module_id", "AE", func(r *deviceRow) *string { return &r.hardware.ModuleID }, readText, writeText).
		called("module", "modelid"),
	hardwareRevision(),
	field("band", "", func(r *deviceRow) *region.Band { return &r.Band }, readBand, writeBand).called("ismband", "region"),
	field("firmware", "AC", func(r *deviceRow) *fleet.Firmware { return &r.Firmware }, readFirmware, writeStringer[fleet.Firmware]).
		keeping().called("firmwareversion", "fwversion"),
	profileColumn(),
}

const deviceWidth = 32 // A..AF

// keyOfVersion returns the column of the root key of one LoRaWAN version. It is written
// for devices of that version and read into a part that settleDevice looks at.
func keyOfVersion(name, letter string, v fleet.LoRaWANVersion, part func(*deviceRow) *lorawan.AES128Key) column[deviceRow] {
	c := keyField(name, letter, part)
	c.friendly, c.copy, c.equal = false, nil, nil
	c.write = func(r *deviceRow, _ Format) string {
		if r.LoRaWANVersion != v || r.RootKey.IsZero() {
			return ""
		}
		return r.RootKey.Hex()
	}
	return c
}

// hardwarePart returns a column that finds the profile and is no part of the device itself.
func hardwarePart[V comparable](name, letter string, part func(*deviceRow) *V, read func(string) (V, *problem), write func(V, Format) string) column[deviceRow] {
	c := field(name, letter, part, read, write).needed()
	c.text = name != "hw_revision"
	c.copy, c.equal = nil, nil
	return c
}

func hardwareRevision() column[deviceRow] {
	c := hardwarePart("hw_revision", "AF", func(r *deviceRow) *uint8 { return &r.hardware.HWRevision },
		readNumber[uint8](255, "give the hardware revision of the profile"), writeNumber[uint8]).
		called("hwrev", "hardwarerevision", "revision")
	read := c.read
	c.read = func(cell string, r *deviceRow) *problem {
		r.hardware.revisionGiven = true
		return read(cell, r)
	}
	return c
}

// profileColumn moves the profile that the hardware leads to. No file has it.
func profileColumn() column[deviceRow] {
	c := field("profile_id", "", func(r *deviceRow) *string { return &r.ProfileID }, readText, writeText)
	c.read, c.friendly = nil, false
	return c
}

var classSeparators = strings.NewReplacer(";", ",", " ", "")

func readClasses(cell string) (fleet.Classes, *problem) {
	c, err := fleet.ParseClasses(classSeparators.Replace(cell))
	if err != nil {
		return 0, &problem{"is no multicast class", "use B, C or B,C"}
	}
	return c, nil
}

func readBand(cell string) (region.Band, *problem) {
	b, err := region.ParseBand(strings.TrimSpace(cell))
	if err != nil {
		names := make([]string, 0, len(region.Bands()))
		for _, b := range region.Bands() {
			names = append(names, b.String())
		}
		return 0, &problem{"is no band", "use one of " + strings.Join(names, ", ")}
	}
	return b, nil
}

func writeBand(b region.Band, _ Format) string {
	if b == 0 {
		return ""
	}
	return b.String()
}

// profiles finds the profiles of devices and remembers those that exist.
type profiles struct {
	in    Profiles
	known map[fleet.Triplet]fleet.DeviceProfile
}

// resolve puts the profile of its hardware into every row.
func (p *profiles) resolve(ctx context.Context, rows []*row[deviceRow]) error {
	var ask []fleet.Triplet
	asked := map[fleet.Triplet]bool{}
	for _, r := range rows {
		t := r.in.hardware.Triplet
		if _, known := p.known[t]; r.in.hardware.complete() && !known && !asked[t] {
			asked[t] = true
			ask = append(ask, t)
		}
	}
	if len(ask) > 0 {
		found, err := p.in.ByTriplet(ctx, ask)
		if err != nil {
			return err
		}
		for _, profile := range found {
			p.known[profile.Triplet()] = profile
		}
	}
	for _, r := range rows {
		p.link(r)
	}
	return nil
}

func (h hardware) complete() bool { return h.ProducerID != "" && h.ModuleID != "" && h.revisionGiven }

func (p *profiles) link(r *row[deviceRow]) {
	h := r.in.hardware
	if r.failedAt("producer_id") || r.failedAt("module_id") || r.failedAt("hw_revision") {
		return
	}
	if !h.complete() {
		if h != (hardware{}) {
			r.fail("producer_id", problem{"does not tell the profile alone", "give producer_id, module_id and hw_revision together"})
		}
		return
	}
	profile, ok := p.known[h.Triplet]
	switch {
	case !ok:
		r.fail("producer_id", problem{"leads, with module_id and hw_revision, to no device profile", "create the profile first, or correct the three columns"})
	case profile.Archived && (r.before == nil || r.before.ProfileID != profile.ID):
		r.fail("producer_id", problem{"leads, with module_id and hw_revision, to an archived device profile", "bring it back, or choose another"})
	default:
		r.in.ProfileID = profile.ID
		r.give("profile_id")
	}
}

// settleDevice takes the root key from the column that goes with the LoRaWAN version.
func settleDevice(r *row[deviceRow]) {
	right, wrong, name, other := r.in.genAppKey, r.in.appKey, "app_key", "GenAppKey"
	if r.after.LoRaWANVersion == fleet.LoRaWAN11 {
		right, wrong, name, other = r.in.appKey, r.in.genAppKey, "gen_app_key", "AppKey"
	}
	switch {
	case r.given("root_key"):
	case !right.IsZero():
		r.after.RootKey = right
	case !wrong.IsZero():
		r.fail(name, problem{"is the key of the other LoRaWAN version", "give the " + other + " in its column, or leave both empty"})
	}
}
