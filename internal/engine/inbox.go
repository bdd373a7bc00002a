package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/store"
)

// letter is what reached this process and is for another one: an event of the network, or an
// order of a person. Processes of two versions may exchange letters: fields are added, not renamed.
type letter struct {
	Event *network.Event     `json:"event,omitempty"`
	Order string             `json:"order,omitempty"` // name of an Input in orders
	Input json.RawMessage    `json:"input,omitempty"` // its value
	Audit []store.AuditEntry `json:"audit,omitempty"` // of the order
}

// orders are the inputs that people give, by the names of their types.
var orders = func() map[string]reflect.Type {
	byName := map[string]reflect.Type{}
	for _, in := range []campaign.Input{
		campaign.StopRequested{}, campaign.PauseRequested{}, campaign.ResumeRequested{},
		campaign.ExtendRequested{}, campaign.RedundancyRequested{}, campaign.RetryRequested{}, campaign.ExcludeRequested{}, campaign.PromoteRequested{},
	} {
		byName[reflect.TypeOf(in).Name()] = reflect.TypeOf(in)
	}
	return byName
}()

// orderLetter writes an order.
func orderLetter(campaignID string, in campaign.Input, audit []store.AuditEntry) (store.Letter, error) {
	name := reflect.TypeOf(in).Name()
	if orders[name] == nil {
		return store.Letter{}, fmt.Errorf("order %s cannot be written", name)
	}
	value, err := json.Marshal(in)
	if err != nil {
		return store.Letter{}, fmt.Errorf("order %s: %w", name, err)
	}
	return asLetter(campaignID, letter{Order: name, Input: value, Audit: audit})
}

func asLetter(campaignID string, l letter) (store.Letter, error) {
	body, err := json.Marshal(l)
	return store.Letter{CampaignID: campaignID, Body: body}, err
}

func readLetter(stored store.Letter) (l letter, err error) {
	err = json.Unmarshal(stored.Body, &l)
	return l, err
}

// order reads the order of a letter.
func (l *letter) order() (campaign.Input, error) {
	typ := orders[l.Order]
	if typ == nil {
		return nil, fmt.Errorf("order %q is unknown to this version", l.Order)
	}
	v := reflect.New(typ)
	if err := json.Unmarshal(l.Input, v.Interface()); err != nil {
		return nil, fmt.Errorf("order %s: %w", l.Order, err)
	}
	return v.Elem().Interface().(campaign.Input), nil
}

// Letters of one campaign that one commit takes account of, and events that wait to be posted.
const (
	maxLetters = 1000
	maxUnsent  = 100_000
)

// passOn keeps an event for the owner of its campaign, and tells if it has one elsewhere.
func (e *Engine) passOn(ev network.Event) bool {
	id := e.elsewhere(ev)
	if id == "" {
		return false
	}
	l, err := asLetter(id, letter{Event: &ev})
	if err != nil {
		e.log.Error("event not passed on", "dev_eui", ev.DevEUI, "err", err)
		return true
	}
	e.unsent = append(e.unsent, l)
	return true
}

// post hands over what was kept for others, before more events are asked for: those are
// then acknowledged. While the store is away they are kept, up to a limit.
func (e *Engine) post(ctx context.Context) {
	if len(e.unsent) == 0 || e.unsentAt.After(e.source.Now()) {
		return
	}
	if _, err := e.store.Post(ctx, e.unsent...); err != nil {
		e.unsentAt = e.source.Now().Add(retryDelay)
		if drop := len(e.unsent) - maxUnsent; drop > 0 {
			e.unsent = slices.Delete(e.unsent, 0, drop) // as if the radio had lost them
		}
		e.log.Warn("events not passed on, trying again", "events", len(e.unsent), "err", err)
		return
	}
	e.unsent, e.unsentAt = nil, time.Time{}
}

// readLetters takes what others have passed on.
func (e *Engine) readLetters(ctx context.Context) {
	for _, r := range slices.Clone(e.runs) {
		for again := true; again && !r.lost; {
			n, err := e.readLettersOf(ctx, r)
			if err != nil {
				e.log.Warn("letters not read, trying again", "campaign", r.id, "err", err)
			}
			again = err == nil && n == maxLetters
		}
	}
}

// readLettersOf takes the letters to one campaign. They go with the commit of what follows from them.
func (e *Engine) readLettersOf(ctx context.Context, r *run) (int, error) {
	letters, err := e.store.Letters(ctx, r.id, maxLetters)
	if err != nil || len(letters) == 0 {
		return 0, err
	}
	for i, l := range letters {
		if r.lost {
			return 0, nil // they are still there when it has been loaded again
		}
		e.more = i+1 < len(letters)
		reply, err := e.open(ctx, r, l)
		if err != nil {
			e.log.Warn("letter dropped", "campaign", r.id, "err", err)
		}
		r.batch.took(l.Seq, reply, e.source.Now())
	}
	return len(letters), e.commit(ctx, r)
}

// open does what a letter asks for, and returns the reply to an order.
func (e *Engine) open(ctx context.Context, r *run, stored store.Letter) (reply []byte, err error) {
	l, err := readLetter(stored)
	if err != nil {
		return nil, err
	}
	if l.Event != nil {
		e.more = true // the commit is that of all letters
		e.handle(ctx, *l.Event)
		return nil, nil
	}
	in, err := l.order()
	if err != nil {
		return nil, err
	}
	out, err := e.stepped(r, in, also{audit: l.Audit})
	if err != nil {
		return nil, err
	}
	return json.Marshal(out.Receipt)
}

// took notes that the batch takes account of a letter, even if nothing else follows from it.
func (b *batch) took(seq int64, reply []byte, now time.Time) {
	if b.steps++; b.steps == 1 {
		b.since, b.rec.At = now, now
	}
	if reply != nil {
		b.rec.Replies = append(b.rec.Replies, store.Letter{Seq: seq, Body: reply})
		return
	}
	b.rec.Inbox = append(b.rec.Inbox, seq)
}

// How long whoever gave an order waits for the process that carries it out.
const (
	orderPatience = 15 * time.Second
	orderPoll     = 50 * time.Millisecond
)

// pass gives an order to whoever owns the campaign, and waits for the receipt. The order is durable when it is
// posted; so the end of patience is no error. It returns ErrNotRunning if nobody needs orders any more.
func (e *Engine) pass(ctx context.Context, campaignID string, in campaign.Input, audit []store.AuditEntry) (receipt campaign.Receipt, err error) {
	l, err := orderLetter(campaignID, in, audit)
	if err != nil {
		return receipt, err
	}
	seqs, err := e.store.Post(ctx, l)
	if err != nil {
		return receipt, fmt.Errorf("campaign %s: %w", campaignID, err)
	}
	if len(seqs) == 0 {
		return receipt, fmt.Errorf("campaign %s: %w", campaignID, ErrNotRunning)
	}
	patience := time.NewTimer(orderPatience)
	defer patience.Stop()
	ticks := time.NewTicker(orderPoll)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			reply, waiting, err := e.store.Reply(ctx, seqs[0])
			switch {
			case err != nil:
				return receipt, fmt.Errorf("campaign %s: the order is kept, what becomes of it is not known: %w", campaignID, err)
			case waiting:
				continue
			case reply != nil:
				if err := json.Unmarshal(reply, &receipt); err != nil {
					return receipt, fmt.Errorf("campaign %s: receipt: %w", campaignID, err)
				}
			}
			return receipt, receipt.Err()
		case <-patience.C:
			return receipt, nil
		case <-e.done:
			return receipt, nil
		case <-ctx.Done():
			return receipt, nil
		}
	}
}
