package whatif_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/internal/whatif"
)

// small returns a complete scenario of 20 devices and 4 kB: 17 fragments.
func small(t *testing.T, more string) whatif.Scenario {
	t.Helper()
	sc, err := whatif.ReadScenario(strings.NewReader("devices: 20\nsize: 4kB\n" + more))
	if err == nil {
		err = sc.Complete()
	}
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func run(t *testing.T, sc whatif.Scenario) (whatif.Report, []string) {
	t.Helper()
	var lines []string
	r, err := whatif.Run(t.Context(), sc, func(line string) { lines = append(lines, line) })
	if err != nil {
		t.Fatal(err)
	}
	return r, lines
}

// Without losses everybody gets the block, and what each strategy sends can be counted by hand.
func TestEveryStrategyUpdatesAFleet(t *testing.T) {
	for _, more := range []string{"", "class: B\n", "packages: 2\n", "band: US915\ndr: 10\n"} {
		t.Run(strings.TrimSpace(more), func(t *testing.T) {
			r, _ := run(t, small(t, more+"uplink_jitter: 30s\n"))
			if len(r.Results) != 7 {
				t.Fatalf("%d results", len(r.Results))
			}
			for _, res := range r.Results {
				if res.Devices != 20 || res.Verified != 20 {
					t.Errorf("%s: %d of %d devices verified", res.Strategy, res.Verified, res.Devices)
				}
				if res.DurationSeconds < 1800 || res.AirtimeSeconds <= 0 || res.UnicastDownlinks < 60 || res.EnergyJoulesMean <= 0 {
					t.Errorf("%s: %+v", res.Strategy, res)
				}
				if g := res.Groups[0]; g.FragmentsSent != res.FragmentsSent || g.HindsightFragments < 17 || g.HindsightFragments > g.FragmentsSent {
					t.Errorf("%s: %+v of %d fragments", res.Strategy, g, res.FragmentsSent)
				}
			}
		})
	}
}

// One run of the reference server sends the uncoded fragments and R's share of coded ones.
func TestTheReferenceSendsItsFixedShare(t *testing.T) {
	sc := small(t, "reruns: 0\nstrategies: ['reference:1/2', 'reference:3/4', 'reference:5/6', 'reference:7/8']\nloss: {mean: 0.1}\n")
	r, _ := run(t, sc)
	for i, want := range []int{17 + 17, 17 + 6, 17 + 4, 17 + 3} {
		if got := r.Results[i].FragmentsSent; got != want {
			t.Errorf("%s: %d fragments, want %d", r.Results[i].Strategy, got, want)
		}
	}
}

func TestSameScenarioSameBytes(t *testing.T) {
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		r, _ := run(t, small(t, "loss: {mean: 0.15, burst: 2}\nseed: 7\nuplink_periods: [10m, 20m]\n"))
		if err := r.WriteJSON(out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("the first run\n%s\nthe second\n%s", &first, &second)
	}
	other, _ := run(t, small(t, "loss: {mean: 0.15, burst: 2}\nseed: 8\nuplink_periods: [10m, 20m]\nstrategies: [starling]\n"))
	var third bytes.Buffer
	if err := other.WriteJSON(&third); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(first.String(), fmt.Sprintf(`"airtime_seconds": %v,`, other.Results[0].AirtimeSeconds)) {
		t.Error("another seed changes nothing")
	}
}

// Devices that keep ranks instead of bytes give the same report, for a second campaign too.
func TestBothModelsOfADeviceAgree(t *testing.T) {
	const lossy = "loss: {mean: 0.2, burst: 2}\n"
	for _, more := range []string{
		lossy + "strategies: ['reference:3/4', 'reference:1', chirpstack]\n", lossy + "packages: 2\nclass: B\nping_slot_seconds: 2\nstrategies: [starling]\n",
		"reach: 2\ngateways: 3\nloss: {mean: 0.3, max: 0.5}\ncampaigns: 2\nstrategies: [starling]\n",
	} {
		var reports []string
		for _, m := range []whatif.Model{whatif.Bytes, whatif.Ranks} {
			sc := small(t, more+fmt.Sprintf("devices_model: %s\nreruns: 1\n", m))
			r, lines := run(t, sc)
			if r.Scenario.DevicesModel != m {
				t.Errorf("the report says %s, not %s", r.Scenario.DevicesModel, m)
			}
			reports = append(reports, fmt.Sprintf("%+v\n%s", r.Results, strings.Join(lines, "\n")))
		}
		if reports[0] != reports[1] {
			t.Errorf("%swith bytes\n%s\nwith ranks\n%s", more, reports[0], reports[1])
		}
	}
}

func TestLargeFleetsKeepRanks(t *testing.T) {
	for _, c := range []struct {
		devices int
		size    whatif.Size
		want    whatif.Model
	}{{1000, 40_000, whatif.Bytes}, {2500, 40_000, whatif.Bytes}, {2501, 40_000, whatif.Ranks}, {200_000, 500, whatif.Bytes}, {200_000, 501, whatif.Ranks}} {
		sc := whatif.Scenario{Devices: c.devices, Size: c.size}
		if err := sc.Complete(); err != nil || sc.DevicesModel != c.want {
			t.Errorf("%d devices, %d bytes: %s, %v", c.devices, c.size, sc.DevicesModel, err)
		}
	}
}

var after = regexp.MustCompile(` after .*`)

// The reference server goes stage by stage for all devices, gives up who stays silent, sends
// once, does not repair, and is then run again for those that failed: all stages, from the
// beginning, at most as often as the scenario says.
func TestTheReferenceIsRunAgainForDevicesThatFailed(t *testing.T) {
	sc := small(t, "devices: 20\n"[:0]+"loss: {mean: 0.15}\nreruns: 2\nstrategies: ['reference:5/6']\nseed: 3\n")
	r, lines := run(t, sc)
	var chart []string
	for _, l := range lines {
		chart = append(chart, after.ReplaceAllString(strings.TrimPrefix(l, "reference:5/6: "), ""))
	}
	stages := []string{"McGroupSetup", "FragSessionSetup", "McSession", "DataFragment", "FragSessionStatus"}
	devices, verified, runs := 20, 0, 0
	for len(chart) > 0 && !strings.HasPrefix(chart[0], "air time") {
		runs++
		left := devices
		for _, stage := range stages {
			var passed, of int
			if _, err := fmt.Sscanf(chart[0], stage+": %d of %d devices", &passed, &of); err != nil {
				t.Fatalf("run %d: %q, want stage %s\n%s", runs, chart[0], stage, strings.Join(lines, "\n"))
			}
			if of != devices || passed > left {
				t.Errorf("run %d: %q, want at most %d of %d: who was given up stays out", runs, chart[0], left, devices)
			}
			left, chart = passed, chart[1:]
		}
		var status string
		var done, of int
		if _, err := fmt.Sscanf(chart[0], "%s %d of %d devices verified", &status, &done, &of); err != nil || done != left || of != devices {
			t.Errorf("run %d ends %q, want %d of %d", runs, chart[0], left, devices)
		}
		chart = chart[1:]
		verified, devices = verified+done, devices-done
	}
	if runs != 3 || devices == 0 {
		t.Errorf("%d runs with %d devices left: too kind a network to show anything\n%s", runs, devices, strings.Join(lines, "\n"))
	}
	if res := r.Results[0]; res.Verified != verified || res.FragmentsSent != runs*(17+4) {
		t.Errorf("%d verified, %d fragments, want %d and %d", res.Verified, res.FragmentsSent, verified, runs*(17+4))
	}
}

// ChirpStack drops who stays silent at each stage, and deploys again for who is without the block.
func TestChirpStackDeploysAgain(t *testing.T) {
	sc := small(t, "loss: {mean: 0.2}\nreruns: 1\nstrategies: [chirpstack]\nchirpstack: {retries: 1, redundancy_percent: 20}\n")
	r, lines := run(t, sc)
	var names []string
	for _, l := range lines {
		name, _, _ := strings.Cut(strings.TrimPrefix(l, "chirpstack: "), ":")
		names = append(names, name)
	}
	once := "McGroupSetup FragSessionSetup McSession FragSessionStatus"
	if got := strings.Join(names, " "); got != once+" "+once+" air time" {
		t.Errorf("stages %s", got)
	}
	if res := r.Results[0]; res.FragmentsSent != 2*(17+4) || res.Verified == 0 || res.Verified == 20 {
		t.Errorf("%+v", res)
	}
}

// A second campaign on the same fleet is measured alone.
func TestTheLastCampaignIsMeasured(t *testing.T) {
	r, _ := run(t, small(t, "campaigns: 2\nstrategies: [starling, chirpstack]\nuplink_jitter: 30s\n"))
	for _, res := range r.Results {
		if res.Verified != 20 || res.FragmentsSent > 40 || res.Groups[0].HindsightFragments < 17 || res.Groups[0].HindsightFragments > res.FragmentsSent {
			t.Errorf("%+v", res)
		}
	}
}

func TestReportsAreReadable(t *testing.T) {
	r, _ := run(t, small(t, "strategies: [starling]\n"))
	var out bytes.Buffer
	if err := r.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"20 devices, 4000 bytes, EU868 DR5 class C", "HINDSIGHT", "starling", "20/20"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
}
