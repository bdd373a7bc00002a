package relational

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Record appends to the audit log.
func (d DB) Record(ctx context.Context, entries ...store.AuditEntry) error {
	return d.Write(ctx, func(q Querier) error { return Record(ctx, q, entries) })
}

// Record appends to the audit log in the transaction of q.
func Record(ctx context.Context, q Querier, entries []store.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	_, err := q.ExecAll(ctx, `INSERT INTO audit (at, subscriber_id, user_id, login, token_id, address, request_id, action, kind, object_id, changes, note)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, len(entries), func(i int) []any {
		e := entries[i]
		return []any{At(e.At), e.SubscriberID, e.UserID, Legible(e.Login), e.TokenID, Legible(e.From), Legible(e.RequestID), e.Action, e.Kind,
			Legible(e.ObjectID), Legible(string(e.Changes)), Legible(e.Note)}
	})
	return err
}

// Audit returns entries of the audit log, the newest first.
func (d DB) Audit(ctx context.Context, q store.AuditQuery) (store.Page[store.AuditEntry], error) {
	var page store.Page[store.AuditEntry]
	limit, err := q.PageLimit()
	if err != nil {
		return page, err
	}
	cond, args := "TRUE", []any(nil)
	that := func(c string, value any) { cond, args = cond+" AND "+c, append(args, value) }
	for _, f := range []struct{ column, value string }{
		{"subscriber_id", q.SubscriberID}, {"user_id", q.UserID}, {"kind", q.Kind}, {"object_id", q.ObjectID},
	} {
		if f.value != "" {
			that(f.column+" = ?", f.value)
		}
	}
	switch {
	case strings.HasSuffix(q.Action, "."):
		// "/" is the character after ".": what begins with "device." is below "device/".
		that("action >= ?", q.Action)
		that("action < ?", strings.TrimSuffix(q.Action, ".")+"/")
	case q.Action != "":
		that("action = ?", q.Action)
	}
	if !q.Since.IsZero() {
		that("at >= ?", At(q.Since))
	}
	if !q.Until.IsZero() {
		that("at < ?", At(q.Until))
	}
	if q.After != "" {
		seq, err := strconv.ParseInt(q.After, 10, 64)
		if err != nil {
			return page, fmt.Errorf("page after %q: %w", q.After, store.ErrQuery)
		}
		that("seq < ?", seq)
	}
	err = each(ctx, d.Reader, func(scan func(...any) error) error {
		var e store.AuditEntry
		var changes string
		err := scan(&e.Seq, Micros{&e.At}, &e.SubscriberID, &e.UserID, &e.Login, &e.TokenID, &e.From, &e.RequestID, &e.Action, &e.Kind, &e.ObjectID, &changes, &e.Note)
		if changes != "" {
			e.Changes = []byte(changes)
		}
		page.Items = append(page.Items, e)
		return err
	}, `SELECT seq, at, subscriber_id, user_id, login, token_id, address, request_id, action, kind, object_id, changes, note
		FROM audit WHERE `+cond+` ORDER BY seq DESC LIMIT ?`, append(args, int64(limit+1))...)
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = strconv.FormatInt(page.Items[limit-1].Seq, 10)
	}
	return page, err
}

// RunningWith returns the RUNNING campaigns that a device takes part in.
func (d DB) RunningWith(ctx context.Context, dev lorawan.EUI64) (ids []string, err error) {
	own, scope := d.own()
	err = each(ctx, d.Reader, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	}, `SELECT c.id FROM campaign c JOIN run_device d ON d.campaign_id = c.id WHERE c.status = 'RUNNING' AND d.dev_eui = ?`+own+` ORDER BY c.id`,
		append([]any{ID(dev)}, scope...)...)
	return ids, err
}

// FirmwareHistory returns what a device ran, the newest first. Triggers write it.
func (d DB) FirmwareHistory(ctx context.Context, dev lorawan.EUI64, q store.HistoryQuery) (store.Page[store.FirmwareEntry], error) {
	var page store.Page[store.FirmwareEntry]
	limit, err := q.PageLimit()
	if err != nil {
		return page, err
	}
	cond, args := "dev_eui = ?", []any{ID(dev)}
	if q.After != "" {
		seq, err := strconv.ParseInt(q.After, 10, 64)
		if err != nil {
			return page, fmt.Errorf("page after %q: %w", q.After, store.ErrQuery)
		}
		cond, args = cond+" AND seq < ?", append(args, seq)
	}
	var last int64
	err = each(ctx, d.Reader, func(scan func(...any) error) error {
		var e store.FirmwareEntry
		var seq int64
		err := scan(&seq, Text{&e.Version}, Micros{&e.At}, &e.CampaignID)
		if page.Items = append(page.Items, e); len(page.Items) <= limit {
			last = seq
		}
		return err
	}, "SELECT seq, version, at, campaign_id FROM firmware_history WHERE "+cond+" ORDER BY seq DESC LIMIT ?", append(args, int64(limit+1))...)
	if len(page.Items) > limit {
		page.Items, page.Next = page.Items[:limit], strconv.FormatInt(last, 10)
	}
	return page, err
}
