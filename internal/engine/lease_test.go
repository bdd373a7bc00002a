package engine_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// cutOff is a store that no lease can be renewed in while it is cut off.
type cutOff struct {
	store.Store
	cut     atomic.Bool
	renewed atomic.Int64
}

func (c *cutOff) Renew(ctx context.Context, replicaID string, ttl time.Duration) error {
	if c.cut.Load() {
		return errors.New("no route to host")
	}
	c.renewed.Add(1)
	return c.Store.Renew(ctx, replicaID, ttl)
}

// listener hears everything that an engine sends to devices.
type listener struct {
	network.Adapter
	heard func()
}

func (l *listener) SendUnicast(ctx context.Context, dev lorawan.EUI64, f network.Frame, flush bool) error {
	l.heard()
	return l.Adapter.SendUnicast(ctx, dev, f, flush)
}

func (l *listener) SendMulticast(ctx context.Context, group lorawan.EUI64, f network.Frame) (uint32, bool, error) {
	l.heard()
	return l.Adapter.SendMulticast(ctx, group, f)
}

func spring() fleet.Campaign {
	return fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.FOTACampaign, SuccessThreshold: 100, Policy: fleet.CampaignPolicy{Retries: 30}}
}

// A process that cannot renew its lease goes on for most of it and then sends nothing, because another
// may have taken over; it sends what is left when it has renewed it after all.
func TestNothingIsSentWhenTheLeaseMayHaveEnded(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 5, Seed: 4}, 3000)
	w.stop()
	began := time.Now()
	var ahead atomic.Int64 // of the clock of the process
	cut := &cutOff{Store: w.store}
	w.store = cut
	const ttl = time.Hour // by the clock of the store it never ends here
	w.lease = &engine.Lease{TTL: ttl, Renew: time.Millisecond, Name: "here", Now: func() time.Time { return began.Add(time.Duration(ahead.Load())) }}
	var before, after atomic.Int64
	w.air = &listener{w.net, func() {
		if time.Duration(ahead.Load()) > ttl*8/10 && cut.cut.Load() {
			after.Add(1)
		} else {
			before.Add(1)
		}
	}}
	var once sync.Once
	w.watch = func(p engine.Progress) {
		if p.FragmentsSent > 3 {
			once.Do(func() { cut.cut.Store(true); ahead.Store(int64(ttl) * 9 / 10) })
		}
	}
	w.run()
	w.start(spring())
	if p := w.wait(); p.Status != fleet.Failed || before.Load() == 0 || after.Load() > 0 {
		t.Errorf("campaign %s, %d frames sent before, %d after the lease may have ended", p.Status, before.Load(), after.Load())
	}
	if pending, err := w.store.PendingOutbox(t.Context(), "c1"); err != nil || len(pending) == 0 {
		t.Errorf("nothing is left to send, %v", err)
	}
	if err := w.eng.Start(t.Context(), "another", store.Along{}); !errors.Is(err, engine.ErrNoLease) || errors.Is(err, service.ErrState) { // else a start for later would be given up
		t.Errorf("a start without a lease: %v", err)
	}
	cut.cut.Store(false)
	for patience := time.Now().Add(hang); ; {
		pending, err := w.store.PendingOutbox(t.Context(), "c1")
		if err != nil {
			t.Fatal(err)
		}
		if len(pending) == 0 {
			break
		}
		if time.Now().After(patience) {
			t.Fatalf("%d frames are not sent", len(pending))
		}
	}
}

// A campaign that somebody else has taken is left alone, and goes on when it is free again.
func TestACampaignThatWasTakenAwayComesBack(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 5, Seed: 6}, 6000)
	w.stop()
	w.lease = &engine.Lease{TTL: time.Minute, Renew: 20 * time.Millisecond, Name: "here"}
	var once sync.Once
	taken := make(chan error, 1)
	w.watch = func(p engine.Progress) {
		if p.FragmentsSent == 0 {
			return
		}
		once.Do(func() { // on the engine's goroutine: it does not look away meanwhile
			taken <- func() error {
				ctx := t.Context()
				if err := w.store.EndLeases(ctx); err != nil {
					return err
				}
				if err := w.store.Join(ctx, store.Replica{ID: "thief"}, time.Hour); err != nil {
					return err
				}
				share, err := w.store.ClaimRuns(ctx, "thief")
				if err == nil && (len(share.Claimed) != 1 || share.Claimed[0].Epoch != 2) {
					err = errors.New("not taken away")
				}
				return err
			}()
		})
	}
	w.run()
	w.start(spring())
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
	if err := w.store.Leave(t.Context(), "thief"); err != nil {
		t.Fatal(err)
	}
	w.mustSucceed(w.wait(), 5)
	w.verify()
	run, err := w.store.LoadRun(t.Context(), "c1")
	if err != nil || run.Epoch != 3 {
		t.Errorf("epoch %d, %v", run.Epoch, err)
	}
}

// unheard is a store whose answer to the first start is lost.
type unheard struct {
	store.Store
	once sync.Once
}

func (u *unheard) CreateRun(ctx context.Context, r store.Run) error {
	err := u.Store.CreateRun(ctx, r)
	u.once.Do(func() {
		if err == nil {
			err = errors.New("connection reset by peer")
		}
	})
	return err
}

// A start that was committed although it returned an error is a campaign that runs, and says who
// does not take part although its first step was lost.
func TestACampaignWhoseStartWasNotHeardOfRuns(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 3, Seed: 7}, 2000)
	w.stop()
	w.store = &unheard{Store: w.store}
	w.lease = &engine.Lease{TTL: time.Minute, Renew: time.Millisecond, Name: "here"}
	w.run()
	c := spring()
	c.DeviceSets, c.Regions, c.FileID, c.MaxDuration = []string{"all"}, []string{"north"}, "file", 7*24*time.Hour
	stranger := fleet.Device{DevEUI: lorawan.EUI64{9}, Name: "without a profile", Classes: fleet.ClassesOf(fleet.ClassC), Band: region.EU868}
	all, err := w.store.DeviceSets().Find(t.Context(), "all")
	all.Devices = append(all.Devices, stranger.DevEUI)
	if err := errors.Join(err, w.store.Devices().Create(t.Context(), &stranger), w.store.DeviceSets().Update(t.Context(), &all), w.store.Campaigns().Create(t.Context(), &c)); err != nil {
		t.Fatal(err)
	}
	if err := w.eng.Start(t.Context(), c.ID, store.Along{}); err == nil {
		t.Fatal("the start was heard of")
	}
	w.mustSucceed(w.wait(), 3)
	entries, err := w.store.Timeline(t.Context(), c.ID, store.TimelineQuery{Limit: 2})
	if err != nil || len(entries) != 2 || entries[0].DevEUI != stranger.DevEUI || entries[0].Cause != "plan" || entries[1].Code != "campaign.started" {
		t.Errorf("the timeline begins with %+v, %v", entries, err)
	}
}
