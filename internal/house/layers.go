package house

import (
	"fmt"
	"slices"
	"strings"
)

// layers is the order in which imports may point: to the same line or to a lower one.
var layers = [][]string{
	{"lorawan"},
	{"fleet", "fec", "delta", "device", "airtime"},
	{"campaign", "sim"},
	{"forecast"},
	{"internal"},
	{"cmd", "examples"},
}

// siblings are folders whose packages are alternatives to one another: an adapter
// that needs another adapter has found code that belongs one level up.
var siblings = []string{"internal/network", "internal/store"}

// suites are the conformance tests beside the alternatives, which the tests of each may import.
var suites = []string{"internal/network/networktest", "internal/store/storetest"}

// readers are the public packages that read files for the tests of others. Nothing but tests imports them.
var readers = []string{"delta/deltatest"}

// shared are the packages beside the alternatives that hold what several of them need.
var shared = []string{"internal/store/relational"}

// unreachable are the packages that no pure package may reach, by whatever way.
var unreachable = []string{"net", "net/http", "database/sql", "os/exec"}

// untouchable are those that no pure package may import itself. The standard
// library reaches them (fmt imports os), so the way there is not forbidden.
var untouchable = []string{"os", "syscall", "crypto/rand"}

// layer returns the index of the line that the path inside the module belongs to.
func layer(path string) (int, bool) {
	for i, tops := range layers {
		for _, top := range tops {
			if under(path, top) {
				return i, true
			}
		}
	}
	return 0, false
}

// importComplaints says what is wrong with the imports of the module's packages.
func importComplaints(all map[string]pkg) []string {
	var found []string
	for _, path := range sorted(all) {
		p := all[path]
		if !p.own() {
			continue
		}
		found = append(found, directionComplaints(p)...)
		if r, _ := rel(path); pure(path) && !slices.Contains(readers, r) {
			found = append(found, purityComplaints(all, p)...)
		}
	}
	return found
}

// directionComplaints checks what p imports from this module, tests included where a rule holds for them.
func directionComplaints(p pkg) []string {
	var found []string
	from, _ := rel(p.ImportPath)
	fromLayer, known := layer(from)
	if !known {
		return []string{fmt.Sprintf("%s: in no layer; move it below internal, or give it a place in layers and in docs/adr/0001", p.ImportPath)}
	}
	complain := func(to, why string) {
		found = append(found, fmt.Sprintf("%s imports %s: %s", p.ImportPath, to, why))
	}
	for _, imp := range p.Imports {
		to, ok := rel(imp)
		if !ok {
			continue
		}
		if toLayer, known := layer(to); known && toLayer > fromLayer {
			complain(imp, "imports point down: cmd, internal, forecast, campaign and sim, then fleet, fec, delta and device, then lorawan")
		}
		if under(to, "cmd") {
			complain(imp, "cmd only wires, there is nothing to import")
		}
		if slices.Contains(suites, to) || slices.Contains(readers, to) {
			complain(imp, "a conformance suite, or what reads files for tests, is for tests")
		}
	}
	for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		to, ok := rel(imp)
		if !ok {
			continue
		}
		if pure(p.ImportPath) && under(to, "internal") {
			complain(imp, "public packages know nothing internal, in tests neither")
		}
		for _, dir := range siblings {
			a, b := child(from, dir), child(to, dir)
			if a != "" && b != "" && a != b && !slices.Contains(suites, dir+"/"+a) && !slices.Contains(suites, to) && !slices.Contains(shared, to) {
				complain(imp, "packages of "+dir+" are alternatives and do not know one another")
			}
		}
	}
	return found
}

// child returns the name of the folder directly below dir that path is in, or "".
func child(path, dir string) string {
	rest, ok := strings.CutPrefix(path, dir+"/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// purityComplaints checks what the pure package p imports and reaches. A complaint
// names the chain of imports, because the last link is seldom the one to mend.
func purityComplaints(all map[string]pkg, p pkg) []string {
	var found []string
	for _, imp := range p.Imports {
		if slices.Contains(untouchable, imp) {
			found = append(found, fmt.Sprintf("%s imports %s: a pure package does no I/O and draws no randomness of its own", p.ImportPath, imp))
		}
	}
	// Breadth first, so that the chain is a shortest one.
	via := map[string]string{p.ImportPath: ""}
	for queue := []string{p.ImportPath}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, imp := range all[at].Imports {
			if _, seen := via[imp]; seen {
				continue
			}
			via[imp] = at
			switch {
			case slices.Contains(unreachable, imp):
				found = append(found, fmt.Sprintf("%s reaches %s: a pure package has no network, database or process: %s", p.ImportPath, imp, chain(via, imp)))
			case !all[imp].Standard && !pure(imp):
				found = append(found, fmt.Sprintf("%s reaches %s: a pure package needs the standard library and pure packages only: %s", p.ImportPath, imp, chain(via, imp)))
			default:
				queue = append(queue, imp)
			}
		}
	}
	return found
}

// chain writes the way to the package at: "a -> b -> at".
func chain(via map[string]string, at string) string {
	var steps []string
	for ; at != ""; at = via[at] {
		steps = append(steps, at)
	}
	slices.Reverse(steps)
	return strings.Join(steps, " -> ")
}

func sorted(all map[string]pkg) []string {
	paths := make([]string, 0, len(all))
	for path := range all {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}
