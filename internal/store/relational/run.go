package relational

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Start makes a configured campaign RUNNING, gives it a run without devices and
// groups, and records whose order that was: the beginning of CreateRun, whose transaction q is.
func (d DB) Start(ctx context.Context, q Querier, run store.Run) error {
	var state fleet.Status
	var archived bool
	err := one(ctx, q, []any{Text{&state}, &archived}, "SELECT status, archived FROM campaign WHERE id = ?", run.CampaignID)
	switch {
	case err != nil:
		return err
	case archived:
		return fmt.Errorf("is archived: %w", store.ErrConflict)
	case state != fleet.Configured:
		return fmt.Errorf("is %s: %w", state, store.ErrConflict)
	}
	if run.Beside != nil {
		if err := unexpected(ctx, q, run.Beside); err != nil {
			return err
		}
	}
	if err := withinQuota(ctx, q, run.CampaignID); err != nil {
		return err
	}
	n, err := q.Exec(ctx, fmt.Sprintf(`UPDATE campaign SET status = ?, started = ?, updated_at = %s(updated_at, ?), revision = revision + 1
		WHERE id = ? AND status = ?`, d.Max), fleet.Running.String(), At(run.Started), At(run.Started), run.CampaignID, state.String())
	if err == nil && n == 0 {
		err = fmt.Errorf("is started by somebody else: %w", store.ErrConflict)
	}
	if err != nil {
		return err
	}
	if _, err = q.Exec(ctx, "INSERT INTO run (campaign_id, header, epoch, version, last_seq, wake_at, owner) VALUES (?, ?, ?, 0, ?, ?, ?)",
		run.CampaignID, Blob(run.Header), run.Epoch, int64(len(run.Timeline)), At(run.WakeAt), run.Owner); err != nil {
		return err
	}
	if _, err = q.Exec(ctx, "INSERT INTO run_spec (campaign_id, spec) VALUES (?, ?)", run.CampaignID, Blob(run.Spec)); err != nil {
		return err
	}
	if err := d.announce(ctx, q); err != nil {
		return err
	}
	here := func(_ context.Context, f func(Querier) error) error { return f(q) }
	inside := DB{Dialect: d.Dialect, Reader: q, View: here, Write: here, Once: here, Vault: d.Vault}
	for i := range run.Jobs {
		job := run.Jobs[i] // a transaction that collided runs again with the caller's
		if err := inside.Jobs().Create(ctx, &job); err != nil {
			return err
		}
	}
	return Record(ctx, q, run.Audit)
}

// withinQuota returns store.ErrQuota if the subscriber of a campaign has as many RUNNING ones as it may.
func withinQuota(ctx context.Context, q Querier, campaignID string) error {
	var id, doc string
	err := one(ctx, q, []any{&id, &doc}, "SELECT subscriber.id, subscriber.doc FROM subscriber JOIN campaign ON campaign.subscriber_id = subscriber.id WHERE campaign.id = ?", campaignID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // nobody has given it a quota
	}
	if err != nil {
		return err
	}
	var subscriber fleet.Subscriber
	if err := json.Unmarshal([]byte(doc), &subscriber); err != nil {
		return fmt.Errorf("subscriber %s: %w", id, err)
	}
	limit := subscriber.Quota.RunningCampaigns
	if limit == 0 {
		return nil
	}
	var running int
	err = one(ctx, q, []any{&running}, "SELECT COUNT(*) FROM campaign WHERE subscriber_id = ? AND status = ?", id, fleet.Running.String())
	if err == nil && running >= limit {
		err = fmt.Errorf("subscriber %s runs its %d campaigns, one more %w: wait for one to end, or stop it", id, limit, store.ErrQuota)
	}
	return err
}

// FirstRows turns the states of a new run into rows, in the order of the key.
func FirstRows(states map[lorawan.EUI64][]byte, run store.Run) []store.Row {
	rows := make([]store.Row, 0, len(states))
	for _, e := range slices.SortedFunc(maps.Keys(states), lorawan.EUI64.Compare) {
		rows = append(rows, store.Row{DevEUI: e, State: states[e], At: run.Started})
	}
	return rows
}

// LoadRun returns one run as of one instant.
func (d DB) LoadRun(ctx context.Context, campaignID string) (run store.Run, err error) {
	err = d.View(ctx, func(q Querier) error {
		run, err = loadRun(ctx, q, campaignID)
		return err
	})
	return run, AboutRun(campaignID, err)
}

func loadRun(ctx context.Context, q Querier, campaignID string) (store.Run, error) {
	run := store.Run{CampaignID: campaignID, Devices: map[lorawan.EUI64][]byte{}, Groups: map[lorawan.EUI64][]byte{}}
	err := one(ctx, q, []any{&run.Spec, &run.Header, &run.Epoch, Micros{&run.WakeAt}, Micros{&run.Started}},
		`SELECT spec, header, epoch, wake_at, started FROM run JOIN run_spec USING (campaign_id) JOIN campaign ON campaign.id = run.campaign_id WHERE run.campaign_id = ?`, campaignID)
	for table, states := range map[string]map[lorawan.EUI64][]byte{"run_device": run.Devices, "run_group": run.Groups} {
		if err != nil {
			break
		}
		err = each(ctx, q, func(scan func(...any) error) error {
			var e lorawan.EUI64
			var state []byte
			err := scan(EUI{&e}, &state)
			states[e] = state
			return err
		}, "SELECT dev_eui, state FROM "+table+" WHERE campaign_id = ?", campaignID)
	}
	return run, err
}

// KeepForecast stores what was expected of a run, unless something is stored already.
func (d DB) KeepForecast(ctx context.Context, campaignID string, forecast []byte) error {
	err := d.Write(ctx, func(q Querier) error {
		var found int
		if err := one(ctx, q, []any{&found}, "SELECT 1 FROM run WHERE campaign_id = ?", campaignID); err != nil {
			return err
		}
		_, err := q.Exec(ctx, "INSERT INTO run_forecast (campaign_id, forecast) VALUES (?, ?) ON CONFLICT DO NOTHING", campaignID, Blob(forecast))
		return err
	})
	return AboutRun(campaignID, err)
}

// Forecast returns what was expected of a run.
func (d DB) Forecast(ctx context.Context, campaignID string) (forecast []byte, err error) {
	err = one(ctx, d.Reader, []any{&forecast}, "SELECT forecast FROM run_forecast WHERE campaign_id = ?", campaignID)
	if err != nil {
		err = fmt.Errorf("forecast: %w", err)
	}
	return forecast, AboutRun(campaignID, err)
}

// PendingOutbox returns the frames to send, oldest first.
func (d DB) PendingOutbox(ctx context.Context, campaignID string) ([]store.Outgoing, error) {
	cond, args := "TRUE", []any(nil)
	if campaignID != "" {
		cond, args = "campaign_id = ?", []any{campaignID}
	}
	var out []store.Outgoing
	err := each(ctx, d.Reader, func(scan func(...any) error) error {
		var o store.Outgoing
		err := scan(&o.CampaignID, &o.ID, EUI{&o.DevEUI}, EUI{&o.Group}, &o.FPort, &o.Payload, &o.Flush)
		out = append(out, o)
		return err
	}, "SELECT campaign_id, id, dev_eui, mc_group, f_port, payload, flush FROM outbox WHERE "+cond+" ORDER BY seq", args...)
	return out, err
}

// SessionCnts returns the last used counters of the given devices.
func (d DB) SessionCnts(ctx context.Context, devices []lorawan.EUI64) ([]store.SessionCnt, error) {
	var out []store.SessionCnt
	for batch := range slices.Chunk(devices, findBatch) {
		values := make([]any, len(batch))
		for i, e := range batch {
			values[i] = ID(e)
		}
		cond, args := d.In("dev_eui", values)
		err := each(ctx, d.Reader, func(scan func(...any) error) error {
			var c store.SessionCnt
			err := scan(EUI{&c.DevEUI}, &c.FragIndex, &c.Cnt)
			out = append(out, c)
			return err
		}, "SELECT dev_eui, frag_index, cnt FROM session_cnt WHERE "+cond+" ORDER BY dev_eui, frag_index", args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
