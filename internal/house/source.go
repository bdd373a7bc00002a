package house

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// clock is what the package time offers beyond arithmetic. A pure package takes the
// time as an argument and returns deadlines.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// seeded is what math/rand and math/rand/v2 offer to those who bring a seed; the rest
// draws from a source that nobody can repeat.
var seeded = []string{"New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "Source64", "PCG", "ChaCha8", "Zipf"}

// callComplaints says where a file of a pure package reads a clock, starts a
// goroutine or draws a global random number.
func callComplaints(fset *token.FileSet, file *ast.File) []string {
	var found []string
	complain := func(pos token.Pos, what string) {
		found = append(found, fmt.Sprintf("%s: %s", fset.Position(pos), what))
	}
	paths := map[string]string{} // what an identifier imports
	for _, imp := range file.Imports {
		path, err := strconv.Unquote(imp.Path.Value)
		if err != nil || path != "time" && !random(path) {
			continue
		}
		name := "time"
		if random(path) {
			name = "rand"
		}
		if imp.Name != nil {
			name = imp.Name.Name
		}
		if name == "." {
			complain(imp.Pos(), "import of "+path+" with a dot: say which names are meant")
		}
		paths[name] = path
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			complain(n.Pos(), "go statement: a pure package has no goroutines; the caller may run it in one")
		case *ast.SelectorExpr:
			id, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			switch path := paths[id.Name]; {
			case path == "time" && slices.Contains(clock, n.Sel.Name):
				complain(n.Pos(), "time."+n.Sel.Name+": a pure package takes now as an argument and returns deadlines")
			case random(path) && !slices.Contains(seeded, n.Sel.Name):
				complain(n.Pos(), "rand."+n.Sel.Name+": a pure package takes a *rand.Rand made from a seed")
			}
		}
		return true
	})
	return found
}

func random(path string) bool { return path == "math/rand" || path == "math/rand/v2" }

// commentComplaints says what is wrong with the package comment of p.
func commentComplaints(p pkg) []string {
	if p.Name == "" || len(p.GoFiles) == 0 { // tests only: nothing to import, nothing to explain
		return nil
	}
	want := "Package " + p.Name + " "
	if p.Name == "main" {
		want = "Command " + p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:] + " "
	}
	switch {
	case p.Doc == "":
		return []string{p.ImportPath + ": no package comment; say what it is, from which specification, and what it does not do"}
	case !strings.HasPrefix(p.Doc, want):
		return []string{fmt.Sprintf("%s: the package comment begins with %q, want %q", p.ImportPath, p.Doc, want)}
	}
	return nil
}

// exampleComplaints says whether the test files lack an Example whose output is checked.
func exampleComplaints(importPath string, testFiles []*ast.File) []string {
	for _, ex := range doc.Examples(testFiles...) {
		if ex.Output != "" || ex.EmptyOutput {
			return nil
		}
	}
	return []string{importPath + ": no Example with an Output comment; add the smallest useful program to example_test.go"}
}

// parse reads Go files of one folder.
func parse(fset *token.FileSet, dir string, names []string) ([]*ast.File, error) {
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}
