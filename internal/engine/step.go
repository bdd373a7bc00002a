package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// also is what the shell wants stored in the transaction of a step.
type also struct {
	firmware []store.FirmwareSeen
	audit    []store.AuditEntry // of an order, unless it is refused
}

// step applies one input to a campaign and collects what follows for the next commit.
func (e *Engine) step(r *run, in campaign.Input, more also) error {
	_, err := e.stepped(r, in, more)
	return err
}

// stepped is step for those who want to know what followed.
func (e *Engine) stepped(r *run, in campaign.Input, more also) (campaign.Output, error) {
	if r.lost {
		return campaign.Output{}, fmt.Errorf("campaign %s is being loaded again", r.id)
	}
	now := e.source.Now()
	out, err := guarded(func() (campaign.Output, error) { return r.c.Step(now, in), nil })
	if err != nil {
		r.lost, r.retryAt = true, now.Add(brokenDelay)
		return out, fmt.Errorf("campaign %s gives up what it had in memory, at %s: %w", r.id, in, err)
	}
	r.wakeAt = out.WakeAt
	if out.Receipt.Err() != nil {
		more.audit = nil
	}
	if isQuiet(out) && len(more.firmware)+len(more.audit) == 0 {
		return out, nil
	}
	if err := r.collect(now, out, more); err != nil {
		r.lost = true
		return out, err
	}
	for _, ev := range out.Events {
		if ev.Code == string(campaign.ReasonProbeVersion) {
			r.found = append(r.found, ev.DevEUI)
		}
	}
	e.countStep(r, out)
	return out, nil
}

// brokenDelay is how long a campaign rests that has contradicted itself. What is stored is from before;
// it may go on from there, or break again.
const brokenDelay = time.Minute

// guarded calls the campaign machine. A panic is an error of that campaign: the others go on.
func guarded[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// isQuiet tells if nothing of a step is worth a transaction.
func isQuiet(out campaign.Output) bool {
	return len(out.Devices)+len(out.Groups)+len(out.Events)+len(out.Downlinks)+len(out.FlushDevices)+len(out.FlushGroups) == 0
}

// batch is what steps have changed since the last commit. Several steps share one
// transaction: no byte of theirs has left yet, so nobody can tell them from one.
type batch struct {
	steps   int
	since   time.Time // of the first step
	visible bool      // something that watchers should see at once
	rec     store.Step
	devices map[lorawan.EUI64]int // rows of rec by device: the latest state is enough
	groups  map[lorawan.EUI64]int
	air     map[store.AirMinute]int // rows of rec
}

// A batch is committed at the latest when it holds maxBatch steps or is maxBatchAge old:
// that is what a crash can make the campaign forget.
const (
	maxBatch    = 256
	maxBatchAge = time.Minute
)

// due tells if the batch has waited long enough.
func (b *batch) due(now time.Time) bool {
	return b.steps >= maxBatch || b.steps > 0 && !now.Before(b.since.Add(maxBatchAge))
}

// collect adds the output of a step to the batch.
func (r *run) collect(now time.Time, out campaign.Output, more also) error {
	b, spec := &r.batch, r.c.Spec()
	if b.devices == nil {
		b.devices, b.groups, b.rec.GroupFCnt = map[lorawan.EUI64]int{}, map[lorawan.EUI64]int{}, map[lorawan.EUI64]uint32{}
	}
	if b.steps++; b.steps == 1 {
		b.since = now
	}
	b.rec.At = now
	for _, i := range out.Devices {
		if err := r.collectDevice(now, i); err != nil {
			return err
		}
	}
	for _, g := range out.Groups {
		grp, eui := r.c.Group(g), spec.Groups[g].DevEUI
		state, err := json.Marshal(grp)
		if err != nil {
			return fmt.Errorf("campaign %s: group %s: %w", r.id, eui, err)
		}
		put(&b.rec.Groups, b.groups, store.Row{DevEUI: eui, State: state, Stage: grp.Phase.String(), At: now})
		b.rec.GroupFCnt[eui] = grp.NextFCnt
	}
	for _, dev := range out.FlushDevices {
		b.rec.Outbox = append(b.rec.Outbox, store.Outgoing{ID: r.flushID(len(b.rec.Outbox)), DevEUI: dev, Flush: true})
	}
	for _, g := range out.FlushGroups {
		b.rec.Outbox = append(b.rec.Outbox, store.Outgoing{ID: r.flushID(len(b.rec.Outbox)), Group: g, Flush: true})
	}
	for _, d := range out.Downlinks {
		b.rec.Outbox = append(b.rec.Outbox, store.Outgoing{ID: d.ID, DevEUI: d.DevEUI, Group: d.Group, FPort: d.FPort, Payload: d.Payload, Flush: d.Flush})
	}
	b.rec.Audit = append(b.rec.Audit, more.audit...)
	for _, ev := range out.Events {
		b.rec.Timeline = append(b.rec.Timeline, store.TimelineEntry{At: ev.At, DevEUI: ev.DevEUI, Group: ev.Group, Code: ev.Code, Text: ev.Text, Cause: ev.Cause})
		b.visible = b.visible || ev.DevEUI.IsZero() && ev.Group.IsZero()
	}
	b.rec.Firmware = append(b.rec.Firmware, more.firmware...)
	return nil
}

// collectDevice adds the state of device i of the campaign to the batch.
func (r *run) collectDevice(now time.Time, i int) error {
	b, spec := &r.batch, r.c.Spec()
	d, m := r.c.Device(i), &spec.Devices[i]
	state, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("campaign %s: device %s: %w", r.id, m.DevEUI, err)
	}
	put(&b.rec.Devices, b.devices, store.Row{
		DevEUI: m.DevEUI, State: state, Stage: d.Stage.String(), Outcome: d.Outcome.String(), Reason: string(d.Reason), At: now,
	})
	lane := r.c.Lane(i)
	if lane.Version >= lorawan.V2 && (d.Stage == campaign.StageFragSetup && d.Attempts > 0 || d.Together) {
		b.rec.SessionCnts = append(b.rec.SessionCnts, store.SessionCnt{DevEUI: m.DevEUI, FragIndex: lane.FragIndex, Cnt: d.SessionCnt})
	}
	if spec.Type == fleet.FOTACampaign && d.Outcome == campaign.Verified {
		b.rec.Firmware = append(b.rec.Firmware, store.FirmwareSeen{DevEUI: m.DevEUI, Version: spec.Firmware, At: now})
	}
	return nil
}

// put replaces the row of a device or group, or adds it.
func put(rows *[]store.Row, at map[lorawan.EUI64]int, row store.Row) {
	if k, ok := at[row.DevEUI]; ok {
		(*rows)[k] = row
		return
	}
	at[row.DevEUI] = len(*rows)
	*rows = append(*rows, row)
}

// commitUnlessMore commits the batch now, unless further events of the same round will add
// to it, or nothing in it is in a hurry.
func (e *Engine) commitUnlessMore(ctx context.Context, r *run) error {
	if e.more || !e.mustCommit(r, !e.source.Pending()) {
		return nil
	}
	return e.commit(ctx, r)
}

// mustCommit tells if the batch of a campaign must not wait: there is something to send, it
// is old or large, the campaign has ended, or nothing else is at hand anyway.
func (e *Engine) mustCommit(r *run, idle bool) bool {
	return idle || len(r.batch.rec.Outbox) > 0 || r.batch.due(e.source.Now()) || r.c.Done()
}

// commit stores the batch in one transaction and releases its frames for sending.
func (e *Engine) commit(ctx context.Context, r *run) error {
	b := &r.batch
	if b.steps == 0 || r.lost {
		return nil
	}
	head := r.c.Header()
	header, err := json.Marshal(head)
	if err != nil {
		r.lost = true
		return fmt.Errorf("campaign %s: header: %w", r.id, err)
	}
	b.rec.CampaignID, b.rec.Epoch, b.rec.Header, b.rec.WakeAt = r.id, r.epoch, header, r.wakeAt
	b.rec.Status, b.rec.StatusReason, b.rec.Paused = head.Status, string(cmp.Or(head.Reason, head.Halted.Reason)), !head.Paused.IsZero() || !head.Halted.At.IsZero()
	b.rec.Started, b.rec.Ended, b.rec.Sent = head.Started, head.Ended, r.marks
	r.commits++
	visible := b.visible || r.commits%progressEvery == 0
	var progress campaign.Progress
	if visible {
		progress = r.c.Progress()
		b.rec.Stages = stageRows(progress)
	}
	if err := e.store.CommitStep(ctx, b.rec); err != nil {
		if e.fenced(r, err) {
			return fmt.Errorf("campaign %s: %w", r.id, err)
		}
		// Stored or not, nobody knows: what memory holds must not be acted on. A full disk
		// does not get better by asking again at once.
		r.lost, r.retryAt = true, e.source.Now().Add(retryDelay)
		return fmt.Errorf("campaign %s: commit: %w", r.id, err)
	}
	e.airStored(ctx, b.rec.Air)
	r.outbox = append(r.outbox, b.rec.Outbox...)
	r.batch, r.marks = batch{}, nil
	e.notePackages(ctx, r)
	if head.Status.Ended() && !r.counted {
		r.counted = true
		e.countEnd(r)
	}
	if visible {
		e.publisher(Progress{r.id, progress})
	}
	return nil
}

// progressEvery is how many commits may pass between two reports to watchers, beside
// those at which the campaign as a whole changes.
const progressEvery = 32

// flushID names the wish to empty a queue; the numbers of downlinks are not used for it.
func (r *run) flushID(n int) string { return fmt.Sprintf("flush-%d-%d", r.c.Header().Seq, n) }

func stageRows(p campaign.Progress) []store.StageProgress {
	rows := make([]store.StageProgress, 0, len(p.Stages))
	for k, s := range p.Stages {
		row := store.StageProgress{Position: k + 1, Name: s.Stage.String(), Status: "pending", Started: s.Opened, Ended: s.Closed, Total: p.Devices, Completed: s.Passed}
		switch {
		case !s.Closed.IsZero():
			row.Status = "done"
			if p.Status == fleet.Failed && (k+1 == len(p.Stages) || p.Stages[k+1].Closed.IsZero()) {
				row.Status = "failed"
			}
		case s.Opened.IsZero():
		case p.Status == fleet.Succeeded:
			row.Status = "done" // the last device was verified before it came so far
		case p.Status.Ended():
			row.Status = "ended"
		default:
			row.Status = "running"
		}
		rows = append(rows, row)
	}
	return rows
}
