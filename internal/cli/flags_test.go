package cli_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// shown returns an object as the server has it.
func (w *world) shown(noun, id string) map[string]any {
	w.Helper()
	var obj map[string]any
	if err := json.Unmarshal([]byte(w.run(0, noun, "show", id, "-o", "json").out), &obj); err != nil {
		w.Fatal(err)
	}
	return obj
}

// want compares a part of an object, as JSON.
func (w *world) want(obj map[string]any, field, want string) {
	w.Helper()
	if got, err := json.Marshal(obj[field]); err != nil || string(got) != want {
		w.Errorf("%s is %s, want %s", field, got, want)
	}
}

func TestFlagsOfAProfileReachTheServer(t *testing.T) {
	w := newWorld(t)
	id := w.made("id", "profile", "create", "--name", "meter", "--producer", "acme", "--module", "m", "--packages", "v2", "--mc-setup", "1", "--multi-package", "1",
		"--port-fragmentation", "17", "--decoder-max-lost", "60", "--decoder-max-frag-size", "230", "--status-style", "loramac", "--firmware-dialect", "rc1",
		"--reboots-itself", "--max-groups", "4", "--uplink-period", "0.5d", "--time-tolerance", "7", "--descriptor", "size-le")
	p := w.shown("profile", id)
	w.want(p, "packages", `{"clock_sync":2,"firmware_mgmt":1,"fragmentation":2,"mc_setup":1,"multi_package":1}`)
	w.want(p, "ports", `{"clock_sync":0,"firmware_mgmt":0,"fragmentation":17,"mc_setup":0}`)
	w.want(p, "decoder", `{"frag_size_multiple":0,"max_frag_size":230,"max_lost":60,"max_nb_frag":0,"min_frag_size":0}`)
	w.want(p, "default_uplink_period_s", "43200")
	w.want(p, "descriptor", `"size-le"`)
	w.want(p, "time_tolerance_s", "7")
	w.want(p, "reboots_itself", "true")
	w.want(p, "firmware_dialect", `"rc1"`)

	// What is not given stays, and a flag wins over the field of a file, one by one.
	w.run(0, "profile", "update", id, "--no-reboots-itself", "--fragmentation", "1", "--from", w.write("more", `{"packages":{"clock_sync":1,"fragmentation":2}}`))
	p = w.shown("profile", id)
	w.want(p, "packages", `{"clock_sync":1,"firmware_mgmt":1,"fragmentation":1,"mc_setup":1,"multi_package":1}`)
	w.want(p, "reboots_itself", "false")
	w.want(p, "max_groups", "4")

	device := w.made("dev_eui", "device", "create", "--dev-eui", "0100000000000000", "--profile", id, "--packages", "v1")
	w.want(w.shown("device", device), "packages", `{"clock_sync":1,"firmware_mgmt":1,"fragmentation":1,"mc_setup":1,"multi_package":0}`)

	for args, says := range map[string]string{
		"profile update " + id + " --packages v3":        "must be one of",
		"profile update " + id + " --uplink-period soon": "15m, 12h or 90d",
	} {
		if r := w.run(cli.ExitUsage, strings.Fields(args)...); !strings.Contains(r.err, says) {
			t.Errorf("%s: %q", args, r.err)
		}
	}
	w.run(cli.ExitInvalid, "profile", "update", id, "--clock-sync", "3")
}

func TestFlagsOfACampaignReachTheServer(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	w.run(0, "campaign", "update", campaign, "--retries", "20", "--setup", "sequential", "--redundancy", "fixed", "--close-at-threshold", "--probe", "--late-answer", "2m", "--max-duration", "24h")
	c := w.shown("campaign", campaign)
	w.want(c, "max_duration_s", "86400")
	policy := c["policy"].(map[string]any)
	w.want(policy, "retries", "20")
	w.want(policy, "setup", `"sequential"`)
	w.want(policy, "redundancy", `"fixed"`)
	w.want(policy, "close_at_threshold", "true")
	w.want(policy, "probe", "true")
	w.want(policy, "late_answer_s", "120")

	copied := w.made("id", "campaign", "copy", campaign, "--name", "once more")
	c = w.shown("campaign", copied)
	w.want(c, "name", `"once more"`)
	if got := c["policy"].(map[string]any); copied == campaign || got["retries"] != 20.0 {
		t.Errorf("copy %s of %s has policy %v", copied, campaign, got)
	}
	w.run(cli.ExitNotFound, "campaign", "copy", "no")
}

func TestASetCanBeAFilter(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.run(0, "device", "update", "0100000000000000", "--tag", "north")
	id := w.made("id", "set", "create", "--name", "north", "--where", "tag=north", "--where", "lorawan_version=1.0", "--text", "0100")
	s := w.shown("set", id)
	w.want(s, "filter", `{"text":"0100","where":{"lorawan_version":"1.0","tag":"north"}}`)
	w.want(s, "device_count", "null") // nobody has counted
	w.run(cli.ExitInvalid, "set", "create", "--name", "what", "--where", "colour=red")
}

func TestASetIsMadeOfWhatBecameOfACampaign(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	w.run(0, "campaign", "start", campaign)
	w.run(0, "campaign", "groups", campaign)
	if r := w.run(cli.ExitInvalid, "set", "from-campaign", campaign, "--name", "again"); !strings.Contains(r.err, "outcomes") {
		t.Errorf("%q", r.err)
	}
	if err := w.store.CommitStep(context.Background(), store.Step{CampaignID: campaign, Status: fleet.Running,
		Devices: []store.Row{{DevEUI: lorawan.EUI64{1}, Stage: "Verify", Outcome: "failed", Reason: "no_answer"}}}); err != nil {
		t.Fatal(err)
	}
	id := w.made("id", "set", "from-campaign", campaign, "--name", "again")
	if s := w.shown("set", id); s["device_count"] != 1.0 || s["name"] != "again" {
		t.Errorf("%v", s)
	}
}

func TestYAMLAndCSVHoldTheSameAsJSON(t *testing.T) {
	w := newWorld(t)
	_, _, profile := w.fill()
	w.run(0, "device", "update", "0100000000000000", "--name", `a "b", c`)

	rows, err := csv.NewReader(strings.NewReader(w.run(0, "device", "list", "-o", "csv").out)).ReadAll()
	if err != nil || len(rows) != 2 || rows[0][0] != "dev_eui" || rows[1][1] != `a "b", c` || rows[1][2] != "" || rows[1][3] != profile {
		t.Errorf("%q, %v", rows, err)
	}
	if out := w.run(0, "device", "list", "-o", "csv", "--no-headers").out; strings.Count(out, "\n") != 1 {
		t.Errorf("%q", out)
	}
	rows, err = csv.NewReader(strings.NewReader(w.run(0, "device", "show", "0100000000000000", "-o", "csv").out)).ReadAll()
	if err != nil || rows[0][0] != "field" || len(rows) < 10 {
		t.Errorf("%q, %v", rows, err)
	}

	for args, want := range map[string][]string{
		"device list -o yaml":                  {"- archived: false\n", `  name: "a \"b\", c"` + "\n", "  packages:\n    clock_sync: 0\n"},
		"device show 0100000000000000 -o yaml": {"archived: false\n", "packages:\n  clock_sync: 0\n"},
		"set list -o yaml -f name=none":        {"[]\n"},
		"region list -o yaml":                  {"  groups:\n    - \"0200000000000000\"\n"},
	} {
		out := w.run(0, strings.Fields(args)...).out
		for _, part := range want {
			if !strings.Contains("\n"+out, "\n"+part) {
				t.Errorf("%s: no %q in\n%s", args, part, out)
			}
		}
	}
}

func TestScriptsGetIdentifiersAlone(t *testing.T) {
	w := newWorld(t)
	campaign, _, profile := w.fill()
	for _, tt := range []struct{ args, want string }{ // in this order: a copy is one campaign more
		{"profile show " + profile + " -o id", profile},
		{"device show 0100000000000000 -o id", "0100000000000000"},
		{"campaign list -o id", campaign},
		{"device list -o id", "0100000000000000"},
		{"campaign copy " + campaign + " -o id", ""},
		{"set create --name x --description y -o id", ""},
	} {
		out := w.run(0, strings.Fields(tt.args)...).out
		if strings.Count(out, "\n") != 1 || len(strings.Fields(out)) != 1 || tt.want != "" && out != tt.want+"\n" {
			t.Errorf("%s: %q", tt.args, out)
		}
	}
}

func TestFormsThatDoNotFitAreRefused(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	w.run(cli.ExitUsage, "campaign", "progress", campaign, "-o", "csv")
	w.run(cli.ExitUsage, "campaign", "watch", campaign, "-o", "csv")
	if out := w.run(0, "campaign", "progress", campaign, "-o", "yaml").out; !strings.Contains(out, "status: \"CONFIGURED\"\n") {
		t.Errorf("%q", out)
	}
}
