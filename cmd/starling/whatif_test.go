package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

func TestSimulateComparesStrategies(t *testing.T) {
	code, out, errs := run(strings.Fields("simulate --devices 5 --size 2kB --dr 4 --class C --loss 0.05 --uplink-period 10m --seed 3 --strategies starling,reference:1/2 --json")...)
	if code != cli.ExitOK || !strings.Contains(errs, "starling: McGroupSetup") {
		t.Fatalf("%d %q", code, errs)
	}
	var report struct {
		Scenario map[string]any
		Results  []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	s := report.Scenario
	if s["devices"] != 5.0 || s["size"] != 2000.0 || s["dr"] != 4.0 || s["class"] != "C" || s["seed"] != 3.0 || len(report.Results) != 2 {
		t.Errorf("%s", out)
	}
	for _, key := range []string{"strategy", "duration_seconds", "airtime_seconds", "fragments_sent", "unicast_downlinks", "energy_joules_mean", "devices", "verified", "groups"} {
		if _, ok := report.Results[0][key]; !ok {
			t.Errorf("a result has no %s", key)
		}
	}
}

// Flags win over the scenario's file.
func TestSimulateReadsAScenario(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(path, []byte("devices: 50\nsize: 1kB\nstrategies: [starling]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run("simulate", path, "--devices", "3")
	if code != cli.ExitOK || !strings.Contains(out, "3 devices, 1000 bytes") || !strings.Contains(out, "3/3") {
		t.Errorf("%d %q %q", code, out, errs)
	}
}

func TestSimulateSaysWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(path, []byte("devices: 50\nsize: 1kB\nloss:\n  most: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"--devices 0x":          {cli.ExitUsage, "--devices"},
		"--devices=-5":          {cli.ExitUsage, "use 1 to"},
		"--size big":            {cli.ExitUsage, "40kB"},
		"--loss 2":              {cli.ExitUsage, "loss.mean"},
		"--class A":             {cli.ExitUsage, "use B or C"},
		"--dr 15":               {cli.ExitUsage, "DR15"},
		"--strategies cheapest": {cli.ExitUsage, "reference:3/4"},
		"--uplink-period 1s":    {cli.ExitUsage, "uplink_periods"},
		"no-such-scenario.yaml": {cli.ExitNotFound, "no-such-scenario.yaml"},
		path:                    {cli.ExitInvalid, "[4:3]"},
	} {
		code, out, errs := run(append([]string{"simulate"}, strings.Fields(args)...)...)
		if code != want.code || out != "" || !strings.Contains(errs, want.says) {
			t.Errorf("simulate %s: %d %q %q, want %d and %q", args, code, out, errs, want.code, want.says)
		}
	}
}
