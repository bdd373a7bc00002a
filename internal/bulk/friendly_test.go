package bulk_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/lorawan"
)

const profileTable = "producer_id,module_id,hw_revision,name,packages.mc_setup,default_uplink_period_s,descriptor\n" +
	"ACME,M1,2,Meter,2,3600,version-be\n" +
	"ACME,M1,3,Meter 3,,,\n"

func TestProfilesAreKnownByTheirHardware(t *testing.T) {
	s := newServer()
	r := apply(t, s.importer("profiles"), profileTable, bulk.AllOrNothing, bulk.Options{})
	wantCounts(t, r, 2, 0, 0, 0)
	p := s.kinds.objects[fleet.Triplet{ProducerID: "ACME", ModuleID: "M1", HWRevision: 2}]
	if p.Name != "Meter" || p.Packages.McSetup != 2 || p.DefaultUplinkPeriod != time.Hour || p.Descriptor.String() != "version-be" {
		t.Errorf("%+v", p)
	}
	if r.outcomes[0].Key != "ACME/M1/2" {
		t.Errorf("%+v", r.outcomes[0])
	}
	wantCounts(t, plan(t, s.importer("profiles"), profileTable, bulk.Options{}), 0, 0, 2, 0)
	// A column that is not there stays as it is; the order of columns means nothing.
	r = apply(t, s.importer("profiles"), "HW Rev;Module;Producer;Description\n2;M1;ACME;on the wall\n", bulk.AllOrNothing, bulk.Options{})
	wantCounts(t, r, 0, 1, 0, 0)
	if !slices.Equal(r.outcomes[0].Fields, []string{"description"}) {
		t.Errorf("%v", r.outcomes[0].Fields)
	}
	p.Archived = true
	s.kinds.objects[p.Triplet()] = p
	wantCounts(t, plan(t, s.importer("profiles"), profileTable, bulk.Options{}), 0, 1, 1, 0)
}

func TestEveryFriendlyColumnIsChecked(t *testing.T) {
	const profile, region, set = "producer_id,module_id,hw_revision,name,", "name,groups\n", "name,devices,filter\n"
	for _, tc := range []struct{ kind, file, want string }{
		{"profiles", profile + "library\nA,B,1,n,smart\n", "column E (library): is no library"},
		{"profiles", profile + "delta_formats\nA,B,1,n,detools;auto\n", "column E (delta_formats): has no delta format"},
		{"profiles", profile + "delta_formats\nA,B,1,n,detools;detools\n", "column E (delta_formats): delta_formats[1] is in the list twice"},
		{"profiles", profile + "status_style\nA,B,1,n,x\n", "column E (status_style): is no status style"},
		{"profiles", profile + "firmware_dialect\nA,B,1,n,x\n", "column E (firmware_dialect): is no firmware dialect"},
		{"profiles", profile + "descriptor\nA,B,1,n,xyz\n", "column E (descriptor): is no descriptor template"},
		{"profiles", profile + "packages.mc_setup\nA,B,1,n,3\n", "column E (packages.mc_setup): is not a whole number within 0 to 2"},
		{"profiles", profile + "packages.firmware_mgmt\nA,B,1,n,2\n", "column E (packages.firmware_mgmt): has no version 2"},
		{"profiles", profile + "ports.mc_setup\nA,B,1,n,201\n", "ports.fragmentation: is the same as that of mc_setup"},
		{"profiles", profile + "decoder.max_nb_frag\nA,B,1,n,20000\n", "column E (decoder.max_nb_frag): is more than 16383"},
		{"profiles", profile + "time_tolerance_s\nA,B,1,n,1.5\n", "column E (time_tolerance_s): is not a whole number of seconds"},
		{"profiles", profile + "time_tolerance_s\nA,B,1,n,100000\n", "column E (time_tolerance_s): is not within"},
		{"profiles", profile + "reboots_itself\nA,B,1,n,perhaps\n", "column E (reboots_itself): is neither true nor false"},
		{"profiles", profile + "max_groups\nA,B,1,n,5\n", "column E (max_groups): is more than 4"},
		{"profiles", profile + "tag\nA,B,256,n,\n", "column C (hw_revision): is not a whole number within 0 to 255"},
		{"profiles", profile + "tag\nA,,1,n,\n", "column B (module_id): is empty"},
		{"profiles", profile + "tag\nA,B,1,,\n", "column D (name): is empty"},
		{"profiles", "producer_id,module_id,hw_revision\nA,B,1\n", "name: is missing"},
		{"profiles", profile + "tag\nA,B,1,n,\nA,B,2,n,\nA,B,1,n,\n", "row 4, column A (producer_id): is, with module_id and hw_revision, the same as in row 2"},
		{"regions", region + "East,70b3d57ed0000001\nEast,\n", "row 3, column A (name): is the same as in row 2"},
		{"regions", region + "East,70b3d57ed00000ff\n", "column B (groups): number 1 is no multicast group that exists"},
		{"regions", region + "East,70b3d57ed0000001;x\n", "column B (groups): number 2 holds"},
		{"regions", region + ",70b3d57ed0000001\n", "column A (name): is empty"},
		{"sets", set + "New,,colour=red\n", "column C (filter): number 1 asks for a field"},
		{"sets", set + "New,,tag=a;tag=b\n", "column C (filter): number 2 asks for tag once more"},
		{"sets", set + "New,,north\n", "column C (filter): number 1 is no condition"},
		{"sets", set + "New,,;\n", "column C (filter): is empty"},
		{"sets", set + "New,,\n", "column B (devices): is empty"},
		{"sets", set + "New,0004a30b00112201,tag=north\n", "column B (devices): are listed beside a filter"},
		{"sets", "name,filter\nNorth,tag=north\n", "devices: are listed beside a filter"},
	} {
		r := plan(t, filled(t).importer(tc.kind), tc.file, bulk.Options{})
		if got := strings.Join(r.errors(), "\n"); len(r.errors()) != 1 || !strings.Contains(got, tc.want) {
			t.Errorf("%s %q:\ngot  %s\nwant %s", tc.kind, tc.file, got, tc.want)
		}
	}
}

func TestKindsWithoutReferenceFormatSaySo(t *testing.T) {
	for _, tc := range []struct{ kind, file, want string }{
		{"regions", "East,north side,70b3d57ed0000001\n", "no column is named name"},
		{"profiles", "producer_id,name\nACME,Meter\n", "no column is named module_id"},
		{"profiles", "", "the file is empty"},
	} {
		if _, err := filled(t).importer(tc.kind).Plan(context.Background(), strings.NewReader(tc.file), bulk.Options{}); !errors.Is(err, bulk.ErrFile) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.kind, err)
		}
		if _, err := filled(t).importer(tc.kind).Plan(context.Background(), strings.NewReader(tc.file), bulk.Options{Format: bulk.Reference}); !errors.Is(err, bulk.ErrFile) {
			t.Errorf("%s as reference: %v", tc.kind, err)
		}
	}
}

// A set is turned from a list into a filter, and back, by one row that says both.
func TestSetsBecomeFiltersAndBack(t *testing.T) {
	s := filled(t)
	const name = "North"
	if len(s.sets.objects[name].Devices) == 0 {
		t.Fatalf("%v", slices.Sorted(maps.Keys(s.sets.objects)))
	}
	r := apply(t, s.importer("sets"), "name,devices,filter\n"+name+`,,tag=a\;b;band=EU868;text=x\\y`+"\n", bulk.AllOrNothing, bulk.Options{})
	wantCounts(t, r, 0, 1, 0, 0)
	got := s.sets.objects[name]
	if f := got.Filter; len(got.Devices) != 0 || f == nil || f.Text != `x\y` || !maps.Equal(f.Where, map[string]string{"tag": "a;b", "band": "EU868"}) {
		t.Fatalf("%+v", got)
	}
	if !slices.Equal(r.outcomes[0].Fields, []string{"devices", "filter"}) {
		t.Errorf("%v", r.outcomes[0].Fields)
	}
	// A table that knows nothing of filters does not turn it into a list unseen.
	r = plan(t, s.importer("sets"), name+",text,0004a30b00112201\n", bulk.Options{Format: bulk.Reference})
	wantCounts(t, r, 0, 0, 0, 1)
	r = apply(t, s.importer("sets"), "name,devices,filter\n"+name+",0004a30b00112201,\n", bulk.AllOrNothing, bulk.Options{})
	wantCounts(t, r, 0, 1, 0, 0)
	if got := s.sets.objects[name]; got.Filter != nil || len(got.Devices) != 1 {
		t.Errorf("%+v", got)
	}
	// A new one needs no list, and a header row may do without the column.
	r = apply(t, s.importer("sets"), "name,filter\nTagged,tag=south\n", bulk.AllOrNothing, bulk.Options{})
	wantCounts(t, r, 1, 0, 0, 0)
	if r.Format != bulk.Friendly || s.sets.objects["Tagged"].Filter == nil {
		t.Errorf("%+v", r.Report)
	}
}

func TestReferenceFormatListsWhoMatchesAFilterNow(t *testing.T) {
	s := filled(t)
	s.sets.objects = map[string]fleet.DeviceSet{"f": {Name: "f", Filter: &fleet.DeviceFilter{Where: map[string]string{"tag": "north"}}}}
	if got, want := export(t, s, "sets", bulk.ExportOptions{}), "f,,0004a30b00112201\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	d := s.devices.objects[lorawan.MustParseEUI64("0004a30b00112202")]
	d.Tag = "north"
	s.devices.objects[d.DevEUI] = d
	if got, want := export(t, s, "sets", bulk.ExportOptions{}), "f,,0004a30b00112201;0004a30b00112202\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := export(t, s, "sets", bulk.ExportOptions{Format: bulk.Friendly}), "name,description,devices,filter\r\nf,,,tag=north\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMappingsAreWrittenAsFieldAndColumn(t *testing.T) {
	columns, err := bulk.ParseColumns("dev_eui:EUI", " name : Label: the long one", ":tag")
	if want := map[string]string{"EUI": "dev_eui", "Label: the long one": "name", "tag": ""}; err != nil || !maps.Equal(columns, want) {
		t.Fatalf("%v, %v", columns, err)
	}
	r := plan(t, filled(t).importer("devices"), "EUI,Label: the long one,tag\n0004a30b00112201,new,zzz\n", bulk.Options{Columns: columns})
	wantCounts(t, r, 0, 1, 0, 0)
	if !slices.Equal(r.outcomes[0].Fields, []string{"name"}) {
		t.Errorf("%v", r.outcomes[0].Fields)
	}
	for _, bad := range [][]string{{"dev_eui"}, {"dev_eui:"}, {"name:A", "tag:A"}, {"name:A", "Name:B"}} {
		if _, err := bulk.ParseColumns(bad...); len(fleet.FieldErrors(err)) != 1 {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, tc := range []struct{ file, want, pair string }{
		{"EUI,tag\n", "names a field that these objects do not have", "colour:tag"},
		{"dev_eui\n", "names a column that the header row does not have", "dev_eui:Kennung"},
		{"Key,tag\n", "no column is named dev_eui", "name:Key"},
	} {
		columns, err := bulk.ParseColumns(tc.pair)
		if err != nil {
			t.Fatal(err)
		}
		_, err = filled(t).importer("devices").Plan(context.Background(), strings.NewReader(tc.file), bulk.Options{Columns: columns})
		if !errors.Is(err, bulk.ErrFile) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.pair, err, tc.want)
		}
	}
}
