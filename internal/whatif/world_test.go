package whatif

import (
	"math"
	"testing"

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
