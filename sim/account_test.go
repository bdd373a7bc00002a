package sim_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// TestEveryFrameIsAccountedFor does random things to random networks. Whatever happens, no
// frame is lost from the books: each one handed over is reported once, flushed, or still queued.
func TestEveryFrameIsAccountedFor(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			luck := rand.New(rand.NewPCG(seed, 1))
			cfg := sim.Config{
				Seed:            seed,
				FanOut:          sim.FanOut(luck.IntN(2)),
				Collisions:      luck.IntN(2) == 0,
				MulticastGap:    time.Duration(luck.IntN(3)) * time.Second,
				GatewayPatience: time.Duration(luck.IntN(3)) * 20 * time.Second,
			}
			for i := range 1 + luck.IntN(3) {
				cfg.Gateways = append(cfg.Gateways, sim.Gateway{ID: fmt.Sprint(i), Band: region.EU868})
			}
			w := newWorld(t, 6, cfg, sim.Bursty{Mean: 0.3, Burst: 3}, func(i int, d *radioDevice) {
				d.uplinks = every(time.Duration(20+luck.IntN(60))*time.Second, 300, uint8(luck.IntN(6)))
			})
			groups := []string{"b", "c"}
			w.mustGroup(sim.Group{ID: "b", ClassB: true, PingSlotPeriodicity: uint8(luck.IntN(8)), DataRate: 3})
			w.mustGroup(classC(sim.Group{ID: "c"}))

			open := map[string]bool{} // frames that must still be reported or be in a queue
			lastFCnt := map[string]uint32{"b": 0, "c": 0}
			last := start
			book := func(e sim.Event) {
				if e.Time.Before(last) || e.Time.After(w.Now()) {
					t.Errorf("time is %s after %s: %s", w.Now(), last, e)
				}
				last = e.Time
				switch e.Kind {
				case sim.Summary:
					if e.FCnt <= lastFCnt[e.Group] && lastFCnt[e.Group] > 0 || e.GwOK > e.GwTotal || e.GwTotal != len(cfg.Gateways) {
						t.Errorf("after counter %d: %s", lastFCnt[e.Group], e)
					}
					lastFCnt[e.Group] = e.FCnt
					fallthrough
				case sim.Sent, sim.Failed:
					if !open[e.FrameID] {
						t.Errorf("reported, but not open: %s", e)
					}
					delete(open, e.FrameID)
				}
			}
			flushed := map[string]bool{}
			for i := range 400 {
				id := fmt.Sprint(i)
				dev := luck.IntN(len(w.devices))
				group := groups[luck.IntN(2)]
				switch op := luck.IntN(20); {
				case op < 8:
					w.mustSend(dev, sim.Frame{ID: id, FPort: 1, Payload: make([]byte, luck.IntN(52))})
					open[id] = true
				case op < 16:
					w.mustMulticast(group, sim.Frame{ID: id, FPort: 201, Payload: make([]byte, luck.IntN(52))})
					open[id] = true
				case op == 16:
					for _, id := range w.QueuedUnicast(eui(dev)) {
						delete(open, id)
						flushed[id] = true
					}
					w.FlushUnicast(eui(dev))
				}
				// Stop in the middle of things, not only at events.
				until := w.Now().Add(time.Duration(luck.Int64N(int64(40 * time.Second))))
				for range luck.IntN(5) {
					for _, e := range w.Advance(until) {
						book(e)
					}
				}
			}
			w.run(20*time.Hour, book)
			for _, g := range groups {
				if n := w.QueuedMulticast(g); n != 0 {
					t.Errorf("group %s: %d frames are stuck", g, n)
				}
			}
			for i := range w.devices {
				for _, id := range w.QueuedUnicast(eui(i)) {
					if !open[id] || flushed[id] {
						t.Errorf("frame %s is queued and was reported or flushed", id)
					}
					delete(open, id)
				}
			}
			if len(open) > 0 {
				t.Errorf("frames without a trace: %v", open)
			}
			checkSums(t, w)
		})
	}
}

// checkSums holds totals and links against one another.
func checkSums(t *testing.T, w *world) {
	t.Helper()
	s := w.Stats()
	if s.UplinksSent != s.UplinksReceived+s.UplinksLost+s.UplinksRejected {
		t.Errorf("%d uplinks sent, %d received, %d lost, %d rejected", s.UplinksSent, s.UplinksReceived, s.UplinksLost, s.UplinksRejected)
	}
	var tries, copies, down int
	for _, l := range w.LinkStats() {
		tries += l.UplinksHeard + l.UplinksLost + l.UplinksDeaf + l.UplinksCollided
		copies += l.UplinksHeard
		down += l.DownlinksHeard
	}
	if tries != s.UplinksSent*len(w.cfg.Gateways) || copies != s.UplinkCopies {
		t.Errorf("links tell of %d tries and %d copies, totals of %d and %d", tries, copies, s.UplinksSent*len(w.cfg.Gateways), s.UplinkCopies)
	}
	got := 0
	for _, d := range w.devices {
		got += len(d.got)
	}
	if got != s.UnicastReceived+s.MulticastReceived || got > down {
		t.Errorf("devices got %d frames, totals say %d and %d, links %d", got, s.UnicastReceived, s.MulticastReceived, down)
	}
}
