package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

var (
	eui = lorawan.MustParseEUI64("0004a30b00112233")
	key = lorawan.MustParseAES128Key("000102030405060708090a0b0c0d0e0f")
	day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func device() fleet.Device {
	return fleet.Device{DevEUI: eui, Name: "meter 7", Tag: "canary", Classes: fleet.ClassesOf(fleet.ClassB, fleet.ClassC),
		LoRaWANVersion: fleet.LoRaWAN11, RootKey: key, ProfileID: "p", Band: region.EU868,
		Firmware: fleet.MustParseFirmware("1.2.3.4"), FirmwareChanged: day, FirmwareReported: day, CreatedAt: day, UpdatedAt: day, Revision: 3}
}

func group() fleet.MulticastGroup {
	return fleet.MulticastGroup{DevEUI: eui, Name: "east", Band: region.EU868, McAddr: lorawan.MustParseDevAddr("01020304"),
		Frequency: 869525000, DataRate: 5, Redundancy: fleet.ThreeToFour, PingSlotPeriodicity: 3, McKey: key,
		SessionClass: fleet.ClassC, FCntDown: 17, CreatedAt: day}
}

func profile() fleet.DeviceProfile {
	return fleet.DeviceProfile{ID: "p", Name: "meter", ProducerID: "acme", ModuleID: "m1", HWRevision: 2, HWVersion: 0x01020304,
		TimeTolerance: 5 * time.Second, DefaultUplinkPeriod: 10 * time.Minute, Library: fleet.SmartDelta, DeltaFormats: []delta.Format{delta.Detools, delta.HPatchLite},
		Packages:    fleet.Packages{ClockSync: 2, McSetup: 2, Fragmentation: 2, FirmwareMgmt: 1},
		Ports:       fleet.Ports{Fragmentation: 210},
		Decoder:     fleet.Decoder{MaxNbFrag: 1000, MaxFragSize: 230, FragSizeMultiple: 8, MaxLost: 60},
		StatusStyle: fleet.StatusLBM, RebootsItself: true, FirmwareDialect: fleet.TS006RC1, MaxGroups: 4}
}

func file() fleet.File {
	return fleet.File{ID: "f", Name: "meter 2.0", UploadedAt: day, Size: 5, SHA256: strings.Repeat("ab", 32), Type: fleet.DeltaFile,
		BaseVersion: fleet.MustParseFirmware("1.2.3.4"), Version: fleet.MustParseFirmware("2.0.0.0"), ProfileID: "p",
		TimeTolerance: 3 * time.Second, Descriptor: [4]byte{1, 2, 3, 4}}
}

func campaign() fleet.Campaign {
	return fleet.Campaign{ID: "c", Name: "spring", Created: day, Type: fleet.FOTACampaign, DeviceSets: []string{"s"}, Regions: []string{"r"},
		SessionStart: day, RebootAt: day.Add(time.Hour), FileID: "f", Delta: fleet.DeltaOnly, MaxDuration: 546 * time.Minute, SuccessThreshold: 97.5,
		Policy: fleet.CampaignPolicy{Setup: fleet.SequentialSetup, Redundancy: fleet.FixedRedundancy, Retries: 5,
			LateAnswer: time.Minute, MulticastDelay: 1500 * time.Millisecond, FlashTime: time.Minute}}
}

func TestJSONReadsBackWhatItWroteButForKeys(t *testing.T) {
	d, g := device(), group()
	d.RootKey, g.McKey = lorawan.AES128Key{}, lorawan.AES128Key{}
	for _, want := range []any{d, g, profile(), file(), campaign(),
		fleet.DeviceSet{ID: "s", Name: "all", Devices: []lorawan.EUI64{eui}},
		fleet.Region{ID: "r", Name: "east", Groups: []lorawan.EUI64{eui}},
		fleet.SmartDeltaKey{ID: "k", Name: "key", PublicKey: make([]byte, 64)},
		fleet.Device{}, fleet.File{}, fleet.DeviceProfile{}, fleet.Campaign{}} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatalf("%T: %v", want, err)
		}
		got := reflect.New(reflect.TypeOf(want))
		if err := json.Unmarshal(b, got.Interface()); err != nil {
			t.Fatalf("%T: %v in %s", want, err, b)
		}
		if !reflect.DeepEqual(got.Elem().Interface(), want) {
			t.Errorf("%T\n got %+v\nwant %+v\njson %s", want, got.Elem(), want, b)
		}
	}
}

func TestKeysNeverShowThemselves(t *testing.T) {
	k := fleet.SmartDeltaKey{Name: "k", PrivateKey: []byte("secret-bytes")}
	for _, v := range []any{device(), group(), k} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{key.Hex(), "AAECAwQF", "c2VjcmV0", "secret", "root_key", "mc_key", "private_key", "RootKey"} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%T: JSON shows %q: %s", v, secret, b)
			}
		}
		if _, isKey := v.(fleet.SmartDeltaKey); !isKey && strings.Contains(fmt.Sprintf("%+v %x", v, v), "0203040506") {
			t.Errorf("%T prints its key", v)
		}
	}
}

func TestDurationsAreWrittenInSeconds(t *testing.T) {
	b, err := json.Marshal(campaign())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"max_duration_s":32760`, `"multicast_delay_s":1.5`, `"late_answer_s":60`, `"type":"FOTA"`, `"status":"CONFIGURED"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	var p fleet.DeviceProfile
	if err := json.Unmarshal([]byte(`{"time_tolerance_s":1e300}`), &p); !errors.Is(err, fleet.ErrText) {
		t.Errorf("overlong duration: %v", err)
	}
}

func TestValidObjectsAreAccepted(t *testing.T) {
	for _, v := range []interface{ Validate() error }{device(), group(), profile(), file(), campaign(),
		fleet.DeviceSet{Name: "empty is fine"}, fleet.Region{Name: "r", Groups: []lorawan.EUI64{eui}},
		fleet.SmartDeltaKey{Name: "k", PublicKey: make([]byte, 64)},
		fleet.File{Name: "metadata only", Type: fleet.FirmwareFile, ProfileID: "p", Version: fleet.FreeFirmware(7)}} {
		if err := v.Validate(); err != nil {
			t.Errorf("%T: %v", v, err)
		}
	}
}

func TestValidateNamesTheFieldThatIsWrong(t *testing.T) {
	type object interface{ Validate() error }
	with := func(change func(*fleet.MulticastGroup)) object { g := group(); change(&g); return g }
	prof := func(change func(*fleet.DeviceProfile)) object { p := profile(); change(&p); return p }
	fil := func(change func(*fleet.File)) object { f := file(); change(&f); return f }
	camp := func(change func(*fleet.Campaign)) object { c := campaign(); change(&c); return c }
	dev := func(change func(*fleet.Device)) object { d := device(); change(&d); return d }
	for _, tc := range []struct {
		field string
		v     object
	}{
		{"dev_eui", dev(func(d *fleet.Device) { d.DevEUI = lorawan.EUI64{} })},
		{"profile_id", dev(func(d *fleet.Device) { d.ProfileID = "" })},
		{"classes", dev(func(d *fleet.Device) { d.Classes = 1 })},
		{"lorawan_version", dev(func(d *fleet.Device) { d.LoRaWANVersion = 2 })},
		{"name", dev(func(d *fleet.Device) { d.Name = "two\nlines" })},
		{"tag", dev(func(d *fleet.Device) { d.Tag = strings.Repeat("x", fleet.MaxName+1) })},
		{"tag", dev(func(d *fleet.Device) { d.Tag = "\xff" })},
		{"band", with(func(g *fleet.MulticastGroup) { g.Band = 0 })},
		{"mc_addr", with(func(g *fleet.MulticastGroup) { g.McAddr = lorawan.DevAddr{} })},
		{"frequency", with(func(g *fleet.MulticastGroup) { g.Frequency = 0 })},
		{"frequency", with(func(g *fleet.MulticastGroup) { g.Frequency = 86900 })},
		{"frequency", with(func(g *fleet.MulticastGroup) { g.Frequency++ })},
		{"data_rate", with(func(g *fleet.MulticastGroup) { g.DataRate = 16 })},
		{"redundancy", with(func(g *fleet.MulticastGroup) { g.Redundancy = 9 })},
		{"ping_slot_periodicity_s", with(func(g *fleet.MulticastGroup) { g.PingSlotPeriodicity = 8 })},
		{"session_class", with(func(g *fleet.MulticastGroup) { g.SessionClass = fleet.ClassA })},
		{"producer_id", prof(func(p *fleet.DeviceProfile) { p.ProducerID = " " })},
		{"module_id", prof(func(p *fleet.DeviceProfile) { p.ModuleID = "" })},
		{"time_tolerance_s", prof(func(p *fleet.DeviceProfile) { p.TimeTolerance = -time.Second })},
		{"default_uplink_period_s", prof(func(p *fleet.DeviceProfile) { p.DefaultUplinkPeriod = time.Millisecond })},
		{"packages.firmware_mgmt", prof(func(p *fleet.DeviceProfile) { p.Packages.FirmwareMgmt = 2 })},
		{"ports.fragmentation", prof(func(p *fleet.DeviceProfile) { p.Ports.Fragmentation = 200 })},
		{"ports.clock_sync", prof(func(p *fleet.DeviceProfile) { p.Ports.ClockSync = 226 })},
		{"decoder.max_nb_frag", prof(func(p *fleet.DeviceProfile) { p.Decoder.MaxNbFrag = 16384 })},
		{"decoder.min_frag_size", prof(func(p *fleet.DeviceProfile) { p.Decoder.MinFragSize = 231 })},
		{"max_groups", prof(func(p *fleet.DeviceProfile) { p.MaxGroups = 5 })},
		{"status_style", prof(func(p *fleet.DeviceProfile) { p.StatusStyle = 99 })},
		{"base_version", fil(func(f *fleet.File) { f.BaseVersion = f.Version })},
		{"base_version", fil(func(f *fleet.File) { f.BaseVersion = fleet.Firmware{} })},
		{"base_version", fil(func(f *fleet.File) { f.Type = fleet.FirmwareFile })},
		{"version", fil(func(f *fleet.File) { f.Version = fleet.Firmware{} })},
		{"profile_id", fil(func(f *fleet.File) { f.ProfileID = "" })},
		{"sha256", fil(func(f *fleet.File) { f.SHA256 = strings.Repeat("AB", 32) })},
		{"size", fil(func(f *fleet.File) { f.Size = 0 })},
		{"file_id", camp(func(c *fleet.Campaign) { c.FileID = "" })},
		{"file_id", camp(func(c *fleet.Campaign) {
			c.Type, c.RebootAt = fleet.MCGroupCampaign, time.Time{}
			c.Delta = fleet.DeltaAuto
		})},
		{"reboot_at", camp(func(c *fleet.Campaign) { c.Type, c.Delta = fleet.BinaryCampaign, fleet.DeltaAuto })},
		{"delta", camp(func(c *fleet.Campaign) { c.Type, c.RebootAt = fleet.BinaryCampaign, time.Time{} })},
		{"delta", camp(func(c *fleet.Campaign) { c.Delta = 3 })},
		{"delta_formats[1]", prof(func(p *fleet.DeviceProfile) { p.DeltaFormats[1] = "xdelta" })},
		{"delta_formats[1]", prof(func(p *fleet.DeviceProfile) { p.DeltaFormats[1] = p.DeltaFormats[0] })},
		{"reboot_at", camp(func(c *fleet.Campaign) { c.RebootAt = c.SessionStart })},
		{"device_sets", camp(func(c *fleet.Campaign) { c.DeviceSets = nil })},
		{"regions[1]", camp(func(c *fleet.Campaign) { c.Regions = []string{"r", "r"} })},
		{"max_duration_s", camp(func(c *fleet.Campaign) { c.MaxDuration = 0 })},
		{"success_threshold", camp(func(c *fleet.Campaign) { c.SuccessThreshold = 100.5 })},
		{"policy.flash_time_s", camp(func(c *fleet.Campaign) { c.Policy.FlashTime = -time.Second })},
		{"devices[1]", fleet.DeviceSet{Name: "s", Devices: []lorawan.EUI64{eui, eui}}},
		{"groups[0]", fleet.Region{Name: "s", Groups: []lorawan.EUI64{{}}}},
		{"public_key", fleet.SmartDeltaKey{Name: "k"}},
	} {
		found := fleet.FieldErrors(tc.v.Validate())
		if len(found) != 1 || found[0].Field != tc.field {
			t.Errorf("%T: got %v, want one error at %s", tc.v, found, tc.field)
		}
	}
}

func TestProfilesDecodeWhatTheyName(t *testing.T) {
	p := profile()
	if !p.Decodes(delta.Detools) || p.Decodes(delta.DetoolsInPlace) {
		t.Errorf("%v", p.DeltaFormats)
	}
	if p.DeltaFormats = nil; !p.Decodes(delta.DetoolsInPlace) {
		t.Error("a profile that names no format decodes any")
	}
}

func TestValidateReportsEverythingAtOnce(t *testing.T) {
	err := fmt.Errorf("creating: %w", fleet.Campaign{}.Validate())
	if n := len(fleet.FieldErrors(err)); n != 5 {
		t.Errorf("%d errors, want 5 (name, device_sets, regions, file_id, max_duration_s): %v", n, err)
	}
	if fleet.FieldErrors(errors.New("other")) != nil {
		t.Error("a foreign error has no fields")
	}
}

func TestEnumerationsReadTheirOwnText(t *testing.T) {
	type text interface {
		MarshalText() ([]byte, error)
	}
	for _, v := range []text{fleet.ClassA, fleet.ClassC, fleet.ClassesOf(), fleet.ClassesOf(fleet.ClassB), fleet.ClassesOf(fleet.ClassB, fleet.ClassC),
		fleet.LoRaWAN10, fleet.LoRaWAN11, fleet.NoRedundancy, fleet.OneToTwo, fleet.LibraryUnset, fleet.OtherLibrary, fleet.StatusWL55v2,
		fleet.TS006RC1, fleet.DeltaFile, fleet.MCGroupCampaign, fleet.Succeeded, fleet.SequentialSetup, fleet.Carousel, fleet.DeltaOnly,
		fleet.Sunday, fleet.ClockTime(0), fleet.ClockTime(22*60 + 5), fleet.RebootManual, fleet.AbortInstall,
		fleet.Firmware{}, fleet.DottedFirmware(0), fleet.FreeFirmware(0xdeadbeef)} {
		b, err := v.MarshalText()
		if err != nil {
			t.Fatalf("%T: %v", v, err)
		}
		got := reflect.New(reflect.TypeOf(v))
		if err := got.Interface().(interface{ UnmarshalText([]byte) error }).UnmarshalText(b); err != nil || got.Elem().Interface() != v {
			t.Errorf("%T %q: got %v, %v", v, b, got.Elem(), err)
		}
		err = got.Interface().(interface{ UnmarshalText([]byte) error }).UnmarshalText([]byte("no such thing"))
		if !errors.Is(err, fleet.ErrText) {
			t.Errorf("%T: nonsense gives %v", v, err)
		}
	}
	if _, err := fleet.Status(9).MarshalText(); !errors.Is(err, fleet.ErrText) {
		t.Errorf("status 9: %v", err)
	}
	if _, err := fleet.ParseClasses("A"); !errors.Is(err, fleet.ErrText) {
		t.Errorf("class A is no multicast class: %v", err)
	}
}

func TestFirmwareOrder(t *testing.T) {
	for _, tc := range []struct {
		a, b    string
		order   int
		ordered bool
	}{
		{"1.2.3.4", "1.2.3.4", 0, true},
		{"1.2.3.4", "1.2.3.5", -1, true},
		{"2.0.0.0", "1.255.255.255", 1, true},
		{"0.0.0.1", "0.0.1.0", -1, true},
		{"01020304", "01020304", 0, false},
		{"01020304", "01020305", 1, false},
		{"4.3.2.1", "01020304", 0, false}, // the same 32 bits
		{"", "1.2.3.4", 1, false},
		{"", "", 1, false}, // two unknowns are not known to be the same
	} {
		order, ordered := fleet.MustParseFirmware(tc.a).Compare(fleet.MustParseFirmware(tc.b))
		if order != tc.order || ordered != tc.ordered {
			t.Errorf("%q to %q: %d, %v; want %d, %v", tc.a, tc.b, order, ordered, tc.order, tc.ordered)
		}
	}
}

func TestFirmwareRefusesOtherText(t *testing.T) {
	for _, s := range []string{"1.2.3", "1.2.3.256", "1.2.3.4.5", "-1.2.3.4", "123456789", "0102030g", "1.2.3.+4", "v1.2.3.4"} {
		if f, err := fleet.ParseFirmware(s); !errors.Is(err, fleet.ErrText) {
			t.Errorf("%q: %v, %v", s, f, err)
		}
	}
}

// The first byte of the Descriptor on the air is X of X.Y.Z.P.
func TestDescriptorCarriesTheVersion(t *testing.T) {
	f := fleet.File{Version: fleet.MustParseFirmware("1.2.3.4")}
	if got := f.WireDescriptor(); got != [4]byte{1, 2, 3, 4} {
		t.Errorf("from the version: %v", got)
	}
	f.Descriptor = [4]byte{9, 9, 9, 9}
	if got := f.WireDescriptor(); got != f.Descriptor {
		t.Errorf("given: %v", got)
	}
	if v := f.Version.Like(0x01000002); v.String() != "2.0.0.1" {
		t.Errorf("reported version reads %s", v)
	}
}

func TestRedundancyRoundsUp(t *testing.T) {
	for _, tc := range []struct {
		r           fleet.Redundancy
		nbFrag, out int
	}{
		{fleet.NoRedundancy, 100, 0}, {fleet.OneToTwo, 100, 100}, {fleet.ThreeToFour, 100, 34},
		{fleet.FiveToSix, 100, 20}, {fleet.SevenToEight, 100, 15}, {fleet.SevenToEight, 1, 1},
		{fleet.OneToTwo, 0, 0}, {fleet.OneToTwo, -1, 0}, {fleet.Redundancy(77), 10, 0},
	} {
		if got := tc.r.Coded(tc.nbFrag); got != tc.out {
			t.Errorf("%v of %d: %d, want %d", tc.r, tc.nbFrag, got, tc.out)
		}
	}
}

func TestPingSlotPeriodicityIsAPowerOfTwo(t *testing.T) {
	for s := -1; s <= 130; s++ {
		p, err := fleet.ParsePingSlotPeriodicity(s)
		if valid := s > 0 && s <= 128 && s&(s-1) == 0; valid != (err == nil) || valid && p.Seconds() != s {
			t.Errorf("%d s: %v, %v", s, p, err)
		}
	}
}

func TestFileSettingsWinOverTheProfile(t *testing.T) {
	got := profile().With(file())
	want := fleet.Settings{TimeTolerance: 3 * time.Second, DefaultUplinkPeriod: 10 * time.Minute, Library: fleet.SmartDelta}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if d := (fleet.DeviceProfile{}).With(fleet.File{}); d.DefaultUplinkPeriod != time.Hour || d.TimeTolerance != 10*time.Second || d.Library != fleet.OtherLibrary {
		t.Errorf("defaults: %+v", d)
	}
}

func TestPortsFindTheirPackage(t *testing.T) {
	p := fleet.Ports{Fragmentation: 210}
	for port, want := range map[uint8]lorawan.PackageID{225: lorawan.MultiPackage, 202: lorawan.ClockSync, 200: lorawan.McSetup, 210: lorawan.Fragmentation, 203: lorawan.FirmwareMgmt} {
		if id, ok := p.Package(port); !ok || id != want || p.Of(want) != port {
			t.Errorf("port %d: %v, %v", port, id, ok)
		}
	}
	for _, port := range []uint8{0, 1, 201} {
		if id, ok := p.Package(port); ok {
			t.Errorf("port %d belongs to %v", port, id)
		}
	}
}

func TestPolicyDefaults(t *testing.T) {
	for retries, want := range map[int]int{0: 12, 3: 4, 7: 8, -1: 1, -9: 1} {
		if got := (fleet.CampaignPolicy{Retries: retries}).Attempts(); got != want {
			t.Errorf("retries %d: %d attempts, want %d", retries, got, want)
		}
	}
	p := fleet.CampaignPolicy{}.WithDefaults()
	if p != p.WithDefaults() {
		t.Error("WithDefaults is not idempotent")
	}
}

func FuzzParseFirmware(f *testing.F) {
	for _, s := range []string{"", "1.2.3.4", "deadbeef", "255.255.255.255", "1..2.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := fleet.ParseFirmware(s)
		if err != nil {
			return
		}
		if again, err := fleet.ParseFirmware(v.String()); err != nil || again != v {
			t.Errorf("%q reads as %v, which reads as %v, %v", s, v, again, err)
		}
	})
}
