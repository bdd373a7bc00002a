package relational

import (
	"context"
	"fmt"
	"strings"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// RunInfo returns what changes with every step.
func (d DB) RunInfo(ctx context.Context, campaignID string) (store.RunInfo, error) {
	info := store.RunInfo{CampaignID: campaignID}
	err := one(ctx, d.Reader, []any{&info.Version, &info.LastSeq, Micros{&info.WakeAt}},
		"SELECT version, last_seq, wake_at FROM run WHERE campaign_id = ?", campaignID)
	return info, AboutRun(campaignID, err)
}

// RunHeader returns the state of a run as a whole.
func (d DB) RunHeader(ctx context.Context, campaignID string) ([]byte, error) {
	var header []byte
	err := one(ctx, d.Reader, []any{&header}, "SELECT header FROM run WHERE campaign_id = ?", campaignID)
	return header, AboutRun(campaignID, err)
}

// Stages returns the stages of a run in their order.
func (d DB) Stages(ctx context.Context, campaignID string) ([]store.StageProgress, error) {
	var out []store.StageProgress
	err := each(ctx, d.Reader, func(scan func(...any) error) error {
		var g store.StageProgress
		err := scan(&g.Position, &g.Name, &g.Status, Micros{&g.Started}, Micros{&g.Ended}, &g.Total, &g.Completed)
		out = append(out, g)
		return err
	}, "SELECT position, name, status, started, ended, total, completed FROM run_stage WHERE campaign_id = ? ORDER BY position", campaignID)
	return out, err
}

// Tally counts devices by what people see of them.
func (d DB) Tally(ctx context.Context, campaignID string) ([]store.Tally, error) {
	var out []store.Tally
	err := each(ctx, d.Reader, func(scan func(...any) error) error {
		var t store.Tally
		err := scan(&t.Stage, &t.Outcome, &t.Reason, &t.Devices)
		out = append(out, t)
		return err
	}, "SELECT stage, outcome, reason, COUNT(*) FROM run_device WHERE campaign_id = ? GROUP BY stage, outcome, reason ORDER BY stage, outcome, reason", campaignID)
	return out, err
}

// progress reads rows of run_device or run_group as people see them, ordered by DevEUI.
func (d DB) progress(ctx context.Context, table, cond string, args ...any) ([]store.Row, error) {
	var out []store.Row
	err := each(ctx, d.Reader, func(scan func(...any) error) error {
		var r store.Row
		err := scan(EUI{&r.DevEUI}, &r.Stage, &r.Outcome, &r.Reason, Micros{&r.At})
		out = append(out, r)
		return err
	}, "SELECT dev_eui, stage, outcome, reason, at FROM "+table+" WHERE "+cond, args...)
	return out, err
}

// DeviceProgress returns a page of the devices of a run.
func (d DB) DeviceProgress(ctx context.Context, campaignID string, q store.ProgressQuery) (store.Page[store.Row], error) {
	var page store.Page[store.Row]
	limit, err := q.PageLimit()
	if err != nil {
		return page, err
	}
	cond, args := "campaign_id = ?", []any{campaignID}
	if q.After != "" {
		e, err := lorawan.ParseEUI64(q.After)
		if err != nil {
			return page, fmt.Errorf("page after %q: %w", q.After, store.ErrQuery)
		}
		cond, args = cond+" AND dev_eui > ?", append(args, ID(e))
	}
	for _, by := range []struct{ column, value string }{{"stage", q.Stage}, {"outcome", q.Outcome}, {"reason", q.Reason}} {
		if by.value == "" {
			continue
		}
		if err := checkText(by.value); err != nil {
			return page, fmt.Errorf("%w: %s %q %w", store.ErrQuery, by.column, by.value, err)
		}
		cond, args = cond+" AND "+by.column+" = ?", append(args, by.value)
	}
	page.Items, err = d.progress(ctx, "run_device", cond+" ORDER BY dev_eui LIMIT ?", append(args, int64(limit+1))...)
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = page.Items[limit-1].DevEUI.String()
	}
	return page, err
}

// GroupProgress returns the groups of a run.
func (d DB) GroupProgress(ctx context.Context, campaignID string) ([]store.Row, error) {
	return d.progress(ctx, "run_group", "campaign_id = ? ORDER BY dev_eui", campaignID)
}

// Timeline returns entries in the order of commit.
func (d DB) Timeline(ctx context.Context, campaignID string, q store.TimelineQuery) ([]store.TimelineEntry, error) {
	limit, err := q.PageLimit()
	if err != nil {
		return nil, err
	}
	cond, args := "campaign_id = ? AND seq > ?", []any{campaignID, q.After}
	if !q.DevEUI.IsZero() {
		cond, args = cond+" AND dev_eui = ?", append(args, ID(q.DevEUI))
	}
	if q.Code != "" {
		if err := checkText(q.Code); err != nil {
			return nil, fmt.Errorf("%w: code %q %w", store.ErrQuery, q.Code, err)
		}
		if strings.HasSuffix(q.Code, ".") {
			// "/" is the character after ".": what begins with "device." is below "device/".
			cond, args = cond+" AND code >= ? AND code < ?", append(args, q.Code, strings.TrimSuffix(q.Code, ".")+"/")
		} else {
			cond, args = cond+" AND code = ?", append(args, q.Code)
		}
	}
	var out []store.TimelineEntry
	err = each(ctx, d.Reader, func(scan func(...any) error) error {
		var t store.TimelineEntry
		err := scan(&t.Seq, Micros{&t.At}, EUI{&t.DevEUI}, EUI{&t.Group}, &t.Code, &t.Text, &t.Cause)
		out = append(out, t)
		return err
	}, "SELECT seq, at, dev_eui, mc_group, code, text, cause FROM timeline WHERE "+cond+" ORDER BY seq LIMIT ?", append(args, int64(limit))...)
	return out, err
}
