package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// CreateRun makes a configured campaign RUNNING and stores its run.
func (s *Store) CreateRun(ctx context.Context, run store.Run) error {
	err := s.transact(ctx, func(q querier) error {
		var state fleet.Status
		var archived bool
		err := q.QueryRowContext(ctx, "SELECT status, archived FROM campaign WHERE id = ?", run.CampaignID).
			Scan(text{&state}, &archived)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.ErrNotFound
		case err != nil:
			return err
		case archived:
			return fmt.Errorf("is archived: %w", store.ErrConflict)
		case state != fleet.Configured:
			return fmt.Errorf("is %s: %w", state, store.ErrConflict)
		}
		if _, err := q.ExecContext(ctx, `UPDATE campaign SET status = ?, started = ?, updated_at = MAX(updated_at, ?), revision = revision + 1 WHERE id = ?`,
			fleet.Running.String(), at(run.Started), at(run.Started), run.CampaignID); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO run (campaign_id, spec, header, epoch, version, last_seq, wake_at) VALUES (?, ?, ?, ?, 0, 0, ?)`,
			run.CampaignID, blob(run.Spec), blob(run.Header), run.Epoch, at(run.WakeAt)); err != nil {
			return err
		}
		if err := saveRows(ctx, q, "run_device", run.CampaignID, rowsOf(run.Devices, run)); err != nil {
			return err
		}
		return saveRows(ctx, q, "run_group", run.CampaignID, rowsOf(run.Groups, run))
	})
	return aboutRun(run.CampaignID, err)
}

// rowsOf turns the states of a new run into rows, in the order of the key.
func rowsOf(states map[lorawan.EUI64][]byte, run store.Run) []store.Row {
	rows := make([]store.Row, 0, len(states))
	for _, e := range slices.SortedFunc(maps.Keys(states), lorawan.EUI64.Compare) {
		rows = append(rows, store.Row{DevEUI: e, State: states[e], At: run.Started})
	}
	return rows
}

func saveRows(ctx context.Context, q querier, table, campaignID string, rows []store.Row) error {
	return execAll(ctx, q, `INSERT INTO `+table+` (campaign_id, dev_eui, state, stage, outcome, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET state = excluded.state, stage = excluded.stage, outcome = excluded.outcome, reason = excluded.reason, at = excluded.at`,
		rows, func(r store.Row) []any {
			return []any{campaignID, id(r.DevEUI), blob(r.State), r.Stage, r.Outcome, r.Reason, at(r.At)}
		})
}

// LoadRun returns one run as of one instant.
func (s *Store) LoadRun(ctx context.Context, campaignID string) (run store.Run, err error) {
	err = s.snapshot(ctx, func(q querier) error {
		run, err = loadRun(ctx, q, campaignID)
		return err
	})
	return run, aboutRun(campaignID, err)
}

// LoadRuns returns the runs with something left to do as of one instant.
func (s *Store) LoadRuns(ctx context.Context) ([]store.Run, error) {
	var runs []store.Run
	err := s.snapshot(ctx, func(q querier) error {
		var ids []string
		err := each(ctx, q, func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT campaign_id FROM run JOIN campaign ON campaign.id = run.campaign_id WHERE status = ? OR wake_at <> 0 ORDER BY campaign_id`, fleet.Running.String())
		if err != nil {
			return err
		}
		for _, id := range ids {
			run, err := loadRun(ctx, q, id)
			if err != nil {
				return aboutRun(id, err)
			}
			runs = append(runs, run)
		}
		return nil
	})
	return runs, err
}

func loadRun(ctx context.Context, q querier, campaignID string) (store.Run, error) {
	run := store.Run{CampaignID: campaignID, Devices: map[lorawan.EUI64][]byte{}, Groups: map[lorawan.EUI64][]byte{}}
	err := q.QueryRowContext(ctx, `SELECT spec, header, epoch, wake_at, started FROM run JOIN campaign ON campaign.id = run.campaign_id WHERE campaign_id = ?`, campaignID).
		Scan(&run.Spec, &run.Header, &run.Epoch, micros{&run.WakeAt}, micros{&run.Started})
	if errors.Is(err, sql.ErrNoRows) {
		return run, store.ErrNotFound
	}
	for table, states := range map[string]map[lorawan.EUI64][]byte{"run_device": run.Devices, "run_group": run.Groups} {
		if err != nil {
			break
		}
		err = each(ctx, q, func(rows *sql.Rows) error {
			var e lorawan.EUI64
			var state []byte
			err := rows.Scan(eui{&e}, &state)
			states[e] = state
			return err
		}, "SELECT dev_eui, state FROM "+table+" WHERE campaign_id = ?", campaignID)
	}
	return run, err
}

// CommitStep stores a step whole, or nothing of it.
func (s *Store) CommitStep(ctx context.Context, step store.Step) error {
	return aboutRun(step.CampaignID, s.transact(ctx, func(q querier) error {
		return commitStep(ctx, q, step)
	}))
}

func commitStep(ctx context.Context, q querier, step store.Step) error {
	var epoch, seq int64
	err := q.QueryRowContext(ctx, `UPDATE run SET header = ?, wake_at = ?, version = version + 1, last_seq = last_seq + ?
		WHERE campaign_id = ? RETURNING epoch, last_seq`,
		blob(step.Header), at(step.WakeAt), len(step.Timeline), step.CampaignID).Scan(&epoch, &seq)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return store.ErrNotFound
	case err != nil:
		return err
	case epoch != step.Epoch:
		return fmt.Errorf("step of epoch %d, run of epoch %d: %w", step.Epoch, epoch, store.ErrFenced)
	}
	seq -= int64(len(step.Timeline))

	// Only a change that people made or see as one counts as a revision; otherwise
	// every step would make an operator's open form stale.
	if _, err := q.ExecContext(ctx, `UPDATE campaign SET
			revision = revision + (status <> ?1 OR paused <> ?3), status = ?1, status_reason = ?2, paused = ?3,
			started = CASE ?4 WHEN 0 THEN started ELSE ?4 END, ended = CASE ?5 WHEN 0 THEN ended ELSE ?5 END,
			updated_at = MAX(updated_at, ?6)
		WHERE id = ?7`,
		text{&step.Status}, step.StatusReason, step.Paused, at(step.Started), at(step.Ended), at(step.At), step.CampaignID); err != nil {
		return err
	}
	if err := saveRows(ctx, q, "run_device", step.CampaignID, step.Devices); err != nil {
		return err
	}
	if err := saveRows(ctx, q, "run_group", step.CampaignID, step.Groups); err != nil {
		return err
	}
	if err := execAll(ctx, q, `INSERT INTO run_stage (campaign_id, position, name, status, started, ended, total, completed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET name = excluded.name, status = excluded.status, started = excluded.started, ended = excluded.ended,
			total = excluded.total, completed = excluded.completed`,
		step.Stages, func(g store.StageProgress) []any {
			return []any{step.CampaignID, g.Position, g.Name, g.Status, at(g.Started), at(g.Ended), g.Total, g.Completed}
		}); err != nil {
		return err
	}
	for group, next := range step.GroupFCnt {
		if err := raiseFCnt(ctx, q, group, int64(next)); err != nil {
			return err
		}
	}
	if err := execAll(ctx, q, `INSERT INTO session_cnt (dev_eui, frag_index, cnt) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET cnt = MAX(cnt, excluded.cnt)`,
		step.SessionCnts, func(c store.SessionCnt) []any { return []any{id(c.DevEUI), c.FragIndex, c.Cnt} }); err != nil {
		return err
	}
	if err := execAll(ctx, q, `UPDATE device SET firmware = ?, firmware_changed = ?2 WHERE id = ? AND firmware_changed <= ?2`,
		step.Firmware, func(f store.FirmwareSeen) []any { return []any{text{&f.Version}, at(f.At), id(f.DevEUI)} }); err != nil {
		return err
	}
	if err := markSent(ctx, q, step.CampaignID, step.Sent); err != nil {
		return err
	}
	if err := execAll(ctx, q, `INSERT INTO outbox (campaign_id, id, dev_eui, mc_group, f_port, payload, flush) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		step.Outbox, func(o store.Outgoing) []any {
			return []any{step.CampaignID, o.ID, id(o.DevEUI), id(o.Group), o.FPort, blob(o.Payload), o.Flush}
		}); err != nil {
		if notUnique(err) {
			return &store.Conflict{Kind: "pending frame", Field: "id"}
		}
		return err
	}
	return execAll(ctx, q, `INSERT INTO timeline (campaign_id, seq, at, dev_eui, mc_group, code, text, cause) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		step.Timeline, func(t store.TimelineEntry) []any {
			seq++
			return []any{step.CampaignID, seq, at(t.At), id(t.DevEUI), id(t.Group), t.Code, t.Text, t.Cause}
		})
}

// raiseFCnt sets the next counter of a group, unless it is higher already.
func raiseFCnt(ctx context.Context, q querier, group lorawan.EUI64, next int64) error {
	// The counter has 32 bits and no way back: it stays at the end rather than wrap.
	_, err := q.ExecContext(ctx, "UPDATE multicast_group SET f_cnt_down = MAX(f_cnt_down, MIN(?, 4294967295)) WHERE id = ?", next, id(group))
	return err
}

// PendingOutbox returns the frames to send, oldest first.
func (s *Store) PendingOutbox(ctx context.Context, campaignID string) ([]store.Outgoing, error) {
	var out []store.Outgoing
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var o store.Outgoing
		err := rows.Scan(&o.CampaignID, &o.ID, eui{&o.DevEUI}, eui{&o.Group}, &o.FPort, &o.Payload, &o.Flush)
		out = append(out, o)
		return err
	}, `SELECT campaign_id, id, dev_eui, mc_group, f_port, payload, flush FROM outbox WHERE ?1 = '' OR campaign_id = ?1 ORDER BY seq`, campaignID)
	return out, err
}

// MarkSent takes frames out of the outbox and raises the counters of their groups.
func (s *Store) MarkSent(ctx context.Context, campaignID string, sent ...store.Sent) error {
	if len(sent) == 0 {
		return nil
	}
	return aboutRun(campaignID, s.transact(ctx, func(q querier) error { return markSent(ctx, q, campaignID, sent) }))
}

func markSent(ctx context.Context, q querier, campaignID string, sent []store.Sent) error {
	for _, f := range sent {
		if !f.Group.IsZero() {
			if err := raiseFCnt(ctx, q, f.Group, int64(f.FCnt)+1); err != nil {
				return err
			}
		}
	}
	return execAll(ctx, q, "DELETE FROM outbox WHERE campaign_id = ? AND id = ?", sent,
		func(f store.Sent) []any { return []any{campaignID, f.ID} })
}

// SessionCnts returns the last used counters of the given devices.
func (s *Store) SessionCnts(ctx context.Context, devices []lorawan.EUI64) ([]store.SessionCnt, error) {
	var out []store.SessionCnt
	for batch := range slices.Chunk(devices, findBatch) {
		args := make([]any, len(batch))
		for i, e := range batch {
			args[i] = id(e)
		}
		err := each(ctx, s.reader, func(rows *sql.Rows) error {
			var c store.SessionCnt
			err := rows.Scan(eui{&c.DevEUI}, &c.FragIndex, &c.Cnt)
			out = append(out, c)
			return err
		}, "SELECT dev_eui, frag_index, cnt FROM session_cnt WHERE dev_eui IN (?"+strings.Repeat(", ?", len(batch)-1)+") ORDER BY dev_eui, frag_index", args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// aboutRun names the campaign in an error.
func aboutRun(campaignID string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("run of campaign %s: %w", campaignID, err)
}
