package house

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readFile reads a file of this module; of a folder it returns "".
func readFile(name string) (string, bool) {
	path := filepath.Join(root, filepath.FromSlash(name))
	info, err := os.Stat(path)
	if err != nil {
		return "", false
	}
	if info.IsDir() {
		return "", true
	}
	content, err := os.ReadFile(path)
	return string(content), err == nil
}

func TestEveryRelativeLinkLeadsSomewhere(t *testing.T) {
	names, err := files(root)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, "README.md") {
		t.Fatalf("%d files and no README.md: the rule would be applied to nothing", len(names))
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".md") {
			report(t, linkComplaints(filepath.ToSlash(name), readFile))
		}
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	for _, x := range []struct{ pkg, doc, known string }{
		{"campaign", "docs/campaigns.md", "device.no_answer"},
		{"forecast", "docs/plan.md", "plan.sampled"},
	} {
		content, ok := readFile(x.doc)
		if !ok {
			t.Fatal("there is no " + x.doc)
		}
		dir := filepath.Join(root, x.pkg)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
				names = append(names, name)
			}
		}
		parsed, err := parse(token.NewFileSet(), dir, names)
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, file := range parsed {
			codes = append(codes, reasons(file)...)
		}
		if !slices.Contains(codes, x.known) {
			t.Fatalf("%d reasons and no %s: the rule would be applied to nothing", len(codes), x.known)
		}
		report(t, reasonComplaints(x.doc, content, codes))
	}
}

func TestLinkRule(t *testing.T) {
	tree := map[string]string{
		"docs":         "",
		"docs/b.md":    "# One `word`, two\n```\n# not a heading\n```\n",
		"docs/adr":     "",
		"LICENSE":      "",
		"docs/adr/1.x": "",
	}
	for text, want := range map[string]string{
		"[x](docs/b.md)":                      "",
		"[x](docs/b.md#one-word-two)":         "",
		"[x](docs/adr \"a title\")":           "",
		"![x](LICENSE)":                       "",
		"# Here\n[x](#here)":                  "",
		"[x](https://example.org/docs/no.md)": "",
		"```\n[x](docs/no.md)\n```":           "",
		"`[x](docs/no.md)`":                   "",
		"\n[x](docs/no.md)":                   "a.md:2: link to docs/no.md: there is no docs/no.md",
		"[x](docs/b.md#three)":                "docs/b.md has no such heading",
		"[x](docs/b.md#not-a-heading)":        "docs/b.md has no such heading",
		"[x](#there)":                         "a.md has no such heading",
		"[x](../LICENSE)":                     "there is no ../LICENSE",
		"[x](LICENSE), [y](docs/no.md)":       "there is no docs/no.md",
	} {
		got := linkComplaints("a.md", func(name string) (string, bool) {
			if name == "a.md" {
				return text, true
			}
			content, ok := tree[name]
			return content, ok
		})
		if want == "" {
			expect(t, got)
		} else {
			expect(t, got, want)
		}
	}
	got := linkComplaints("docs/b.md", func(name string) (string, bool) {
		return map[string]string{"docs/b.md": "[x](adr/1.x) [y](../LICENSE)"}[name], name != "LICENSE"
	})
	expect(t, got, "there is no LICENSE")
}

func TestReasonRule(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", `package p

const (
	None  Reason = ""
	Late  Reason = "device.late"
	other        = "not.a.reason"
)

const Lost Reason = "device.lost"
`, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := reasons(file)
	if !slices.Equal(codes, []string{"device.late", "device.lost"}) {
		t.Errorf("reasons %q", codes)
	}
	expect(t, reasonComplaints("x.md", "\n| `device.late` | too late |\nand `device.lost` in passing\n", codes), "no row for reason device.lost")
}
