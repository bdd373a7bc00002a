package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// RunInfo returns what changes with every step.
func (s *Store) RunInfo(ctx context.Context, campaignID string) (store.RunInfo, error) {
	info := store.RunInfo{CampaignID: campaignID}
	err := s.reader.QueryRowContext(ctx, "SELECT version, last_seq, wake_at FROM run WHERE campaign_id = ?", campaignID).
		Scan(&info.Version, &info.LastSeq, micros{&info.WakeAt})
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	return info, aboutRun(campaignID, err)
}

// Stages returns the stages of a run in their order.
func (s *Store) Stages(ctx context.Context, campaignID string) ([]store.StageProgress, error) {
	var out []store.StageProgress
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var g store.StageProgress
		err := rows.Scan(&g.Position, &g.Name, &g.Status, micros{&g.Started}, micros{&g.Ended}, &g.Total, &g.Completed)
		out = append(out, g)
		return err
	}, `SELECT position, name, status, started, ended, total, completed FROM run_stage WHERE campaign_id = ? ORDER BY position`, campaignID)
	return out, err
}

// Tally counts devices by what people see of them.
func (s *Store) Tally(ctx context.Context, campaignID string) ([]store.Tally, error) {
	var out []store.Tally
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var t store.Tally
		err := rows.Scan(&t.Stage, &t.Outcome, &t.Reason, &t.Devices)
		out = append(out, t)
		return err
	}, `SELECT stage, outcome, reason, COUNT(*) FROM run_device WHERE campaign_id = ? GROUP BY stage, outcome, reason ORDER BY stage, outcome, reason`, campaignID)
	return out, err
}

// rowColumns are what progress queries return of run_device and run_group.
const rowColumns = "dev_eui, stage, outcome, reason, at"

func scanRow(rows *sql.Rows) (r store.Row, err error) {
	err = rows.Scan(eui{&r.DevEUI}, &r.Stage, &r.Outcome, &r.Reason, micros{&r.At})
	return r, err
}

// DeviceProgress returns a page of the devices of a run.
func (s *Store) DeviceProgress(ctx context.Context, campaignID string, q store.ProgressQuery) (store.Page[store.Row], error) {
	var page store.Page[store.Row]
	limit, err := q.PageLimit()
	if err != nil {
		return page, err
	}
	after := []byte{} // less than any EUI
	if q.After != "" {
		e, err := lorawan.ParseEUI64(q.After)
		if err != nil {
			return page, fmt.Errorf("page after %q: %w", q.After, store.ErrQuery)
		}
		after = e[:]
	}
	err = each(ctx, s.reader, func(rows *sql.Rows) error {
		r, err := scanRow(rows)
		page.Items = append(page.Items, r)
		return err
	}, `SELECT `+rowColumns+` FROM run_device WHERE campaign_id = ?1 AND dev_eui > ?2
			AND (?3 = '' OR stage = ?3) AND (?4 = '' OR outcome = ?4) AND (?5 = '' OR reason = ?5)
		ORDER BY dev_eui LIMIT ?6`, campaignID, after, q.Stage, q.Outcome, q.Reason, limit+1)
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = page.Items[limit-1].DevEUI.String()
	}
	return page, err
}

// GroupProgress returns the groups of a run.
func (s *Store) GroupProgress(ctx context.Context, campaignID string) ([]store.Row, error) {
	var out []store.Row
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		r, err := scanRow(rows)
		out = append(out, r)
		return err
	}, `SELECT `+rowColumns+` FROM run_group WHERE campaign_id = ? ORDER BY dev_eui`, campaignID)
	return out, err
}

// Timeline returns entries in the order of commit.
func (s *Store) Timeline(ctx context.Context, campaignID string, q store.TimelineQuery) ([]store.TimelineEntry, error) {
	limit, err := q.PageLimit()
	if err != nil {
		return nil, err
	}
	query, args := "", []any{campaignID, q.After}
	if !q.DevEUI.IsZero() {
		query, args = " AND dev_eui = ?", append(args, id(q.DevEUI))
	}
	var out []store.TimelineEntry
	err = each(ctx, s.reader, func(rows *sql.Rows) error {
		var t store.TimelineEntry
		err := rows.Scan(&t.Seq, micros{&t.At}, eui{&t.DevEUI}, eui{&t.Group}, &t.Code, &t.Text, &t.Cause)
		out = append(out, t)
		return err
	}, `SELECT seq, at, dev_eui, mc_group, code, text, cause FROM timeline WHERE campaign_id = ? AND seq > ?`+query+` ORDER BY seq LIMIT ?`,
		append(args, limit)...)
	return out, err
}
