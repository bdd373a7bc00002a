package sim_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

const rx2EU = 869525000

func classC(g sim.Group) sim.Group {
	g.Frequency, g.DataRate = rx2EU, 0
	return g
}

func twoGateways() []sim.Gateway {
	return []sim.Gateway{{ID: "a", Band: region.EU868}, {ID: "b", Band: region.EU868}}
}

func TestMulticastGoesOutInOrderWithCountersFromTheFirst(t *testing.T) {
	w := newWorld(t, 3, sim.Config{}, nil, func(_ int, d *radioDevice) { d.hears = listensC(region.EU868) })
	g := w.mustGroup(classC(sim.Group{FCntDown: 70000}))
	for i := range 5 {
		if got := w.mustMulticast("g", sim.Frame{ID: fmt.Sprint(i), FPort: 201, Payload: []byte{byte(i)}}); got != uint32(70000+i) {
			t.Errorf("frame %d: counter %d", i, got)
		}
	}
	events := w.run(time.Hour, nil)
	if len(events) != 5 {
		t.Fatalf("got %v", events)
	}
	onAir := airtime(region.EU868, 0, 1)
	for i, e := range events {
		if e.Kind != sim.Summary || e.Group != "g" || e.FrameID != fmt.Sprint(i) || e.FCnt != uint32(70000+i) || e.GwTotal != 1 || e.GwOK != 1 {
			t.Errorf("frame %d: %s", i, e)
		}
		if want := start.Add(time.Duration(i+1) * onAir); !e.Time.Equal(want) {
			t.Errorf("frame %d done at %s, want %s: one after the other, without a pause", i, e.Time, want)
		}
	}
	keys := lorawan.NewSession(g.McAddr, g.McNwkSKey, g.McAppSKey)
	for _, d := range w.devices {
		if len(d.got) != 5 {
			t.Fatalf("device got %d frames, want 5", len(d.got))
		}
		for i, r := range d.got {
			f, err := keys.Open(r.phy, uint32(70000+i))
			if err != nil || f.FPort != 201 || f.FRMPayload[0] != byte(i) {
				t.Errorf("frame %d: %+v, %v", i, f, err)
			}
		}
	}
}

func TestFanOut(t *testing.T) {
	onAir := airtime(region.EU868, 0, 1)
	for _, c := range []struct {
		fanOut sim.FanOut
		done   time.Duration // of the second frame
		got    int           // frames that reach the receiver of a device in reach of both
	}{
		{sim.Simultaneous, 2*onAir + time.Second, 2},
		{sim.Staggered, 4*onAir + time.Second, 4},
	} {
		t.Run(c.fanOut.String(), func(t *testing.T) {
			w := newWorld(t, 1, sim.Config{Gateways: twoGateways(), FanOut: c.fanOut, MulticastGap: time.Second}, nil, nil)
			w.mustGroup(classC(sim.Group{}))
			w.mustMulticast("g", sim.Frame{FPort: 201, Payload: []byte{1}})
			w.mustMulticast("g", sim.Frame{FPort: 201, Payload: []byte{2}})
			events := w.run(time.Hour, nil)
			if len(events) != 2 || !events[1].Time.Equal(start.Add(c.done)) || events[1].GwOK != 2 {
				t.Errorf("got %v, want two frames done on both gateways, the second after %s", events, c.done)
			}
			if got := len(w.devices[0].got); got != c.got {
				t.Errorf("device received %d frames, want %d", got, c.got)
			}
			if s := w.Stats(); s.MulticastTransmissions != 4 || s.MulticastFrames != 2 {
				t.Errorf("got %+v", s.Counts)
			}
		})
	}
}

func TestGroupSendsOnItsOwnGatewaysOnly(t *testing.T) {
	w := newWorld(t, 1, sim.Config{Gateways: twoGateways()}, nil, nil)
	w.mustGroup(classC(sim.Group{Gateways: []string{"b"}}))
	w.mustMulticast("g", sim.Frame{FPort: 201})
	w.run(time.Hour, nil)
	if s := w.Stats(); len(s.Airtime) != 1 || s.Airtime[0].Gateway != "b" {
		t.Errorf("air time %+v, want only gateway b", s.Airtime)
	}
}

func TestClassBStartsInPingSlotsOnly(t *testing.T) {
	for _, band := range []region.Band{region.EU868, region.US915} {
		for _, periodicity := range []uint8{0, 4, 7} {
			t.Run(fmt.Sprintf("%s, 2^%d s", band, periodicity), func(t *testing.T) {
				cfg := sim.Config{Gateways: []sim.Gateway{{ID: "a", Band: band, NoDutyCycle: true}}}
				w := newWorld(t, 1, cfg, nil, func(_ int, d *radioDevice) { d.hears = nil; d.cfg.Band = band })
				dr := map[region.Band]uint8{region.EU868: 0, region.US915: 8}[band] // the slowest
				g := w.mustGroup(sim.Group{ClassB: true, PingSlotPeriodicity: periodicity, DataRate: dr})
				for range 20 {
					w.mustMulticast("g", sim.Frame{FPort: 201, Payload: make([]byte, 51)})
				}
				if events := w.run(time.Hour, nil); len(events) != 20 {
					t.Fatalf("%d frames done, want 20", len(events))
				}
				for i, tx := range w.devices[0].asked {
					if slot := device.NextPingSlot(g.McAddr, tx.Start, periodicity); !slot.Equal(tx.Start) {
						t.Errorf("frame %d began at %s, next ping slot is %s", i, tx.Start, slot)
					}
					if want := band.PingSlotFrequency(g.McAddr, tx.Start); tx.Frequency != want {
						t.Errorf("frame %d on %d Hz, want %d", i, tx.Frequency, want)
					}
					if next := lorawan.CeilBeacon(tx.Start); tx.Start.Add(tx.Airtime).After(next) {
						t.Errorf("frame %d ends %s, over the beacon of %s", i, tx.Start.Add(tx.Airtime), next)
					}
				}
				if periodicity == 7 {
					first, last := w.devices[0].asked[0].Start, w.devices[0].asked[19].Start
					if d := last.Sub(first); d < 18*lorawan.BeaconPeriod || d > 20*lorawan.BeaconPeriod {
						t.Errorf("20 frames took %s, want one per beacon period", d)
					}
				}
			})
		}
	}
}

func TestBusyGatewayDelaysClassBByASlot(t *testing.T) {
	// A long frame on the air covers the first slots; the group takes the first one after it.
	cfg := sim.Config{Gateways: []sim.Gateway{{ID: "a", Band: region.EU868, NoDutyCycle: true}}}
	w := newWorld(t, 1, cfg, nil, nil)
	long := w.mustGroup(classC(sim.Group{ID: "long"}))
	b := w.mustGroup(sim.Group{ClassB: true, DataRate: 3})
	slot := device.NextPingSlot(b.McAddr, start, 0)
	w.Advance(slot.Add(-time.Millisecond))
	w.mustMulticast(long.ID, sim.Frame{FPort: 201, Payload: make([]byte, 51)})
	w.mustMulticast(b.ID, sim.Frame{FPort: 201})
	w.run(time.Hour, nil)
	end := slot.Add(-time.Millisecond + airtime(region.EU868, 0, 51))
	if got, want := w.devices[0].asked[1].Start, device.NextPingSlot(b.McAddr, end, 0); !got.Equal(want) {
		t.Errorf("began at %s, want %s, the first slot after %s", got, want, end)
	}
}

func TestPatienceLeavesABlockedGatewayOut(t *testing.T) {
	// Gateway b has spent its hour on another group; the frame goes without it.
	cfg := sim.Config{Gateways: twoGateways(), GatewayPatience: time.Minute}
	w := newWorld(t, 1, cfg, nil, nil)
	w.mustGroup(classC(sim.Group{ID: "spender", Gateways: []string{"b"}}))
	per := airtime(region.EU868, 0, 51)
	for range int(6*time.Minute/per) + 1 {
		w.mustMulticast("spender", sim.Frame{FPort: 201, Payload: make([]byte, 51)})
	}
	w.run(10*time.Minute, nil)
	w.mustGroup(classC(sim.Group{}))
	w.mustMulticast("g", sim.Frame{ID: "f", FPort: 201, Payload: make([]byte, 51)})
	began := w.Now()
	for _, e := range w.run(5*time.Minute, nil) {
		if e.Group != "g" {
			continue
		}
		if e.GwOK != 1 || e.GwTotal != 2 || e.Time.Sub(began) != time.Minute {
			t.Errorf("got %s after %s, want 1 of 2 gateways after a minute", e, e.Time.Sub(began))
		}
		return
	}
	t.Error("the frame is not done")
}

func TestStaggeredGatewaysHaveAPatienceEach(t *testing.T) {
	// When the turn of b comes, it is busy for longer than the patience of 2 s and left out. When then
	// the turn of c comes, c is busy too, but not for 2 s more: it gets the frame.
	cfg := sim.Config{
		FanOut: sim.Staggered, GatewayPatience: 2 * time.Second,
		Gateways: append(twoGateways(), sim.Gateway{ID: "c", Band: region.EU868}),
	}
	w := newWorld(t, 1, cfg, nil, nil)
	w.mustGroup(classC(sim.Group{ID: "busy b", Gateways: []string{"b"}}))
	w.mustGroup(classC(sim.Group{ID: "busy c", Gateways: []string{"c"}}))
	w.mustGroup(classC(sim.Group{}))
	onAir := airtime(region.EU868, 0, 51)
	w.mustMulticast("g", sim.Frame{ID: "f", FPort: 201, Payload: make([]byte, 51)})
	w.Advance(start.Add(onAir - time.Millisecond))
	w.mustMulticast("busy b", sim.Frame{FPort: 201, Payload: make([]byte, 51)})
	w.Advance(start.Add(onAir + time.Second))
	w.mustMulticast("busy c", sim.Frame{FPort: 201, Payload: make([]byte, 51)})
	done := start.Add(onAir + time.Second + onAir + onAir)
	for _, e := range w.run(time.Hour, nil) {
		if e.Group == "g" && (e.GwOK != 2 || !e.Time.Equal(done)) {
			t.Errorf("got %s, want a and c, done at %s", e, done)
		}
	}
	if s := w.Stats(); s.MulticastFrames != 3 {
		t.Errorf("%d frames done, want 3", s.MulticastFrames)
	}
}

func TestPatienceOfClassBBeginsAtTheFirstSlot(t *testing.T) {
	// Slots are 128 s apart, far beyond the patience, and the gateway is free at the first one.
	cfg := sim.Config{GatewayPatience: time.Second}
	w := newWorld(t, 1, cfg, nil, nil)
	w.mustGroup(sim.Group{ClassB: true, PingSlotPeriodicity: 7, DataRate: 3})
	w.mustMulticast("g", sim.Frame{FPort: 201})
	if events := w.run(time.Hour, nil); len(events) != 1 || events[0].GwOK != 1 {
		t.Errorf("got %v", events)
	}
}

func TestFlushMulticastKeepsWhatIsOnTheAir(t *testing.T) {
	w := newWorld(t, 1, sim.Config{Gateways: twoGateways(), FanOut: sim.Staggered}, nil, nil)
	w.mustGroup(classC(sim.Group{}))
	for i := range 3 {
		w.mustMulticast("g", sim.Frame{ID: fmt.Sprint(i), FPort: 201})
	}
	w.Advance(start.Add(time.Millisecond))
	if err := w.FlushMulticast("g"); err != nil {
		t.Fatal(err)
	}
	if fcnt := w.mustMulticast("g", sim.Frame{ID: "new", FPort: 201}); fcnt != 3 {
		t.Errorf("counter %d after a flush, want 3: counters are never used again", fcnt)
	}
	events := w.run(time.Hour, nil)
	if len(events) != 2 || events[0].FrameID != "0" || events[0].GwOK != 1 || events[1].FrameID != "new" || events[1].GwOK != 2 {
		t.Errorf("got %v, want frame 0 on one gateway, then the new one on both", events)
	}
	if n := w.QueuedMulticast("g"); n != 0 {
		t.Errorf("%d frames left", n)
	}
}

func TestFlushOfAFrameThatWaitsLeavesTheGroupAlive(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, nil)
	w.mustGroup(sim.Group{ClassB: true, PingSlotPeriodicity: 7, DataRate: 3})
	w.mustMulticast("g", sim.Frame{ID: "gone", FPort: 201})
	w.Advance(start.Add(time.Millisecond))
	if err := w.FlushMulticast("g"); err != nil {
		t.Fatal(err)
	}
	w.mustMulticast("g", sim.Frame{ID: "sent", FPort: 201})
	if events := w.run(time.Hour, nil); len(events) != 1 || events[0].FrameID != "sent" {
		t.Errorf("got %v", events)
	}
}

func TestDeletedGroupSendsNothing(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, nil)
	w.mustGroup(classC(sim.Group{}))
	w.mustMulticast("g", sim.Frame{FPort: 201})
	w.mustMulticast("g", sim.Frame{FPort: 201})
	w.Advance(start.Add(time.Millisecond)) // the first is on the air
	if err := w.DeleteGroup("g"); err != nil {
		t.Fatal(err)
	}
	if events := w.run(time.Hour, nil); len(events) != 0 || len(w.devices[0].asked) != 1 {
		t.Errorf("got %v and %d transmissions", events, len(w.devices[0].asked))
	}
	for name, err := range map[string]error{"DeleteGroup": w.DeleteGroup("g"), "FlushMulticast": w.FlushMulticast("g")} {
		if !errors.Is(err, sim.ErrUnknown) {
			t.Errorf("%s of an unknown group: %v", name, err)
		}
	}
}

func TestEnsureGroupNeverTakesACounterBack(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, nil)
	g := w.mustGroup(classC(sim.Group{FCntDown: 5}))
	w.mustMulticast("g", sim.Frame{FPort: 201})
	if err := w.EnsureGroup(g); err != nil { // the same again, while a frame waits
		t.Errorf("the same group again: %v", err)
	}
	other := g
	other.DataRate = 3
	if err := w.EnsureGroup(other); !errors.Is(err, sim.ErrBusy) {
		t.Errorf("another data rate under a queued frame: %v, want ErrBusy", err)
	}
	w.run(time.Minute, nil)
	if err := w.EnsureGroup(other); err != nil {
		t.Errorf("another data rate: %v", err)
	}
	if fcnt := w.mustMulticast("g", sim.Frame{FPort: 201}); fcnt != 6 {
		t.Errorf("counter %d, want 6", fcnt)
	}
	w.run(time.Minute, nil)
	other.FCntDown = 100
	if err := w.EnsureGroup(other); err != nil {
		t.Fatal(err)
	}
	if fcnt := w.mustMulticast("g", sim.Frame{FPort: 201}); fcnt != 100 {
		t.Errorf("counter %d, want 100: it may be raised", fcnt)
	}
	w.run(time.Minute, nil)
	other.McAppSKey[3]++
	other.FCntDown = 0
	if err := w.EnsureGroup(other); err != nil {
		t.Fatal(err)
	}
	if fcnt := w.mustMulticast("g", sim.Frame{FPort: 201}); fcnt != 0 {
		t.Errorf("counter %d under a new key, want 0", fcnt)
	}
}

func TestImpossibleGroupsAndFramesAreRefused(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, nil)
	for _, c := range []struct {
		name string
		g    sim.Group
		want error
	}{
		{"no ID", sim.Group{Band: region.EU868, Frequency: rx2EU}, sim.ErrConfig},
		{"an uplink data rate", sim.Group{ID: "x", Band: region.US915, Frequency: 923300000}, sim.ErrConfig},
		{"a data rate without payload", sim.Group{ID: "x", Band: region.AS923, Options: region.Options{DwellTime400ms: true}, Frequency: 923200000}, sim.ErrPayload},
		{"periodicity 8", sim.Group{ID: "x", Band: region.EU868, ClassB: true, PingSlotPeriodicity: 8}, sim.ErrConfig},
		{"a frequency of another band", sim.Group{ID: "x", Band: region.EU868, Frequency: 923300000}, sim.ErrConfig},
		{"class C without a frequency", sim.Group{ID: "x", Band: region.EU868}, sim.ErrConfig},
		{"an unknown gateway", sim.Group{ID: "x", Band: region.EU868, Frequency: rx2EU, Gateways: []string{"?"}}, sim.ErrUnknown},
		{"a gateway twice", sim.Group{ID: "x", Band: region.EU868, Frequency: rx2EU, Gateways: []string{"gw", "gw"}}, sim.ErrConfig},
	} {
		if err := w.EnsureGroup(c.g); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	w.mustGroup(classC(sim.Group{FCntDown: 1<<32 - 2}))
	w.mustMulticast("g", sim.Frame{FPort: 1})
	for _, c := range []struct {
		name, group string
		f           sim.Frame
		want        error
	}{
		{"an unknown group", "x", sim.Frame{FPort: 1}, sim.ErrUnknown},
		{"FPort 0", "g", sim.Frame{}, sim.ErrPort},
		{"52 bytes at DR 0", "g", sim.Frame{FPort: 1, Payload: make([]byte, 52)}, sim.ErrPayload},
		{"no counter left", "g", sim.Frame{FPort: 1}, sim.ErrCounter},
	} {
		if _, err := w.SendMulticast(c.group, c.f); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}
