package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// expect compares complaints with what they must contain, in order: "" for nothing else.
func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d complaints, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("complaint %d is %q, want it to say %q", i, got[i], want[i])
		}
	}
}

// world makes the facts of a small module; each line is "package: import import".
func world(lines ...string) map[string]pkg {
	all := map[string]pkg{}
	add := func(path string) pkg {
		p, ok := all[path]
		if !ok {
			first, _, _ := strings.Cut(path, "/")
			p = pkg{ImportPath: path, Standard: !strings.Contains(first, ".")}
			all[path] = p
		}
		return p
	}
	for _, line := range lines {
		path, imports, _ := strings.Cut(line, ":")
		p := add(full(path))
		for _, imp := range strings.Fields(imports) {
			p.Imports = append(p.Imports, full(imp))
			add(full(imp))
		}
		all[p.ImportPath] = p
	}
	return all
}

// full turns "./fec" into the import path.
func full(path string) string {
	if r, ok := strings.CutPrefix(path, "./"); ok {
		return module + "/" + r
	}
	return path
}

func TestImportRule(t *testing.T) {
	for _, c := range []struct {
		name  string
		world map[string]pkg
		want  []string
	}{
		{"down and sideways is fine", world(
			"./lorawan/region: ./lorawan fmt", "./device: ./fec ./lorawan", "./sim: ./device ./campaign",
			"./internal/engine: ./campaign net/http", "./cmd/starling: ./internal/engine"), nil},
		{"lorawan knows no fec", world("./lorawan: ./fec"), []string{"/lorawan imports " + module + "/fec: imports point down"}},
		{"fleet knows no campaign", world("./fleet: ./campaign"), []string{"imports point down"}},
		{"public knows no internal", world("./campaign: ./internal/engine"),
			[]string{"imports point down", "nothing internal", "pure packages only"}},
		{"nobody imports cmd", world("./internal/engine: ./cmd/starling"), []string{"imports point down", "cmd only wires"}},
		{"a new public package needs a place", world("./util: fmt"), []string{"in no layer"}},
		{"adapters do not know one another", world("./internal/network/chirpstack: ./internal/network ./internal/network/thingpark"),
			[]string{"alternatives"}},
		{"below an adapter is the adapter's", world("./internal/store/sqlite: ./internal/store/sqlite/db"), nil},
		{"a suite may know what it tests", world("./internal/store/storetest: ./internal/store"), nil},
		{"engines share what is beside them", world("./internal/store/sqlite: ./internal/store/relational"), nil},
		{"which knows none of them", world("./internal/store/relational: ./internal/store/sqlite"), []string{"alternatives"}},
		{"a suite is for tests", world("./internal/store/sqlite: ./internal/store/storetest"), []string{"conformance suite"}},
		{"no os in a pure package", world("./fec: os"), []string{"does no I/O"}},
		{"but os below the standard library", world("./fec: fmt", "fmt: os"), nil},
		{"no module of others", world("./fec: example.org/matrix"), []string{"standard library and pure packages only"}},
		{"the chain is named", world("./campaign: ./fleet", "./fleet: log/syslog", "log/syslog: net"), []string{
			module + "/campaign -> " + module + "/fleet -> log/syslog -> net",
			module + "/fleet -> log/syslog -> net",
		}},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, importComplaints(c.world), c.want...) })
	}
}

func TestImportRuleForTests(t *testing.T) {
	fine := pkg{ImportPath: full("./internal/store/sqlite"), XTestImports: []string{full("./internal/store/storetest")}}
	expect(t, directionComplaints(fine))
	bad := pkg{ImportPath: full("./fec"), XTestImports: []string{full("./internal/store")}}
	expect(t, directionComplaints(bad), "in tests neither")
}

func TestCallRule(t *testing.T) {
	const source = `package p

import (
	"math/rand/v2"
	old "math/rand"
	clock "time"
	. "time"
)

type T struct{ time, rand int }

func f(t T, r *rand.Rand) clock.Time {
	go f(t, r)
	clock.Sleep(3 * clock.Second)
	_ = clock.Now
	_ = old.Intn(3)
	rand.Shuffle(0, nil)
	_ = rand.New(rand.NewPCG(1, 2)).IntN(t.rand)
	return clock.Unix(0, int64(r.IntN(2)))
}
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, callComplaints(fset, file),
		"p.go:7:2: import of time with a dot",
		"p.go:13:2: go statement",
		"p.go:14:2: time.Sleep",
		"p.go:15:6: time.Now",
		"p.go:16:6: rand.Intn",
		"p.go:17:2: rand.Shuffle",
	)
}

func TestCommentRule(t *testing.T) {
	expect(t, commentComplaints(pkg{ImportPath: full("./fec"), Name: "fec", GoFiles: []string{"a.go"}, Doc: "Package fec corrects."}))
	expect(t, commentComplaints(pkg{ImportPath: full("./fec"), Name: "fec", GoFiles: []string{"a.go"}}), "no package comment")
	expect(t, commentComplaints(pkg{ImportPath: full("./fec"), Name: "fec", GoFiles: []string{"a.go"}, Doc: "This package."}), `want "Package fec "`)
	expect(t, commentComplaints(pkg{ImportPath: full("./cmd/starling"), Name: "main", GoFiles: []string{"a.go"}, Doc: "Command starling serves."}))
	expect(t, commentComplaints(pkg{ImportPath: full("./cmd/starling"), Name: "main", GoFiles: []string{"a.go"}, Doc: "Package main."}), `want "Command starling "`)
	expect(t, commentComplaints(pkg{ImportPath: full("./e2e"), Name: "e2e"}))
}

func TestExampleRule(t *testing.T) {
	for source, fine := range map[string]bool{
		"package p_test\n\nfunc Example() {\n\t// Output: 3\n}\n":       true,
		"package p_test\n\nfunc Example() {\n\t// Output:\n}\n":         true,
		"package p_test\n\nfunc Example() {\n}\n":                       false, // compiled, not run
		"package p_test\n\nfunc TestExample(t *T) {\n\t// Output: 3\n}": false,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "p_test.go", source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if got := exampleComplaints("p", []*ast.File{file}); (len(got) == 0) != fine {
			t.Errorf("%q: %v", source, got)
		}
	}
}

func TestTextRule(t *testing.T) {
	for text, fine := range map[string]bool{
		"see /" + "work/main/go.mod":                             false,
		"`/" + "home/jo/starling.db`":                            false,
		"GO" + "PROXY=https://example.org":                       false,
		"https://registry" + ".example.org/x":                    false,
		"https" + "://npm-mirror.corp.example/x":                 false,
		"docs/work/plan.md and https://example.org/work/":        true,
		"/var/lib/starling and /home is where the home dirs are": true,
		"https://lora-alliance.org/":                             true,
		"a\x00/" + "work/":                                       true, // binary
	} {
		if got := textComplaints("x", []byte(text)); (len(got) == 0) != fine {
			t.Errorf("%q: %v", text, got)
		}
	}
	expect(t, textComplaints("x", []byte("one\n /"+"work/\n")), "x:2: ")
}

func TestFilesOfAnArchiveAreFoundWithoutGit(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "fec/fec.go", "bin/starling", "tools/bin/lint"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	got, err := files(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if want := []string{filepath.Join("fec", "fec.go"), "go.mod"}; !slices.Equal(got, want) {
		t.Errorf("files = %v, want %v", got, want)
	}
}
