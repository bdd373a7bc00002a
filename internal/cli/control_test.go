package cli_test

import (
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
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
