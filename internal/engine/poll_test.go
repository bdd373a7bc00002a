package engine_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/network"
	"github.com/starling-fuota/starling/internal/network/simulated"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/sqlite"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/sim"
)

// eavesdropper counts the requests for versions that pass it on their way to a network.
type eavesdropper struct {
	network.Adapter
	mu    sync.Mutex
	asked map[lorawan.EUI64]int
}

func (n *eavesdropper) SendUnicast(ctx context.Context, dev lorawan.EUI64, f network.Frame, flush bool) error {
	if f.FPort == lorawan.FirmwareMgmt.DefaultFPort() && bytes.Equal(f.Payload, []byte{firmware.DevVersionReq{}.CID()}) {
		n.mu.Lock()
		n.asked[dev]++
		n.mu.Unlock()
	}
	return n.Adapter.SendUnicast(ctx, dev, f, flush)
}

// requests returns how often each device was asked so far.
func (n *eavesdropper) requests() map[lorawan.EUI64]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.asked)
}

// maxAge sets how old versions may become.
func maxAge(t *testing.T, s store.Store, age time.Duration) {
	t.Helper()
	x, err := s.Subscribers().Find(t.Context(), fleet.DefaultSubscriber)
	if err != nil {
		t.Fatal(err)
	}
	x.VersionMaxAge = age
	if err := s.Subscribers().Update(t.Context(), &x); err != nil {
		t.Fatal(err)
	}
}

// edit changes a stored device.
func edit(t *testing.T, s store.Store, eui lorawan.EUI64, change func(*fleet.Device)) {
	t.Helper()
	d := stored(t, s, eui)
	change(&d)
	if err := s.Devices().Update(t.Context(), &d); err != nil {
		t.Fatal(err)
	}
}

func stored(t *testing.T, s store.Store, eui lorawan.EUI64) fleet.Device {
	t.Helper()
	d, err := s.Devices().Find(t.Context(), eui)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// listen hands what the network hears until a time over to an engine, as its Run would.
func listen(t *testing.T, net *simulated.Network, e *engine.Engine, until time.Time) {
	t.Helper()
	for net.Now().Before(until) {
		events, err := net.Wait(t.Context(), until)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			if ev.Kind == network.Uplink {
				err = e.HandleUplink(t.Context(), ev)
			} else {
				err = e.HandleReport(t.Context(), ev)
			}
			if err != nil {
				t.Errorf("%+v: %v", ev, err)
			}
		}
	}
}

// A device whose version was reported too long ago, or never, is asked once, and its
// answer is kept. Those whose version is fresh, that have no firmware management, that are
// archived, or whose subscriber does not want it, are left in peace.
func TestStaleVersionsAreAskedFor(t *testing.T) {
	const month = 30 * 24 * time.Hour
	managed, simple := sim.Standard, sim.Standard
	managed.Weight = 4
	simple.Config.Packages.FirmwareMgmt = 0
	old, older := fleet.MustParseFirmware("0.9.0.0"), fleet.MustParseFirmware("0.8.0.0")
	for _, tt := range []struct {
		name    string
		age     time.Duration
		answers bool
	}{
		{"older than a month", month, true},
		{"no limit", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, sim.FleetConfig{Devices: 5, Seed: 5, Mix: []sim.Model{managed, simple}}, 100)
			w.stop() // events are handed over here
			maxAge(t, w.store, tt.age)
			euis := w.euis()
			unknown, stale, fresh, archived, unmanaged := euis[0], euis[1], euis[2], euis[3], euis[4]
			edit(t, w.store, stale, func(d *fleet.Device) { d.Firmware, d.FirmwareChanged = older, start.Add(-2*month) })
			edit(t, w.store, fresh, func(d *fleet.Device) { d.Firmware, d.FirmwareChanged = old, start.Add(48*time.Hour-month) })
			edit(t, w.store, archived, func(d *fleet.Device) { d.Archived = true })

			air := &eavesdropper{Adapter: w.net, asked: map[lorawan.EUI64]int{}}
			e := engine.New(engine.Config{Store: w.store, Adapter: air, Source: w.net, Log: slog.New(slog.NewTextHandler(testWriter{t}, nil))})
			end := start.Add(24 * time.Hour)
			listen(t, w.net, e, end)

			want := map[lorawan.EUI64]int{}
			versions := map[lorawan.EUI64]fleet.Firmware{stale: older, fresh: old, unknown: {}, archived: {}, unmanaged: {}}
			if tt.answers {
				want = map[lorawan.EUI64]int{unknown: 1, stale: 1}
				versions[stale], versions[unknown] = fleet.FreeFirmware(1), fleet.FreeFirmware(1)
			}
			if got := air.requests(); !maps.Equal(got, want) {
				t.Errorf("asked were %v, want %v", got, want)
			}
			for dev, version := range versions {
				d := stored(t, w.store, dev)
				if d.Firmware.Uint32() != version.Uint32() {
					t.Errorf("%s runs %s, want %s", dev, d.Firmware, version)
				}
				if answered := d.FirmwareChanged.After(start) && d.FirmwareChanged.Before(end); answered != (want[dev] > 0) {
					t.Errorf("the version of %s is of %s", dev, d.FirmwareChanged)
				}
			}
		})
	}
}

// A campaign asks its devices what it needs to know, when it needs it. Polls would get in its way.
func TestDevicesInCampaignsAreNotPolled(t *testing.T) {
	w := newWorld(t, sim.FleetConfig{Devices: 4, Seed: 6}, 2000)
	w.stop()
	maxAge(t, w.store, time.Hour)
	air := &eavesdropper{Adapter: w.net, asked: map[lorawan.EUI64]int{}}
	var during map[lorawan.EUI64]int
	ended := make(chan struct{})
	e := engine.New(engine.Config{Store: w.store, Adapter: air, Source: w.net, Log: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
		Publish: func(p engine.Progress) {
			if p.Status.Ended() && during == nil {
				during = air.requests()
				close(ended)
			}
		}})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	w.eng = e
	outsider := w.euis()[3]
	if err := w.store.DeviceSets().Create(t.Context(), &fleet.DeviceSet{ID: "three", Name: "three", Devices: w.euis()[:3]}); err != nil {
		t.Fatal(err)
	}
	c := fleet.Campaign{ID: "c1", Name: "c1", Type: fleet.BinaryCampaign, SuccessThreshold: 100, DeviceSets: []string{"three"}, Regions: []string{"north"},
		FileID: "file", MaxDuration: 7 * 24 * time.Hour}
	if err := errors.Join(w.store.Campaigns().Create(t.Context(), &c), e.Start(t.Context(), c.ID, store.Along{})); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(hang):
		t.Fatal("the campaign has not ended within reason")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if during[outsider] == 0 {
		t.Error("the device outside of the campaign was not asked")
	}
	if delete(during, outsider); len(during) > 0 {
		t.Errorf("devices of the campaign were asked: %v", during)
	}
}

// deaf is a network on which nothing happens: it takes frames, or refuses them.
type deaf struct {
	network.Adapter
	now    time.Time
	refuse error
	frames []network.Frame
}

func (n *deaf) Now() time.Time                                                 { return n.now }
func (n *deaf) Wait(ctx context.Context, _ time.Time) ([]network.Event, error) { return nil, ctx.Err() }
func (n *deaf) Pending() bool                                                  { return false }
func (n *deaf) Wake()                                                          {}
func (n *deaf) SendUnicast(_ context.Context, _ lorawan.EUI64, f network.Frame, _ bool) error {
	n.frames = append(n.frames, f)
	return n.refuse
}

// quiet is an engine on a deaf network, and a device without a known version that it hears.
type quiet struct {
	*testing.T
	net   *deaf
	store store.Store
	eng   *engine.Engine
	dev   lorawan.EUI64
	fcnt  uint32
}

func newQuiet(t *testing.T) *quiet {
	t.Helper()
	s, err := sqlite.Temporary(t.Context(), filepath.Join(t.TempDir(), "starling.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	q := &quiet{T: t, net: &deaf{now: start}, store: s, dev: lorawan.EUI64{1, 2, 3}}
	p := fleet.DeviceProfile{ID: "p", Name: "p", Packages: fleet.Packages{FirmwareMgmt: lorawan.V1}}
	d := fleet.Device{DevEUI: q.dev, ProfileID: p.ID}
	if err := errors.Join(s.Profiles().Create(t.Context(), &p), s.Devices().Create(t.Context(), &d)); err != nil {
		t.Fatal(err)
	}
	maxAge(t, s, 24*time.Hour)
	q.restart()
	return q
}

func (q *quiet) restart() {
	q.eng = engine.New(engine.Config{Store: q.store, Adapter: q.net, Source: q.net, Log: slog.New(slog.NewTextHandler(testWriter{q.T}, nil))})
}

// hear hands an uplink over after some time, and returns how many frames follow.
func (q *quiet) hear(after time.Duration, fport uint8, payload ...byte) int {
	q.Helper()
	q.net.now = q.net.now.Add(after)
	q.fcnt++
	sent := len(q.net.frames)
	up := network.Event{Kind: network.Uplink, Time: q.net.now, DevEUI: q.dev, FCnt: q.fcnt, FPort: fport, Payload: payload}
	if err := q.eng.HandleUplink(q.Context(), up); err != nil {
		q.Fatal(err)
	}
	return len(q.net.frames) - sent
}

func (q *quiet) want(what string, got, want int) {
	q.Helper()
	if got != want {
		q.Errorf("%s: %d requests, want %d", what, got, want)
	}
}

func TestALostVersionRequestIsRepeatedInPeace(t *testing.T) {
	q := newQuiet(t)
	q.want("the first uplink", q.hear(0, 1), 1)
	if f := q.net.frames[0]; f.FPort != lorawan.FirmwareMgmt.DefaultFPort() || !slices.Equal(f.Payload, []byte{1}) || len(f.ID) != 16 {
		t.Errorf("frame %+v", f)
	}
	for range 5 {
		q.want("within the hour", q.hear(11*time.Minute, 1), 0)
	}
	q.want("after it", q.hear(5*time.Minute, 1), 1)
	if a, b := q.net.frames[0].ID, q.net.frames[1].ID; a == b {
		t.Errorf("both requests are called %s", a)
	}
	q.net.refuse = network.ErrUnreachable
	q.want("the network is away", q.hear(time.Hour, 1), 1)
	q.want("it is not asked at every uplink", q.hear(time.Minute, 1), 0)
	q.net.refuse = nil
	q.restart()
	q.want("a new process has forgotten", q.hear(time.Minute, 1), 1)
}

// An answer counts whatever the version is, and asked for or not: the version is as fresh as the answer.
func TestAnAnswerMakesTheVersionFresh(t *testing.T) {
	q := newQuiet(t)
	fport := lorawan.FirmwareMgmt.DefaultFPort()
	ans, err := firmware.DevVersionAns{FWVersion: 0x01020304, HWVersion: 7}.Append(nil, lorawan.V1)
	if err != nil {
		t.Fatal(err)
	}
	q.want("an answer that nobody asked for", q.hear(0, fport, ans...), 0)
	q.want("at its age", q.hear(24*time.Hour, 1), 0)
	q.want("above it", q.hear(time.Microsecond, 1), 1)
	q.want("the same version again", q.hear(time.Second, fport, ans...), 0)
	if d := stored(t, q.store, q.dev); d.Firmware.Uint32() != 0x01020304 || !d.FirmwareChanged.Equal(q.net.now) {
		t.Errorf("stored is %s of %s", d.Firmware, d.FirmwareChanged)
	}
	q.want("right after it", q.hear(time.Second, 1), 0)
	q.want("later on that day", q.hear(23*time.Hour, 1), 0)
	// What only looks like an answer is none.
	q.want("a broken answer to nothing", q.hear(59*time.Minute, fport, ans[:5]...), 0)
	q.want("a broken answer when it is old", q.hear(2*time.Minute, fport, ans[:5]...), 1)
}

// What an operator changes holds within a minute, because devices are remembered for so long.
func TestASubscriberMayStopAndStartPolling(t *testing.T) {
	q := newQuiet(t)
	maxAge(t, q.store, 0)
	q.want("switched off", q.hear(0, 1), 0)
	maxAge(t, q.store, time.Hour)
	q.want("still remembered", q.hear(30*time.Second, 1), 0)
	q.want("switched on", q.hear(31*time.Second, 1), 1)
}
