package cli_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

func TestAPlanIsShownBeforeTheStart(t *testing.T) {
	w := newWorld(t)
	id, file, profile := w.fill()

	r := w.run(cli.ExitInvalid, "campaign", "plan", id)
	for _, part := range []string{"BLOCKED blocked.no_device", "WARNING plan.devices_excluded", "excluded.no_package"} {
		if !strings.Contains(r.out, part) {
			t.Errorf("a blocked plan without %q:\n%s", part, r.out)
		}
	}

	w.run(0, "profile", "update", profile, "--packages", "v1", "--power-battery", "2400", "--uplink-period", "15m")
	r = w.run(0, "campaign", "plan", id, "--loss", "0.05", "--uplink-period", "15m")
	for _, part := range []string{"Prediction", "duration", "(P90)", "of the battery", "Lanes", "busiest hour", "side by side", "* best", "EU868"} {
		if !strings.Contains(r.out, part) {
			t.Errorf("a plan without %q:\n%s", part, r.out)
		}
	}
	if strings.Contains(r.out, "With the other file") {
		t.Errorf("there is no other file:\n%s", r.out)
	}
	// When it would start is part of the question where it decides how long the next beacon is away.
	classB := regexp.MustCompile(`(?m)^.* EU868  B .*$`)
	again := w.run(0, "campaign", "plan", id, "--loss", "0.05", "--uplink-period", "15m")
	if a, b := classB.ReplaceAllString(r.out, ""), classB.ReplaceAllString(again.out, ""); a != b {
		t.Errorf("the same question has another answer:\n%s\n%s", a, b)
	}

	var p map[string]any
	r = w.run(0, "campaign", "plan", id, "--no-alternatives", "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &p); err != nil || len(p["alternatives"].([]any)) != 0 || p["prediction"] == nil {
		t.Errorf("%v: %s", err, r.out)
	}
	w.run(cli.ExitUsage, "campaign", "plan", id, "-o", "csv")
	w.run(cli.ExitNotFound, "campaign", "plan", "no")
	w.run(cli.ExitInvalid, "campaign", "plan", id, "--loss", "2")
	w.run(cli.ExitInvalid, "campaign", "plan", id, "--loss", "0.3", "--loss-max", "0.2")

	// One that is not stored, from a file, against the delta that leads to the same version.
	w.made("id", "file", "create", "--name", "patch", "--type", "delta", "--base-version", "1.0.0.0", "--version", "2.0.0.0", "--profile", profile, w.write("patch.bin", "im"))
	shown := w.shown("campaign", id)
	body, err := json.Marshal(map[string]any{"name": "not stored", "device_sets": shown["device_sets"], "regions": shown["regions"], "file_id": file, "max_duration_s": 86400})
	if err != nil {
		t.Fatal(err)
	}
	r = w.run(0, "campaign", "plan", w.write("new.json", string(body)), "--no-alternatives")
	if !strings.Contains(r.out, "With the other file") || !strings.Contains(r.out, "delta") {
		t.Errorf("no delta:\n%s", r.out)
	}
	if items := w.run(0, "campaign", "list", "-o", "id").out; strings.Count(items, "\n") != 1 {
		t.Errorf("a plan left a campaign:\n%s", items)
	}
	w.run(cli.ExitUsage, "campaign", "plan", w.write("list.json", "[]"))
	w.run(cli.ExitUsage, "campaign", "plan", "no/such.json")
	w.run(cli.ExitInvalid, "campaign", "plan", w.write("empty.json", "{}"))
}
