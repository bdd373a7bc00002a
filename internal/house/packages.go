package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// module is the path of this module.
const module = "github.com/starling-fuota/starling"

// pkg is what `go list -json` says of a package, as far as the rules need it.
type pkg struct {
	ImportPath   string
	Dir          string
	Name         string
	Doc          string // first sentence of the package comment
	Standard     bool
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string // of GoFiles
	TestImports  []string
	XTestImports []string
}

// rel returns the path of p inside the module, "" for the root, or false for a
// package of another module.
func rel(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// own reports whether p belongs to this module.
func (p pkg) own() bool {
	_, ok := rel(p.ImportPath)
	return ok && !p.Standard
}

// pure reports whether the package is one of those that a stranger may use and that
// must be a function of its inputs: everything outside of internal and cmd.
func pure(importPath string) bool {
	r, ok := rel(importPath)
	return ok && !under(r, "internal") && !under(r, "cmd") && !under(r, "examples")
}

// under reports whether path is dir or below it.
func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// list returns all packages of the module in dir, and all that they depend on.
func list(dir string) (map[string]pkg, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Name,Doc,Standard,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w: %s", dir, err, stderr.String())
	}
	all := make(map[string]pkg)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list in %s: %w", dir, err)
		}
		all[p.ImportPath] = p
	}
}
