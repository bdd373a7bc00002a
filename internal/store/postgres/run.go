package postgres

import (
	"bytes"
	"context"
	"maps"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/relational"
	"github.com/starling-fuota/starling/lorawan"
)

// CreateRun makes a configured campaign RUNNING and stores its run.
func (s *Store) CreateRun(ctx context.Context, run store.Run) error {
	return relational.AboutRun(run.CampaignID, s.transact(ctx, func(t *transaction) error {
		if err := s.Start(ctx, queries{on: t.Tx, in: t}, run); err != nil {
			return err
		}
		for table, states := range map[string]map[lorawan.EUI64][]byte{"run_device": run.Devices, "run_group": run.Groups} {
			rows := relational.FirstRows(states, run)
			if _, err := t.CopyFrom(ctx, pgx.Identifier{table}, []string{"campaign_id", "dev_eui", "state", "stage", "outcome", "reason", "at"},
				pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
					r := rows[i]
					return []any{run.CampaignID, relational.ID(r.DevEUI), relational.Blob(r.State), r.Stage, r.Outcome, r.Reason, relational.At(r.At)}, nil
				})); err != nil {
				return err
			}
		}
		b := &pgx.Batch{}
		queueTimeline(b, run.CampaignID, 0, run.Timeline)
		return t.SendBatch(ctx, b).Close()
	}))
}

// CommitStep stores a step whole, or nothing of it.
func (s *Store) CommitStep(ctx context.Context, step store.Step) error {
	return relational.AboutRun(step.CampaignID, s.transact(ctx, func(t *transaction) error {
		if err := commitStep(ctx, t.Tx, step); err != nil {
			return err
		}
		return relational.Record(ctx, queries{on: t.Tx, in: t}, step.Audit)
	}))
}

func commitStep(ctx context.Context, tx pgx.Tx, step store.Step) error {
	// The lock on the row of the run makes steps of one campaign follow one another, and
	// the epoch read under it is the one that holds until the commit.
	var seq int64
	if err := relational.Fenced(tx.QueryRow(ctx, `UPDATE run SET header = $2, wake_at = $3, version = version + 1, last_seq = last_seq + $4
		WHERE campaign_id = $1 RETURNING epoch, last_seq`,
		step.CampaignID, relational.Blob(step.Header), relational.At(step.WakeAt), int64(len(step.Timeline))), step.Epoch, &seq); err != nil {
		return err
	}
	status, err := step.Status.MarshalText()
	if err != nil {
		return err
	}

	b := &pgx.Batch{}
	// Only a change that people made or see as one counts as a revision; otherwise
	// every step would make an operator's open form stale.
	b.Queue(`UPDATE campaign SET
			revision = revision + CASE WHEN status <> $2 OR paused <> $4 THEN 1 ELSE 0 END, status = $2, status_reason = $3, paused = $4,
			started = CASE $5::bigint WHEN 0 THEN started ELSE $5 END, ended = CASE $6::bigint WHEN 0 THEN ended ELSE $6 END,
			updated_at = GREATEST(updated_at, $7)
		WHERE id = $1`,
		step.CampaignID, string(status), step.StatusReason, step.Paused, relational.At(step.Started), relational.At(step.Ended), relational.At(step.At))
	queueRows(b, "run_device", step.CampaignID, step.Devices)
	queueRows(b, "run_group", step.CampaignID, step.Groups)
	queueStages(b, step.CampaignID, step.Stages)
	queueFCnts(b, step.GroupFCnt)
	queueSessionCnts(b, step.SessionCnts)
	if err := queueFirmware(b, step.Firmware); err != nil {
		return err
	}
	queueSent(b, step.CampaignID, step.Sent)
	if len(step.Inbox) > 0 {
		b.Queue("DELETE FROM inbox WHERE seq = ANY($1::bigint[])", step.Inbox)
	}
	for _, reply := range step.Replies { // a few at most: people gave orders
		b.Queue("UPDATE inbox SET body = $2, replied = "+dialect.Clock+" WHERE seq = $1", reply.Seq, relational.Blob(reply.Body))
	}
	if err := queueAir(b, step.CampaignID, step.Air); err != nil {
		return err
	}
	if step.Status.Ended() && step.WakeAt.IsZero() { // nobody will read what else there is
		b.Queue("DELETE FROM inbox WHERE campaign_id = $1 AND replied = 0", step.CampaignID)
	}
	queueOutbox(b, step.CampaignID, step.Outbox)
	queueTimeline(b, step.CampaignID, seq-int64(len(step.Timeline)), step.Timeline)
	err = tx.SendBatch(ctx, b).Close()
	if where, ok := taken(err); ok && where == "outbox.campaign_id" {
		return &store.Conflict{Kind: "pending frame", Field: "id"}
	}
	return err
}

// MarkSent takes frames out of the outbox and raises the counters of their groups.
func (s *Store) MarkSent(ctx context.Context, campaignID string, epoch int64, sent ...store.Sent) error {
	if len(sent) == 0 {
		return nil
	}
	return relational.AboutRun(campaignID, s.transact(ctx, func(t *transaction) error {
		// Locked, so that the epoch holds until the commit.
		if err := relational.Fenced(t.QueryRow(ctx, "SELECT epoch FROM run WHERE campaign_id = $1 FOR UPDATE", campaignID), epoch); err != nil {
			return err
		}
		b := &pgx.Batch{}
		queueSent(b, campaignID, sent)
		return t.SendBatch(ctx, b).Close()
	}))
}

// column collects one column of many rows, as an array that unnest makes rows of again.
func column[T, V any](rows []T, value func(T) V) []V {
	out := make([]V, len(rows))
	for i, r := range rows {
		out[i] = value(r)
	}
	return out
}

// last returns one row for each key, sorted by it: the later of two replaces the
// earlier, unless it is older. One statement must not touch a row twice, and rows that
// everybody locks in the same order cannot deadlock.
func last[T any](rows []T, key func(T) []byte, older func(later, earlier T) bool) []T {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b T) int { return bytes.Compare(key(a), key(b)) })
	out := rows[:0]
	for _, r := range rows {
		switch n := len(out); {
		case n == 0 || !bytes.Equal(key(out[n-1]), key(r)):
			out = append(out, r)
		case !older(r, out[n-1]):
			out[n-1] = r
		}
	}
	return out
}

func never[T any](T, T) bool { return false }

func queueRows(b *pgx.Batch, table, campaignID string, rows []store.Row) {
	if len(rows) == 0 {
		return
	}
	rows = last(rows, func(r store.Row) []byte { return relational.ID(r.DevEUI) }, never)
	b.Queue(`INSERT INTO `+table+` AS stored (campaign_id, dev_eui, state, stage, outcome, reason, at)
			SELECT $1, * FROM unnest($2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::bigint[])
		ON CONFLICT (campaign_id, dev_eui) DO UPDATE SET state = excluded.state, stage = excluded.stage,
			outcome = excluded.outcome, reason = excluded.reason, at = excluded.at`,
		campaignID,
		column(rows, func(r store.Row) []byte { return relational.ID(r.DevEUI) }),
		column(rows, func(r store.Row) []byte { return relational.Blob(r.State) }),
		column(rows, func(r store.Row) string { return r.Stage }),
		column(rows, func(r store.Row) string { return r.Outcome }),
		column(rows, func(r store.Row) string { return r.Reason }),
		column(rows, func(r store.Row) int64 { return relational.At(r.At) }))
}

func queueStages(b *pgx.Batch, campaignID string, stages []store.StageProgress) {
	for _, g := range stages { // a handful
		b.Queue(`INSERT INTO run_stage (campaign_id, position, name, status, started, ended, total, completed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (campaign_id, position) DO UPDATE SET name = excluded.name, status = excluded.status, started = excluded.started,
				ended = excluded.ended, total = excluded.total, completed = excluded.completed`,
			campaignID, g.Position, g.Name, g.Status, relational.At(g.Started), relational.At(g.Ended), g.Total, g.Completed)
	}
}

// queueFCnts raises the next counters of groups, unless they are higher already.
func queueFCnts(b *pgx.Batch, next map[lorawan.EUI64]uint32) {
	for _, group := range slices.SortedFunc(maps.Keys(next), lorawan.EUI64.Compare) { // a handful
		b.Queue("UPDATE multicast_group SET f_cnt_down = GREATEST(f_cnt_down, $2) WHERE id = $1", relational.ID(group), int64(next[group]))
	}
}

func queueSessionCnts(b *pgx.Batch, cnts []store.SessionCnt) {
	if len(cnts) == 0 {
		return
	}
	cnts = last(cnts, func(c store.SessionCnt) []byte { return append(relational.ID(c.DevEUI), c.FragIndex) },
		func(later, earlier store.SessionCnt) bool { return later.Cnt < earlier.Cnt })
	b.Queue(`INSERT INTO session_cnt AS stored (dev_eui, frag_index, cnt) SELECT * FROM unnest($1::bytea[], $2::integer[], $3::integer[])
		ON CONFLICT (dev_eui, frag_index) DO UPDATE SET cnt = GREATEST(stored.cnt, excluded.cnt)`,
		column(cnts, func(c store.SessionCnt) []byte { return relational.ID(c.DevEUI) }),
		column(cnts, func(c store.SessionCnt) int32 { return int32(c.FragIndex) }),
		column(cnts, func(c store.SessionCnt) int32 { return int32(c.Cnt) }))
}

func queueFirmware(b *pgx.Batch, seen []store.FirmwareSeen) error {
	if len(seen) == 0 {
		return nil
	}
	seen = last(seen, func(f store.FirmwareSeen) []byte { return relational.ID(f.DevEUI) },
		func(later, earlier store.FirmwareSeen) bool { return later.At.Before(earlier.At) })
	versions := make([]string, len(seen))
	for i, f := range seen {
		text, err := f.Version.MarshalText()
		if err != nil {
			return err
		}
		versions[i] = string(text)
	}
	b.Queue(`UPDATE device SET firmware = seen.version, firmware_order = seen.position, firmware_changed = seen.at, firmware_reported = seen.at
		FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[]) AS seen (dev_eui, version, at, position)
		WHERE device.id = seen.dev_eui AND device.firmware_changed <= seen.at`,
		column(seen, func(f store.FirmwareSeen) []byte { return relational.ID(f.DevEUI) }), versions,
		column(seen, func(f store.FirmwareSeen) int64 { return relational.At(f.At) }),
		column(seen, func(f store.FirmwareSeen) int64 { return relational.FirmwareOrder(f.Version) }))
	return nil
}

// queueAir adds up first what belongs to the same row: one statement must not touch a row twice.
func queueAir(b *pgx.Batch, campaignID string, air []store.AirSpent) error {
	if len(air) == 0 {
		return nil
	}
	bands := make([]string, len(air))
	for i, a := range air {
		text, err := a.Band.MarshalText()
		if err != nil {
			return err
		}
		bands[i] = string(text)
	}
	b.Queue(`INSERT INTO air_spent AS stored (campaign_id, minute, gateway, band, sub_band, spent, changed)
		SELECT $1, a.minute, a.gateway, a.band, a.sub_band, sum(a.spent), `+dialect.Clock+`
			FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) AS a (minute, gateway, band, sub_band, spent)
			GROUP BY a.minute, a.gateway, a.band, a.sub_band ORDER BY a.minute, a.gateway, a.band, a.sub_band
		ON CONFLICT (campaign_id, minute, gateway, band, sub_band) DO UPDATE SET spent = stored.spent + excluded.spent, changed = excluded.changed`,
		campaignID,
		column(air, func(a store.AirSpent) int64 { return relational.At(a.Minute) }),
		column(air, func(a store.AirSpent) string { return relational.Legible(a.Gateway) }), bands,
		column(air, func(a store.AirSpent) int64 { return int64(a.SubBand) }),
		column(air, func(a store.AirSpent) int64 { return a.Spent.Microseconds() }))
	return nil
}

func queueSent(b *pgx.Batch, campaignID string, sent []store.Sent) {
	if len(sent) == 0 {
		return
	}
	next := map[lorawan.EUI64]uint32{}
	for _, f := range sent {
		if !f.Group.IsZero() {
			// The counter has 32 bits and no way back: it stays at the end rather than wrap.
			next[f.Group] = max(next[f.Group], uint32(min(uint64(f.FCnt)+1, math.MaxUint32)))
		}
	}
	queueFCnts(b, next)
	b.Queue("DELETE FROM outbox WHERE campaign_id = $1 AND id = ANY($2::text[])", campaignID, column(sent, func(f store.Sent) string { return f.ID }))
}

func queueOutbox(b *pgx.Batch, campaignID string, frames []store.Outgoing) {
	if len(frames) == 0 {
		return
	}
	// The identity column counts in the order of the rows as they are sorted here.
	b.Queue(`INSERT INTO outbox (campaign_id, id, dev_eui, mc_group, f_port, payload, flush)
		SELECT $1, f.id, f.dev_eui, f.mc_group, f.f_port, f.payload, f.flush
		FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::integer[], $6::bytea[], $7::boolean[])
			WITH ORDINALITY AS f (id, dev_eui, mc_group, f_port, payload, flush, position) ORDER BY f.position`,
		campaignID,
		column(frames, func(o store.Outgoing) string { return o.ID }),
		column(frames, func(o store.Outgoing) []byte { return relational.ID(o.DevEUI) }),
		column(frames, func(o store.Outgoing) []byte { return relational.ID(o.Group) }),
		column(frames, func(o store.Outgoing) int32 { return int32(o.FPort) }),
		column(frames, func(o store.Outgoing) []byte { return relational.Blob(o.Payload) }),
		column(frames, func(o store.Outgoing) bool { return o.Flush }))
}

// queueTimeline numbers the entries after the sequence number before.
func queueTimeline(b *pgx.Batch, campaignID string, before int64, entries []store.TimelineEntry) {
	if len(entries) == 0 {
		return
	}
	b.Queue(`INSERT INTO timeline (campaign_id, seq, at, dev_eui, mc_group, code, text, cause)
		SELECT $1, $2 + e.position, e.at, e.dev_eui, e.mc_group, e.code, e.text, e.cause
		FROM unnest($3::bigint[], $4::bytea[], $5::bytea[], $6::text[], $7::text[], $8::text[])
			WITH ORDINALITY AS e (at, dev_eui, mc_group, code, text, cause, position)`,
		campaignID, before,
		column(entries, func(t store.TimelineEntry) int64 { return relational.At(t.At) }),
		column(entries, func(t store.TimelineEntry) []byte { return relational.ID(t.DevEUI) }),
		column(entries, func(t store.TimelineEntry) []byte { return relational.ID(t.Group) }),
		column(entries, func(t store.TimelineEntry) string { return t.Code }),
		column(entries, func(t store.TimelineEntry) string { return relational.Legible(t.Text) }),
		column(entries, func(t store.TimelineEntry) string { return relational.Legible(t.Cause) }))
}
