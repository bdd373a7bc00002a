package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/sim"
)

func TestPrintingANetworkShowsNoKey(t *testing.T) {
	f, err := sim.NewFleet(sim.FleetConfig{Devices: 1, Seed: 1, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	n, err := sim.New(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if text := fmt.Sprintf(verb, n); !strings.HasPrefix(text, "simulated network of 1 devices") || strings.Contains(text, f.Devices[0].RootKey.Hex()) {
			t.Errorf("%s prints %.300s", verb, text)
		}
	}
}
