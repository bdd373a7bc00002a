package whatif

import (
	"math"
	"testing"
	"time"

	"github.com/starling-fuota/starling/sim"
)

// "10 % mean" are links between 0 and 30 %, most of them good, the same at every run.
func TestLossesAreSpreadOverTheLinks(t *testing.T) {
	l := Loss{Mean: 0.1, Max: 0.3}
	sum, good := 0.0, 0
	const links = 20_000
	for i := range links {
		p := l.of(1, i, 0).(sim.Independent).P
		if p < 0 || p > 0.3 {
			t.Fatalf("link %d loses %g", i, p)
		}
		if sum += p; p < 0.1 {
			good++
		}
	}
	if mean := sum / links; math.Abs(mean-0.1) > 0.002 {
		t.Errorf("mean %g", mean)
	}
	if good < links/2 {
		t.Errorf("%d of %d links are better than the mean", good, links)
	}
	if l.of(1, 5, 0) != l.of(1, 5, 0) || l.of(1, 5, 0) == l.of(2, 5, 0) || l.of(1, 5, 0) == l.of(1, 6, 0) {
		t.Error("a loss is not that of its link and seed alone")
	}
	if got := (Loss{Mean: 0.2, Max: 0.2, Burst: 4}).of(1, 0, 0); got != (sim.Bursty{Mean: 0.2, Burst: 4}) {
		t.Errorf("equal links with bursts: %v", got)
	}
}

func TestEnergyIsCurrentTimesTimeTimesVoltage(t *testing.T) {
	e := Energy{Volts: 3, TransmitMA: 40, ReceiveMA: 10, SleepMA: 1}
	if got, want := e.joules(2*time.Second, 10*time.Second, 112*time.Second), 3*(0.040*2+0.010*10+0.001*100); math.Abs(got-want) > 1e-9 {
		t.Errorf("%g J, want %g", got, want)
	}
	// A session that was agreed goes on after the end of what is measured: no sleep then.
	if got, want := e.joules(0, 10*time.Second, 5*time.Second), 3*0.010*10; math.Abs(got-want) > 1e-9 {
		t.Errorf("%g J, want %g", got, want)
	}
}

// A class C session costs all of its time; a request that comes later replaces it.
func TestSessionsCostTheirTime(t *testing.T) {
	sc := Scenario{Devices: 1}
	if err := sc.Complete(); err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(&sc)
	if err != nil {
		t.Fatal(err)
	}
	m, at := w.meters[0], epoch
	before := m.read()
	m.open(at, session{start: at.Add(time.Hour)}, 1024*time.Second)
	m.open(at, session{start: at.Add(2 * time.Hour)}, 512*time.Second)
	if got := m.read().receive - before.receive; got != 512*time.Second {
		t.Errorf("of two requests the later costs %s", got)
	}
	if !m.inClassC(at.Add(2*time.Hour)) || m.inClassC(at.Add(time.Hour)) || m.inClassC(at.Add(3*time.Hour)) {
		t.Error("it is in class C at the wrong time")
	}
	m.closeSessions(at.Add(2*time.Hour + 100*time.Second))
	if got := m.read().receive - before.receive; got != 100*time.Second {
		t.Errorf("a session that was closed costs %s", got)
	}
	m.open(at.Add(time.Hour), session{start: at}, time.Hour)
	if got := m.read().receive - before.receive; got != 100*time.Second {
		t.Errorf("one that is past costs %s", got)
	}
	m.open(at.Add(3*time.Hour), session{start: at.Add(4 * time.Hour), classB: true, perBeacon: 128, slot: 10 * time.Millisecond}, 256*time.Second)
	if got, want := m.read().receive-before.receive, 100*time.Second+2*(beaconReceived+1280*time.Millisecond); got != want {
		t.Errorf("class B costs %s, want %s", got, want)
	}
}

// Nobody is verified who does not hold the block.
func TestVerifiedDevicesHoldTheBlock(t *testing.T) {
	for _, st := range []Strategy{Starling, "reference:5/6", ChirpStackV4} {
		reruns := 0
		sc := Scenario{Devices: 20, Size: 4000, Loss: Loss{Mean: 0.15}, Reruns: &reruns}
		if err := sc.Complete(); err != nil {
			t.Fatal(err)
		}
		w, err := newWorld(&sc)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := w.serverFor(t.Context(), st, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		verified, err := s.upgrade(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		complete := 0
		for _, m := range w.meters {
			if m.Status().Complete {
				complete++
			}
		}
		if verified == 0 || verified > complete {
			t.Errorf("%s: %d verified, %d devices hold the block", st, verified, complete)
		}
	}
}
