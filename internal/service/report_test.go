package service_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// work does all jobs that are due.
func (w *world) work() {
	w.Helper()
	for {
		busy, err := w.WorkOnce(context.Background())
		if err != nil {
			w.Fatal(err)
		}
		if !busy {
			return
		}
	}
}

// ran makes a campaign that ended at a time with its devices verified.
func (w *world) ran(c fleet.Campaign, ended time.Time, devices ...lorawan.EUI64) fleet.Campaign {
	w.Helper()
	c = created(w, w.Campaigns, c)
	run := store.Run{CampaignID: c.ID, Started: ended.Add(-time.Hour), Devices: map[lorawan.EUI64][]byte{}}
	step := store.Step{CampaignID: c.ID, Status: fleet.Succeeded, Ended: ended}
	for _, d := range devices {
		run.Devices[d] = nil
		step.Devices = append(step.Devices, store.Row{DevEUI: d, Outcome: "verified"})
	}
	if err := errors.Join(w.store.CreateRun(ctx, run), w.store.CommitStep(ctx, step)); err != nil {
		w.Fatal(err)
	}
	return c
}

// reports returns those that somebody sees, by kind.
func (w *world) reports(as context.Context, q store.Query) map[string][]store.Report {
	w.Helper()
	page, err := w.Reports(as, q)
	if err != nil {
		w.Fatal(err)
	}
	found := map[string][]store.Report{}
	for _, r := range page.Items {
		found[r.Kind] = append(found[r.Kind], r)
	}
	return found
}

// made has the reports of a month made, and returns them by kind.
func (w *world) made(as context.Context, month string) map[string]store.Report {
	w.Helper()
	job, err := w.ReportUsage(as, month)
	if err != nil {
		w.Fatal(err)
	}
	w.work()
	if job, err = w.FindJob(as, job.ID); err != nil || job.State != store.JobDone || job.Progress != 2 || job.Total != 2 {
		w.Fatalf("%+v, %v", job, err)
	}
	var result struct {
		Reports map[string]string
		Partial bool
	}
	if err := json.Unmarshal(job.Result, &result); err != nil {
		w.Fatal(err)
	}
	reports := map[string]store.Report{}
	for kind, id := range result.Reports {
		r, err := w.FindReport(as, id)
		if err != nil || r.Kind != kind || r.Month != month || r.Partial() != result.Partial {
			w.Fatalf("%s: %+v, %v", kind, r, err)
		}
		reports[kind] = r
	}
	return reports
}

// rows reads a report.
func rows(t *testing.T, r store.Report) [][]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(r.CSV)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantRows(t *testing.T, r store.Report, want ...string) {
	t.Helper()
	var got []string
	for _, cells := range rows(t, r) {
		got = append(got, strings.Join(cells, "|"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s report of %q:\n got %q\nwant %q", r.Kind, r.SubscriberID, got, want)
	}
}

const (
	generalHeader = "subscriber|devices|campaigns_run|devices_passed_mcgroup|devices_passed_binary|devices_passed_fota|month|partial"
	deltaHeader   = "subscriber|device_profile|devices_updated|full_image_campaigns|delta_campaigns|month|partial"
)

func TestReportsSayWhatAMonthSaw(t *testing.T) {
	w := newWorld(t)
	w.subscriber("acme")
	october := time.Date(2026, 10, 31, 23, 59, 59, 0, time.UTC)
	w.ran(w.newCampaign(), october, w.device.DevEUI)
	w.ran(w.newCampaign(), october.Add(time.Second), w.device.DevEUI) // that is November

	reports := w.made(ctx, "2026-10")
	wantRows(t, reports[service.ReportGeneral], generalHeader, "acme|0|0|0|0|0|2026-10|false", "default|1|1|0|0|1|2026-10|false")
	wantRows(t, reports[service.ReportSmartDelta], deltaHeader, "default|meter (acme/m/1)|1|1|0|2026-10|false")
	if csv := reports[service.ReportGeneral].CSV; strings.Count(csv, "\r\n") != 3 || !strings.HasSuffix(csv, "\r\n") {
		t.Errorf("lines do not end as RFC 4180 wants: %q", csv)
	}
	wantRows(t, w.made(ctx, "2026-11")[service.ReportGeneral], generalHeader, "acme|0|0|0|0|0|2026-11|true", "default|1|1|0|0|1|2026-11|true")
	wantRows(t, w.made(ctx, "1999-12")[service.ReportGeneral], generalHeader, "default|0|0|0|0|0|1999-12|false")
}

func TestEverybodyReadsTheReportsOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.subscriber("acme")
	vera, anna, root := w.person("vera", identity.Viewer, "acme"), w.person("anna", identity.Administrator, fleet.DefaultSubscriber), w.person("root", identity.Viewer, "")
	theirs, own, all := w.made(vera, "2026-10"), w.made(anna, "2026-10"), w.made(root, "2026-10")
	wantRows(t, theirs[service.ReportGeneral], generalHeader, "acme|0|0|0|0|0|2026-10|false")
	wantRows(t, own[service.ReportGeneral], generalHeader, "default|1|0|0|0|0|2026-10|false")
	wantRows(t, all[service.ReportGeneral], generalHeader, "acme|0|0|0|0|0|2026-10|false", "default|1|0|0|0|0|2026-10|false")
	for _, id := range []string{own[service.ReportGeneral].ID, all[service.ReportGeneral].ID} {
		_, err := w.FindReport(vera, id)
		wantError(t, err, store.ErrNotFound)
	}
	if got := w.reports(vera, store.Query{}); len(got[service.ReportGeneral]) != 1 || len(got[service.ReportSmartDelta]) != 1 {
		t.Errorf("a subscriber sees %v", got)
	}
	if got := w.reports(root, store.Query{}); len(got[service.ReportGeneral]) != 3 || len(got[service.ReportSmartDelta]) != 3 {
		t.Errorf("the server sees %v", got)
	}
	_, err := w.ReportUsage(context.Background(), "2026-10")
	wantError(t, err, service.ErrUnauthenticated)
	_, err = w.ReportUsage(service.As(ctx, identity.Actor{Login: "nobody"}), "2026-10")
	wantError(t, err, service.ErrForbidden)
}

func TestOnlyMonthsThatHaveBegunHaveReports(t *testing.T) {
	w := newWorld(t)
	for _, month := range []string{"2026-12", "9999-01", "2026-13", "2026-1", "2026-11-01", "", "november", "2026-10\x00"} {
		_, err := w.ReportUsage(ctx, month)
		wantField(t, err, "month")
	}
	if page, err := w.Jobs(ctx, store.Query{}); err != nil || len(page.Items) != 0 {
		t.Errorf("jobs %v, %v", page.Items, err)
	}
}

// Made again, a report takes the place of the one before, which stays readable.
func TestAReportMadeAgainReplacesTheOneBefore(t *testing.T) {
	w := newWorld(t)
	first := w.made(ctx, "2026-11")[service.ReportGeneral]
	w.ran(w.newCampaign(), time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), w.device.DevEUI)
	w.wall = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	second := w.made(ctx, "2026-11")[service.ReportGeneral]
	if !first.Partial() || second.Partial() {
		t.Errorf("partial %t, %t", first.Partial(), second.Partial())
	}
	wantRows(t, second, generalHeader, "default|1|1|0|0|1|2026-11|false")
	if got := w.reports(ctx, store.Query{})[service.ReportGeneral]; len(got) != 1 || got[0].ID != second.ID {
		t.Errorf("listed are %+v", got)
	}
	if old, err := w.FindReport(ctx, first.ID); err != nil || !old.Archived || old.CSV != first.CSV {
		t.Errorf("%+v, %v", old, err)
	}
}

// A worker that dies between the two reports, or after them, leaves a job that the next one ends.
func TestAReportJobMayBeginAgain(t *testing.T) {
	w := newWorld(t)
	job, err := w.ReportUsage(ctx, "2026-10")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	before := w.reports(ctx, store.Query{Archived: true})
	if job, err = w.FindJob(ctx, job.ID); err != nil {
		t.Fatal(err)
	}
	job.State, job.EndedAt, job.LeaseUntil = store.JobRunning, time.Time{}, w.wall
	if err := w.store.Jobs().Update(ctx, &job); err != nil {
		t.Fatal(err)
	}
	w.wall = w.wall.Add(time.Hour)
	w.work()
	if job, err = w.FindJob(ctx, job.ID); err != nil || job.State != store.JobDone || job.Attempts != 2 {
		t.Fatalf("%+v, %v", job, err)
	}
	after := w.reports(ctx, store.Query{Archived: true})
	for _, kind := range []string{service.ReportGeneral, service.ReportSmartDelta} {
		if len(after[kind]) != 1 || len(before[kind]) != 1 || after[kind][0] != before[kind][0] {
			t.Errorf("%s: before %+v, after %+v", kind, before[kind], after[kind])
		}
	}
}

// What people call things must not become a formula in the spreadsheet of who reads the report.
func TestReportsHoldNoFormulas(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{`=HYPERLINK("http://evil.example","x")`, "+1", "-1", "@x", "'=1", "plain, \"quoted\"\nname"} {
		p := created(w, w.Profiles, fleet.DeviceProfile{Name: strings.ReplaceAll(name, "\n", " "), ProducerID: "acme", ModuleID: "f", HWRevision: uint8(i)})
		d := created(w, w.Devices, fleet.Device{DevEUI: lorawan.EUI64{5, byte(i)}, ProfileID: p.ID})
		w.ran(w.newCampaign(), time.Date(2026, 10, 2, 0, 0, 0, 0, time.UTC), d.DevEUI)
	}
	var got []string
	for _, cells := range rows(t, w.made(ctx, "2026-10")[service.ReportSmartDelta])[1:] {
		got = append(got, cells[1])
	}
	want := []string{`'=HYPERLINK("http://evil.example","x") (acme/f/0)`, "'+1 (acme/f/1)", "'-1 (acme/f/2)", "'@x (acme/f/3)", "''=1 (acme/f/4)", `plain, "quoted" name (acme/f/5)`}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
