package sqlite

import (
	"context"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/relational"
	"github.com/starling-fuota/starling/lorawan"
)

// CreateRun makes a configured campaign RUNNING and stores its run.
func (s *Store) CreateRun(ctx context.Context, run store.Run) error {
	return relational.AboutRun(run.CampaignID, s.transact(ctx, func(q queries) error {
		if err := s.Start(ctx, q, run); err != nil {
			return err
		}
		if err := saveRows(ctx, q, "run_device", run.CampaignID, relational.FirstRows(run.Devices, run)); err != nil {
			return err
		}
		if err := saveRows(ctx, q, "run_group", run.CampaignID, relational.FirstRows(run.Groups, run)); err != nil {
			return err
		}
		return saveTimeline(ctx, q, run.CampaignID, 0, run.Timeline)
	}))
}

func saveRows(ctx context.Context, q querier, table, campaignID string, rows []store.Row) error {
	return execAll(ctx, q, `INSERT INTO `+table+` (campaign_id, dev_eui, state, stage, outcome, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET state = excluded.state, stage = excluded.stage, outcome = excluded.outcome, reason = excluded.reason, at = excluded.at`,
		rows, func(r store.Row) []any {
			return []any{campaignID, relational.ID(r.DevEUI), relational.Blob(r.State), r.Stage, r.Outcome, r.Reason, relational.At(r.At)}
		})
}

// CommitStep stores a step whole, or nothing of it.
func (s *Store) CommitStep(ctx context.Context, step store.Step) error {
	return relational.AboutRun(step.CampaignID, s.step(ctx, func(q queries) error {
		if err := commitStep(ctx, q, step); err != nil {
			return err
		}
		return relational.Record(ctx, q, step.Audit)
	}))
}

func commitStep(ctx context.Context, q querier, step store.Step) error {
	var seq int64
	if err := relational.Fenced(q.QueryRowContext(ctx, `UPDATE run SET header = ?, wake_at = ?, version = version + 1, last_seq = last_seq + ?
		WHERE campaign_id = ? RETURNING epoch, last_seq`,
		relational.Blob(step.Header), relational.At(step.WakeAt), len(step.Timeline), step.CampaignID), step.Epoch, &seq); err != nil {
		return err
	}

	// Only a change that people made or see as one counts as a revision; otherwise
	// every step would make an operator's open form stale.
	if _, err := q.ExecContext(ctx, `UPDATE campaign SET
			revision = revision + (status <> ?1 OR paused <> ?3), status = ?1, status_reason = ?2, paused = ?3,
			started = CASE ?4 WHEN 0 THEN started ELSE ?4 END, ended = CASE ?5 WHEN 0 THEN ended ELSE ?5 END,
			updated_at = MAX(updated_at, ?6)
		WHERE id = ?7`,
		relational.Text{Of: &step.Status}, step.StatusReason, step.Paused, relational.At(step.Started), relational.At(step.Ended), relational.At(step.At), step.CampaignID); err != nil {
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
			return []any{step.CampaignID, g.Position, g.Name, g.Status, relational.At(g.Started), relational.At(g.Ended), g.Total, g.Completed}
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
		step.SessionCnts, func(c store.SessionCnt) []any { return []any{relational.ID(c.DevEUI), c.FragIndex, c.Cnt} }); err != nil {
		return err
	}
	if err := execAll(ctx, q, `UPDATE device SET firmware = ?1, firmware_order = ?2, firmware_changed = ?3, firmware_reported = ?3 WHERE id = ?4 AND firmware_changed <= ?3`,
		step.Firmware, func(f store.FirmwareSeen) []any {
			return []any{relational.Text{Of: &f.Version}, relational.FirmwareOrder(f.Version), relational.At(f.At), relational.ID(f.DevEUI)}
		}); err != nil {
		return err
	}
	if err := markSent(ctx, q, step.CampaignID, step.Sent); err != nil {
		return err
	}
	if err := execAll(ctx, q, "DELETE FROM inbox WHERE seq = ?", step.Inbox, func(seq int64) []any { return []any{seq} }); err != nil {
		return err
	}
	if err := execAll(ctx, q, "UPDATE inbox SET body = ?, replied = "+dialect.Clock+" WHERE seq = ?", step.Replies,
		func(reply store.Letter) []any { return []any{relational.Blob(reply.Body), reply.Seq} }); err != nil {
		return err
	}
	if err := execAll(ctx, q, `INSERT INTO air_spent (campaign_id, minute, gateway, band, sub_band, spent, changed) VALUES (?, ?, ?, ?, ?, ?, `+dialect.Clock+`)
		ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, changed = excluded.changed`,
		step.Air, func(a store.AirSpent) []any {
			return []any{step.CampaignID, relational.At(a.Minute), relational.Legible(a.Gateway), relational.Text{Of: &a.Band}, a.SubBand, a.Spent.Microseconds()}
		}); err != nil {
		return err
	}
	if step.Status.Ended() && step.WakeAt.IsZero() { // nobody will read what else there is
		if _, err := q.ExecContext(ctx, "DELETE FROM inbox WHERE campaign_id = ? AND replied = 0", step.CampaignID); err != nil {
			return err
		}
	}
	if err := execAll(ctx, q, `INSERT INTO outbox (campaign_id, id, dev_eui, mc_group, f_port, payload, flush) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		step.Outbox, func(o store.Outgoing) []any {
			return []any{step.CampaignID, o.ID, relational.ID(o.DevEUI), relational.ID(o.Group), o.FPort, relational.Blob(o.Payload), o.Flush}
		}); err != nil {
		if _, ok := taken(err); ok {
			return &store.Conflict{Kind: "pending frame", Field: "id"}
		}
		return err
	}
	return saveTimeline(ctx, q, step.CampaignID, seq-int64(len(step.Timeline)), step.Timeline)
}

// saveTimeline numbers the entries after the sequence number before.
func saveTimeline(ctx context.Context, q querier, campaignID string, before int64, entries []store.TimelineEntry) error {
	return execAll(ctx, q, `INSERT INTO timeline (campaign_id, seq, at, dev_eui, mc_group, code, text, cause) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		entries, func(t store.TimelineEntry) []any {
			before++
			return []any{campaignID, before, relational.At(t.At), relational.ID(t.DevEUI), relational.ID(t.Group), t.Code, relational.Legible(t.Text), relational.Legible(t.Cause)}
		})
}

// raiseFCnt sets the next counter of a group, unless it is higher already.
func raiseFCnt(ctx context.Context, q querier, group lorawan.EUI64, next int64) error {
	// The counter has 32 bits and no way back: it stays at the end rather than wrap.
	_, err := q.ExecContext(ctx, "UPDATE multicast_group SET f_cnt_down = MAX(f_cnt_down, MIN(?, 4294967295)) WHERE id = ?", next, relational.ID(group))
	return err
}

// MarkSent takes frames out of the outbox and raises the counters of their groups.
func (s *Store) MarkSent(ctx context.Context, campaignID string, epoch int64, sent ...store.Sent) error {
	if len(sent) == 0 {
		return nil
	}
	return relational.AboutRun(campaignID, s.step(ctx, func(q queries) error {
		if err := relational.Fenced(q.QueryRowContext(ctx, "SELECT epoch FROM run WHERE campaign_id = ?", campaignID), epoch); err != nil {
			return err
		}
		return markSent(ctx, q, campaignID, sent)
	}))
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

// execAll runs one prepared statement for every item.
func execAll[T any](ctx context.Context, q querier, query string, items []T, args func(T) []any) error {
	_, err := queries{querier: q}.ExecAll(ctx, query, len(items), func(i int) []any { return args(items[i]) })
	return err
}
