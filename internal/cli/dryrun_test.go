package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

// rehearsed runs a command with --dry-run and reads the JSON of what it wrote.
func (w *world) rehearsed(into any, args ...string) {
	w.Helper()
	r := w.runIn(w.Context(), "", append(args, "--dry-run", "-o", "json")...)
	if err := json.Unmarshal([]byte(r.out), into); err != nil || r.code != 0 || !strings.Contains(r.err, "nothing was changed") || strings.Contains(r.out, aKey) {
		w.Fatalf("starling %s: %+v, %v", strings.Join(args, " "), r, err)
	}
}

func TestADryRunOfCreateShowsWhatWouldBeSent(t *testing.T) {
	w := newWorld(t)
	w.fill()
	var body map[string]any
	w.rehearsed(&body, "device", "create", "--dev-eui", "0300000000000000", "--name", "x", "--packages", "v1", "--root-key-file", w.write("k", aKey))
	if body["dev_eui"] != "0300000000000000" || body["root_key"] != "[redacted]" || body["packages"].(map[string]any)["mc_setup"] != 1.0 {
		t.Errorf("%v", body)
	}
	if w.stored() != 1 {
		t.Error("it was created")
	}
	w.rehearsed(&body, "file", "create", "--name", "x", w.write("content", "bytes"))
	if out := w.run(0, "file", "list", "-o", "id").out; strings.Count(out, "\n") != 1 {
		t.Errorf("files: %q", out)
	}
}

func TestADryRunOfUpdateShowsWhatWouldChange(t *testing.T) {
	w := newWorld(t)
	_, _, profile := w.fill()
	var found []map[string]any
	w.rehearsed(&found, "profile", "update", profile, "--name", "meter", "--hw-revision", "4", "--mc-setup", "1", "--clock-sync", "0", "--uplink-period", "15m")
	got, err := json.Marshal(found)
	want := `[{"after":900,"before":0,"field":"default_uplink_period_s"},{"after":4,"before":3,"field":"hw_revision"},{"after":1,"before":2,"field":"packages.mc_setup"}]`
	if err != nil || string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	w.rehearsed(&found, "device", "update", "0100000000000000", "--root-key-file", w.write("k", aKey))
	if len(found) != 1 || found[0]["before"] != "[redacted]" {
		t.Errorf("%v", found)
	}
	w.want(w.shown("profile", profile), "hw_revision", "3")
	w.run(cli.ExitNotFound, "profile", "update", "no", "--name", "x", "--dry-run")
	w.run(cli.ExitConflict, "profile", "update", profile, "--name", "x", "--dry-run", "--if-revision", "77")
	if out := w.runIn(w.Context(), "", "profile", "update", profile, "--name", "x", "--dry-run", "--if-revision", "1").out; !strings.Contains(out, "FIELD  BEFORE  AFTER\nname   meter   x\n") {
		t.Errorf("%s", out)
	}
}

func TestADryRunOfArchiveShowsWhatWouldChange(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	again := w.made("id", "campaign", "copy", campaign)
	w.run(0, "campaign", "archive", again)
	var found []map[string]any
	w.rehearsed(&found, "campaign", "archive", campaign, again)
	if len(found) != 1 || found[0]["id"] != campaign || found[0]["after"] != true {
		t.Errorf("%v", found)
	}
	w.want(w.shown("campaign", campaign), "archived", "false")
	w.run(cli.ExitNotFound, "campaign", "archive", "no", "--dry-run")
}
