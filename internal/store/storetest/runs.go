package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// started opens a store with a running campaign "c" of three devices and a group.
func started(t *testing.T, open Open) (store.Store, string) {
	t.Helper()
	ctx, place := context.Background(), t.TempDir()
	s := open(t, place)
	c := testCampaign("c")
	must(t, s.Campaigns().Create(ctx, &c))
	g := testGroup(1)
	g.FCntDown = 10
	must(t, s.Groups().Create(ctx, &g))
	run := store.Run{CampaignID: "c", Started: day, Spec: []byte("spec"), Header: []byte("h0"), Epoch: 3, WakeAt: day,
		Devices: map[lorawan.EUI64][]byte{}, Groups: map[lorawan.EUI64][]byte{g.DevEUI: []byte("g0")}}
	for n := range 3 {
		d := testDevice(n)
		must(t, s.Devices().Create(ctx, &d))
		run.Devices[d.DevEUI] = fmt.Appendf(nil, "d%d", n)
	}
	must(t, s.CreateRun(ctx, run))
	got, err := s.LoadRun(ctx, "c")
	must(t, err)
	same(t, "new run", got, run)
	return s, place
}

// aStep is a step that changes a little of everything.
func aStep() store.Step {
	return store.Step{CampaignID: "c", Epoch: 3, At: day.Add(time.Minute), Status: fleet.Running, Header: []byte("h1"), WakeAt: day.Add(time.Hour),
		Devices:     []store.Row{{DevEUI: devEUI(1, 1), State: []byte("d1'"), Stage: "FragSessionSetup", Outcome: "waiting", Reason: "no_answer", At: day}},
		Groups:      []store.Row{{DevEUI: devEUI(2, 1), State: []byte("g1'"), Stage: "FragSessionSetup", At: day}},
		Stages:      []store.StageProgress{{Position: 1, Name: "McGroupSetup", Status: "done", Started: day, Ended: day, Total: 3, Completed: 2}},
		GroupFCnt:   map[lorawan.EUI64]uint32{devEUI(2, 1): 20},
		SessionCnts: []store.SessionCnt{{DevEUI: devEUI(1, 1), FragIndex: 2, Cnt: 5}},
		Outbox: []store.Outgoing{
			{ID: "b", DevEUI: devEUI(1, 1), FPort: 201, Payload: []byte{2, 1}, Flush: true},
			{ID: "a", Group: devEUI(2, 1), FPort: 201, Payload: []byte{8}}},
		Timeline: []store.TimelineEntry{
			{At: day, DevEUI: devEUI(1, 1), Code: "frag.setup", Text: "asked", Cause: "uplink 7"},
			{At: day, Group: devEUI(2, 1), Code: "group.ready", Text: "ready"}},
		Firmware: []store.FirmwareSeen{{DevEUI: devEUI(1, 1), Version: fleet.MustParseFirmware("2.0.0.0"), At: day}},
	}
}

func runSurvives(t *testing.T, open Open) {
	ctx := context.Background()
	s, place := started(t, open)
	must(t, s.CommitStep(ctx, aStep()))

	s = open(t, place) // without closing it first
	active, err := s.ActiveRuns(ctx)
	must(t, err)
	same(t, "active runs", active, []store.ActiveRun{{CampaignID: "c", Epoch: 3}})
	run, err := s.LoadRun(ctx, "c")
	must(t, err)
	same(t, "run", run, store.Run{CampaignID: "c", Started: day, Spec: []byte("spec"), Header: []byte("h1"), Epoch: 3, WakeAt: day.Add(time.Hour),
		Devices: map[lorawan.EUI64][]byte{devEUI(1, 0): []byte("d0"), devEUI(1, 1): []byte("d1'"), devEUI(1, 2): []byte("d2")},
		Groups:  map[lorawan.EUI64][]byte{devEUI(2, 1): []byte("g1'")}})
	pending, err := s.PendingOutbox(ctx, "c")
	must(t, err)
	step := aStep()
	for i := range step.Outbox {
		step.Outbox[i].CampaignID = "c"
	}
	same(t, "outbox", pending, step.Outbox)
	stages, err := s.Stages(ctx, "c")
	must(t, err)
	same(t, "stages", stages, step.Stages)
	groups, err := s.GroupProgress(ctx, "c")
	must(t, err)
	same(t, "groups", groups, []store.Row{{DevEUI: devEUI(2, 1), Stage: "FragSessionSetup", At: day}})
	campaign := find(t, s.Campaigns(), "c")
	if campaign.Status != fleet.Running || !campaign.Started.Equal(day) || !campaign.LastChanged.Equal(step.At) || campaign.Revision != 2 {
		t.Errorf("campaign %+v", campaign)
	}

	end := store.Step{CampaignID: "c", Epoch: 3, At: day.Add(2 * time.Hour), Status: fleet.Failed, StatusReason: "threshold", Ended: day.Add(2 * time.Hour), Header: []byte("end")}
	must(t, s.CommitStep(ctx, end))
	campaign = find(t, s.Campaigns(), "c")
	if campaign.Status != fleet.Failed || campaign.StatusReason != "threshold" || !campaign.Ended.Equal(end.Ended) || !campaign.Started.Equal(day) || campaign.Revision != 3 {
		t.Errorf("ended campaign %+v", campaign)
	}
	if run, err := s.LoadRun(ctx, "c"); err != nil || string(run.Header) != "end" {
		t.Errorf("an ended run can be read: %v, %v", run, err)
	}
	if pending, err := s.PendingOutbox(ctx, ""); err != nil || len(pending) != 2 {
		t.Errorf("what is to be sent outlives the campaign: %v, %v", pending, err)
	}
	if active, err := s.ActiveRuns(ctx); err != nil || len(active) != 1 {
		t.Errorf("an ended run with frames to send has nothing left to do: %v, %v", active, err)
	}
	must(t, s.MarkSent(ctx, "c", 3, store.Sent{ID: "a"}, store.Sent{ID: "b"}))
	if active, err := s.ActiveRuns(ctx); err != nil || len(active) != 0 {
		t.Errorf("an ended run has something left to do: %v, %v", active, err)
	}
}

func startedAlong(t *testing.T, open Open) {
	ctx := context.Background()
	s := open(t, t.TempDir())
	c := testCampaign("c")
	must(t, s.Campaigns().Create(ctx, &c))
	job := store.Job{ID: "j", SubscriberID: fleet.DefaultSubscriber, Kind: "campaigns.forecast", State: store.JobQueued, CreatedAt: day, UpdatedAt: day}
	run := store.Run{CampaignID: "c", Started: day, Along: store.Along{Audit: []store.AuditEntry{{At: day, Action: "campaign.start"}}, Jobs: []store.Job{job, job}}}
	if err := s.CreateRun(ctx, run); err == nil {
		t.Fatal("one job is stored twice")
	}
	_, err := s.Jobs().Find(ctx, "j")
	want(t, err, store.ErrNotFound)
	_, err = s.RunInfo(ctx, "c")
	want(t, err, store.ErrNotFound)
	run.Jobs = run.Jobs[:1]
	must(t, s.CreateRun(ctx, run))
	job.Revision = 1
	same(t, "job", find(t, s.Jobs(), "j"), job)
	audit, err := s.Audit(ctx, store.AuditQuery{})
	if err != nil || len(audit.Items) != 1 || audit.Items[0].Action != "campaign.start" {
		t.Errorf("audit log %+v, %v", audit.Items, err)
	}
}

func forecasts(t *testing.T, open Open) {
	ctx := context.Background()
	s, place := started(t, open)
	_, err := s.Forecast(ctx, "c")
	want(t, err, store.ErrNotFound)
	want(t, s.KeepForecast(ctx, "no", []byte("f")), store.ErrNotFound)
	must(t, s.KeepForecast(ctx, "c", []byte("first")))
	must(t, s.KeepForecast(ctx, "c", []byte("second")))
	s = open(t, place) // without closing it first
	got, err := s.Forecast(ctx, "c")
	must(t, err)
	same(t, "forecast", string(got), "first")
}

func startOnce(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	want(t, s.CreateRun(ctx, store.Run{CampaignID: "c"}), store.ErrConflict)
	want(t, s.CreateRun(ctx, store.Run{CampaignID: "no"}), store.ErrNotFound)
	c := testCampaign("archived")
	must(t, s.Campaigns().Create(ctx, &c))
	must(t, s.Campaigns().Archive(ctx, c.ID, day))
	want(t, s.CreateRun(ctx, store.Run{CampaignID: "archived"}), store.ErrConflict)
	_, err := s.LoadRun(ctx, "archived")
	want(t, err, store.ErrNotFound)
	_, err = s.RunInfo(ctx, "archived")
	want(t, err, store.ErrNotFound)
	want(t, s.CommitStep(ctx, store.Step{CampaignID: "archived"}), store.ErrNotFound)
}

func failedStep(t *testing.T, open Open) {
	ctx := context.Background()
	s, place := started(t, open)
	before, err := s.LoadRun(ctx, "c")
	must(t, err)

	bad := aStep()
	bad.Outbox = append(bad.Outbox, bad.Outbox[0]) // refused at the very end of the transaction
	want(t, s.CommitStep(ctx, bad), store.ErrConflict)
	invalid := aStep()
	invalid.Status = 99
	if err := s.CommitStep(ctx, invalid); err == nil {
		t.Error("a step to a state that does not exist is refused")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	want(t, s.CommitStep(cancelled, aStep()), context.Canceled)

	s = open(t, place)
	after, err := s.LoadRun(ctx, "c")
	must(t, err)
	same(t, "run", after, before)
	if header, err := s.RunHeader(ctx, "c"); err != nil || string(header) != string(after.Header) {
		t.Errorf("header %q, %v", header, err)
	}
	info, err := s.RunInfo(ctx, "c")
	must(t, err)
	same(t, "info", info, store.RunInfo{CampaignID: "c", WakeAt: day})
	entries, err := s.Timeline(ctx, "c", store.TimelineQuery{})
	must(t, err)
	pending, err := s.PendingOutbox(ctx, "")
	must(t, err)
	cnts, err := s.SessionCnts(ctx, []lorawan.EUI64{devEUI(1, 1)})
	must(t, err)
	stages, err := s.Stages(ctx, "c")
	must(t, err)
	if len(entries)+len(pending)+len(cnts)+len(stages) != 0 {
		t.Errorf("left over: %v %v %v %v", entries, pending, cnts, stages)
	}
	if g := find(t, s.Groups(), devEUI(2, 1)); g.FCntDown != 10 {
		t.Errorf("group counter %d", g.FCntDown)
	}
	if d := find(t, s.Devices(), devEUI(1, 1)); !d.Firmware.IsZero() {
		t.Errorf("firmware %v", d.Firmware)
	}
}

func fencing(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	old := aStep()
	old.Epoch = 2
	want(t, s.CommitStep(ctx, old), store.ErrFenced)
	if run, err := s.LoadRun(ctx, "c"); err != nil || string(run.Header) != "h0" {
		t.Errorf("the old owner wrote %q, %v", run.Header, err)
	}
}

// An order and its entry in the audit log are stored together or not at all.
func orders(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	c := testCampaign("d")
	must(t, s.Campaigns().Create(ctx, &c))
	entry := func(action string) []store.AuditEntry {
		return []store.AuditEntry{{At: day, SubscriberID: "default", Login: "anna", Action: action, Kind: "campaign", ObjectID: "d"}}
	}
	run := store.Run{CampaignID: "d", Started: day, Epoch: 1, Along: store.Along{Audit: entry("campaign.start")}}
	must(t, s.CreateRun(ctx, run))
	run.Audit = entry("campaign.start-again")
	want(t, s.CreateRun(ctx, run), store.ErrConflict)
	step := store.Step{CampaignID: "d", Epoch: 2, Status: fleet.Running, Paused: true, Audit: entry("campaign.pause-late")}
	want(t, s.CommitStep(ctx, step), store.ErrFenced)
	step.Epoch, step.Audit = 1, append(entry("campaign.pause"), entry("campaign.stop")...)
	must(t, s.CommitStep(ctx, step))
	page, err := s.Audit(ctx, store.AuditQuery{ObjectID: "d"})
	must(t, err)
	var actions []string
	for _, e := range page.Items {
		actions = append(actions, e.Action+" by "+e.Login)
	}
	same(t, "audit log", actions, []string{"campaign.stop by anna", "campaign.pause by anna", "campaign.start by anna"})
}

func counters(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	must(t, s.CommitStep(ctx, aStep()))
	back := aStep()
	back.Outbox = nil
	back.GroupFCnt[devEUI(2, 1)] = 5
	back.SessionCnts[0].Cnt = 1
	back.SessionCnts = append(back.SessionCnts, store.SessionCnt{DevEUI: devEUI(1, 1), FragIndex: 0, Cnt: 65535})
	must(t, s.CommitStep(ctx, back))

	group := devEUI(2, 1)
	fcnt := func(expected uint32) {
		t.Helper()
		if g := find(t, s.Groups(), group); g.FCntDown != expected {
			t.Fatalf("group counter %d, want %d", g.FCntDown, expected)
		}
	}
	fcnt(20)
	g := find(t, s.Groups(), group)
	g.FCntDown = 0
	must(t, s.Groups().Update(ctx, &g))
	fcnt(20)
	g = find(t, s.Groups(), group)
	g.FCntDown = 30
	must(t, s.Groups().Update(ctx, &g))
	fcnt(30)
	must(t, s.MarkSent(ctx, "c", 3, store.Sent{ID: "a", Group: group, FCnt: 29}, store.Sent{ID: "b", Group: group, FCnt: 3}))
	fcnt(30)
	must(t, s.MarkSent(ctx, "c", 3, store.Sent{ID: "x", Group: group, FCnt: 30}))
	fcnt(31)
	must(t, s.MarkSent(ctx, "c", 3, store.Sent{ID: "x", Group: group, FCnt: 1<<32 - 1}))
	fcnt(1<<32 - 1) // no wrap

	cnts, err := s.SessionCnts(ctx, []lorawan.EUI64{devEUI(1, 0), devEUI(1, 1)})
	must(t, err)
	same(t, "session counters", cnts, []store.SessionCnt{{DevEUI: devEUI(1, 1), FragIndex: 0, Cnt: 65535}, {DevEUI: devEUI(1, 1), FragIndex: 2, Cnt: 5}})
}

// namedTwice is a step that joins several: rows are named again when they change again.
func namedTwice(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	device, group := devEUI(1, 1), devEUI(2, 1)
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running,
		Devices: []store.Row{{DevEUI: device, State: []byte("old"), Stage: "a"}, {DevEUI: devEUI(1, 2), State: []byte("x")}, {DevEUI: device, State: []byte("new"), Stage: "b"}},
		Groups:  []store.Row{{DevEUI: group, State: []byte("old")}, {DevEUI: group, State: []byte("new")}},
		Stages:  []store.StageProgress{{Position: 1, Name: "old"}, {Position: 1, Name: "new"}},
		SessionCnts: []store.SessionCnt{{DevEUI: device, FragIndex: 1, Cnt: 4}, {DevEUI: device, FragIndex: 1, Cnt: 9}, {DevEUI: device, FragIndex: 1, Cnt: 2},
			{DevEUI: device, FragIndex: 0, Cnt: 1}},
		Sent: []store.Sent{{ID: "x", Group: group, FCnt: 50}, {ID: "y", Group: group, FCnt: 40}},
		Firmware: []store.FirmwareSeen{{DevEUI: device, Version: fleet.FreeFirmware(1), At: day}, {DevEUI: device, Version: fleet.FreeFirmware(3), At: day.Add(time.Second)},
			{DevEUI: device, Version: fleet.FreeFirmware(2), At: day}},
	}))
	run, err := s.LoadRun(ctx, "c")
	must(t, err)
	stages, err := s.Stages(ctx, "c")
	must(t, err)
	if string(run.Devices[device]) != "new" || string(run.Groups[group]) != "new" || len(stages) != 1 || stages[0].Name != "new" {
		t.Errorf("device %q, group %q, stages %+v", run.Devices[device], run.Groups[group], stages)
	}
	cnts, err := s.SessionCnts(ctx, []lorawan.EUI64{device})
	must(t, err)
	same(t, "session counters", cnts, []store.SessionCnt{{DevEUI: device, FragIndex: 0, Cnt: 1}, {DevEUI: device, FragIndex: 1, Cnt: 9}})
	if g, d := find(t, s.Groups(), group), find(t, s.Devices(), device); g.FCntDown != 51 || d.Firmware != fleet.FreeFirmware(3) {
		t.Errorf("group counter %d, firmware %v", g.FCntDown, d.Firmware)
	}
}

func outbox(t *testing.T, open Open) {
	ctx := context.Background()
	s, place := started(t, open)
	step := func(ids ...string) store.Step {
		st := store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running}
		for _, id := range ids {
			st.Outbox = append(st.Outbox, store.Outgoing{ID: id, DevEUI: devEUI(1, 0), FPort: 1, Payload: []byte{}})
		}
		return st
	}
	expect := func(s store.Store, ids string) {
		t.Helper()
		pending, err := s.PendingOutbox(ctx, "c")
		must(t, err)
		got := ""
		for _, o := range pending {
			got += o.ID
		}
		if got != ids {
			t.Fatalf("pending %q, want %q", got, ids)
		}
	}
	must(t, s.CommitStep(ctx, step("z", "a", "m")))
	must(t, s.CommitStep(ctx, step("b")))
	expect(s, "zamb")
	must(t, s.MarkSent(ctx, "c", 3, store.Sent{ID: "a"}, store.Sent{ID: "nobody knows"}))
	must(t, s.MarkSent(ctx, "c", 3, store.Sent{ID: "a"}))
	must(t, s.MarkSent(ctx, "c", 3))
	want(t, s.MarkSent(ctx, "other", 3, store.Sent{ID: "z"}), store.ErrNotFound)
	want(t, s.MarkSent(ctx, "c", 2, store.Sent{ID: "z", Group: devEUI(2, 1), FCnt: 77}), store.ErrFenced)
	expect(open(t, place), "zmb")
	want(t, s.CommitStep(ctx, step("z")), store.ErrConflict)
	must(t, s.CommitStep(ctx, step("a")))
	expect(s, "zmba")

	// A step marks what earlier steps sent, if it is stored.
	marks := step("c")
	marks.Sent = []store.Sent{{ID: "m"}, {ID: "z", Group: devEUI(2, 1), FCnt: 99}}
	marks.Epoch = 2
	want(t, s.CommitStep(ctx, marks), store.ErrFenced)
	expect(s, "zmba")
	marks.Epoch = 3
	must(t, s.CommitStep(ctx, marks))
	expect(open(t, place), "bac")
	if g := find(t, s.Groups(), devEUI(2, 1)); g.FCntDown != 100 {
		t.Errorf("group counter %d", g.FCntDown)
	}
}

func progress(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running, Devices: []store.Row{
		{DevEUI: devEUI(1, 0), Stage: "Verify", Outcome: "verified", At: day},
		{DevEUI: devEUI(1, 1), Stage: "Verify", Outcome: "verified", At: day},
		{DevEUI: devEUI(1, 2), Stage: "Setup", Outcome: "failed", Reason: "frag.no_memory", At: day},
	}}))
	tally, err := s.Tally(ctx, "c")
	must(t, err)
	same(t, "tally", tally, []store.Tally{{Stage: "Setup", Outcome: "failed", Reason: "frag.no_memory", Devices: 1}, {Stage: "Verify", Outcome: "verified", Devices: 2}})

	first, err := s.DeviceProgress(ctx, "c", store.ProgressQuery{Limit: 2})
	must(t, err)
	if len(first.Items) != 2 || first.Next == "" || first.Items[1].Outcome != "verified" || !first.Items[1].At.Equal(day) {
		t.Fatalf("first page %+v", first)
	}
	second, err := s.DeviceProgress(ctx, "c", store.ProgressQuery{Limit: 2, After: first.Next})
	must(t, err)
	if len(second.Items) != 1 || second.Next != "" || second.Items[0].DevEUI != devEUI(1, 2) {
		t.Fatalf("second page %+v", second)
	}
	for q, n := range map[store.ProgressQuery]int{{Stage: "Verify"}: 2, {Outcome: "failed"}: 1, {Reason: "frag.no_memory", Stage: "Verify"}: 0} {
		if page, err := s.DeviceProgress(ctx, "c", q); err != nil || len(page.Items) != n {
			t.Errorf("%+v: %v, %v", q, page, err)
		}
	}
	_, err = s.DeviceProgress(ctx, "c", store.ProgressQuery{After: "x"})
	want(t, err, store.ErrQuery)
	_, err = s.DeviceProgress(ctx, "c", store.ProgressQuery{Limit: -1})
	want(t, err, store.ErrQuery)
}

func timeline(t *testing.T, open Open) {
	ctx := context.Background()
	s, place := started(t, open)
	for n := range 4 {
		st := store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running}
		for k := range n { // 0, 1, 2, 3 entries
			st.Timeline = append(st.Timeline, store.TimelineEntry{At: day, DevEUI: devEUI(1, k), Code: fmt.Sprint(n, k), Text: "t", Cause: "c"})
		}
		must(t, s.CommitStep(ctx, st))
	}
	s = open(t, place)
	seqs := func(q store.TimelineQuery) (out []int64) {
		t.Helper()
		entries, err := s.Timeline(ctx, "c", q)
		must(t, err)
		for _, e := range entries {
			out = append(out, e.Seq)
		}
		return out
	}
	same(t, "all", seqs(store.TimelineQuery{}), []int64{1, 2, 3, 4, 5, 6})
	same(t, "from the middle", seqs(store.TimelineQuery{After: 2, Limit: 3}), []int64{3, 4, 5})
	same(t, "one device", seqs(store.TimelineQuery{DevEUI: devEUI(1, 1)}), []int64{3, 5})
	same(t, "past the end", seqs(store.TimelineQuery{After: 6}), []int64(nil))
	info, err := s.RunInfo(ctx, "c")
	must(t, err)
	if info.LastSeq != 6 || info.Version != 4 {
		t.Errorf("info %+v", info)
	}
	_, err = s.Timeline(ctx, "c", store.TimelineQuery{Limit: store.MaxLimit + 1})
	want(t, err, store.ErrQuery)

	// A network server's words may be anything. They must not keep a step from being stored.
	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running,
		Timeline: []store.TimelineEntry{{At: day, Code: "odd", Text: "a\x00b", Cause: "a\xffb"}}}))
	entries, err := s.Timeline(ctx, "c", store.TimelineQuery{After: 6})
	must(t, err)
	same(t, "odd words", entries, []store.TimelineEntry{{Seq: 7, At: day, Code: "odd", Text: "a\ufffdb", Cause: "a\ufffdb"}})

	must(t, s.CommitStep(ctx, store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running, Timeline: []store.TimelineEntry{
		{At: day, Code: "asked.first"}, {At: day, Code: "asked/first"}, {At: day, Code: "asked.second"}, {At: day, Code: "asked"}}}))
	same(t, "one code", seqs(store.TimelineQuery{Code: "asked.second"}), []int64{10})
	same(t, "codes that begin alike", seqs(store.TimelineQuery{Code: "asked."}), []int64{8, 10})
	_, err = s.Timeline(ctx, "c", store.TimelineQuery{Code: "a\x00"})
	want(t, err, store.ErrQuery)
}

func firmwareSeen(t *testing.T, open Open) {
	ctx := context.Background()
	s, _ := started(t, open)
	see := func(version string, at time.Time) {
		t.Helper()
		must(t, s.CommitStep(ctx, store.Step{CampaignID: "c", Epoch: 3, Status: fleet.Running,
			Firmware: []store.FirmwareSeen{{DevEUI: devEUI(1, 0), Version: fleet.MustParseFirmware(version), At: at}}}))
	}
	see("2.0.0.0", day)
	see("1.0.0.0", day.Add(-time.Second))
	d := find(t, s.Devices(), devEUI(1, 0))
	if d.Firmware.String() != "2.0.0.0" || !d.FirmwareChanged.Equal(day) || d.Revision != 1 {
		t.Errorf("device %+v", d)
	}
	if !d.FirmwareReported.Equal(day) {
		t.Errorf("reported at %s", d.FirmwareReported)
	}
	see("2.0.0.1", day.Add(time.Second))
	if d := find(t, s.Devices(), devEUI(1, 0)); d.Firmware.String() != "2.0.0.1" {
		t.Errorf("device %+v", d)
	}
	// What was seen is what filters see.
	n, err := s.Devices().Count(ctx, store.Query{Where: map[store.Field]string{store.ByFirmware: "2.0.0.1"}})
	if err != nil || n != 1 {
		t.Errorf("%d devices on 2.0.0.1, %v", n, err)
	}
}
