package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// in imports a table and returns the report and what is wrong with it.
func (s *server) in(kind, table string, opt service.ImportOptions) (bulk.Report, []string) {
	s.Helper()
	read := map[string]func(context.Context, io.Reader, service.ImportOptions) (bulk.Report, error){
		"devices": s.ImportDevices, "sets": s.ImportDeviceSets, "groups": s.ImportGroups, "regions": s.ImportRegions, "profiles": s.ImportProfiles,
	}[kind]
	var reasons []string
	opt.Outcome = func(o bulk.Outcome) error {
		for _, e := range o.Errors {
			reasons = append(reasons, e.Error())
		}
		return nil
	}
	report, err := read(ctx, strings.NewReader(table), opt)
	if err != nil {
		s.Fatal(err)
	}
	return report, reasons
}

// out exports all objects of a kind, as ctx asks.
func (s *server) out(ctx context.Context, kind string, opt bulk.ExportOptions) (string, error) {
	s.Helper()
	write := map[string]func(context.Context, io.Writer, bulk.ExportOptions) (int, error){
		"devices": s.ExportDevices, "sets": s.ExportDeviceSets, "groups": s.ExportGroups, "regions": s.ExportRegions, "profiles": s.ExportProfiles,
		"files": s.ExportFiles, "keys": s.ExportSmartDeltaKeys, "campaigns": s.ExportCampaigns,
	}[kind]
	var b bytes.Buffer
	_, err := write(ctx, &b, opt)
	return b.String(), err
}

func (s *server) mustOut(kind string, opt bulk.ExportOptions) string {
	s.Helper()
	table, err := s.out(ctx, kind, opt)
	if err != nil {
		s.Fatal(err)
	}
	return table
}

const hardwareTable = "name,producer_id,module_id,hw_revision,packages.mc_setup\nmeter,ACME,M1,2,2\nvalve,ACME,V7,255,1\n"

func sample(t testing.TB, kind string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "bulk", "testdata", kind+".reference.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The rows of the reference formats come in and go out byte by byte, and keys only for who may see them.
func TestReferenceTablesOnEachEngine(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(testing.TB) *server) {
		s := open(t)
		s.in("profiles", hardwareTable, service.ImportOptions{})
		for _, kind := range []string{"devices", "sets", "groups"} {
			table := sample(t, kind)
			if r, reasons := s.in(kind, table, service.ImportOptions{}); r.Written != 3 || r.Format != bulk.Reference {
				t.Fatalf("%s: %+v %q", kind, r, reasons)
			}
			if got := s.mustOut(kind, bulk.ExportOptions{Keys: true}); got != table {
				t.Errorf("%s:\ngot  %q\nwant %q", kind, got, table)
			}
			if r, reasons := s.in(kind, table, service.ImportOptions{}); r.Unchanged != 3 {
				t.Errorf("%s again: %+v %q", kind, r, reasons)
			}
		}
	})
}

func TestKeysLeaveOnlyWithPermissionAndAnEntry(t *testing.T) {
	s := newServer(t, engines[0].open(t))
	s.in("profiles", hardwareTable, service.ImportOptions{})
	secrets := []string{"00112233445566778899aabbccddeeff", "0f0e0d0c0b0a09080706050403020100", "8e506b852f760ad66734c3a8d8ac639b",
		"ac993f5f214a8546b2e42341c91a7cc1", "79e226c720597bcdea3298d4a6122858"}
	operator := identity.Actor{Login: "operator", SubscriberID: fleet.DefaultSubscriber, Permissions: identity.Operator.Permissions(false)}
	admin := identity.Actor{Login: "admin", SubscriberID: fleet.DefaultSubscriber, Permissions: identity.Administrator.Permissions(false)}
	all := ""
	for _, kind := range []string{"devices", "sets", "groups"} {
		s.in(kind, sample(t, kind), service.ImportOptions{})
		for _, format := range []bulk.Format{bulk.Reference, bulk.Friendly} {
			for _, a := range []identity.Actor{operator, admin} {
				table, err := s.out(service.As(ctx, a), kind, bulk.ExportOptions{Format: format})
				if err != nil {
					t.Fatal(err)
				}
				for _, secret := range secrets {
					if strings.Contains(table, secret) {
						t.Errorf("%s as %v for %s: has a key that nobody asked for", kind, format, a.Login)
					}
				}
			}
			if kind == "sets" {
				continue // has none
			}
			if table, err := s.out(service.As(ctx, operator), kind, bulk.ExportOptions{Format: format, Keys: true}); !errors.Is(err, service.ErrForbidden) || table != "" {
				t.Errorf("%s as %v: %v, %d bytes", kind, format, err, len(table))
			}
			table, err := s.out(service.As(ctx, admin), kind, bulk.ExportOptions{Format: format, Keys: true})
			if err != nil {
				t.Fatal(err)
			}
			all += table
		}
	}
	for _, secret := range secrets {
		if strings.Count(all, secret) != 2 {
			t.Errorf("one key is in %d of the two tables that have it", strings.Count(all, secret))
		}
	}
	for _, kind := range []string{"device", "multicast_group"} {
		page, err := s.Audit(ctx, store.AuditQuery{Action: kind + ".export_keys"})
		if err != nil || len(page.Items) != 2 || page.Items[0].Login != "admin" {
			t.Errorf("%s: %+v, %v", kind, page.Items, err)
		}
	}
	// Objects without keys in their tables, and nobody.
	for _, kind := range []string{"devices", "sets", "groups", "regions", "profiles", "files", "keys", "campaigns"} {
		if _, err := s.out(context.Background(), kind, bulk.ExportOptions{}); !errors.Is(err, service.ErrUnauthenticated) {
			t.Errorf("%s for nobody: %v", kind, err)
		}
	}
}

// devicesTable returns n devices in the reference format, of which every row that bad names has a profile that does not exist.
func devicesTable(n int, bad func(i int) bool) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		module := "M1"
		if bad(i) {
			module = "M9"
		}
		fmt.Fprintf(&b, ",%016x,,,,,,,,,Meter %d,,,,,,,,,,,,LORAWAN_1_0,,%032x,,\"B,C\",north,1.2.0.%d,ACME,%s,2\r\n", i, i, i, i%256, module)
	}
	return b.String()
}

func none(int) bool { return false }

func TestFiftyBadRowsOfTenThousandOnEachEngine(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(testing.TB) *server) {
		s := open(t)
		s.in("profiles", hardwareTable, service.ImportOptions{})
		table := devicesTable(10_000, func(i int) bool { return i%200 == 7 })
		stored := func() (devices, entries int) {
			devices, err := s.Devices.Count(ctx, store.Query{})
			if err != nil {
				t.Fatal(err)
			}
			q := store.AuditQuery{Action: "device.create", Limit: store.MaxLimit}
			for {
				page, err := s.Audit(ctx, q)
				if err != nil {
					t.Fatal(err)
				}
				entries += len(page.Items)
				if q.After = page.Next; q.After == "" {
					return devices, entries
				}
			}
		}
		r, reasons := s.in("devices", table, service.ImportOptions{})
		if devices, entries := stored(); r.Failed != 50 || len(reasons) != 50 || r.Written != 0 || devices != 0 || entries != 0 {
			t.Fatalf("%+v, %d errors, %d devices, %d entries", r, len(reasons), devices, entries)
		}
		if want := "row 7, column AD (producer_id): leads, with module_id and hw_revision, to no device profile"; !strings.HasPrefix(reasons[0], want) {
			t.Errorf("%q, want %q", reasons[0], want)
		}
		r, reasons = s.in("devices", table, service.ImportOptions{Mode: bulk.GoodRows})
		if devices, entries := stored(); r.Failed != 50 || len(reasons) != 50 || r.Written != 9950 || devices != 9950 || entries != 9950 {
			t.Fatalf("%+v, %d errors, %d devices, %d entries", r, len(reasons), devices, entries)
		}
		r, _ = s.in("devices", strings.ReplaceAll(table, "M9", "M1"), service.ImportOptions{})
		if devices, entries := stored(); r.Created != 50 || r.Unchanged != 9950 || r.Written != 50 || devices != 10_000 || entries != 10_000 {
			t.Fatalf("%+v, %d devices, %d entries", r, devices, entries)
		}
		// Many pages go out again.
		if out := s.mustOut("devices", bulk.ExportOptions{Keys: true}); out != devicesTable(10_000, none) {
			t.Error("what goes out is not what came in")
		}
	})
}

// A refusal that only the database sees, late in a table, takes everything back.
func TestALateRefusalLeavesNothingHalfWritten(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(testing.TB) *server) {
		s := open(t)
		row := "%016x,C,,%08x,869525000,5,EU868,ONE_TO_TWO,false,,,,\n"
		s.in("groups", fmt.Sprintf(row, 0xaa0000, 700), service.ImportOptions{})
		var b strings.Builder
		for i := 1; i <= 1200; i++ {
			fmt.Fprintf(&b, row, 0xbb0000+i, i)
		}
		count := func() int {
			n, err := s.Groups.Count(ctx, store.Query{})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		r, reasons := s.in("groups", b.String(), service.ImportOptions{})
		if r.Written != 0 || len(reasons) != 1 || !strings.HasPrefix(reasons[0], "row 700: there is already a multicast group with this mc_addr") || count() != 1 {
			t.Errorf("%+v %q, %d groups", r, reasons, count())
		}
		page, err := s.Audit(ctx, store.AuditQuery{Action: "multicast_group."})
		if err != nil || len(page.Items) != 2 { // the first group, and the import that brought it
			t.Errorf("%d entries, %v", len(page.Items), err)
		}
		r, reasons = s.in("groups", b.String(), service.ImportOptions{Mode: bulk.GoodRows})
		if r.Written != 1199 || len(reasons) != 1 || count() != 1200 {
			t.Errorf("%+v %q, %d groups", r, reasons, count())
		}
	})
}

// TestAFleetMovesToAnotherServer takes everything that has an import from one engine to the other.
func TestAFleetMovesToAnotherServer(t *testing.T) {
	from, to := newServer(t, engines[0].open(t)), newServer(t, engines[1].open(t))
	from.in("profiles", hardwareTable, service.ImportOptions{})
	for _, kind := range []string{"devices", "sets", "groups"} {
		from.in(kind, sample(t, kind), service.ImportOptions{})
	}
	from.in("sets", "name,filter\nTagged,tag=north;band=\n", service.ImportOptions{})
	from.in("regions", "name,description,groups\nField,\"all, of it\",70b3d57ed0000001;70b3d57ed0000002\nEmpty,,\n", service.ImportOptions{})
	opt := bulk.ExportOptions{Format: bulk.Friendly, Keys: true}
	for _, kind := range []string{"profiles", "devices", "groups", "sets", "regions"} {
		table := from.mustOut(kind, opt)
		if r, reasons := to.in(kind, table, service.ImportOptions{}); r.Created != r.Rows || r.Written != r.Rows || r.Rows < 2 {
			t.Fatalf("%s: %+v %q\n%s", kind, r, reasons, table)
		}
		got := to.mustOut(kind, opt)
		if kind == "profiles" || kind == "regions" { // their identifiers are those of the server, and come first
			table, got = cutFirst(table), cutFirst(got)
		}
		if got != table {
			t.Errorf("%s:\ngot  %q\nwant %q", kind, got, table)
		}
	}
	// The filter finds what it found, and the reference format says whom.
	if a, b := from.mustOut("sets", bulk.ExportOptions{}), to.mustOut("sets", bulk.ExportOptions{}); a != b || !strings.Contains(a, "\r\nTagged,,0004a30b0011220") {
		t.Errorf("%q\n%q", a, b)
	}
}

// cutFirst removes the first column, and orders the rows.
func cutFirst(table string) string {
	lines := strings.SplitAfter(table, "\r\n")
	for i, line := range lines {
		_, lines[i], _ = strings.Cut(line, ",")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func TestTablesWithoutImportGoOut(t *testing.T) {
	w := newWorld(t)
	s := &server{t, w.Service, w.store}
	for kind, want := range map[string]string{"files": w.file.ID + ",image,", "campaigns": w.campaign.ID + ",spring,", "keys": "id,name,description,public_key"} {
		if table := s.mustOut(kind, bulk.ExportOptions{}); !strings.Contains(table, want) {
			t.Errorf("%s: %s", kind, table)
		}
	}
}

func TestUploadsNoteTheFormatOfTheirContent(t *testing.T) {
	for content, want := range map[string]fleet.ImageFormat{
		"\x7fELF\x01" + strings.Repeat("x", 5000): fleet.ELFImage, ":020000040800F2\n": fleet.IntelHexImage, strings.Repeat("\x00\x20", 4000): fleet.BinaryImage,
	} {
		w := newWorld(t)
		// A slow sender gives the first bytes one by one.
		got, err := w.Upload(ctx, w.file.ID, io.MultiReader(strings.NewReader(content[:1]), strings.NewReader(content[1:3]), strings.NewReader(content[3:])), "")
		if err != nil || got.Format != want || (len(got.Warnings()) > 0) == want.Installable() {
			t.Errorf("%.8q: %v, %v, %v", content, got.Format, got.Warnings(), err)
		}
		stored, err := w.Files.Find(ctx, w.file.ID)
		if err != nil || stored.Format != want || stored.Revision != got.Revision {
			t.Errorf("%.8q: %+v, %v", content, stored, err)
		}
		if again, err := w.Upload(ctx, w.file.ID, strings.NewReader(content), ""); err != nil || again.Revision != got.Revision {
			t.Errorf("%.8q again: %+v, %v", content, again, err)
		}
	}
}

// Matching is what a campaign over a filter starts with.
func TestFiltersMatchWhatIsNotArchived(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(testing.TB) *server) {
		s := open(t)
		s.in("profiles", hardwareTable, service.ImportOptions{})
		s.in("devices", devicesTable(1500, none), service.ImportOptions{})
		if err := s.Devices.Archive(ctx, lorawan.EUI64{7: 9}, service.AnyRevision); err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			filter fleet.DeviceFilter
			want   int
		}{
			{fleet.DeviceFilter{Where: map[string]string{"tag": "north"}}, 1499},
			{fleet.DeviceFilter{Where: map[string]string{"tag": "south"}}, 0},
			{fleet.DeviceFilter{Text: "meter 149"}, 11}, // 149, 1490 to 1499
			{fleet.DeviceFilter{Text: "meter 149", Where: map[string]string{"firmware": "1.2.0.149"}}, 1},
			{fleet.DeviceFilter{Where: map[string]string{"classes": "B,C", "lorawan_version": "1.0", "band": "", "name": "Meter 8"}}, 1},
		} {
			n := 0
			for _, err := range store.All(ctx, s.store.Within(fleet.DefaultSubscriber).Devices(), store.QueryOf(tc.filter)) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != tc.want {
				t.Errorf("%+v matches %d, want %d", tc.filter, n, tc.want)
			}
		}
		for range store.All(ctx, s.store.Within("other").Devices(), store.QueryOf(fleet.DeviceFilter{Text: "meter"})) {
			t.Fatal("another subscriber's filter matches")
		}
	})
}
