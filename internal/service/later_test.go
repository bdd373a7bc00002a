package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
)

// refusing is a Runner whose starts fail so many times.
type refusing struct {
	service.Runner
	err   error
	times int
}

func (r *refusing) Start(ctx context.Context, id string, along store.Along) error {
	if r.times--; r.times >= 0 {
		return r.err
	}
	return r.Runner.Start(ctx, id, along)
}

// actions returns what the audit log has about the campaign, the oldest first, with the notes.
func (w *world) actions() []string {
	w.Helper()
	page, err := w.store.Audit(ctx, store.AuditQuery{ObjectID: w.campaign.ID, Limit: store.MaxLimit})
	if err != nil {
		w.Fatal(err)
	}
	var list []string
	for _, e := range slices.Backward(page.Items) {
		list = append(list, fmt.Sprintf("%s by %s: %s", e.Action, e.Login, e.Note))
	}
	return list
}

func (w *world) wantActions(want ...string) {
	w.Helper()
	if got := w.actions()[1:]; !slices.Equal(got, want) { // the first is its creation
		w.Errorf("audit log\n got %q\nwant %q", got, want)
	}
}

func (w *world) wantCampaign(status fleet.Status, reason string, scheduled time.Time) {
	w.Helper()
	c, err := w.Campaigns.Find(ctx, w.campaign.ID)
	if err != nil || c.Status != status || c.StatusReason != reason || !c.ScheduledFor.Equal(scheduled) {
		w.Errorf("campaign is %s %q, scheduled for %s, %v; want %s %q %s", c.Status, c.StatusReason, c.ScheduledFor, err, status, reason, scheduled)
	}
}

func (w *world) schedule(at time.Time) {
	w.Helper()
	if _, err := w.Schedule(ctx, w.campaign.ID, at); err != nil {
		w.Fatal(err)
	}
}

func TestACampaignStartsWhenItsTimeHasCome(t *testing.T) {
	w := newWorld(t)
	anna := w.person("anna@example.org", identity.Operator, fleet.DefaultSubscriber)
	at := w.wall.Add(time.Hour)
	c, err := w.Schedule(anna, w.campaign.ID, at)
	if err != nil || !c.ScheduledFor.Equal(at) || c.Status != fleet.Configured {
		t.Fatalf("%+v, %v", c, err)
	}
	w.wall = at.Add(-time.Microsecond)
	w.work()
	w.wantCampaign(fleet.Configured, "", at)
	// The order is in the store: another process, started later, does what this one was told.
	w.wall = at
	other := service.New(service.Config{Store: w.store, Runner: w.runner, Wall: func() time.Time { return at }})
	if busy, err := other.WorkOnce(context.Background()); !busy || err != nil {
		t.Fatalf("another process: %t, %v", busy, err)
	}
	w.work()
	w.wantCampaign(fleet.Running, "", at)
	w.wantActions("campaign.schedule by anna@example.org: starts at 2026-11-23T13:00:00Z", "campaign.start by anna@example.org: ")
}

func TestAScheduleCanBeMovedAndTakenBack(t *testing.T) {
	w := newWorld(t)
	first, second := w.wall.Add(time.Hour), w.wall.Add(2*time.Hour)
	w.schedule(first)
	w.schedule(first) // twice is no error, and no second job
	w.schedule(second)
	page, err := w.Jobs(ctx, store.Query{})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("jobs %+v, %v", page.Items, err)
	}
	w.wall = first
	w.work()
	w.wantCampaign(fleet.Configured, "", second)
	for range 2 {
		if _, err := w.Unschedule(ctx, w.campaign.ID); err != nil {
			t.Fatal(err)
		}
	}
	w.wall = second
	w.work()
	w.wantCampaign(fleet.Configured, "", time.Time{})
	w.wantActions("campaign.schedule by (system): starts at 2026-11-23T13:00:00Z", "campaign.schedule by (system): starts at 2026-11-23T14:00:00Z",
		"campaign.unschedule by (system): was to start at 2026-11-23T14:00:00Z")
}

func TestWhatCannotBeScheduledSaysWhy(t *testing.T) {
	w := newWorld(t)
	_, err := w.Schedule(ctx, w.campaign.ID, time.Time{})
	wantField(t, err, "start_at")
	at := w.wall.Add(time.Hour)
	update := func(f func(*fleet.Campaign)) error {
		_, err := w.Campaigns.Update(ctx, w.campaign.ID, service.AnyRevision, func(c *fleet.Campaign) error { f(c); return nil })
		return err
	}
	if err := update(func(c *fleet.Campaign) { c.Schedule.StartAt, c.SessionStart = at, at.Add(time.Hour) }); err != nil {
		t.Fatal(err)
	}
	_, err = w.Schedule(ctx, w.campaign.ID, at.Add(time.Hour))
	wantField(t, err, "start_at")
	w.schedule(time.Time{}) // at the time that it names itself
	w.wantCampaign(fleet.Configured, "", at)
	wantError(t, update(func(c *fleet.Campaign) { c.Schedule.StartAt = at.Add(time.Minute) }), service.ErrState)
	if err := update(func(c *fleet.Campaign) { c.Description = "other things may change" }); err != nil {
		t.Error(err)
	}

	_, err = w.Schedule(service.As(ctx, identity.Actor{SubscriberID: fleet.DefaultSubscriber}), w.campaign.ID, at)
	wantError(t, err, service.ErrForbidden)
	w.start()
	_, err = w.Schedule(ctx, w.campaign.ID, at)
	wantError(t, err, service.ErrState)
	_, err = w.Unschedule(ctx, w.campaign.ID)
	wantError(t, err, service.ErrState)
	w.wall = at
	w.work() // the job finds it RUNNING

	archived := created(w, w.Campaigns, w.newCampaign())
	if err := w.Campaigns.Archive(ctx, archived.ID, service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	_, err = w.Schedule(ctx, archived.ID, at)
	wantError(t, err, service.ErrState)
}

// A start that cannot be is told: in the campaign, in the audit log, and as the result of its job.
func TestAStartThatIsBlockedIsNotLost(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		reason string
		text   string
	}{
		{"plan", fmt.Errorf("planning: %w", &campaign.Blocked{Reason: campaign.ReasonNoDevices, Text: "none of its 3 devices can take part"}), "blocked.no_device", "none of its 3 devices"},
		{"network", fmt.Errorf("%w: the network server is away", campaign.ErrBlocked), "blocked.state", "the network server is away"},
		{"in use", fmt.Errorf("group %w", service.ErrInUse), "blocked.in_use", "running campaign"},
		{"quota", fmt.Errorf("one more %w", service.ErrQuota), "blocked.quota", "quota"},
		{"approval", service.ErrApproval, "blocked.not_approved", "second person"},
		{"bug", errors.New("pointer to secret"), "blocked.error", "its log has more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			runner := &refusing{Runner: w.runner, err: tc.err, times: 100}
			w.Service = service.New(service.Config{Store: w.store, Runner: runner, Wall: func() time.Time { return w.wall }})
			at := w.wall.Add(time.Hour)
			w.schedule(at)
			for w.wall = at; w.wall.Before(at.Add(10 * time.Minute)); w.wall = w.wall.Add(10 * time.Second) {
				if _, err := w.WorkOnce(context.Background()); err != nil && tc.name != "bug" && !errors.Is(err, tc.err) {
					t.Fatal(err)
				}
			}
			w.wantCampaign(fleet.Configured, tc.reason, time.Time{})
			last := w.actions()[len(w.actions())-1]
			if !contains(last, "campaign.not_started by (system): was to start at 2026-11-23T13:00:00Z: ", tc.text, tc.reason) || strings.Contains(last, "secret") {
				t.Errorf("audit log: %s", last)
			}
			runner.times = 0
			w.schedule(w.wall) // once what stood in the way is gone
			w.wantCampaign(fleet.Configured, "", w.wall)
			w.work()
			w.wantCampaign(fleet.Running, "", w.wall)
		})
	}
}

func contains(s string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(s, part) })
}

// A network server that is away for a moment costs a moment.
func TestAStartIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	runner := &refusing{Runner: w.runner, err: campaign.ErrBlocked, times: 3}
	w.Service = service.New(service.Config{Store: w.store, Runner: runner, Wall: func() time.Time { return w.wall }})
	at := w.wall.Add(time.Hour)
	w.schedule(at)
	for w.wall = at; w.wall.Before(at.Add(time.Minute)); w.wall = w.wall.Add(time.Second) {
		if _, err := w.WorkOnce(context.Background()); err != nil && !errors.Is(err, campaign.ErrBlocked) {
			t.Fatal(err)
		}
	}
	w.wantCampaign(fleet.Running, "", at)
}

func TestAnApprovalIsASecondPersons(t *testing.T) {
	w := newWorld(t)
	anna := w.person("anna@example.org", identity.Operator, fleet.DefaultSubscriber)
	ben := w.person("ben@example.org", identity.Operator, fleet.DefaultSubscriber)
	vera := w.person("vera@example.org", identity.Viewer, fleet.DefaultSubscriber)
	c := w.newCampaign()
	c.NeedsApproval = true
	c, err := w.Campaigns.Create(anna, c)
	if err != nil || c.ChangedBy.Login != "anna@example.org" {
		t.Fatalf("%+v, %v", c, err)
	}
	w.campaign = c
	_, err = w.Start(ben, c.ID)
	wantError(t, err, service.ErrApproval)
	for what, who := range map[string]context.Context{"her own": anna, "a viewer": vera, "the server": ctx} {
		if _, err := w.Approve(who, c.ID, service.AnyRevision); !errors.Is(err, service.ErrForbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = w.Approve(ben, c.ID, c.Revision+1)
	wantError(t, err, store.ErrStale)
	approve := func() {
		t.Helper()
		for range 2 { // twice is no error
			c, err := w.Approve(ben, c.ID, service.AnyRevision)
			if err != nil || c.Approval.By.Login != "ben@example.org" || c.Approval.At.IsZero() {
				t.Fatalf("%+v, %v", c, err)
			}
		}
	}
	approve()
	change := func(who context.Context) {
		t.Helper()
		c, err := w.Campaigns.Update(who, c.ID, service.AnyRevision, func(c *fleet.Campaign) error { c.Description += "."; return nil })
		if err != nil || !c.Approval.At.IsZero() {
			t.Fatalf("after a change: %+v, %v", c.Approval, err)
		}
	}
	change(anna)
	_, err = w.Start(anna, c.ID)
	wantError(t, err, service.ErrApproval)
	change(ben) // now it is his work, and she is the second person
	_, err = w.Approve(ben, c.ID, service.AnyRevision)
	wantError(t, err, service.ErrForbidden)
	change(anna)
	approve()
	// An order to start later is no change of the campaign, and whoever may run campaigns gives it.
	if _, err := w.Schedule(anna, c.ID, w.wall); err != nil {
		t.Fatal(err)
	}
	w.work()
	w.wantCampaign(fleet.Running, "", w.wall)
	// What is history stays: another name does not undo who approved.
	if c, err = w.Campaigns.Update(anna, c.ID, service.AnyRevision, func(c *fleet.Campaign) error { c.Name = "new"; return nil }); err != nil || c.Approval.At.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = w.Approve(ben, c.ID, service.AnyRevision)
	wantError(t, err, service.ErrState)
	copied, err := w.Copy(anna, c.ID, "again")
	if err != nil || !copied.NeedsApproval || !copied.Approval.At.IsZero() || !copied.ScheduledFor.IsZero() {
		t.Errorf("a copy: %+v, %v", copied, err)
	}
}

// What was approved is a campaign with the devices, groups and file that it named then.
func TestAnApprovalIsOfWhatTheCampaignNames(t *testing.T) {
	w := newWorld(t)
	anna := w.person("anna@example.org", identity.Operator, fleet.DefaultSubscriber)
	ben := w.person("ben@example.org", identity.Operator, fleet.DefaultSubscriber)
	c := w.newCampaign()
	c.NeedsApproval = true
	c, err := w.Campaigns.Create(anna, c)
	if err != nil {
		t.Fatal(err)
	}
	w.campaign = c
	region, err := w.Regions.Find(ctx, c.Regions[0])
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func() error{
		"device set " + c.DeviceSets[0]: func() error {
			_, err := w.DeviceSets.Update(anna, c.DeviceSets[0], service.AnyRevision, func(x *fleet.DeviceSet) error { x.Description = "new"; return nil })
			return err
		},
		"region " + region.ID: func() error {
			_, err := w.Regions.Update(anna, region.ID, service.AnyRevision, func(x *fleet.Region) error { x.Description = "new"; return nil })
			return err
		},
		"multicast group " + region.Groups[0].String(): func() error {
			_, err := w.Groups.Update(anna, region.Groups[0], service.AnyRevision, func(x *fleet.MulticastGroup) error { x.DataRate = 3; return nil })
			return err
		},
		"file " + c.FileID: func() error {
			_, err := w.Files.Update(anna, c.FileID, service.AnyRevision, func(x *fleet.File) error { x.Description = "new"; return nil })
			return err
		},
	} {
		if _, err := w.Approve(ben, c.ID, service.AnyRevision); err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		_, err := w.Start(anna, c.ID)
		if !errors.Is(err, service.ErrApproval) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s was changed: %v", what, err)
		}
	}
	if _, err := w.Approve(ben, c.ID, service.AnyRevision); err != nil {
		t.Fatal(err)
	}
	w.start()
}

func TestASubscriberCanWantApprovals(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Subscribers.Update(ctx, fleet.DefaultSubscriber, service.AnyRevision, func(x *fleet.Subscriber) error { x.ApproveCampaigns = true; return nil }); err != nil {
		t.Fatal(err)
	}
	_, err := w.Start(ctx, w.campaign.ID)
	wantError(t, err, service.ErrApproval)
	if _, err := w.Approve(w.person("ben@example.org", identity.Operator, fleet.DefaultSubscriber), w.campaign.ID, w.campaign.Revision); err != nil {
		t.Fatal(err)
	}
	w.start()
}

func TestACopyKeepsTheScheduleButNotItsTimes(t *testing.T) {
	w := newWorld(t)
	c := w.newCampaign()
	c.RebootAt = w.wall.Add(48 * time.Hour)
	c.Schedule = fleet.Schedule{StartAt: w.wall.Add(time.Hour), QuietHours: []fleet.Window{{To: 60}}, Reboot: fleet.RebootAtTime}
	c.Abort = []fleet.AbortRule{{AbovePercent: 5}}
	c = created(w, w.Campaigns, c)
	copied, err := w.Copy(ctx, c.ID, "")
	if err != nil || !copied.Schedule.StartAt.IsZero() || len(copied.Schedule.QuietHours) != 1 || len(copied.Abort) != 1 || copied.Schedule.Reboot != fleet.RebootAuto {
		t.Errorf("%+v, %v", copied, err)
	}
}
