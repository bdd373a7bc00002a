package bulk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/lorawan"
)

func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// result is all that an import says.
type result struct {
	bulk.Report
	outcomes []bulk.Outcome
	bad      string
}

func (r result) errors() (texts []string) {
	for _, o := range r.outcomes {
		for _, e := range o.Errors {
			texts = append(texts, e.Error())
		}
	}
	return texts
}

func plan(t testing.TB, im *bulk.Importer, file string, opt bulk.Options) result {
	t.Helper()
	return collect(t, opt, func(opt bulk.Options) (bulk.Report, error) {
		return im.Plan(context.Background(), strings.NewReader(file), opt)
	})
}

func apply(t testing.TB, im *bulk.Importer, file string, mode bulk.Mode, opt bulk.Options) result {
	t.Helper()
	return collect(t, opt, func(opt bulk.Options) (bulk.Report, error) {
		return im.Apply(context.Background(), strings.NewReader(file), mode, opt)
	})
}

func collect(t testing.TB, opt bulk.Options, run func(bulk.Options) (bulk.Report, error)) (r result) {
	t.Helper()
	var bad bytes.Buffer
	opt.BadRows = &bad
	opt.Outcome = func(o bulk.Outcome) error { r.outcomes = append(r.outcomes, o); return nil }
	var err error
	if r.Report, err = run(opt); err != nil {
		t.Fatal(err)
	}
	r.bad = bad.String()
	if r.Rows != r.Created+r.Updated+r.Unchanged+r.Failed {
		t.Errorf("counts do not add up: %+v", r.Report)
	}
	return r
}

func wantCounts(t testing.TB, r result, created, updated, unchanged, failed int) {
	t.Helper()
	if r.Created != created || r.Updated != updated || r.Unchanged != unchanged || r.Failed != failed {
		t.Fatalf("created %d, updated %d, unchanged %d, failed %d; want %d, %d, %d, %d\n%s", r.Created, r.Updated, r.Unchanged, r.Failed,
			created, updated, unchanged, failed, strings.Join(r.errors(), "\n"))
	}
}

// filled returns a server that has imported the samples of the reference format.
func filled(t testing.TB) *server {
	t.Helper()
	s := newServer()
	for _, kind := range []string{"devices", "sets", "groups"} {
		r := apply(t, s.importer(kind), sample(t, samples[kind]), bulk.AllOrNothing, bulk.Options{})
		wantCounts(t, r, 3, 0, 0, 0)
		if r.Written != 3 || r.Format != bulk.Reference {
			t.Fatalf("%s: %+v", kind, r.Report)
		}
	}
	return s
}

var samples = map[string]string{
	"devices": "devices.reference.csv", "sets": "sets.reference.csv", "groups": "groups.reference.csv",
}

func TestReferenceDevicesAreRead(t *testing.T) {
	d := filled(t).devices.objects[lorawan.MustParseEUI64("0004a30b00112201")]
	want := fleet.Device{DevEUI: d.DevEUI, Name: "Meter 1", Tag: "north", Classes: fleet.ClassesOf(fleet.ClassB, fleet.ClassC),
		RootKey: lorawan.MustParseAES128Key("00112233445566778899aabbccddeeff"), ProfileID: "p1",
		Firmware: fleet.MustParseFirmware("1.2.0.0"), Revision: 1}
	if d != want {
		t.Errorf("got  %+v\nwant %+v", d, want)
	}
}

func TestFriendlyColumnsAreFoundByName(t *testing.T) {
	s := newServer()
	r := apply(t, s.importer("devices"), sample(t, "devices.friendly.csv"), bulk.AllOrNothing, bulk.Options{})
	wantCounts(t, r, 2, 0, 0, 0)
	if r.Format != bulk.Friendly || r.Delimiter != ';' || !slices.Equal(r.Unknown, []string{"H: colour"}) {
		t.Errorf("%+v", r.Report)
	}
	d := s.devices.objects[lorawan.MustParseEUI64("0004a30b00112201")]
	if d.Name != "=1+1" || d.Tag != "a;b" || d.RootKey.Hex() != "00112233445566778899aabbccddeeff" {
		t.Errorf("%+v", d)
	}
}

func TestColumnsAreMapped(t *testing.T) {
	s := filled(t)
	file := "Kennung\tBemerkung\ttag\n0004a30b00112201\tnew\tzzz\n"
	opt := bulk.Options{Format: bulk.Friendly, Delimiter: '\t', Columns: map[string]string{"Kennung": "dev_eui", "Bemerkung": "name", "tag": ""}}
	r := apply(t, s.importer("devices"), file, bulk.AllOrNothing, opt)
	wantCounts(t, r, 0, 1, 0, 0)
	d := s.devices.objects[lorawan.MustParseEUI64("0004a30b00112201")]
	if d.Name != "new" || d.Tag != "north" || !slices.Equal(r.outcomes[0].Fields, []string{"name"}) {
		t.Errorf("%+v %+v", d, r.outcomes)
	}
}

func TestAnEmptyKeyCellLeavesTheStoredKey(t *testing.T) {
	s := filled(t)
	file := strings.ReplaceAll(sample(t, "devices.reference.csv"), "00112233445566778899aabbccddeeff", "")
	r := plan(t, s.importer("devices"), file, bulk.Options{})
	wantCounts(t, r, 0, 0, 3, 0)
	r = plan(t, s.importer("devices"), strings.ReplaceAll(sample(t, "devices.reference.csv"), "00112233", "ffffffff"), bulk.Options{})
	wantCounts(t, r, 0, 1, 2, 0)
	if !slices.Equal(r.outcomes[0].Fields, []string{"root_key"}) {
		t.Errorf("%v", r.outcomes[0].Fields)
	}
}

func TestArchivedObjectsComeBack(t *testing.T) {
	s := filled(t)
	e := lorawan.MustParseEUI64("0004a30b00112203")
	d := s.devices.objects[e]
	d.Archived = true
	s.devices.objects[e] = d
	r := apply(t, s.importer("devices"), sample(t, "devices.reference.csv"), bulk.AllOrNothing, bulk.Options{})
	wantCounts(t, r, 0, 1, 2, 0)
	if s.devices.objects[e].Archived || !slices.Equal(r.outcomes[2].Fields, []string{"archived"}) {
		t.Errorf("%+v", r.outcomes[2])
	}
}

// manyDevices returns rows of the reference format; bad says which are wrong.
func manyDevices(n int, bad func(i int) bool) string {
	var b strings.Builder
	for i := range n {
		version := "LORAWAN_1_0"
		if bad(i) {
			version = "LORAWAN_9_9"
		}
		fmt.Fprintf(&b, ",%016x,,,,,,,,,Meter %d,,,,,,,,,,,,%s,,%032x,,B,tag,1.0.0.%d,ACME,M1,2\r\n", i+1, i, version, i+1, i%256)
	}
	return b.String()
}

func TestFiftyBadRowsOfTenThousandGiveFiftyErrors(t *testing.T) {
	file := manyDevices(10_000, func(i int) bool { return i%200 == 7 })
	s := newServer()
	r := apply(t, s.importer("devices"), file, bulk.AllOrNothing, bulk.Options{})
	wantCounts(t, r, 9950, 0, 0, 50)
	if n := len(r.errors()); n != 50 || r.Written != 0 || len(s.devices.objects) != 0 {
		t.Errorf("%d errors, %d written, %d stored; want 50, 0, 0", n, r.Written, len(s.devices.objects))
	}
	if got, want := r.errors()[0], "row 8, column W (lorawan_version): is no LoRaWAN version"; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	r = apply(t, s.importer("devices"), file, bulk.GoodRows, bulk.Options{})
	wantCounts(t, r, 9950, 0, 0, 50)
	if r.Written != 9950 || len(s.devices.objects) != 9950 || s.devices.asked > 500 {
		t.Errorf("%d written, %d stored, %d keys at once", r.Written, len(s.devices.objects), s.devices.asked)
	}
}

func TestBadRowsAreKeptAsTheyWere(t *testing.T) {
	lines := strings.SplitAfter(sample(t, "devices.reference.csv"), "\r\n")
	wrong := strings.Replace(lines[1], "LORAWAN_1_1", "LORAWAN_2", 1)
	r := plan(t, newServer().importer("devices"), lines[0]+wrong+lines[2], bulk.Options{})
	wantCounts(t, r, 2, 0, 0, 1)
	if !strings.HasPrefix(r.bad, strings.TrimSuffix(wrong, "\r\n")+",") || strings.Count(r.bad, "\r\n") != 1 {
		t.Errorf("%q is not the row and an error", r.bad)
	}
	corrected := strings.Replace(r.bad, "LORAWAN_2", "LORAWAN_1_1", 1)
	wantCounts(t, plan(t, newServer().importer("devices"), corrected, bulk.Options{}), 1, 0, 0, 0)
}

func TestCorrectedFriendlyBadRowsAreImported(t *testing.T) {
	file := "dev_eui;name;lorawan_version;producer_id;module_id;hw_revision\n01;one;1.0;ACME;M1;2\n0000000000000002;two;1.0;ACME;M1;2"
	r := plan(t, newServer().importer("devices"), file, bulk.Options{})
	wantCounts(t, r, 1, 0, 0, 1)
	corrected := strings.Replace(r.bad, "\n01;", "\n0000000000000001;", 1)
	again := plan(t, newServer().importer("devices"), corrected, bulk.Options{})
	wantCounts(t, again, 1, 0, 0, 0)
	if len(again.Unknown) != 0 {
		t.Errorf("unknown columns %v", again.Unknown)
	}
}

func TestRefusalsAreOutcomes(t *testing.T) {
	second := lorawan.MustParseEUI64("0004a30b00112202")
	rule := func(d fleet.Device) error {
		if d.DevEUI == second {
			return fmt.Errorf("is used by a running campaign: %w", bulk.ErrRefused)
		}
		return nil
	}
	for _, late := range []bool{false, true} {
		for _, mode := range []bulk.Mode{bulk.AllOrNothing, bulk.GoodRows} {
			t.Run(fmt.Sprintf("late=%v mode=%d", late, mode), func(t *testing.T) {
				s := newServer()
				if s.devices.twice = true; late {
					s.devices.late = rule
				} else {
					s.devices.refuse = rule
				}
				r := apply(t, s.importer("devices"), sample(t, "devices.reference.csv"), mode, bulk.Options{})
				wantCounts(t, r, 2, 0, 0, 1)
				want := map[bulk.Mode]int{bulk.AllOrNothing: 0, bulk.GoodRows: 2}[mode]
				if r.Written != want || len(s.devices.objects) != want {
					t.Errorf("%d written, %d stored, want %d", r.Written, len(s.devices.objects), want)
				}
				if e := r.errors(); len(e) != 1 || !strings.HasPrefix(e[0], "row 2: is used by a running campaign") {
					t.Errorf("%q", e)
				}
			})
		}
	}
}

func TestOtherErrorsEndTheImport(t *testing.T) {
	full := errors.New("disk full")
	for _, mode := range []bulk.Mode{bulk.AllOrNothing, bulk.GoodRows} {
		s := newServer()
		s.devices.late = func(fleet.Device) error { return full }
		r, err := s.importer("devices").Apply(context.Background(), strings.NewReader(sample(t, "devices.reference.csv")), mode, bulk.Options{})
		if !errors.Is(err, full) || r.Written != 0 {
			t.Errorf("mode %d: %v, %+v", mode, err, r)
		}
	}
}

func TestProgressReachesTheEnd(t *testing.T) {
	for _, mode := range []bulk.Mode{bulk.AllOrNothing, bulk.GoodRows} {
		var last bulk.Progress
		s := newServer()
		apply(t, s.importer("devices"), manyDevices(1200, func(int) bool { return false }), mode, bulk.Options{
			Progress: func(p bulk.Progress) { last = p }})
		if last != (bulk.Progress{Rows: 1200, Written: 1200}) {
			t.Errorf("mode %d: last progress %+v", mode, last)
		}
	}
}

func TestACancelledImportWritesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := newServer()
	_, err := s.importer("devices").Apply(ctx, strings.NewReader(manyDevices(1200, func(int) bool { return false })), bulk.AllOrNothing,
		bulk.Options{Progress: func(bulk.Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) || len(s.devices.objects) != 0 {
		t.Errorf("%v, %d stored", err, len(s.devices.objects))
	}
}

// TestDocumentedExamplesAreImported reads the blocks of docs/bulk.md that are no commands.
func TestDocumentedExamplesAreImported(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "bulk.md"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"dev_eui,": "devices", ",0004a30b": "devices", "North,": "sets", "70b3d57e": "groups"}
	rows := 0
	for i, block := range strings.Split(strings.ReplaceAll(string(text), "```sh\n", "```\n"), "```\n") {
		for start, kind := range kinds {
			if i%2 == 1 && strings.HasPrefix(block, start) {
				r := plan(t, filled(t).importer(kind), block, bulk.Options{})
				if rows += r.Rows; r.Failed > 0 || len(r.Unknown) > 0 {
					t.Errorf("%s: %q %v", block, r.errors(), r.Unknown)
				}
			}
		}
	}
	if rows != 5 {
		t.Errorf("%d rows in the examples, want 5", rows)
	}
}
