package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// runsOf opens a store with n running campaigns, c0 and so on, of epoch 1.
func runsOf(t *testing.T, open Open, n int) store.Store {
	t.Helper()
	ctx, s := context.Background(), open(t, t.TempDir())
	for i := range n {
		c := testCampaign(fmt.Sprint("c", i))
		must(t, s.Campaigns().Create(ctx, &c))
		must(t, s.CreateRun(ctx, store.Run{CampaignID: c.ID, Epoch: 1}))
	}
	return s
}

// claimed returns what a replica gets, such as "c0@2 c1@2", with "-1" for a surplus of 1.
func claimed(t *testing.T, s store.Store, replica string) string {
	t.Helper()
	share, err := s.ClaimRuns(context.Background(), replica)
	must(t, err)
	var words []string
	for _, r := range share.Claimed {
		if r.Owner != replica {
			t.Errorf("%+v is claimed by %s", r, replica)
		}
		words = append(words, fmt.Sprint(r.CampaignID, "@", r.Epoch))
	}
	if share.Surplus > 0 {
		words = append(words, fmt.Sprint(-share.Surplus))
	}
	return strings.Join(words, " ")
}

func owners(t *testing.T, s store.Store) string {
	t.Helper()
	runs, err := s.ActiveRuns(context.Background())
	must(t, err)
	var words []string
	for _, r := range runs {
		words = append(words, r.CampaignID+"="+r.Owner)
	}
	return strings.Join(words, " ")
}

// Leases that end in a test have ended when they begin.
const (
	long  = time.Hour
	ended = -time.Second
)

func leases(t *testing.T, open Open) {
	ctx, s := context.Background(), runsOf(t, open, 3)
	_, err := s.ClaimRuns(ctx, "a")
	want(t, err, store.ErrFenced) // it has not joined
	must(t, s.Join(ctx, store.Replica{ID: "a", Name: "host a"}, long))
	want(t, s.Join(ctx, store.Replica{ID: "a"}, long), store.ErrConflict)
	same(t, "alone it gets all", claimed(t, s, "a"), "c0@2 c1@2 c2@2")
	same(t, "and no more", claimed(t, s, "a"), "")

	// A second replica gets its share when the first has given up what is above its own.
	must(t, s.Join(ctx, store.Replica{ID: "b"}, long))
	same(t, "nothing is free", claimed(t, s, "b"), "")
	same(t, "one too many", claimed(t, s, "a"), "-1")
	must(t, s.Release(ctx, "b", "c0")) // not its own
	must(t, s.Release(ctx, "a", "c1"))
	same(t, "released", owners(t, s), "c0=a c1= c2=a")
	same(t, "claimed", claimed(t, s, "b"), "c1@3")
	same(t, "shared", owners(t, s), "c0=a c1=b c2=a")

	// Who leaves leaves all.
	must(t, s.Leave(ctx, "a"))
	must(t, s.Leave(ctx, "a"))
	want(t, s.Renew(ctx, "a", long), store.ErrFenced)
	same(t, "left", owners(t, s), "c0= c1=b c2=")
	same(t, "taken over", claimed(t, s, "b"), "c0@3 c2@3")

	// The lease of b ends, and does not begin again.
	must(t, s.Renew(ctx, "b", ended))
	want(t, s.Renew(ctx, "b", long), store.ErrFenced)
	same(t, "nobody lives", owners(t, s), "c0= c1= c2=")
	_, err = s.ClaimRuns(ctx, "b")
	want(t, err, store.ErrFenced)
	must(t, s.Join(ctx, store.Replica{ID: "c"}, long))
	same(t, "a new life", claimed(t, s, "c"), "c0@4 c1@4 c2@4")
	want(t, s.CommitStep(ctx, store.Step{CampaignID: "c0", Epoch: 3, Status: fleet.Running}), store.ErrFenced)
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c0", Epoch: 4, Status: fleet.Running}))

	must(t, s.EndLeases(ctx))
	same(t, "all ended", owners(t, s), "c0= c1= c2=")
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c1", Epoch: 4, Status: fleet.Stopped}))
	same(t, "what has nothing left to do is nobody's", owners(t, s), "c0= c2=")
}

func aloneReplicas(t *testing.T, open Open) {
	ctx, s := context.Background(), runsOf(t, open, 0)
	must(t, s.Join(ctx, store.Replica{ID: "a", Name: "host a"}, long))
	err := s.Join(ctx, store.Replica{ID: "b", Name: "host b", Alone: true}, long)
	want(t, err, store.ErrAlone)
	if !strings.Contains(err.Error(), "host a") {
		t.Errorf("%v does not say who", err)
	}
	must(t, s.Renew(ctx, "a", ended))
	must(t, s.Join(ctx, store.Replica{ID: "b", Name: "host b", Alone: true}, long))
	want(t, s.Join(ctx, store.Replica{ID: "c"}, long), store.ErrAlone)
	must(t, s.Leave(ctx, "b"))
	must(t, s.Join(ctx, store.Replica{ID: "c"}, long)) // nameless
	want(t, s.Join(ctx, store.Replica{ID: "d", Alone: true}, long), store.ErrAlone)
}

// claimsTogether lets many replicas claim at once: each run goes to one of them.
func claimsTogether(t *testing.T, open Open) {
	ctx, s := context.Background(), runsOf(t, open, 12)
	replicas := []string{"a", "b", "c", "d"}
	for _, id := range replicas {
		must(t, s.Join(ctx, store.Replica{ID: id}, long))
	}
	got := make([][]store.ActiveRun, len(replicas))
	var wg sync.WaitGroup
	for i, id := range replicas {
		wg.Go(func() {
			for range 5 {
				share, err := s.ClaimRuns(ctx, id)
				if err != nil {
					t.Error(err)
				}
				got[i] = append(got[i], share.Claimed...)
			}
		})
	}
	wg.Wait()
	var all []string
	for i, runs := range got {
		if len(runs) != 3 {
			t.Errorf("%s got %d runs", replicas[i], len(runs))
		}
		for _, r := range runs {
			if r.Epoch != 2 {
				t.Errorf("%+v", r)
			}
			all = append(all, r.CampaignID)
		}
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != 12 {
		t.Errorf("claimed %v", all)
	}
}

// startsTogether starts campaigns that were planned side by side: the second must be planned again.
func startsTogether(t *testing.T, open Open) {
	ctx, s := context.Background(), runsOf(t, open, 1)
	for _, id := range []string{"x", "y"} {
		c := testCampaign(id)
		must(t, s.Campaigns().Create(ctx, &c))
	}
	must(t, s.Join(ctx, store.Replica{ID: "a"}, long))
	must(t, s.CreateRun(ctx, store.Run{CampaignID: "x", Epoch: 1, Owner: "a", Beside: []string{"c0"}}))
	want(t, s.CreateRun(ctx, store.Run{CampaignID: "y", Epoch: 1, Beside: []string{"c0"}}), store.ErrStale)
	want(t, s.CreateRun(ctx, store.Run{CampaignID: "y", Epoch: 1, Beside: []string{}}), store.ErrStale)
	if c := find(t, s.Campaigns(), "y"); c.Status != fleet.Configured {
		t.Errorf("campaign %+v", c)
	}
	must(t, s.CreateRun(ctx, store.Run{CampaignID: "y", Epoch: 1, Beside: []string{"c0", "x"}}))
	same(t, "owners", owners(t, s), "c0= x=a y=")
}

// startsWithinQuota starts five campaigns at once, of which three may run.
func startsWithinQuota(t *testing.T, open Open) {
	ctx, s := context.Background(), runsOf(t, open, 0)
	small := fleet.Subscriber{ID: "small", Name: "small", Quota: fleet.Quota{RunningCampaigns: 3}}
	must(t, s.Subscribers().Create(ctx, &small))
	other := testCampaign("of another")
	must(t, s.Campaigns().Create(ctx, &other))
	must(t, s.CreateRun(ctx, store.Run{CampaignID: other.ID, Epoch: 1}))
	const starts = 5
	for i := range starts {
		c := testCampaign(fmt.Sprint("c", i))
		c.SubscriberID = small.ID
		must(t, s.Campaigns().Create(ctx, &c))
	}
	var wg sync.WaitGroup
	errs := make([]error, starts)
	for i := range starts {
		wg.Go(func() { errs[i] = s.CreateRun(ctx, store.Run{CampaignID: fmt.Sprint("c", i), Epoch: 1}) })
	}
	wg.Wait()
	refused, started := "", ""
	for i, err := range errs {
		if err == nil {
			started = fmt.Sprint("c", i)
			continue
		}
		want(t, err, store.ErrQuota)
		refused = fmt.Sprint("c", i)
		if c := find(t, s.Campaigns(), refused); c.Status != fleet.Configured {
			t.Errorf("%s is refused and %s", c.ID, c.Status)
		}
	}
	runs, err := s.ActiveRuns(ctx)
	must(t, err)
	if len(runs) != 3+1 {
		t.Fatalf("%d campaigns run, %v", len(runs), errs)
	}
	// The place of one that has ended is free.
	must(t, s.CommitStep(ctx, store.Step{CampaignID: started, Epoch: 1, Status: fleet.Stopped}))
	must(t, s.CreateRun(ctx, store.Run{CampaignID: refused, Epoch: 1}))
}

// firstTimeline looks for what is known before the first step, which may never be stored.
func firstTimeline(t *testing.T, open Open) {
	ctx, place := context.Background(), t.TempDir()
	s := open(t, place)
	c := testCampaign("c")
	must(t, s.Campaigns().Create(ctx, &c))
	plan := []store.TimelineEntry{{At: day, DevEUI: devEUI(1, 7), Code: "plan.first", Text: "not \x00 in it", Cause: "plan"}, {At: day, DevEUI: devEUI(1, 8), Code: "plan.second"}}
	must(t, s.CreateRun(ctx, store.Run{CampaignID: "c", Epoch: 1, Timeline: plan}))
	s = open(t, place) // without closing it first
	step := store.Step{CampaignID: "c", Epoch: 1, Status: fleet.Running, Timeline: []store.TimelineEntry{{At: day, Code: "campaign.started"}}}
	must(t, s.CommitStep(ctx, step))
	got, err := s.Timeline(ctx, "c", store.TimelineQuery{})
	must(t, err)
	expected := slices.Concat(plan, step.Timeline)
	for i := range expected {
		expected[i].Seq = int64(i + 1)
	}
	expected[0].Text = "not \ufffd in it"
	same(t, "timeline", got, expected)
}

func runMembers(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	devices, groups, err := s.RunMembers(ctx, "c")
	must(t, err)
	same(t, "devices", devices, []lorawan.EUI64{devEUI(1, 0), devEUI(1, 1), devEUI(1, 2)})
	same(t, "groups", groups, []lorawan.EUI64{devEUI(2, 1)})
	devices, groups, err = s.RunMembers(ctx, "no")
	must(t, err)
	if len(devices)+len(groups) > 0 {
		t.Errorf("members of nothing: %v %v", devices, groups)
	}
}

func inbox(t *testing.T, open Open) {
	ctx, s := context.Background(), runsOf(t, open, 2)
	letter := func(campaign, body string) store.Letter {
		return store.Letter{CampaignID: campaign, Body: []byte(body)}
	}
	seqs, err := s.Post(ctx, letter("c0", "first"), letter("c1", "other"), letter("none", "lost"), letter("c0", "second"))
	must(t, err)
	if len(seqs) != 3 {
		t.Fatalf("kept %v", seqs)
	}
	seqs2, err := s.Post(ctx, letter("c0", "third"))
	must(t, err)
	read := func(limit int) string {
		t.Helper()
		letters, err := s.Letters(ctx, "c0", limit)
		must(t, err)
		var words []string
		for _, l := range letters {
			words = append(words, string(l.Body))
		}
		return strings.Join(words, " ")
	}
	same(t, "letters", read(10), "first second third")
	same(t, "the oldest", read(2), "first second")
	replied := func(seq int64, expected string, waits bool) {
		t.Helper()
		reply, waiting, err := s.Reply(ctx, seq)
		must(t, err)
		if string(reply) != expected || waiting != waits {
			t.Fatalf("reply %q, waiting %t", reply, waiting)
		}
	}
	replied(seqs[0], "", true)

	// Letters go with the step that names them, or stay with it.
	step := store.Step{CampaignID: "c0", Epoch: 7, Status: fleet.Running, Inbox: []int64{seqs[0]}, Replies: []store.Letter{{Seq: seqs2[0], Body: []byte("done")}}}
	want(t, s.CommitStep(ctx, step), store.ErrFenced)
	same(t, "letters after a refused step", read(10), "first second third")
	step.Epoch = 1
	must(t, s.CommitStep(ctx, step))
	same(t, "letters after the step", read(10), "second")
	replied(seqs[0], "", false)

	// After the end nobody reads letters.
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c0", Epoch: 1, Status: fleet.Stopped, WakeAt: day}))
	same(t, "letters while it cleans up", read(10), "second")
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c0", Epoch: 1, Status: fleet.Stopped}))
	same(t, "letters after the end", read(10), "")
	replied(seqs2[0], "done", false) // whatever became of the campaign
	replied(seqs2[0], "", false)
	// What is posted between the last step and the last frame is swept up later.
	_, err = s.Post(ctx, letter("c1", "while it ends"))
	must(t, err)
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c1", Epoch: 1, Status: fleet.Stopped, Outbox: []store.Outgoing{{ID: "last"}}}))
	_, err = s.Post(ctx, letter("c1", "after its end"))
	must(t, err)
	must(t, s.MarkSent(ctx, "c1", 1, store.Sent{ID: "last"}))
	must(t, s.Join(ctx, store.Replica{ID: "a"}, long))
	same(t, "nothing to claim", claimed(t, s, "a"), "")
	if letters, err := s.Letters(ctx, "c1", 10); err != nil || len(letters) > 0 {
		t.Errorf("left over: %v, %v", letters, err)
	}
	if kept, err := s.Post(ctx, letter("c0", "late")); err != nil || len(kept) != 0 {
		t.Errorf("a letter to a campaign that is over is kept: %v, %v", kept, err)
	}
	if kept, err := s.Post(ctx); err != nil || len(kept) != 0 {
		t.Errorf("no letters: %v, %v", kept, err)
	}
}
