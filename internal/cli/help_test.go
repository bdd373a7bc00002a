package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/starling-fuota/starling/internal/cli"
)

// Whoever meets a command, flag or argument can ask what it is.
func TestEverythingHasHelp(t *testing.T) {
	parser, err := kong.New(&grammar{})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	need := func(what, help string) {
		seen++
		if len(help) < 4 || !strings.HasSuffix(help, ".") && !strings.HasSuffix(help, ".)") && !strings.HasSuffix(help, "}") {
			t.Errorf("%s has the help %q, want a sentence", what, help)
		}
	}
	var visit func(*kong.Node)
	visit = func(node *kong.Node) {
		for _, f := range node.Flags {
			need(node.FullPath()+" --"+f.Name, f.Help)
			if strings.Contains(f.Name, "token") || strings.Contains(f.Name, "password") || strings.Contains(f.Name, "key") && !strings.Contains(f.Name, "file") && f.Name != "key" && f.Name != "public-key" {
				if !f.IsBool() {
					t.Errorf("%s --%s takes a value: a secret on the command line can be read by others", node.FullPath(), f.Name)
				}
			}
		}
		for _, p := range node.Positional {
			need(node.FullPath()+" "+p.Summary(), p.Help)
		}
		for _, child := range node.Children {
			need(child.FullPath(), child.Help)
			visit(child)
		}
	}
	visit(parser.Model.Node)
	if seen < 300 {
		t.Errorf("%d things: the rule was applied to next to nothing", seen)
	}
}

func TestListsSayWhatTheyCanShow(t *testing.T) {
	configFile(t, "")
	w := &world{T: t}
	help := strings.Join(strings.Fields(w.bare(0, "device", "list", "--help").out), " ")
	for _, want := range []string{"Filters (-f field=value", "Only filters: device_set", "Columns: dev_eui, name", "-o wide adds band", "--sort"} {
		if !strings.Contains(help, want) {
			t.Errorf("no %q in %s", want, help)
		}
	}
}

func TestExitCodesAreExplained(t *testing.T) {
	configFile(t, "")
	w := &world{T: t}
	out := w.bare(0, "help", "exit-codes").out
	for _, code := range []int{cli.ExitOK, cli.ExitFailed, cli.ExitUsage, cli.ExitNotFound, cli.ExitConflict, cli.ExitInvalid, cli.ExitForbidden, cli.ExitTimeout, cli.ExitUnsuccess, cli.ExitInterrupted} {
		if !strings.Contains(out, fmt.Sprintf("\n  %3d  ", code)) {
			t.Errorf("%d is not explained", code)
		}
	}
	if help := w.bare(0, "--help").out; !strings.Contains(help, "starling help exit-codes") {
		t.Errorf("%s", help)
	}
	if out := w.bare(0, "help").out; !strings.Contains(out, "starling help exit-codes") || !strings.Contains(out, "starling --help") {
		t.Errorf("%s", out)
	}
	for _, topic := range []string{"contexts", "output"} {
		if out := w.bare(0, "help", topic).out; len(out) < 100 {
			t.Errorf("%s: %q", topic, out)
		}
	}
	w.bare(cli.ExitUsage, "help", "everything")
}
