package sim_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// lossOf sends n uplinks over one link and returns which were lost.
func lossOf(t *testing.T, l sim.Loss, seed uint64, n int) []bool {
	t.Helper()
	w := newWorld(t, 1, sim.Config{Seed: seed}, l, func(_ int, d *radioDevice) { d.uplinks = every(time.Second, n, 5) })
	lost := slices.Repeat([]bool{true}, n)
	for _, e := range w.run(time.Duration(n+2)*time.Second, nil) {
		lost[e.FCnt] = false
	}
	return lost
}

func TestLossHasItsMeanAndBurstLength(t *testing.T) {
	const n = 20000
	for _, c := range []struct {
		name        string
		loss        sim.Loss
		mean, burst float64
	}{
		{"none", nil, 0, 0},
		{"independent 5 %", sim.Independent{P: 0.05}, 0.05, 1 / 0.95},
		{"independent 50 %", sim.Independent{P: 0.5}, 0.5, 2},
		{"bursts of 1", sim.Bursty{Mean: 0.1, Burst: 1}, 0.1, 1},
		{"bursts of 5", sim.Bursty{Mean: 0.2, Burst: 5}, 0.2, 5},
		{"bursts of 20", sim.Bursty{Mean: 0.3, Burst: 20}, 0.3, 20},
		{"always", sim.Independent{P: 1}, 1, n},
	} {
		t.Run(c.name, func(t *testing.T) {
			lost := lossOf(t, c.loss, 1, n)
			count, bursts := 0, 0
			for i, l := range lost {
				if l {
					count++
					if i == 0 || !lost[i-1] {
						bursts++
					}
				}
			}
			// Six standard deviations; the variance of a mean of correlated frames is larger by
			// (1+r)/(1-r) with r the correlation of neighbours, at most 1-1/L.
			correlation := 0.0
			if c.burst > 1 && c.burst < n && c.mean > 0 {
				correlation = max(0, 1-1/c.burst-c.mean/(c.burst*(1-c.mean)))
			}
			sigma := math.Sqrt(c.mean * (1 - c.mean) / n * (1 + correlation) / (1 - correlation))
			if got := float64(count) / n; math.Abs(got-c.mean) > 6*sigma {
				t.Errorf("mean loss %.4f, want %.4f +- %.4f", got, c.mean, 6*sigma)
			}
			if c.mean == 0 || c.mean == 1 {
				return
			}
			// Burst lengths are geometric: deviation sqrt(L(L-1)) each.
			got := float64(count) / float64(bursts)
			if bound := 6*math.Sqrt(c.burst*(c.burst-1)/float64(bursts)) + 1e-9; math.Abs(got-c.burst) > bound {
				t.Errorf("bursts of %.3f frames, want %.3f +- %.3f", got, c.burst, bound)
			}
		})
	}
}

func TestDirectionsOfALinkLoseApart(t *testing.T) {
	cfg := sim.Config{Seed: 4, Gateways: []sim.Gateway{{ID: "gw", Band: region.EU868, NoDutyCycle: true}}}
	w := newWorld(t, 1, cfg, sim.Independent{P: 0.5}, func(_ int, d *radioDevice) { d.uplinks = every(time.Minute, 200, 5) })
	w.mustGroup(classC(sim.Group{}))
	for range 200 {
		w.mustMulticast("g", sim.Frame{FPort: 201})
	}
	w.run(5*time.Hour, nil)
	l := w.LinkStats()[0]
	if l.DownlinksHeard+l.DownlinksLost+l.DownlinksDeaf != 200 || l.DownlinksLost < 60 || l.DownlinksLost > 140 {
		t.Errorf("got %+v, want every one of 200 downlinks counted once, about half of them lost", l)
	}
	if l.UplinksHeard+l.UplinksLost+l.UplinksDeaf != 200 {
		t.Errorf("got %+v, want every uplink counted once", l)
	}
}

func TestImpossibleNetworksAreRefused(t *testing.T) {
	gw := sim.Gateway{ID: "gw", Band: region.EU868}
	dev := func(i int, links ...sim.Link) sim.DeviceSpec {
		return sim.DeviceSpec{Config: device.Config{DevEUI: eui(i), DevAddr: lorawan.DevAddr{byte(i)}, Band: region.EU868}, Links: links}
	}
	us := dev(1, sim.Link{Gateway: "gw"})
	us.Band = region.US915
	fast := dev(1)
	fast.UplinkDR = 15
	for name, cfg := range map[string]sim.Config{
		"no start":              {},
		"negative lead":         {DownlinkLead: -1},
		"negative gap":          {MulticastGap: -1},
		"negative patience":     {GatewayPatience: -1},
		"gateway twice":         {Gateways: []sim.Gateway{gw, gw}},
		"gateway without name":  {Gateways: []sim.Gateway{{Band: region.EU868}}},
		"gateway without band":  {Gateways: []sim.Gateway{{ID: "gw"}}},
		"unknown channels":      {Gateways: []sim.Gateway{{ID: "gw", Band: region.CN470}}},
		"DevEUI twice":          {Devices: []sim.DeviceSpec{dev(1), dev(1)}},
		"DevAddr twice":         {Devices: []sim.DeviceSpec{dev(1), {Config: device.Config{DevEUI: eui(2), DevAddr: lorawan.DevAddr{1}, Band: region.EU868}}}},
		"link to nowhere":       {Devices: []sim.DeviceSpec{dev(1, sim.Link{Gateway: "?"})}},
		"link across bands":     {Gateways: []sim.Gateway{gw}, Devices: []sim.DeviceSpec{us}},
		"link twice":            {Gateways: []sim.Gateway{gw}, Devices: []sim.DeviceSpec{dev(1, sim.Link{Gateway: "gw"}, sim.Link{Gateway: "gw"})}},
		"no such data rate":     {Devices: []sim.DeviceSpec{fast}},
		"loss above 1":          {Gateways: []sim.Gateway{gw}, Devices: []sim.DeviceSpec{dev(1, sim.Link{Gateway: "gw", Up: sim.Independent{P: 1.1}})}},
		"loss that is NaN":      {Gateways: []sim.Gateway{gw}, Devices: []sim.DeviceSpec{dev(1, sim.Link{Gateway: "gw", Down: sim.Independent{P: math.NaN()}})}},
		"mean loss of 1":        {Gateways: []sim.Gateway{gw}, Devices: []sim.DeviceSpec{dev(1, sim.Link{Gateway: "gw", Up: sim.Bursty{Mean: 1, Burst: 3}})}},
		"bursts below 1":        {Gateways: []sim.Gateway{gw}, Devices: []sim.DeviceSpec{dev(1, sim.Link{Gateway: "gw", Up: sim.Bursty{Mean: 0.1, Burst: 0.5}})}},
		"bursts below the mean": {Gateways: []sim.Gateway{gw}, Devices: []sim.DeviceSpec{dev(1, sim.Link{Gateway: "gw", Up: sim.Bursty{Mean: 0.9, Burst: 2}})}},
	} {
		cfg.Start = start
		if name == "no start" {
			cfg.Start = time.Time{}
		}
		if _, err := sim.New(cfg); !errors.Is(err, sim.ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
}

func TestGatewayIsDeafWhileItTransmits(t *testing.T) {
	// A downlink of 2.8 s; uplinks of 46 ms placed around it.
	onAir := airtime(region.EU868, 0, 51)
	up, _ := region.EU868.UplinkAirtime(5, 1)
	const at = time.Minute
	for _, c := range []struct {
		name  string
		begin time.Duration
		heard bool
	}{
		{"ends as it begins", at - up, true},
		{"ends in it", at - up + 1, false},
		{"within", at + onAir/2, false},
		{"begins before it ends", at + onAir - 1, false},
		{"begins as it ends", at + onAir, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) {
				d.uplinks = []plannedUplink{{at: start.Add(c.begin), payload: []byte{1}, dr: 5}}
			})
			w.mustGroup(classC(sim.Group{}))
			w.run(at-up, nil)
			for w.Now().Before(start.Add(at)) {
				w.Advance(start.Add(at))
			}
			w.mustMulticast("g", sim.Frame{FPort: 201, Payload: make([]byte, 51)})
			w.run(time.Hour, nil)
			if got := w.Stats().UplinksReceived == 1; got != c.heard {
				t.Errorf("heard: %v, want %v", got, c.heard)
			}
			if deaf := w.LinkStats()[0].UplinksDeaf == 1; deaf == c.heard {
				t.Errorf("counted as deaf: %v", deaf)
			}
		})
	}
}

func TestDeviceMissesADownlinkThatItTalksOver(t *testing.T) {
	onAir := airtime(region.EU868, 0, 51)
	up, _ := region.EU868.UplinkAirtime(5, 1)
	const at = time.Minute
	for _, c := range []struct {
		name  string
		begin time.Duration // of the uplink
		gets  bool
	}{
		{"ends as it begins", at - up, true},
		{"ends in it", at - up + 1, false},
		{"begins in it", at + onAir - 1, false},
		{"begins as it ends", at + onAir, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1, sim.Config{}, nil, func(_ int, d *radioDevice) {
				d.uplinks = []plannedUplink{{at: start.Add(c.begin), payload: []byte{1}, dr: 5}}
			})
			w.mustGroup(classC(sim.Group{}))
			w.run(at, nil)
			w.mustMulticast("g", sim.Frame{FPort: 201, Payload: make([]byte, 51)})
			w.run(time.Hour, nil)
			if got := len(w.devices[0].got) == 1; got != c.gets {
				t.Errorf("device got the frame: %v, want %v", got, c.gets)
			}
		})
	}
}

func TestCollisionsAreAnOption(t *testing.T) {
	for _, collisions := range []bool{false, true} {
		w := newWorld(t, 3, sim.Config{Collisions: collisions}, nil, func(i int, d *radioDevice) {
			// Device 0 and 1 overlap; device 2 is at the same time at another data rate.
			d.uplinks = every(time.Minute, 1, []uint8{5, 5, 4}[i])
			d.uplinks[0].at = d.uplinks[0].at.Add(time.Duration(i) * 10 * time.Millisecond)
		})
		events := w.run(time.Hour, nil)
		if want := map[bool]int{false: 3, true: 1}[collisions]; len(events) != want {
			t.Errorf("collisions %v: %d uplinks heard, want %d", collisions, len(events), want)
		}
		if collisions && (events[0].DevEUI != eui(2) || w.LinkStats()[0].UplinksCollided != 1 || w.LinkStats()[1].UplinksCollided != 1) {
			t.Errorf("got %v, %+v", events, w.LinkStats())
		}
	}
}

// TestNoGatewayExceedsItsDutyCycle loads two gateways with far more than they may send, over
// sub-bands of 1 % and 10 %, and looks at every hour there is.
func TestNoGatewayExceedsItsDutyCycle(t *testing.T) {
	type sent struct {
		start, end time.Duration
	}
	perSubBand := map[region.SubBand][]sent{}
	luck := rand.New(rand.NewPCG(7, 7))
	cfg := sim.Config{Seed: 7}
	w := newWorld(t, 30, cfg, nil, func(i int, d *radioDevice) {
		d.uplinks = every(20*time.Second+time.Duration(i)*7*time.Millisecond, 700, 0)
		d.hears = func(tx device.Transmission) bool {
			sub, _ := region.EU868.SubBand(tx.Frequency)
			s := sent{tx.Start.Sub(start), tx.Start.Add(tx.Airtime).Sub(start)}
			if list := perSubBand[sub]; len(list) == 0 || list[len(list)-1] != s {
				perSubBand[sub] = append(list, s)
			}
			return true
		}
	})
	w.mustGroup(classC(sim.Group{}))
	w.mustGroup(sim.Group{ID: "b", ClassB: true, DataRate: 3})
	next := start
	for hours := 4 * time.Hour; w.Now().Before(start.Add(hours)); {
		for _, e := range w.Advance(start.Add(hours)) {
			if e.Kind == sim.Uplink {
				if err := w.SendUnicast(e.DevEUI, sim.Frame{FPort: 1, Payload: make([]byte, luck.IntN(52))}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for ; w.Now().After(next); next = next.Add(time.Second) {
			w.mustMulticast("g", sim.Frame{FPort: 201, Payload: make([]byte, luck.IntN(52))})
			w.mustMulticast("b", sim.Frame{FPort: 201, Payload: make([]byte, luck.IntN(116))})
		}
	}
	if len(perSubBand) != 2 {
		t.Fatalf("%d sub-bands used, want RX1 and RX2", len(perSubBand))
	}
	for sub, list := range perSubBand {
		limit := sub.Airtime(time.Hour)
		var most time.Duration
		for i := range list {
			// The window that ends with transmission i.
			var used time.Duration
			from := list[i].end - time.Hour
			for j := i; j >= 0 && list[j].end > from; j-- {
				used += list[j].end - max(list[j].start, from)
			}
			most = max(most, used)
			if i > 0 && list[i].start < list[i-1].end {
				t.Fatalf("transmissions overlap on one gateway: %v, %v", list[i-1], list[i])
			}
		}
		if most > limit {
			t.Errorf("%d Hz: %s on the air in an hour, limit %s", sub.Low, most, limit)
		}
		if most < limit*99/100 {
			t.Errorf("%d Hz: at most %s in an hour of %s: the load does not test the limit", sub.Low, most, limit)
		}
	}
}

func TestBandWithoutDutyCycleIsNotLimited(t *testing.T) {
	cfg := sim.Config{Gateways: []sim.Gateway{{ID: "gw", Band: region.US915}}}
	w := newWorld(t, 1, cfg, nil, nil)
	w.mustGroup(sim.Group{Frequency: 923300000, DataRate: 8})
	for range 5000 {
		w.mustMulticast("g", sim.Frame{FPort: 201, Payload: make([]byte, 53)})
	}
	events := w.run(2*time.Hour, nil)
	if want := 5000 * airtime(region.US915, 8, 53); len(events) != 5000 || w.Stats().DownlinkAirtime != want {
		t.Errorf("%d frames in %s, want 5000 in %s", len(events), w.Stats().DownlinkAirtime, want)
	}
}
