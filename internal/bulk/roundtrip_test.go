package bulk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// export returns all objects of one kind as a file.
func export(t testing.TB, s *server, kind string, opt bulk.ExportOptions) string {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch kind {
	case "devices":
		_, err = bulk.ExportDevices(context.Background(), &b, s.allDevices(), s, opt)
	case "sets":
		_, err = bulk.ExportDeviceSets(context.Background(), &b, s.allSets(), s.members, opt)
	case "regions":
		_, err = bulk.ExportRegions(context.Background(), &b, s.regions.all(func(a, b fleet.Region) int { return strings.Compare(a.Name, b.Name) }), opt)
	case "profiles":
		_, err = bulk.ExportProfiles(context.Background(), &b, s.kinds.all(func(a, b fleet.DeviceProfile) int { return strings.Compare(a.Triplet().String(), b.Triplet().String()) }), opt)
	default:
		_, err = bulk.ExportGroups(context.Background(), &b, s.allGroups(), opt)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The session keys of the groups in the sample are those of lorawan/multicast/testdata/mc_keys.json.
func TestReferenceExportIsTheImportedFile(t *testing.T) {
	s := filled(t)
	for _, kind := range []string{"devices", "sets", "groups"} {
		if got, want := export(t, s, kind, bulk.ExportOptions{Keys: true}), sample(t, samples[kind]); got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", kind, got, want)
		}
	}
}

func TestKeysAreExportedOnlyWhenAsked(t *testing.T) {
	s := filled(t)
	for _, format := range []bulk.Format{bulk.Reference, bulk.Friendly} {
		for _, kind := range []string{"devices", "groups"} {
			with, without := export(t, s, kind, bulk.ExportOptions{Format: format, Keys: true}), export(t, s, kind, bulk.ExportOptions{Format: format})
			for _, k := range []string{"00112233445566778899aabbccddeeff", "0f0e0d0c0b0a09080706050403020100", key, "ac993f5f214a8546b2e42341c91a7cc1", "79e226c720597bcdea3298d4a6122858"} {
				if strings.Contains(without, k) {
					t.Errorf("%s %s: key exported", format, kind)
				}
			}
			if len(with) <= len(without) || strings.Count(with, ",") != strings.Count(without, ",") {
				t.Errorf("%s %s: keys are no cells of their own", format, kind)
			}
		}
	}
}

func TestFormulasAreDefused(t *testing.T) {
	s := filled(t)
	for _, name := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''@", "'quoted'", "plain"} {
		d := s.devices.objects[lorawan.MustParseEUI64("0004a30b00112201")]
		d.Name = name
		s.devices.objects[d.DevEUI] = d
		file := export(t, s, "devices", bulk.ExportOptions{Format: bulk.Friendly, Delimiter: ';'})
		cell := strings.Split(strings.Split(file, "\r\n")[1], ";")[1]
		if strings.ContainsAny(cell[:1], "=+-@") {
			t.Errorf("%q is exported as %q", name, cell)
		}
		wantCounts(t, plan(t, s.importer("devices"), file, bulk.Options{}), 0, 0, 3, 0)
		if got := export(t, s, "devices", bulk.ExportOptions{}); !strings.Contains(got, ","+name+",") {
			t.Errorf("%q is not exported as it is in the reference format", name)
		}
	}
}

func TestArchivedObjectsAreNotExported(t *testing.T) {
	s := filled(t)
	for e, d := range s.devices.objects {
		d.Archived = true
		s.devices.objects[e] = d
	}
	if got := export(t, s, "devices", bulk.ExportOptions{}); got != "" {
		t.Errorf("exported %q", got)
	}
}

func TestExportEndsWithItsErrors(t *testing.T) {
	gone := errors.New("gone")
	broken := func(yield func(fleet.Device, error) bool) { yield(fleet.Device{}, gone) }
	if _, err := bulk.ExportDevices(context.Background(), io.Discard, broken, newServer(), bulk.ExportOptions{}); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
	lost := func(yield func(fleet.Device, error) bool) { yield(fleet.Device{ProfileID: "none"}, nil) }
	if _, err := bulk.ExportDevices(context.Background(), io.Discard, lost, newServer(), bulk.ExportOptions{}); err == nil {
		t.Error("a device without a profile is exported")
	}
}

// TestWhatIsExportedIsUnchangedWhenImported makes fleets of anything that is valid.
func TestWhatIsExportedIsUnchangedWhenImported(t *testing.T) {
	for seed := range uint64(60) {
		s := randomServer(rand.New(rand.NewPCG(seed, 1)))
		for _, kind := range []string{"devices", "sets", "groups"} {
			for _, opt := range []bulk.ExportOptions{
				{}, {Keys: true}, {Format: bulk.Friendly}, {Format: bulk.Friendly, Keys: true, Delimiter: ';'}, {Format: bulk.Friendly, Delimiter: '\t'},
			} {
				file, filters := export(t, s, kind, opt), 0
				for _, set := range s.sets.objects {
					if kind == "sets" && set.Filter != nil && len(set.Filter.Where) == 0 && opt.Format != bulk.Friendly {
						filters++ // all match: it comes out as a list, and does not become one
					}
				}
				for _, format := range []bulk.Format{bulk.Detect, opt.Format} {
					r := plan(t, s.importer(kind), file, bulk.Options{Format: format})
					if r.Unchanged+filters != 20 || r.Failed != filters || r.Rows != 20 || len(r.Unknown) != 0 {
						t.Fatalf("seed %d %s %+v: %+v\n%q\n%+v\n%s", seed, kind, opt, r.Report, r.errors(), r.outcomes, file)
					}
				}
			}
		}
		// Into an empty server: the same objects.
		empty := newServer()
		empty.profiles = s.profiles
		empty.devices.objects, empty.groups.objects = maps.Clone(s.devices.objects), maps.Clone(s.groups.objects)
		for _, kind := range []string{"regions", "profiles"} {
			opt := bulk.ExportOptions{Delimiter: ';'}
			file := export(t, s, kind, opt)
			if r := plan(t, s.importer(kind), file, bulk.Options{}); r.Unchanged != 20 || r.Rows != 20 || len(r.Unknown) != 0 {
				t.Fatalf("seed %d %s: %+v\n%q\n%s", seed, kind, r.Report, r.errors(), file)
			}
			apply(t, empty.importer(kind), file, bulk.AllOrNothing, bulk.Options{})
			if got := export(t, empty, kind, opt); got != file {
				t.Fatalf("seed %d %s:\ngot  %q\nwant %q", seed, kind, got, file)
			}
		}
		empty.devices.objects, empty.groups.objects = map[lorawan.EUI64]fleet.Device{}, map[lorawan.EUI64]fleet.MulticastGroup{}
		maps.DeleteFunc(s.sets.objects, func(_ string, set fleet.DeviceSet) bool { return len(set.Devices) == 0 && set.Filter == nil }) // a new set needs a device
		for _, kind := range []string{"devices", "sets", "groups"} {
			opt := bulk.ExportOptions{Format: bulk.Friendly, Keys: true}
			file := export(t, s, kind, opt)
			apply(t, empty.importer(kind), file, bulk.AllOrNothing, bulk.Options{})
			if got := export(t, empty, kind, opt); got != file {
				t.Fatalf("seed %d %s:\ngot  %q\nwant %q", seed, kind, got, file)
			}
		}
	}
}

func randomServer(rng *rand.Rand) *server {
	s := newServer()
	anyKey := func() (k lorawan.AES128Key) {
		for i := range k {
			k[i] = byte(rng.Uint32())
		}
		return k
	}
	var devices []lorawan.EUI64
	for i := range 20 {
		e := lorawan.EUI64{byte(rng.Uint32()), 1, 2, 3, 4, 5, 6, byte(i + 1)}
		devices = append(devices, e)
		d := fleet.Device{DevEUI: e, Name: randomText(rng, false), Tag: randomText(rng, false), Classes: fleet.Classes(rng.IntN(4) << 1),
			LoRaWANVersion: fleet.LoRaWANVersion(rng.IntN(2)), ProfileID: s.profiles[rng.IntN(3)].ID, Band: region.Band(rng.IntN(13)), Revision: 1}
		if rng.IntN(2) == 0 {
			d.RootKey = anyKey()
			d.Firmware = fleet.DottedFirmware(rng.Uint32())
		}
		if rng.IntN(3) == 0 {
			d.Firmware = fleet.FreeFirmware(rng.Uint32())
		}
		s.devices.objects[e] = d
	}
	s.profiles[2].Archived = false
	for i := range 20 {
		name := randomText(rng, false) + fmt.Sprint(i)
		members := append([]lorawan.EUI64{}, devices[:rng.IntN(len(devices))]...)
		rng.Shuffle(len(members), func(a, b int) { members[a], members[b] = members[b], members[a] })
		s.sets.objects[name] = fleet.DeviceSet{ID: "x", Name: name, Description: randomText(rng, true), Devices: members, Revision: 1}
		s.regions.objects[name] = fleet.Region{Name: name, Description: randomText(rng, true), Groups: slices.SortedFunc(maps.Keys(s.groups.objects), lorawan.EUI64.Compare), Revision: 1}
		p := fleet.DeviceProfile{Name: name, Description: randomText(rng, true), ProducerID: "p" + randomText(rng, false), ModuleID: name, HWRevision: uint8(i),
			HWVersion: rng.Uint32(), TimeTolerance: time.Duration(rng.IntN(100)) * time.Second, DefaultUplinkPeriod: time.Duration(rng.IntN(9999)) * time.Second,
			MCUType: randomText(rng, false), Library: fleet.Library(rng.IntN(3)), SmartDeltaKeyID: randomText(rng, false),
			Packages:    fleet.Packages{ClockSync: lorawan.Version(rng.IntN(3)), McSetup: lorawan.Version(rng.IntN(3)), Fragmentation: 2, FirmwareMgmt: 1, MultiPackage: 1},
			Ports:       fleet.Ports{ClockSync: uint8(rng.IntN(2) * 10), McSetup: 11, Fragmentation: 12, FirmwareMgmt: uint8(rng.IntN(2) * 13)},
			Decoder:     fleet.Decoder{MaxNbFrag: uint16(rng.IntN(16384)), MinFragSize: uint8(rng.IntN(10)), MaxFragSize: 255, FragSizeMultiple: uint8(rng.IntN(9)), MaxLost: uint16(rng.IntN(1 << 16))},
			StatusStyle: fleet.StatusStyle(rng.IntN(5)), RebootsItself: rng.IntN(2) == 0, FirmwareDialect: fleet.FirmwareDialect(rng.IntN(2)), MaxGroups: uint8(rng.IntN(5)), Revision: 1}
		p.Power = fleet.Power{Volts: float64(rng.IntN(2)) * rng.Float64() * 10, TransmitMA: rng.Float64(), ReceiveMA: 5.3, SleepMA: rng.Float64() / 1e6, BatteryMAH: float64(rng.IntN(20000))}
		p.Descriptor, _ = fleet.ParseDescriptorTemplate([]string{"", "version-be", "00000000", "size-le"}[rng.IntN(4)])
		p.DeltaFormats = append([]delta.Format(nil), delta.Formats()[:rng.IntN(3)]...)
		s.kinds.objects[p.Triplet()] = p
		g := fleet.MulticastGroup{DevEUI: lorawan.EUI64{byte(rng.Uint32()), 9, byte(i)}, Tag: randomText(rng, false), Name: randomText(rng, false),
			Band: region.Band(1 + rng.IntN(12)), DwellTime: rng.IntN(2) == 0, McAddr: lorawan.DevAddr{byte(rng.Uint32()), 1, 2, byte(i)},
			Frequency: 100 * (1_000_000 + rng.Uint32N(20_000_000)), DataRate: uint8(rng.IntN(16)), Redundancy: fleet.Redundancy(rng.IntN(5)),
			PingSlotPeriodicity: fleet.PingSlotPeriodicity(rng.IntN(8)), McKey: anyKey(), SessionClass: fleet.ClassB + fleet.Class(rng.IntN(2)),
			FCntDown: rng.Uint32(), Revision: 1}
		s.groups.objects[g.DevEUI] = g
	}
	for name, set := range s.sets.objects {
		if rng.IntN(3) > 0 {
			continue
		}
		set.Devices, set.Filter = nil, &fleet.DeviceFilter{Text: "t" + randomText(rng, false)}
		if rng.IntN(2) == 0 {
			set.Filter = &fleet.DeviceFilter{Where: map[string]string{"tag": `\` + randomText(rng, false) + `;`, "band": "EU868", "name": ""}}
		}
		s.sets.objects[name] = set
	}
	return s
}

// randomText returns text of what makes tables difficult.
func randomText(rng *rand.Rand, breaks bool) string {
	parts := []string{"=", "+", "-", "@", "'", `"`, ",", ";", "|", " ", "é", "\ufeff", "DevEUI", "name", "devices", "0", "#"}
	if breaks {
		parts = append(parts, "\n", "\r\n", "\t", "\r")
	}
	var b strings.Builder
	for range rng.IntN(6) {
		b.WriteString(parts[rng.IntN(len(parts))])
	}
	return b.String()
}
