package house

import (
	"errors"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const root = "../.." // of the module, seen from this package

// report fails the test once per complaint.
func report(t *testing.T, complaints []string) {
	t.Helper()
	for _, c := range complaints {
		t.Error(c)
	}
}

// packages lists the module and checks that the list is what the rules expect of it.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	// The go command reuses a test result until a folder or file changes that the test itself has
	// opened. It does not see what go list opens, so the folders are opened here.
	if _, err := walk(root); err != nil {
		t.Fatal(err)
	}
	all, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{module + "/lorawan", module + "/internal/house", "fmt"} {
		if _, ok := all[path]; !ok {
			t.Fatalf("go list does not know %s: the rules would be applied to nothing", path)
		}
	}
	return all
}

func TestImportsPointOneWayAndPurePackagesStayPure(t *testing.T) {
	report(t, importComplaints(packages(t)))
}

func TestPurePackagesReadNoClockAndStartNoGoroutine(t *testing.T) {
	for path, p := range packages(t) {
		if !p.own() || !pure(path) {
			continue
		}
		fset := token.NewFileSet()
		parsed, err := parse(fset, p.Dir, p.GoFiles)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range parsed {
			report(t, callComplaints(fset, f))
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	for _, p := range packages(t) {
		if p.own() {
			report(t, commentComplaints(p))
		}
	}
}

func TestEveryPublicPackageHasAnExample(t *testing.T) {
	for path, p := range packages(t) {
		if !p.own() || !pure(path) || len(p.GoFiles) == 0 {
			continue
		}
		parsed, err := parse(token.NewFileSet(), p.Dir, slices.Concat(p.TestGoFiles, p.XTestGoFiles))
		if err != nil {
			t.Fatal(err)
		}
		report(t, exampleComplaints(path, parsed))
	}
}

func TestNoFileNamesAMachine(t *testing.T) {
	names, err := files(root)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, "go.mod") {
		t.Fatalf("%d files and no go.mod: the rule would be applied to nothing", len(names))
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) { // deleted, the commit is still to come
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		report(t, textComplaints(name, content))
	}
}
