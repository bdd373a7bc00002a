package sim_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
	"github.com/starling-fuota/starling/sim"
)

var fleetOf = sim.FleetConfig{
	Seed: 11, Start: start,
	Bands: []region.Band{region.EU868, region.US915}, Gateways: 3, Reach: 2,
	Up: sim.Independent{P: 0.1}, Down: sim.Bursty{Mean: 0.2, Burst: 3},
	Mix: []sim.Model{
		sim.Standard,
		{Weight: 3, Config: device.Config{ClassC: true, Stack: device.LBM, LoRaWAN11: true, UplinkPeriod: time.Hour}},
		{Config: device.Config{Band: region.IN865, ClassC: true}},
	},
	UplinkPeriod: 10 * time.Minute, UplinkJitter: time.Minute, UplinkDRs: []uint8{2, 3},
	ClockError: 5 * time.Second, ClockDriftPPM: 20,
}

func newFleet(t testing.TB, cfg sim.FleetConfig) sim.Fleet {
	t.Helper()
	f, err := sim.NewFleet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFleetDevicesAreTheSameHoweverManyThereAre(t *testing.T) {
	small, large := fleetOf, fleetOf
	small.Devices, large.Devices = 10, 100
	a, b := newFleet(t, small), newFleet(t, large)
	if !reflect.DeepEqual(a.Devices, b.Devices[:10]) || !reflect.DeepEqual(a.Gateways, b.Gateways) {
		t.Error("ten devices of a hundred are not ten devices")
	}
	small.Seed++
	c := newFleet(t, small)
	if a.Devices[0].DevEUI == c.Devices[0].DevEUI || a.Devices[0].RootKey == c.Devices[0].RootKey {
		t.Error("another seed has the same identities")
	}
}

func TestFleetFollowsItsDescription(t *testing.T) {
	cfg := fleetOf
	cfg.Devices = 1000
	f := newFleet(t, cfg)
	if len(f.Gateways) != 9 {
		t.Errorf("%d gateways, want 3 in each of 3 bands", len(f.Gateways))
	}
	euis, keys := map[lorawan.EUI64]bool{}, map[lorawan.AES128Key]bool{}
	bands, stacks, drs := map[region.Band]int{}, map[string]int{}, map[uint8]int{}
	for _, d := range f.Devices {
		euis[d.DevEUI] = true
		keys[d.NwkSKey], keys[d.AppSKey], keys[d.RootKey] = true, true, true
		bands[d.Band]++
		stacks[d.Stack.Name]++
		drs[d.UplinkDR]++
		if d.ClockOffset.Abs() > cfg.ClockError || d.ClockDriftPPM > 20 || d.ClockDriftPPM < -20 || d.Seed == 0 || len(d.Links) != 2 {
			t.Fatalf("device %+v", d.Config)
		}
		if want := map[bool]time.Duration{true: time.Hour, false: 10 * time.Minute}[d.LoRaWAN11]; d.UplinkPeriod != want || d.UplinkJitter != time.Minute {
			t.Fatalf("uplink period %s +- %s", d.UplinkPeriod, d.UplinkJitter)
		}
	}
	if len(euis) != 1000 || len(keys) != 3000 {
		t.Errorf("%d DevEUIs and %d keys, want 1000 and 3000", len(euis), len(keys))
	}
	if stacks["ideal"] != 200 || stacks[device.LBM.Name] != 600 || bands[region.IN865] != 200 || bands[region.EU868] != 400 || bands[region.US915] != 400 {
		t.Errorf("stacks %v, bands %v", stacks, bands)
	}
	if drs[2] < 400 || drs[3] < 400 {
		t.Errorf("data rates %v, want two halves", drs)
	}
	if _, err := sim.New(f.Config()); err != nil {
		t.Error(err)
	}
}

func TestImpossibleFleetsAreRefused(t *testing.T) {
	for name, cfg := range map[string]sim.FleetConfig{
		"fewer than no devices": {Devices: -1},
		"too many devices":      {Devices: sim.MaxFleet + 1},
		"gateways":              {Gateways: -1},
		"reach":                 {Reach: -1},
		"weight":                {Mix: []sim.Model{{Weight: -1}}},
	} {
		if _, err := sim.NewFleet(cfg); !errors.Is(err, sim.ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
}
