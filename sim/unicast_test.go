package sim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

func TestUplinkIsReportedAtItsEndOnceForAllGateways(t *testing.T) {
	cfg := sim.Config{Gateways: []sim.Gateway{{ID: "a", Band: region.EU868}, {ID: "b", Band: region.EU868}}}
	w := newWorld(t, 1, cfg, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 1, 5) })
	events := w.run(time.Hour, nil)
	if len(events) != 1 {
		t.Fatalf("got %v, want one uplink", events)
	}
	e := events[0]
	onAir, _ := region.EU868.UplinkAirtime(5, 1)
	if want := start.Add(time.Minute + onAir); !e.Time.Equal(want) {
		t.Errorf("reported at %s, want %s", e.Time, want)
	}
	if e.Kind != sim.Uplink || e.DevEUI != eui(0) || e.FCnt != 0 || e.FPort != 10 || string(e.Payload) != "\x00" || e.GwOK != 2 || e.GwTotal != 2 {
		t.Errorf("got %s", e)
	}
	if s := w.Stats(); s.UplinksSent != 1 || s.UplinksReceived != 1 || s.UplinkCopies != 2 {
		t.Errorf("got %+v", s.Counts)
	}
}

func TestFrameSentUponTheUplinkMakesRX1(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 1, 5) })
	var upEnd time.Time
	events := w.run(time.Hour, func(e sim.Event) {
		if e.Kind == sim.Uplink {
			upEnd = e.Time
			w.mustSend(0, sim.Frame{ID: "f", FPort: 200, Payload: []byte("hello")})
		}
	})
	d := w.devices[0]
	if len(d.asked) != 1 || len(d.got) != 1 {
		t.Fatalf("device was offered %d downlinks and got %d", len(d.asked), len(d.got))
	}
	tx := d.asked[0]
	frequency, dr, _ := region.EU868.RX1(region.EU868.UplinkChannels()[0].Frequency, 5, region.Options{})
	if !tx.Start.Equal(upEnd.Add(time.Second)) || tx.Frequency != frequency || tx.DR != dr {
		t.Errorf("transmitted %+v, want RX1 one second after %s", tx, upEnd)
	}
	f, err := d.session.Open(d.got[0].phy, 0)
	if err != nil || f.Direction != lorawan.Downlink || f.FPort != 200 || string(f.FRMPayload) != "hello" || f.FCnt != 0 {
		t.Errorf("device opened %+v, %v", f, err)
	}
	sent := kinds(events, sim.Sent)
	if len(sent) != 1 || sent[0].FrameID != "f" || !sent[0].Time.Equal(tx.Start.Add(tx.Airtime)) {
		t.Errorf("got %v, want Sent at the end of the transmission", sent)
	}
}

func TestFrameTooLateForRX1GoesInRX2(t *testing.T) {
	lead := sim.DefaultDownlinkLead
	for _, c := range []struct {
		name  string
		after time.Duration
		want  time.Duration // after the uplink; 0: only the next uplink
	}{
		{"in time for RX1", time.Second - lead, time.Second},
		{"late for RX1", time.Second - lead + 1, 2 * time.Second},
		{"in time for RX2", 2*time.Second - lead, 2 * time.Second},
		{"late for both", 2*time.Second - lead + 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 2, 5) })
			up := w.Advance(start.Add(time.Hour))[0].Time
			w.Advance(up.Add(c.after))
			w.mustSend(0, sim.Frame{ID: "f", FPort: 1})
			w.run(time.Hour, nil)
			got := w.devices[0].asked[0].Start.Sub(up)
			if c.want == 0 {
				c.want = time.Minute + time.Second
			}
			if got != c.want {
				t.Errorf("transmitted %s after the uplink, want %s", got, c.want)
			}
		})
	}
}

func TestLaterUplinkVoidsTheWindowsOfAnEarlierOne(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(500*time.Millisecond, 2, 5) })
	w.mustSend(0, sim.Frame{FPort: 1})
	w.run(time.Hour, nil)
	onAir, _ := region.EU868.UplinkAirtime(5, 1)
	if got, want := w.devices[0].asked[0].Start, start.Add(2*time.Second+onAir); !got.Equal(want) {
		t.Errorf("transmitted at %s, want %s, RX1 of the second uplink", got, want)
	}
}

func TestBusyGatewayPushesTheFrameToRX2ThenToTheNextUplink(t *testing.T) {
	// Three devices whose uplinks end together share one gateway that sends one frame at
	// a time: one has RX1. RX2 (SF12) is free for one more; the third waits for its next uplink.
	w := newWorld(t, 3, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 2, 5) })
	for i := range 3 {
		w.mustSend(i, sim.Frame{ID: fmt.Sprint(i), FPort: 1, Payload: []byte{1}})
	}
	w.run(time.Hour, nil)
	var delays []time.Duration
	first, _ := region.EU868.UplinkAirtime(5, 1)
	for _, d := range w.devices {
		delays = append(delays, d.asked[0].Start.Sub(start.Add(time.Minute+first)))
	}
	want := []time.Duration{time.Second, 2 * time.Second, time.Minute + time.Second}
	if !slices.Equal(delays, want) {
		t.Errorf("delays %v, want %v", delays, want)
	}
	if s := w.Stats(); s.WindowsMissed != 3 { // devices 1 and 2 in RX1, device 2 in RX2
		t.Errorf("%d windows missed, want 3", s.WindowsMissed)
	}
}

func TestAnotherGatewayThatHeardTheUplinkTakesOver(t *testing.T) {
	cfg := sim.Config{Gateways: []sim.Gateway{{ID: "a", Band: region.EU868}, {ID: "b", Band: region.EU868}}}
	w := newWorld(t, 2, cfg, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 1, 5) })
	w.mustSend(0, sim.Frame{FPort: 1})
	w.mustSend(1, sim.Frame{FPort: 1})
	w.run(time.Hour, nil)
	if a, b := w.devices[0].asked[0].Start, w.devices[1].asked[0].Start; !a.Equal(b) {
		t.Errorf("sent at %s and %s, want both in RX1", a, b)
	}
	if s := w.Stats(); len(s.Airtime) != 2 || s.Airtime[0].Airtime != s.Airtime[1].Airtime {
		t.Errorf("air time %+v, want one frame on each gateway", s.Airtime)
	}
}

func TestOneFramePerUplinkInOrder(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 4, 5) })
	for i := range 3 {
		w.mustSend(0, sim.Frame{ID: fmt.Sprint(i), FPort: 1})
	}
	if got := w.QueuedUnicast(eui(0)); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("queue %v", got)
	}
	sent := kinds(w.run(time.Hour, nil), sim.Sent)
	if len(sent) != 3 {
		t.Fatalf("got %v", sent)
	}
	for i, e := range sent {
		if e.FrameID != fmt.Sprint(i) || e.FCnt != uint32(i) {
			t.Errorf("frame %d: %s", i, e)
		}
		if i > 0 && e.Time.Sub(sent[i-1].Time) != time.Minute {
			t.Errorf("frame %d came %s after the one before, want one per uplink", i, e.Time.Sub(sent[i-1].Time))
		}
	}
}

func TestFlushedFramesAreNeverSent(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 3, 5) })
	w.mustSend(0, sim.Frame{ID: "a", FPort: 1})
	w.mustSend(0, sim.Frame{ID: "b", FPort: 1})
	w.FlushUnicast(eui(0))
	w.FlushUnicast(eui(99))
	w.mustSend(0, sim.Frame{ID: "c", FPort: 1})
	sent := kinds(w.run(time.Hour, nil), sim.Sent)
	if len(sent) != 1 || sent[0].FrameID != "c" || sent[0].FCnt != 0 {
		t.Errorf("got %v, want only c", sent)
	}
}

func TestPayloadIsCopied(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 1, 5) })
	payload := []byte("before")
	w.mustSend(0, sim.Frame{FPort: 1, Payload: payload})
	copy(payload, "after!")
	w.run(time.Hour, nil)
	if f, _ := w.devices[0].session.Open(w.devices[0].got[0].phy, 0); string(f.FRMPayload) != "before" {
		t.Errorf("device got %q", f.FRMPayload)
	}
}

func TestSendUnicastRefuses(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 2, 0) })
	for _, c := range []struct {
		name string
		dev  lorawan.EUI64
		f    sim.Frame
		want error
	}{
		{"an unknown device", eui(9), sim.Frame{FPort: 1}, sim.ErrUnknown},
		{"FPort 0", eui(0), sim.Frame{}, sim.ErrPort},
		{"more than any data rate carries", eui(0), sim.Frame{FPort: 1, Payload: make([]byte, 243)}, sim.ErrPayload},
	} {
		if err := w.SendUnicast(c.dev, c.f); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}

	// Once the device was heard at DR 0, both windows are known to carry 51 bytes.
	w.mustSend(0, sim.Frame{ID: "long", FPort: 1, Payload: make([]byte, 52)})
	w.mustSend(0, sim.Frame{ID: "fits", FPort: 1, Payload: make([]byte, 51)})
	events := w.run(90*time.Second, nil)
	if failed := kinds(events, sim.Failed); len(failed) != 1 || failed[0].FrameID != "long" || !strings.Contains(failed[0].Err, "52 bytes") {
		t.Errorf("got %v, want the long frame failed", failed)
	}
	if sent := kinds(events, sim.Sent); len(sent) != 1 || sent[0].FrameID != "fits" {
		t.Errorf("got %v, want the other one sent in the same window", sent)
	}
	if err := w.SendUnicast(eui(0), sim.Frame{FPort: 1, Payload: make([]byte, 52)}); !errors.Is(err, sim.ErrPayload) {
		t.Errorf("got %v, want ErrPayload", err)
	}
}

func TestFrameThatOnlyRX1CarriesWaitsForRX1(t *testing.T) {
	w := newWorld(t, 2, sim.Config{}, nil, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 2, 5) })
	w.mustSend(0, sim.Frame{FPort: 1})
	w.mustSend(1, sim.Frame{FPort: 1, Payload: make([]byte, 200)})
	w.run(time.Hour, nil)
	if got := w.devices[1].asked[0]; got.DR != 5 || got.Start.Before(start.Add(2*time.Minute)) {
		t.Errorf("transmitted %+v, want RX1 of the second uplink", got)
	}
}

func TestRepeatedAndForeignFramesAreRejected(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) {
		d.uplinks = every(time.Minute, 3, 5)
		d.uplinks[1].repeat = true
	})
	events := w.run(time.Hour, nil)
	if len(events) != 2 || events[0].FCnt != 0 || events[1].FCnt != 1 {
		t.Errorf("got %v, want counters 0 and 1", events)
	}
	if s := w.Stats(); s.UplinksRejected != 1 {
		t.Errorf("%d rejected, want 1", s.UplinksRejected)
	}

	forged := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) {
		d.uplinks = every(time.Minute, 1, 5)
		d.session = lorawan.NewSession(d.cfg.DevAddr, lorawan.AES128Key{99}, d.cfg.AppSKey)
	})
	if events := forged.run(time.Hour, nil); len(events) != 0 || forged.Stats().UplinksRejected != 1 {
		t.Errorf("got %v from a device with the wrong key", events)
	}
}

func TestRestartedCounterIsAJoinAndVoidsTheQueue(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) {
		d.uplinks = every(time.Minute, 7, 5)
		d.uplinks[5].restart = true
	})
	for i := range 6 {
		w.mustSend(0, sim.Frame{ID: fmt.Sprint(i), FPort: 1})
	}
	var got []string
	for _, e := range w.run(time.Hour, nil)[10:] {
		got = append(got, fmt.Sprintf("%s %s %d", e.Kind, e.FrameID, e.FCnt))
	}
	want := []string{"Joined  0", "Failed 5 0", "Uplink  0", "Uplink  1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDeviceThatDoesNotListenGetsNothing(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) {
		d.uplinks = every(time.Minute, 1, 5)
		d.hears = func(device.Transmission) bool { return false }
	})
	w.mustSend(0, sim.Frame{FPort: 1})
	events := w.run(time.Hour, nil)
	if len(kinds(events, sim.Sent)) != 1 || len(w.devices[0].got) != 0 {
		t.Errorf("got %v and %d frames: Sent says transmitted, not received", events, len(w.devices[0].got))
	}
}

func TestDeviceOutOfCoverageIsNeverHeard(t *testing.T) {
	w := newWorld(t, 1, sim.Config{}, sim.Independent{P: 1}, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 5, 5) })
	if events := w.run(time.Hour, nil); len(events) != 0 || w.Stats().UplinksLost != 5 {
		t.Errorf("got %v, %d lost", events, w.Stats().UplinksLost)
	}
}
