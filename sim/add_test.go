package sim_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

// empty is a network in which an hour has passed without anything in it.
func empty(t *testing.T) *sim.Network {
	t.Helper()
	n, err := sim.New(sim.Config{Start: start, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	n.Advance(start.Add(time.Hour))
	return n
}

func newcomer(i byte) sim.DeviceSpec {
	return sim.DeviceSpec{
		Config: device.Config{
			DevEUI: eui(int(i)), DevAddr: lorawan.DevAddr{1, 0, 0, i}, NwkSKey: lorawan.AES128Key{i}, AppSKey: lorawan.AES128Key{1, i},
			Band: region.EU868, UplinkDR: 3, UplinkPeriod: 10 * time.Minute, UplinkJitter: time.Minute,
		},
		Links: []sim.Link{{Gateway: "gw", Up: sim.Independent{P: 0.3}, Down: sim.Independent{P: 0.3}}},
	}
}

func mustAdd(t *testing.T, n *sim.Network, devices ...byte) {
	t.Helper()
	if err := n.AddGateway(sim.Gateway{ID: "gw", Band: region.EU868}); err != nil {
		t.Fatal(err)
	}
	for _, i := range devices {
		if err := n.AddDevice(newcomer(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADeviceThatIsAddedJoinsAndIsHeard(t *testing.T) {
	n := empty(t)
	mustAdd(t, n, 1)
	if err := n.SendUnicast(eui(1), sim.Frame{ID: "early", FPort: 10, Payload: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	var got []sim.Event
	for n.Now().Before(start.Add(6 * time.Hour)) {
		got = append(got, n.Advance(start.Add(6*time.Hour))...)
	}
	if len(got) < 10 || got[0].Kind != sim.Joined || got[1].Kind != sim.Failed || got[2].Kind != sim.Uplink {
		t.Fatalf("got %v, want Joined, the frame for the old session failed, then uplinks", got)
	}
	if got[0].Time.Before(start.Add(time.Hour)) {
		t.Errorf("joined at %s, before it was there", got[0].Time)
	}
	if joins := kinds(got, sim.Joined); len(joins) != 1 {
		t.Errorf("it joins more than once: %v", joins)
	}
}

func TestOneMoreDeviceAddedLeavesTheLuckOfOthers(t *testing.T) {
	run := func(devices ...byte) (of1 []sim.Event) {
		n := empty(t)
		mustAdd(t, n, devices...)
		for n.Now().Before(start.Add(48 * time.Hour)) {
			for _, e := range n.Advance(start.Add(48 * time.Hour)) {
				if e.DevEUI == eui(1) {
					of1 = append(of1, e)
				}
			}
		}
		return of1
	}
	alone := run(1)
	if len(alone) < 100 || hash(alone) != hash(run(2, 1)) || hash(alone) != hash(run(1, 2)) {
		t.Errorf("device 1 is heard differently beside device 2 (%d events alone)", len(alone))
	}
}

func TestWhatCannotBeAddedChangesNothing(t *testing.T) {
	n := empty(t)
	mustAdd(t, n, 1)
	change := func(f func(*sim.DeviceSpec)) sim.DeviceSpec {
		spec := newcomer(2)
		f(&spec)
		return spec
	}
	for name, spec := range map[string]sim.DeviceSpec{
		"DevEUI twice":  newcomer(1),
		"DevAddr twice": change(func(s *sim.DeviceSpec) { s.DevAddr = newcomer(1).DevAddr }),
		"data rate":     change(func(s *sim.DeviceSpec) { s.UplinkDR = 15 }),
		"gateway":       change(func(s *sim.DeviceSpec) { s.Links = append(s.Links, sim.Link{Gateway: "none"}) }),
		"band":          change(func(s *sim.DeviceSpec) { s.Band = region.US915 }),
		"loss":          change(func(s *sim.DeviceSpec) { s.Links[0].Up = sim.Independent{P: 2} }),
	} {
		if err := n.AddDevice(spec); !errors.Is(err, sim.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, g := range map[string]sim.Gateway{
		"name twice": {ID: "gw", Band: region.EU868}, "no name": {Band: region.EU868}, "no band": {ID: "x"}, "unknown channels": {ID: "x", Band: region.CN470},
	} {
		if err := n.AddGateway(g); !errors.Is(err, sim.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	links := n.LinkStats()
	if n.EndDevice(eui(2)) != nil || len(links) != 1 || !slices.ContainsFunc(links, func(l sim.LinkStats) bool { return l.DevEUI == eui(1) }) {
		t.Errorf("links %v", links)
	}
	if err := n.AddDevice(newcomer(2)); err != nil {
		t.Error(err)
	}
}
