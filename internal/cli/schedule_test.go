package cli_test

import (
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/cli"
)

func TestAScheduleIsGivenAsPeopleSayIt(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	r := w.run(0, "campaign", "update", campaign, "-o", "json", "--window", "mon,fri 22:00-05:30 Europe/Paris", "--window", "12:00-13:00", "--quiet", "02:00-03:00",
		"--phase", "canary 10 min=95 soak=24h manual", "--phase", "25%", "--abort", "integrity 2%", "--abort", "any 10 sample=50", "--catch-up", "2", "--catch-up-wait", "12h",
		"--reboot", "manual", "--reboot-patience", "3d", "--start-at", "2027-03-01T02:00:00Z", "--needs-approval")
	flat := strings.Join(strings.Fields(r.out), "")
	for _, want := range []string{
		`{"days":["mon","fri"],"from":"22:00","to":"05:30","time_zone":"Europe/Paris"}`, `"quiet_hours":[{"from":"02:00","to":"03:00"}]`,
		`{"name":"canary","devices":10,"promotion":{"min_verified_percent":95,"soak_s":86400,"manual":true}}`, `"percent":25`,
		`{"kind":"integrity","above_percent":2}`, `{"kind":"any","above_percent":10,"min_sample":50}`, `"catch_up":{"rounds":2,"wait_s":43200}`,
		`"reboot":"manual"`, `"reboot_patience_s":259200`, `"needs_approval":true`, `"start_at":"2027-03-01T02:00:00Z"`,
	} {
		if !strings.Contains(flat, want) {
			t.Errorf("no %s in %s", want, flat)
		}
	}
	for _, args := range [][]string{
		{"--window", "always"}, {"--phase", "canary 10 fast"}, {"--phase", "10 min=most"}, {"--phase", "10 soak=long"}, {"--abort", "any"}, {"--abort", "some 5%"}, {"--abort", "any lots"},
		{"--abort", "any 5% 50"},
	} {
		w.run(cli.ExitUsage, append([]string{"campaign", "update", campaign}, args...)...)
	}
}

func TestCampaignsAreScheduledApprovedAndPromoted(t *testing.T) {
	w := newWorld(t)
	campaign, _, _ := w.fill()
	w.run(cli.ExitInvalid, "campaign", "schedule", campaign) // at no time
	if r := w.run(0, "campaign", "schedule", campaign, "--at", "2127-03-01T02:00:00Z", "-o", "json"); !strings.Contains(r.out, `"scheduled_for": "2127-03-01T02:00:00Z"`) {
		t.Errorf("%+v", r)
	}
	if r := w.run(0, "campaign", "progress", campaign); !strings.Contains(r.out, "CONFIGURED, scheduled for 2127-03-01T02:00:00Z") {
		t.Errorf("%+v", r)
	}
	if r := w.run(0, "campaign", "unschedule", campaign, "-o", "json"); strings.Contains(r.out, "scheduled_for") {
		t.Errorf("%+v", r)
	}
	w.run(cli.ExitForbidden, "campaign", "approve", campaign, "--revision", "0") // one's own
	w.run(cli.ExitConflict, "campaign", "promote", campaign)                     // it does not run
	w.run(0, "campaign", "start", campaign)
	w.run(0, "campaign", "promote", campaign)
}
