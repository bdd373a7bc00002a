package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// keepHouse does what is done unasked, and then the jobs that come from it.
func (w *world) keepHouse(due time.Time) time.Time {
	w.Helper()
	due = w.KeepHouse(context.Background(), slog.New(slog.NewTextHandler(w.Output(), nil)), due)
	w.work()
	return due
}

// scheduled returns the months and subscribers of all reports of a kind, archived ones too, sorted.
func (w *world) scheduled() []string {
	w.Helper()
	var list []string
	for _, r := range w.reports(ctx, store.Query{Archived: true, Limit: store.MaxLimit})[service.ReportGeneral] {
		list = append(list, fmt.Sprintf("%s %q partial=%t", r.Month, r.SubscriberID, r.Partial()))
	}
	slices.Sort(list)
	return list
}

func (w *world) wantScheduled(when string, want ...string) {
	w.Helper()
	if got := w.scheduled(); !slices.Equal(got, want) {
		w.Errorf("%s:\n got %q\nwant %q", when, got, want)
	}
}

var december = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

func TestReportsAreMadeWhenTheMonthIsOver(t *testing.T) {
	w := newWorld(t) // on November 23, 12:00
	w.subscriber("acme")
	due := w.keepHouse(time.Time{})
	w.wantScheduled("nobody did anything before November")
	if want := w.wall.Add(time.Hour); !due.Equal(want) {
		t.Errorf("looks again at %s, want %s", due, want)
	}

	w.wall = december.Add(-10 * time.Minute)
	if due = w.keepHouse(due); !due.Equal(december) {
		t.Errorf("looks again at %s, and the month is over at %s", due, december)
	}
	w.wall = december.Add(-time.Microsecond)
	due = w.keepHouse(due)
	w.wantScheduled("before the month is over")

	w.wall = december
	due = w.keepHouse(due)
	november := []string{`2026-11 "" partial=false`, `2026-11 "acme" partial=false`, `2026-11 "default" partial=false`}
	w.wantScheduled("when the month is over", november...)

	// Later, and in another process that has just started, nothing is made twice.
	w.wall = w.wall.AddDate(0, 0, 20)
	w.keepHouse(due)
	w.keepHouse(time.Time{})
	w.wantScheduled("later", november...)
}

// Nothing is missing after a time in which no server ran, but for what is older than a year.
func TestMissedReportsAreMadeUpFor(t *testing.T) {
	w := newWorld(t)
	w.wall = time.Date(2027, 3, 15, 0, 0, 0, 0, time.UTC)
	w.keepHouse(time.Time{})
	var want []string
	for _, month := range []string{"2026-11", "2026-12", "2027-01", "2027-02"} {
		want = append(want, month+` "" partial=false`, month+` "default" partial=false`)
	}
	w.wantScheduled("after three months without a server", want...)

	w.wall = time.Date(2030, 1, 31, 23, 0, 0, 0, time.UTC)
	w.keepHouse(time.Time{})
	got := w.scheduled()[len(want):]
	if len(got) != 2*12 || got[0] != `2029-01 "" partial=false` || got[23] != `2029-12 "default" partial=false` {
		t.Errorf("after years, these are made: %q", got)
	}
}

// The reports of a server that was upgraded begin with its first campaign.
func TestReportsBeginWithTheFirstCampaign(t *testing.T) {
	w := newWorld(t)
	w.ran(w.newCampaign(), time.Date(2026, 9, 1, 0, 30, 0, 0, time.UTC), w.device.DevEUI) // started in August
	w.keepHouse(time.Time{})
	w.wantScheduled("in November", `2026-08 "" partial=false`, `2026-08 "default" partial=false`, `2026-09 "" partial=false`, `2026-09 "default" partial=false`,
		`2026-10 "" partial=false`, `2026-10 "default" partial=false`)
	for _, r := range w.reports(ctx, store.Query{Where: map[store.Field]string{store.ByMonth: "2026-09", store.BySubscriber: ""}})[service.ReportGeneral] {
		wantRows(t, r, generalHeader, "default|1|1|0|0|1|2026-09|false")
	}
}

func TestReplicasMakeReportsOnce(t *testing.T) {
	w := newWorld(t)
	w.wall = december
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			replica := service.New(service.Config{Store: w.store, Runner: w.runner, Wall: func() time.Time { return december }})
			replica.KeepHouse(context.Background(), slog.New(slog.DiscardHandler), time.Time{})
			for busy := true; busy; {
				var err error
				if busy, err = replica.WorkOnce(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	w.wantScheduled("four replicas", `2026-11 "" partial=false`, `2026-11 "default" partial=false`)
	page, err := w.Jobs(ctx, store.Query{})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("jobs %+v, %v", page.Items, err)
	}
	for _, j := range page.Items {
		if j.State != store.JobDone || j.Attempts != 1 {
			t.Errorf("job %+v", j)
		}
	}
}

func TestOldIdempotencyKeysAreForgotten(t *testing.T) {
	w := newWorld(t)
	claim := func(key string, at time.Time) (mine bool) {
		_, mine, err := w.store.Claim(ctx, store.Claim{ClaimID: store.ClaimID{SubscriberID: fleet.DefaultSubscriber, UserID: "u", Key: key}, Operation: "POST /x", At: at})
		if err != nil {
			t.Fatal(err)
		}
		return mine
	}
	claim("old", w.wall.Add(-24*time.Hour-time.Microsecond))
	claim("young", w.wall.Add(-24*time.Hour))
	w.keepHouse(time.Time{})
	if !claim("old", w.wall) || claim("young", w.wall) {
		t.Error("the claims of the last 24 hours are kept, and no others")
	}
}

// Work itself keeps house; nobody needs to ask for anything.
func TestWorkKeepsHouse(t *testing.T) {
	w := newWorld(t)
	looked := make(chan struct{}, 1)
	server := service.New(service.Config{Store: w.store, Runner: w.runner, Wall: func() time.Time {
		select {
		case looked <- struct{}{}:
		default:
		}
		return december
	}})
	working, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { server.Work(working, slog.New(slog.DiscardHandler)); close(done) }()
	for range looked { // it looks at the clock again and again
		if len(w.scheduled()) == 2 {
			break
		}
	}
	stop()
	<-done
}
