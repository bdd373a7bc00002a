package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/cli"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

func TestOrdersWriteWhatTheyAreRefusedFor(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	w.run(cli.ExitConflict, "campaign", "retry", campaign)
	w.run(0, "campaign", "start", campaign)
	for _, args := range [][]string{
		{"extend", campaign, "--for", "6h", "--group", "0202020202020202"},
		{"redundancy", campaign, "20%"},
		{"redundancy", campaign, "50"},
		{"retry", campaign, "--reason", "device.no_answer"},
		{"exclude", campaign, "0100000000000000", "--yes"},
	} {
		if r := w.run(0, append([]string{"campaign"}, args...)...); !strings.Contains(r.out, "reaches 1") || !strings.Contains(r.out, "order.unknown") {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if r := w.run(0, "campaign", "retry", campaign, "-o", "json"); !strings.Contains(r.out, `"reached": 1`) {
		t.Errorf("%+v", r)
	}
	w.run(cli.ExitUsage, "campaign", "exclude", campaign, "0100000000000000") // nobody has confirmed it
	w.run(cli.ExitUsage, "campaign", "redundancy", campaign, "many")
	w.run(cli.ExitUsage, "campaign", "extend", campaign)
}

func TestAllCampaignsAreStoppedAtOnce(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	w.run(0, "campaign", "start", campaign)
	w.run(cli.ExitUsage, "campaign", "stop")
	w.run(cli.ExitUsage, "campaign", "stop", campaign, "--all")
	w.run(cli.ExitUsage, "campaign", "stop", campaign, "--all-subscribers")
	w.run(cli.ExitUsage, "campaign", "stop", "--all") // nobody has confirmed it
	if r := w.run(0, "campaign", "stop", "--all", "--yes"); !strings.Contains(r.out, campaign) || !strings.Contains(r.out, "stopped") {
		t.Errorf("%+v", r)
	}
	if r := w.run(0, "campaign", "stop", "--all", "--all-subscribers", "--yes", "-o", "json"); strings.Contains(r.out, campaign) {
		t.Errorf("it was stopped again: %+v", r)
	}
}

func TestReportOfACampaign(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	w.run(cli.ExitConflict, "campaign", "report", campaign) // not started
	w.run(0, "campaign", "start", campaign)
	if r := w.run(0, "campaign", "report", campaign); !strings.Contains(r.out, "verified_sha256") || !strings.Contains(r.out, "device.no_answer") {
		t.Errorf("%s", r.out)
	}
	if r := w.run(0, "campaign", "report", campaign); !strings.Contains(r.out, "not predicted") || !strings.Contains(r.out, "(plan.") || !strings.Contains(r.out, "DEVIATION_PERCENT") || !strings.Contains(r.out, "duration_p50_s") {
		t.Errorf("%s", r.out)
	}
	if r := w.run(0, "campaign", "report", campaign, "-o", "json"); !strings.Contains(r.out, `"p99_s": 0`) {
		t.Errorf("%s", r.out)
	}
	// A cell that a spreadsheet would take for a formula is defused.
	if r := w.run(0, "campaign", "report", campaign, "-o", "csv"); !strings.HasPrefix(r.out, "dev_eui,group,outcome") || !strings.Contains(r.out, "0100000000000000") || !strings.Contains(r.out, "'=no answer") {
		t.Errorf("%s", r.out)
	}
	w.run(cli.ExitUsage, "campaign", "report", campaign, "file.csv")
	to := filepath.Join(w.dir, "evidence.csv")
	w.run(0, "campaign", "report", campaign, to, "-o", "csv")
	if b, err := os.ReadFile(to); err != nil || !strings.Contains(string(b), "device.no_answer") {
		t.Errorf("%q, %v", b, err)
	}
}

func TestTimelineOfADeviceAndOfACode(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	w.run(0, "campaign", "start", campaign)
	if err := w.store.CommitStep(context.Background(), store.Step{CampaignID: campaign, Status: fleet.Running, Timeline: []store.TimelineEntry{
		{At: time.Now(), DevEUI: lorawan.EUI64{1}, Code: "device.asked", Text: "McGroupSetupReq", Cause: "uplink FCnt 7"},
		{At: time.Now(), DevEUI: lorawan.EUI64{1}, Code: "device.passed", Text: "passed McGroupSetup", Cause: "uplink FCnt 8"},
		{At: time.Now(), Code: "stage.closed", Text: "McGroupSetup", Cause: "uplink FCnt 8"}}}); err != nil {
		t.Fatal(err)
	}
	if out := w.run(0, "campaign", "timeline", campaign, "--device", "0100000000000000").out; !strings.Contains(out, "uplink FCnt 7") || strings.Contains(out, "stage.closed") {
		t.Errorf("of the device:\n%s", out)
	}
	if out := w.run(0, "campaign", "timeline", campaign, "--code", "device.").out; strings.Count(out, "device.") != 2 || strings.Contains(out, "stage.closed") {
		t.Errorf("of a family of codes:\n%s", out)
	}
	if out := w.run(0, "campaign", "timeline", campaign, "--code", "stage.closed").out; strings.Contains(out, "device.") || !strings.Contains(out, "stage.closed") {
		t.Errorf("of one code:\n%s", out)
	}
}
