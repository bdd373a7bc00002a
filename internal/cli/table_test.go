package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/store"
)

// devices returns a table of n devices; every row that is a multiple of bad names a
// profile that does not exist.
func devices(n, bad int) string {
	var b strings.Builder
	b.WriteString("dev_eui,name,lorawan_version,root_key,producer_id,module_id,hw_revision\n")
	for i := 1; i <= n; i++ {
		module := "m"
		if bad > 0 && i%bad == 0 {
			module = "other"
		}
		fmt.Fprintf(&b, "%016x,Meter %d,1.0,%s,acme,%s,3\n", i, i, aKey, module)
	}
	return b.String()
}

// load runs an import that must end with a code, and returns its report.
func (w *world) load(code int, in string, args ...string) (result, map[string]any) {
	w.Helper()
	r := w.runIn(context.Background(), in, append(args, "-o", "json")...)
	var report map[string]any
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != code {
		w.Fatalf("starling %s: exit code %d, want %d, %v\n%s%s", strings.Join(args, " "), r.code, code, err, r.out, r.err)
	}
	return r, report
}

func (w *world) stored() int {
	w.Helper()
	n, err := w.store.Devices().Count(context.Background(), store.Query{})
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func TestTablesComeInFromFilesAndStandardInput(t *testing.T) {
	w := newWorld(t)
	w.fill()
	table := w.write("devices.csv", devices(20, 0))
	if _, r := w.load(0, "", "device", "import", table, "--dry-run"); r["created"] != 20.0 || r["written"] != 0.0 || w.stored() != 1 {
		t.Errorf("dry run: %v, %d stored", r, w.stored())
	}
	if out := w.run(0, "device", "import", table).out; !strings.Contains(out, "written          20\n") || strings.Contains(out, "errors") {
		t.Errorf("import:\n%s", out)
	}
	if _, r := w.load(0, devices(21, 0), "device", "import", "-", "--format", "friendly"); r["created"] != 1.0 || r["unchanged"] != 20.0 {
		t.Errorf("%v", r)
	}
	renamed := strings.Replace(devices(21, 0), "dev_eui,name", "Serial,Remarks", 1)
	if _, r := w.load(0, renamed, "device", "import", "-", "--map", "dev_eui:Serial", "--map", ":Remarks"); r["unchanged"] != 21.0 {
		t.Errorf("%v", r)
	}
	for noun, n := range map[string]float64{"device": 22, "set": 1, "group": 1} {
		for _, format := range []string{"friendly", "reference"} {
			out := w.run(0, noun, "export", "--format", format).out
			to := filepath.Join(w.dir, noun+format)
			w.run(0, noun, "export", to, "--format", format)
			if b, err := os.ReadFile(to); err != nil || string(b) != out || strings.Contains(out, aKey) {
				t.Errorf("%s export: %q and %q, %v", noun, out, b, err)
			}
			if _, r := w.load(0, out, noun, "import", "-"); r["unchanged"] != n {
				t.Errorf("%s as %s changes what it came from: %v", noun, format, r)
			}
			w.run(cli.ExitUsage, noun, "export", to) // it exists
		}
	}
}

func TestBadRowsHaveAnExitCodeAndAFile(t *testing.T) {
	w := newWorld(t)
	w.fill()
	table, bad := w.write("devices.csv", devices(1000, 20)), filepath.Join(w.dir, "bad.csv")
	r := w.runIn(context.Background(), "", "device", "import", table)
	if r.code != cli.ExitInvalid || w.stored() != 1 || strings.Count(r.err, "row ") != 50 || !strings.HasPrefix(r.err, "row 21, column E (producer_id): leads") ||
		!strings.Contains(r.err, "50 of 1000 rows are bad, nothing was stored") || strings.Contains(r.out+r.err, aKey) {
		t.Errorf("%d stored, %+v", w.stored(), r)
	}
	if _, report := w.load(cli.ExitInvalid, "", "device", "import", table); len(report["errors"].([]any)) != 50 || report["failed"] != 50.0 {
		t.Errorf("%v", report)
	}
	r, report := w.load(cli.ExitInvalid, "", "device", "import", table, "--mode", "good_rows", "--bad-rows", bad)
	if report["written"] != 950.0 || w.stored() != 951 || !strings.Contains(r.err, "950 others were stored; the bad ones are in "+bad) {
		t.Errorf("%v, %d stored, %s", report, w.stored(), r.err)
	}
	b, err := os.ReadFile(bad)
	if err != nil || strings.Count(string(b), "\n") != 51 || !strings.Contains(string(b), "import_error") {
		t.Fatalf("%.200q, %v", b, err)
	}
	w.run(cli.ExitUsage, "device", "import", table, "--bad-rows", bad) // it exists

	// Corrected, it comes in, and no file is made for no bad rows.
	fixed, none := strings.ReplaceAll(string(b), ",other,", ",m,"), filepath.Join(w.dir, "none.csv")
	if _, report := w.load(0, fixed, "device", "import", "-", "--bad-rows", none); report["written"] != 50.0 || w.stored() != 1001 {
		t.Errorf("%v, %d stored", report, w.stored())
	}
	if _, err := os.Stat(none); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
	if r := w.run(cli.ExitInvalid, "device", "import", w.write("sheet.xlsx", "PK\x03\x04")); !strings.Contains(r.err, "save") {
		t.Errorf("%s", r.err)
	}
	w.run(cli.ExitUsage, "device", "import", filepath.Join(w.dir, "nowhere.csv"))
}
