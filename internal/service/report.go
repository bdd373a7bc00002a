package service

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/internal/bulk"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// What the usage reports count is in the documents of store.GeneralUsage and
// store.SmartDeltaUsage, and for people in docs/reports.md. In short:
//
//   - A campaign counts in the month, in UTC, in which it ended. When it starts nobody knows yet who
//     will pass, and a report of that month would change after it was made.
//   - A device passes with the outcome "verified" of package campaign: there is evidence that
//     it has what it should. It may do so in a campaign that was stopped, or failed as a whole.
//   - A device counts once, however many campaigns it passed. Archived objects count.

// Kinds of usage reports.
const (
	ReportGeneral    = "general"
	ReportSmartDelta = "smart_delta"
)

// usageReports makes the reports of a month, in this order.
var usageReports = []struct {
	kind   string
	header []string
	rows   func(context.Context, *Service, store.UsageQuery) ([][]string, error)
}{
	{ReportGeneral, []string{"subscriber", "devices", "campaigns_run", "devices_passed_mcgroup", "devices_passed_binary", "devices_passed_fota"}, generalRows},
	{ReportSmartDelta, []string{"subscriber", "device_profile", "devices_updated", "full_image_campaigns", "delta_campaigns"}, smartDeltaRows},
}

// reportArgs is what a job of kind reports.usage is told. Whom the reports are about is the job's subscriber.
type reportArgs struct {
	Month   string            `json:"month"`
	Reports map[string]string `json:"reports"` // kind -> identifier, fixed before the first attempt so that a second one makes the same
}

// reportResult is what a job of kind reports.usage leaves.
type reportResult struct {
	reportArgs
	Partial bool `json:"partial"` // the month was not over
}

func newReportArgs(month string) (args reportArgs, err error) {
	args = reportArgs{month, map[string]string{}}
	for _, r := range usageReports {
		if args.Reports[r.kind], err = newID(); err != nil {
			return args, err
		}
	}
	return args, nil
}

// ReportUsage starts a job that makes the usage reports of a month, such as "2026-10": for users of the
// server one of all subscribers, for others of their own. The present month is counted so far
// and marked as partial. Reports that were made of this month before are archived then.
func (s *Service) ReportUsage(ctx context.Context, month string) (job store.Job, err error) {
	err = s.changeOverall(ctx, identity.ReadReports, func(c *changes) error {
		begin, err := time.Parse(store.MonthLayout, month)
		switch {
		case err != nil:
			return invalid("month", "is no month", "write it like 2026-10")
		case begin.After(c.wall):
			return invalid("month", "has not begun", "reports tell what was")
		}
		args, err := newReportArgs(month)
		if err != nil {
			return err
		}
		c.actor.SubscriberID = c.within // whom it is about, which for users of the server is nobody in particular
		job, err = s.enqueue(ctx, c, jobReportUsage, args)
		return err
	})
	if err == nil {
		s.wake()
	}
	return job, err
}

// Reports returns a page of the usage reports of who asks's subscriber, for users of the server of all.
func (s *Service) Reports(ctx context.Context, q store.Query) (store.Page[store.Report], error) {
	o, err := s.overall(ctx, identity.ReadReports)
	if err != nil {
		return store.Page[store.Report]{}, err
	}
	return o.Reports().List(ctx, q)
}

// FindReport returns one usage report, archived or not.
func (s *Service) FindReport(ctx context.Context, id string) (store.Report, error) {
	o, err := s.overall(ctx, identity.ReadReports)
	if err != nil {
		return store.Report{}, err
	}
	return o.Reports().Find(ctx, id)
}

// reportUsage does what ReportUsage started. Begun again, it makes what is missing.
func reportUsage(ctx context.Context, s *Service, j *task) (any, error) {
	var args reportArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return nil, err
	}
	begin, err := time.Parse(store.MonthLayout, args.Month)
	if err != nil {
		return nil, err
	}
	q := store.UsageQuery{SubscriberID: j.SubscriberID, From: begin, Until: begin.AddDate(0, 1, 0), Passed: campaign.Verified.String()}
	result := reportResult{reportArgs: args}
	for i, kind := range usageReports {
		r, err := s.store.Reports().Find(ctx, args.Reports[kind.kind])
		if errors.Is(err, store.ErrNotFound) {
			now := s.wall() // before it is counted: what comes meanwhile may be missing
			r = store.Report{ID: args.Reports[kind.kind], SubscriberID: j.SubscriberID, Kind: kind.kind, Month: args.Month, CreatedAt: now, UpdatedAt: now}
			rows, rowsErr := kind.rows(ctx, s, q)
			if rowsErr != nil {
				return nil, rowsErr
			}
			if r.CSV, err = table(r, kind.header, rows); err != nil {
				return nil, err
			}
			if err = s.publish(ctx, r); errors.Is(err, store.ErrConflict) {
				err = s.publish(ctx, r) // another process was in between: now its report is seen
			}
		}
		if err != nil {
			return nil, err
		}
		result.Partial = result.Partial || r.Partial()
		if err := j.report(i+1, len(usageReports)); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// publish stores a report in the place of the one of the same kind, month and subscriber, which is
// archived. Publishing twice is no error.
func (s *Service) publish(ctx context.Context, r store.Report) error {
	return s.change(ctx, identity.ReadReports, func(c *changes) error {
		if _, err := c.Reports().Find(ctx, r.ID); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		made := r // anew in every attempt
		page, err := c.Reports().List(ctx, store.Query{Where: map[store.Field]string{
			store.ByKind: r.Kind, store.ByMonth: r.Month, store.BySubscriber: r.SubscriberID}})
		if err != nil {
			return err
		}
		for _, old := range page.Items {
			if old.CreatedAt.After(r.CreatedAt) {
				// Another process counted later and was quicker: the latest count stays.
				made.Archived = true
				continue
			}
			if err := c.Reports().Archive(ctx, old.ID, c.wall); err != nil {
				return err
			}
			c.recordIn(r.SubscriberID, "report.archive", "report", old.ID, nil, r.Kind+" "+r.Month)
		}
		c.recordIn(r.SubscriberID, "report.create", "report", r.ID, nil, r.Kind+" "+r.Month)
		return c.Reports().Create(ctx, &made)
	})
}

func generalRows(ctx context.Context, s *Service, q store.UsageQuery) ([][]string, error) {
	used, err := s.store.GeneralUsage(ctx, q)
	rows := make([][]string, len(used))
	for i, u := range used {
		rows[i] = row(u.SubscriberID, "", u.Devices, u.Campaigns, u.MCGroup, u.Binary, u.FOTA)
	}
	return rows, err
}

func smartDeltaRows(ctx context.Context, s *Service, q store.UsageQuery) ([][]string, error) {
	used, err := s.store.SmartDeltaUsage(ctx, q)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(used))
	for i, u := range used {
		ids[i] = u.ProfileID
	}
	profiles, err := s.store.Profiles().FindAll(ctx, ids)
	names := map[string]string{"": "(none)"}
	for _, p := range profiles {
		// The hardware too: names need not be unique.
		names[p.ID] = fmt.Sprintf("%s (%s)", p.Name, p.Triplet())
	}
	rows := make([][]string, len(used))
	for i, u := range used {
		rows[i] = row(u.SubscriberID, names[u.ProfileID], u.Devices, u.FullImage, u.Delta)
	}
	return rows, err
}

// row returns the cells of a subscriber, what else there is to name, and numbers.
func row(subscriber, name string, numbers ...int) []string {
	cells := []string{bulk.Defuse(subscriber)}
	if name != "" {
		cells = append(cells, bulk.Defuse(name))
	}
	for _, n := range numbers {
		cells = append(cells, strconv.Itoa(n))
	}
	return cells
}

// table writes a report as CSV with a header row (RFC 4180). Every row ends with its month and whether
// that was over, so that tables can be put together and nobody takes a partial one for a whole.
func table(r store.Report, header []string, rows [][]string) (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	write := func(cells []string, more ...string) {
		_ = w.Write(append(cells[:len(cells):len(cells)], more...)) // its errors are those of Error
	}
	write(header, "month", "partial")
	for _, cells := range rows {
		write(cells, r.Month, strconv.FormatBool(r.Partial()))
	}
	w.Flush()
	return b.String(), w.Error()
}
