package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

func TestTheAuditLogIsListed(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.run(0, "device", "update", "0100000000000000", "--name", "renamed", "--root-key-file", w.write("other", strings.Repeat("ab", 16)))
	var entries []map[string]any
	if err := json.Unmarshal([]byte(w.run(0, "audit", "list", "--object", "0100000000000000", "--action", "device.update", "-o", "json").out), &entries); err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0]["login"] != "admin" {
		t.Fatalf("%v", entries)
	}
	if out := w.run(0, "audit", "list", "--kind", "device", "--since", "1h", "-o", "wide").out; !strings.Contains(out, "CHANGES") || strings.Contains(out, "abab") || strings.Count(out, "\n") < 3 {
		t.Errorf("%s", out)
	}
	for args, lines := range map[string]int{
		"--until 2001-01-01":           0,
		"--since 2999-12-31T00:00:00Z": 0,
		"--limit 2":                    2,
		"--action device. --limit 1":   1,
		"--user nobody":                0,
	} {
		if out := w.run(0, append(strings.Fields("audit list --no-headers"), strings.Fields(args)...)...).out; strings.Count(out, "\n") != lines {
			t.Errorf("audit list %s: %q", args, out)
		}
	}
	w.run(cli.ExitUsage, "audit", "list", "--since", "yesterday")
	w.run(cli.ExitUsage, "audit", "list", "--limit=-1")
}

func TestKeysAreRevealedOnPurpose(t *testing.T) {
	w := newWorld(t)
	w.fill()
	if r := w.run(cli.ExitUsage, "device", "keys", "0100000000000000"); !strings.Contains(r.err, "--yes") {
		t.Errorf("%s", r.err)
	}
	if out := w.run(0, "device", "keys", "0100000000000000", "--yes").out; out != "root_key  "+aKey+"\n" {
		t.Errorf("%q", out)
	}
	var keys map[string]string
	if err := json.Unmarshal([]byte(w.run(0, "group", "keys", "0200000000000000", "--yes", "-o", "json").out), &keys); err != nil || len(keys["mc_key"]) != 32 {
		t.Errorf("%v, %v", keys, err)
	}
	w.run(cli.ExitNotFound, "key", "keys", "no", "--yes")

	to := filepath.Join(w.dir, "devices.csv")
	w.run(cli.ExitUsage, "device", "export", to, "--keys")
	w.run(0, "device", "export", to, "--keys", "--yes")
	b, err := os.ReadFile(to)
	if err != nil || !strings.Contains(string(b), aKey) {
		t.Errorf("%q, %v", b, err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if out := w.run(0, "audit", "list", "--object", "0100000000000000").out; !strings.Contains(out, "reveal") {
		t.Errorf("%s", out)
	}
}

func TestWhatADeviceRanIsListed(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.run(0, "device", "update", "0100000000000000", "--firmware", "1.0.0.0")
	w.run(0, "device", "update", "0100000000000000", "--firmware", "2.0.0.0")
	out := w.run(0, "device", "firmware-history", "0100000000000000", "--no-headers").out
	if a, b := strings.Index(out, "2.0.0.0"), strings.Index(out, "1.0.0.0"); a < 0 || b < a {
		t.Errorf("%s", out)
	}
	if out := w.run(0, "device", "firmware-history", "0100000000000000", "--no-headers", "--limit", "1").out; strings.Count(out, "\n") != 1 {
		t.Errorf("%s", out)
	}
}

func TestEveryNounOfTheFleetIsExported(t *testing.T) {
	w := newWorld(t)
	w.fill()
	for noun, part := range map[string]string{"region": "east", "file": "image", "profile": "meter", "campaign": "spring", "key": "public_key"} {
		to := filepath.Join(w.dir, noun+".csv")
		w.run(0, noun, "export", to)
		if b, err := os.ReadFile(to); err != nil || !strings.Contains(string(b), part) {
			t.Errorf("%s: %q, %v", noun, b, err)
		}
		if noun == "region" || noun == "profile" {
			if _, r := w.load(0, "", noun, "import", to); r["unchanged"] != 1.0 {
				t.Errorf("%s changes what it came from: %v", noun, r)
			}
		}
	}
}

func TestManyAreChangedByOneOrder(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.load(0, devices(20, 0), "device", "import", "-")

	var found map[string]any
	w.rehearsed(&found, "device", "bulk", "archive", "--filter", "name=Meter 3")
	if found["count"] != 1.0 || found["action"] != "archive" {
		t.Errorf("%v", found)
	}
	if r := w.run(cli.ExitUsage, "device", "bulk", "archive", "--filter", "name=Meter 3"); !strings.Contains(r.err, "give --yes to archive 1 devices") {
		t.Errorf("%s", r.err)
	}
	w.run(cli.ExitUsage, "device", "bulk", "archive", "--yes")
	w.run(cli.ExitUsage, "device", "bulk", "update", "--filter", "name=x", "--yes")
	w.run(cli.ExitNotFound, "device", "bulk", "archive", "--filter", "name=nobody", "--yes")

	ids := w.write("ids", "0000000000000001\n0000000000000002\n\n0000000000000003\n")
	for _, tt := range []struct{ args, field, want string }{
		{"update --tag canary --ids-from " + ids, "tag", `"canary"`},
		{"archive --filter tag=canary", "archived", "true"},
		{"restore --filter tag=canary", "archived", "false"},
	} {
		r := w.runIn(w.Context(), "", append(strings.Fields("device bulk "+tt.args), "--yes", "-o", "json")...)
		var job map[string]any
		if r.code != 0 || json.Unmarshal([]byte(r.out), &job) != nil || job["state"] != "done" || job["progress"] != 3.0 {
			t.Fatalf("%s: %+v", tt.args, r)
		}
		w.want(w.shown("device", "0000000000000002"), tt.field, tt.want)
	}
	w.want(w.shown("device", "0000000000000004"), "tag", `""`)
	if r := w.runIn(w.Context(), "0000000000000001", "device", "bulk", "archive", "--ids-from", "-", "--yes", "--no-wait", "-o", "id"); r.code != 0 || len(strings.Fields(r.out)) != 1 {
		t.Errorf("%+v", r)
	}
	// What cannot be done to some objects keeps none of the others from it, and is told.
	w.run(cli.ExitUnsuccess, "device", "bulk", "update", "--profile", "no", "--ids-from", ids, "--yes")
	w.run(cli.ExitInvalid, "device", "bulk", "update", "--root-key-file", w.write("k", aKey), "--ids-from", ids, "--yes")
}

func TestJobsAreListedShownAndWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.fill()
	id := strings.TrimSpace(w.runIn(w.Context(), "", "device", "bulk", "update", "--tag", "x", "--filter", "name=one", "--yes", "--no-wait", "-o", "id").out)
	r := w.runIn(w.Context(), "", "job", "wait", id, "-o", "json")
	if r.code != 0 || !strings.Contains(r.out, `"state": "done"`) {
		t.Errorf("%+v", r)
	}
	if out := w.run(0, "job", "list", "-f", "state=done", "-o", "id").out; !strings.Contains(out, id) {
		t.Errorf("%s", out)
	}
	if out := w.run(0, "job", "show", id).out; !strings.Contains(out, "done") {
		t.Errorf("%s", out)
	}
	w.run(cli.ExitConflict, "job", "cancel", id) // it has ended
	w.run(cli.ExitNotFound, "job", "wait", "no")
}

func TestTheKeyOfAllSecretsIsRotated(t *testing.T) {
	w := newWorld(t)
	w.fill()
	before := w.run(0, "secret", "status", "-o", "json").out
	w.run(cli.ExitUsage, "secret", "rotate")
	if r := w.runIn(w.Context(), "", "secret", "rotate", "--yes", "-o", "json"); r.code != 0 || !strings.Contains(r.out, `"state": "done"`) {
		t.Fatalf("%+v", r)
	}
	if after := w.run(0, "secret", "status", "-o", "json").out; after == before || !strings.Contains(after, "primary") {
		t.Errorf("%s", after)
	}
	if out := w.run(0, "device", "keys", "0100000000000000", "--yes", "-o", "json").out; !strings.Contains(out, aKey) {
		t.Errorf("%s", out)
	}
}

func TestReportsOfAMonthAreMadeAndDownloaded(t *testing.T) {
	w := newWorld(t)
	w.fill()
	if r := w.runIn(w.Context(), "", "report", "create", "--month", "2025-10"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	ids := strings.Fields(w.run(0, "report", "list", "-f", "kind=general", "-o", "id").out)
	if len(ids) == 0 {
		t.Fatal("no report")
	}
	if out := w.run(0, "report", "show", ids[0]).out; !strings.Contains(out, "2025-10") {
		t.Errorf("%s", out)
	}
	out := w.run(0, "report", "download", ids[0]).out
	to := filepath.Join(w.dir, "report.csv")
	w.run(0, "report", "download", ids[0], to)
	if b, err := os.ReadFile(to); err != nil || string(b) != out || !strings.Contains(out, ",") {
		t.Errorf("%q and %q, %v", b, out, err)
	}
	w.run(cli.ExitInvalid, "report", "create", "--month", "lately")
	w.run(cli.ExitUsage, "report", "create")
}

func TestADeltaIsMadeAndListed(t *testing.T) {
	w := newWorld(t)
	w.fill()
	profile := strings.Fields(w.run(0, "profile", "list", "-o", "id").out)[0]
	old := strings.Repeat("the quick brown fox jumps over the lazy dog\x00", 3) + strings.Repeat("0123456789abcdef", 100)
	made := func(version, content string) string {
		return strings.TrimSpace(w.run(0, "file", "create", w.write("image-"+version, content), "--name", version, "--type", "firmware", "--version", version, "--profile", profile, "-o", "id").out)
	}
	from, to := made("21.0.0.0", old), made("22.0.0.0", strings.Replace(old, "brown", "green", 1))
	r := w.runIn(w.Context(), "", "file", "delta", to, "--from", from, "--compression", "10", "-o", "json")
	if r.code != 0 || !strings.Contains(r.out, `"ram_bytes"`) || !strings.Contains(r.out, `"state": "done"`) {
		t.Fatalf("%+v", r)
	}
	if out := w.run(0, "profile", "deltas", profile, "--no-headers").out; strings.Count(out, "\n") != 1 || !strings.Contains(out, "21.0.0.0") {
		t.Errorf("%s", out)
	}
	if out := w.run(0, "profile", "deltas", profile, "-o", "json").out; !strings.Contains(out, `"bases"`) {
		t.Errorf("%s", out)
	}
	if out := w.runIn(w.Context(), "", "file", "delta", to, "--from", from, "--name", "again").out; !strings.Contains(out, "patch_bytes") || !strings.Contains(out, "FRAG_SIZE") || strings.Contains(out, "fragments ") || regexp.MustCompile(`ratio +0\.\d{5}`).MatchString(out) {
		t.Errorf("%s", out)
	}
	if r := w.run(cli.ExitInvalid, "file", "delta", to, "--from", to); !strings.Contains(r.err, "from_file_id") {
		t.Errorf("%s", r.err)
	}
	w.run(cli.ExitUsage, "file", "delta", to)
}
