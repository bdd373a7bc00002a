package sim_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

func TestAdvanceStopsAtTheFirstInstantWithEventsAndReturnsAllOfIt(t *testing.T) {
	w := newWorld(t, 2, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 2, 5) })
	if events := w.Advance(start.Add(30 * time.Second)); events != nil || !w.Now().Equal(start.Add(30*time.Second)) {
		t.Errorf("got %v at %s", events, w.Now())
	}
	if events := w.Advance(start); events != nil || !w.Now().Equal(start.Add(30*time.Second)) {
		t.Errorf("time went back: %v at %s", events, w.Now())
	}
	onAir, _ := region.EU868.UplinkAirtime(5, 1)
	first := start.Add(time.Minute + onAir)
	if events := w.Advance(start.Add(time.Hour)); len(events) != 2 || !w.Now().Equal(first) || !events[0].Time.Equal(first) || !events[1].Time.Equal(first) {
		t.Errorf("got %v at %s, want both uplinks at %s", events, w.Now(), first)
	}
	// An instant that is exactly until is part of it.
	second := start.Add(2*time.Minute + onAir)
	if events := w.Advance(second); len(events) != 2 || !w.Now().Equal(second) {
		t.Errorf("got %v at %s", events, w.Now())
	}
	if events := w.Advance(start.Add(1000 * time.Hour)); events != nil || !w.Now().Equal(start.Add(1000*time.Hour)) {
		t.Errorf("got %v at %s from a network in which nothing happens", events, w.Now())
	}
}

// busyRun is a run with something of everything in it.
func busyRun(t *testing.T, devices int, seed uint64, loss sim.Loss) []sim.Event {
	cfg := sim.Config{Seed: seed, FanOut: sim.Staggered, Collisions: true, Gateways: twoGateways()}
	w := newWorld(t, devices, cfg, loss, func(i int, d *radioDevice) {
		d.uplinks = every(time.Minute+time.Duration(i)*time.Second, 50, uint8(i%6))
	})
	w.mustGroup(classC(sim.Group{}))
	w.mustGroup(sim.Group{ID: "b", ClassB: true, DataRate: 3, PingSlotPeriodicity: 3})
	for i := range 40 {
		w.mustMulticast("g", sim.Frame{ID: fmt.Sprint("c", i), FPort: 201, Payload: make([]byte, i)})
		w.mustMulticast("b", sim.Frame{ID: fmt.Sprint("b", i), FPort: 201, Payload: make([]byte, i)})
	}
	return w.run(time.Hour, func(e sim.Event) {
		if e.Kind == sim.Uplink && e.FCnt%3 == 0 {
			if err := w.SendUnicast(e.DevEUI, sim.Frame{ID: e.DevEUI.String(), FPort: 200, Payload: e.Payload}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSameSeedAndCallsGiveTheSameEvents(t *testing.T) {
	loss := sim.Bursty{Mean: 0.3, Burst: 4}
	a, b := busyRun(t, 12, 1, loss), busyRun(t, 12, 1, loss)
	if len(a) < 200 || len(kinds(a, sim.Sent)) == 0 || len(kinds(a, sim.Summary)) != 80 {
		t.Fatalf("only %d events: the run tests little", len(a))
	}
	if hash(a) != hash(b) {
		t.Error("two runs differ")
	}
	if hash(a) == hash(busyRun(t, 12, 2, loss)) {
		t.Error("another seed gives the same events")
	}
}

func TestOneMoreDeviceLeavesTheLuckOfOthers(t *testing.T) {
	// Without downlinks, which compete for gateways, devices have nothing in common.
	run := func(devices int) (of0 []sim.Event) {
		w := newWorld(t, devices, sim.Config{Seed: 3}, sim.Bursty{Mean: 0.4, Burst: 3}, func(_ int, d *radioDevice) {
			d.uplinks = every(time.Minute, 500, 5)
		})
		for _, e := range w.run(10*time.Hour, nil) {
			if e.DevEUI == eui(0) {
				of0 = append(of0, e)
			}
		}
		return of0
	}
	if hash(run(1)) != hash(run(5)) {
		t.Error("device 0 is heard differently when there are four more")
	}
}

func TestLinksHaveLuckOfTheirOwn(t *testing.T) {
	w := newWorld(t, 2, sim.Config{Seed: 3}, sim.Independent{P: 0.5}, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 64, 5) })
	heard := map[string][]uint32{}
	for _, e := range w.run(2*time.Hour, nil) {
		heard[e.DevEUI.String()] = append(heard[e.DevEUI.String()], e.FCnt)
	}
	if slices.Equal(heard[eui(0).String()], heard[eui(1).String()]) {
		t.Error("two devices lose the same 64 frames")
	}
}

func TestEventsAreOfNoUseToChangeTheNetwork(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 2, 5) })
	first := w.Advance(start.Add(time.Hour))
	first[0].Payload[0] = 99
	if second := w.Advance(start.Add(time.Hour)); second[0].Payload[0] != 1 || first[0].FCnt != 0 {
		t.Errorf("got %v", second)
	}
}

func TestUnknownNamesFindNothing(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, nil)
	if w.EndDevice(eui(0)) != sim.EndDevice(w.devices[0]) || w.EndDevice(eui(1)) != nil {
		t.Error("EndDevice does not find the device, or another")
	}
	if w.Device(eui(0)) != nil || w.Device(eui(1)) != nil {
		t.Error("Device finds one that is of another make, or none at all")
	}
	if w.QueuedUnicast(eui(1)) != nil || w.QueuedMulticast("?") != 0 {
		t.Error("something is queued for nobody")
	}
}

func TestDeviceThatNeverLetsTimePassIsABug(t *testing.T) {
	cfg := sim.Config{Start: start, Devices: []sim.DeviceSpec{{
		Config: device.Config{DevEUI: eui(0), Band: region.EU868},
		New:    func(device.Config) sim.EndDevice { return restless{} },
	}}}
	n, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Advance returned")
		}
	}()
	n.Advance(start.Add(time.Hour))
}

// restless always wants to be woken now.
type restless struct{}

func (restless) NextWake() time.Time              { return start }
func (restless) Wake(time.Time) []device.Uplink   { return nil }
func (restless) Hears(device.Transmission) bool   { return false }
func (restless) Receive(at time.Time, phy []byte) {}
