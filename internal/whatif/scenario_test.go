package whatif_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/whatif"
	"github.com/starling-fuota/starling/lorawan/region"
)

func TestScenariosAreRead(t *testing.T) {
	sc, err := whatif.ReadScenario(strings.NewReader(`
name: two kinds of meters
devices: 50
size: 12 kB
band: US915
class: B
ping_slot_seconds: 2
loss: {mean: 0.2, max: 0.4, burst: 3}
uplink_periods: [15m, 1h30m]
policy: {setup: sequential, retries: 5, session_lead: 90s}
reference: {success_threshold: 80, close_at_threshold: true}
chirpstack: {redundancy_percent: 40, margin: 2s}
reruns: 0
strategies: [starling, "reference:3/4"]
`))
	if err == nil {
		err = sc.Complete()
	}
	if err != nil {
		t.Fatal(err)
	}
	if sc.Devices != 50 || sc.Size != 12_000 || sc.Band != region.US915 || *sc.Class != fleet.ClassB || *sc.DataRate != 12 || *sc.UplinkDataRate != 3 {
		t.Errorf("fleet and radio are %+v", sc)
	}
	if sc.Loss != (whatif.Loss{Mean: 0.2, Max: 0.4, Burst: 3}) || time.Duration(sc.UplinkPeriods[1]) != 90*time.Minute || sc.Policy.Setup != fleet.SequentialSetup || *sc.Reruns != 0 {
		t.Errorf("losses, periods, policies are %+v", sc)
	}
	if got := sc.UplinkPeriods[1].String(); got != "1h30m" {
		t.Errorf("a period is written %s", got)
	}
}

func TestNothingSaidIsADefault(t *testing.T) {
	sc, err := whatif.ReadScenario(strings.NewReader(""))
	if err == nil {
		err = sc.Complete()
	}
	if err != nil {
		t.Fatal(err)
	}
	if sc.Devices != 100 || sc.Size != 40_000 || sc.Gateways != 1 || *sc.DataRate != 5 || *sc.Reruns != 3 || len(sc.Strategies) != 7 || sc.Energy.Volts != 3.3 {
		t.Errorf("%+v", sc)
	}
}

// A wrong line is named, and so is what to write instead.
func TestWrongScenariosSayWhere(t *testing.T) {
	for text, says := range map[string][]string{
		"devices: 10\nsizes: 4kB\n":             {"[2:1]", `unknown field "sizes"`},
		"devices: 10\nloss:\n  average: 0.1\n":  {"[3:3]", `unknown field "average"`},
		"devices: 1\ndevices: 2\n":              {"[2:1]", "devices"},
		"seed: 1\nsize: huge\n":                 {"[2:7]", "40kB"},
		"uplink_periods: [often]":               {"[1:18]", "15m"},
		"strategies: [best]":                    {"[1:14]", `no strategy "best"`, "reference:3/4"},
		"policy:\n  retries: 3\n  setup: best":  {"[3:10]", "pipelined"},
		"--- {}\n--- {}":                        {"2 documents"},
		"[":                                     {"[1:1]"},
		"devices: many":                         {"[1:10]"},
		"devices: -1":                           {"devices: -1", "use 1 to"},
		"dr: 9":                                 {"DR9 of EU868"},
		"class: A\nband: CN470":                 {"CN470"},
		"loss: {mean: 1.5}":                     {"loss.mean: 1.5", "loss.max"},
		"loss: {mean: .nan}":                    {"loss.mean"},
		"loss: {mean: 0.3, max: 0.2}":           {"loss.max: 0.2"},
		"loss: {mean: 0.3, max: 0.9, burst: 2}": {"loss.burst", "9.00"},
		"devices: 200001":                       {"devices: 200001", "use 1 to 200000"},
		"devices_model: clay":                   {"[1:16]", `no model "clay"`, "bytes or ranks"},
		"size: 8MB":                             {"size: 8000000 bytes do not fit"},
		"class: B\nping_slot_seconds: 3":        {"ping_slot_seconds: 3"},
		"packages: 3":                           {"packages: 3, use 1 or 2"},
		"gateways: 2\nreach: 3":                 {"reach: 3"},
		"uplink_periods: [10s]":                 {"uplink_periods: 10s"},
		"campaigns: 99":                         {"campaigns: 99"},
		"reruns: -1":                            {"reruns: -1"},
		"reference: {success_threshold: 101}":   {"reference.success_threshold: 101"},
		"chirpstack: {redundancy_percent: -1}":  {"chirpstack.redundancy_percent: -1"},
		"energy: {volts: -3}":                   {"energy.volts: -3"},
		"strategies: [starling, starling]":      {"starling is there twice"},
	} {
		sc, err := whatif.ReadScenario(strings.NewReader(text))
		if err == nil {
			err = sc.Complete()
		}
		if !errors.Is(err, whatif.ErrScenario) {
			t.Errorf("%q: %v, want ErrScenario", text, err)
			continue
		}
		for _, want := range says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want it to say %s", text, err, want)
			}
		}
	}
}

func TestSizesHaveUnits(t *testing.T) {
	for text, want := range map[string]whatif.Size{"4000": 4000, "40kB": 40_000, "64 KiB": 65_536, "1.5MB": 1_500_000, "40k": 40_000, "12b": 12} {
		var s whatif.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %d, %v, want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "kB", "-1", "nan", "1e99", "4 cubits"} {
		var s whatif.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %d", text, s)
		}
	}
}
