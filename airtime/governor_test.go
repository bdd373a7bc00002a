package airtime_test

import (
	"testing"
	"time"

	"github.com/starling-fuota/starling/airtime"
	"github.com/starling-fuota/starling/lorawan/region"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// chance is an uplink at 868.1 MHz, where a gateway has 36 s in each hour.
func chance(at time.Time, dr uint8, gateways ...string) airtime.Chance {
	return airtime.Chance{At: at, Gateways: gateways, Band: region.EU868, Frequency: 868_100_000, DataRate: dr}
}

func TestAGatewayIsCrowdedWhenItsHourIsUsedUp(t *testing.T) {
	var g airtime.Governor
	if g.Crowded(chance(noon, 5, "a")) > 0 {
		t.Fatal("crowded before anything was sent")
	}
	g.Spend([]string{"a"}, region.EU868, 868_300_000, noon, 35950*time.Millisecond) // of the same sub-band
	later := noon.Add(time.Minute)
	if g.Crowded(chance(later, 5, "a")) == 0 {
		t.Error("not crowded with 50 ms of 36 s left")
	}
	if g.Crowded(chance(later, 5, "a", "b")) > 0 {
		t.Error("crowded although gateway b is fresh")
	}
	if g.Crowded(chance(noon.Add(59*time.Minute), 5, "a")) == 0 {
		t.Error("not crowded before the hour is over")
	}
	if g.Crowded(chance(noon.Add(61*time.Minute), 5, "a")) > 0 {
		t.Error("crowded after the hour")
	}
}

// TestWhatWasSpentBeforeCounts: an account that is told of later, and in any order, is that of whoever kept it from the beginning.
func TestWhatWasSpentBeforeCounts(t *testing.T) {
	var g airtime.Governor
	g.Spend([]string{"a"}, region.EU868, 868_300_000, noon.Add(40*time.Minute), 6*time.Second)
	for _, minute := range []int{30, 10, 20} { // of another process
		g.Recall("a", region.EU868, 868_000_000, noon.Add(time.Duration(minute)*time.Minute), 9990*time.Millisecond)
	}
	g.Recall("a", region.EU868, 1, noon, time.Hour)               // nowhere
	g.Recall("a", region.EU868, 869_400_000, noon, 6*time.Minute) // RX2's
	for minute, want := range map[int]bool{41: true, 69: true, 71: false, 99: false} {
		if got := g.Crowded(chance(noon.Add(time.Duration(minute)*time.Minute), 5, "a")) > 0; got != want {
			t.Errorf("minute %d: crowded %t, want %t", minute, got, want)
		}
	}
	g.Recall("a", region.EU868, 868_000_000, noon.Add(-time.Hour), time.Hour) // too long ago
	if g.Crowded(chance(noon.Add(99*time.Minute), 5, "a")) > 0 {
		t.Error("what is over counts")
	}
}

// TestAGatewayAnswersOneUplinkAtATime: a second answer at the same moment would go out in RX2.
func TestAGatewayAnswersOneUplinkAtATime(t *testing.T) {
	var g airtime.Governor
	g.Reserve(chance(noon, 5, "a"))
	for after, want := range map[time.Duration]bool{0: true, 50 * time.Millisecond: true, 200 * time.Millisecond: false} {
		if got := g.Crowded(chance(noon.Add(after), 5, "a")) > 0; got != want {
			t.Errorf("%s later: crowded %t, want %t", after, got, want)
		}
	}
	if g.Crowded(chance(noon, 5, "a", "b")) > 0 {
		t.Error("crowded although gateway b is free")
	}
	g.Reserve(chance(noon, 5, "a", "b"))
	if g.Crowded(chance(noon, 5, "a", "b")) == 0 {
		t.Error("not crowded although both are promised")
	}
	g.Reserve(chance(noon, 5, "a")) // goes out in RX2: nothing to promise
	if g.Crowded(chance(noon.Add(time.Minute), 5, "a")) > 0 {
		t.Error("crowded a minute later")
	}
}

// TestABrokenPromiseTellsOfOthers: the answer went out in RX2, so RX1 was used up by somebody else.
func TestABrokenPromiseTellsOfOthers(t *testing.T) {
	var g airtime.Governor
	g.Reserve(chance(noon, 5, "a"))
	g.Spend([]string{"a"}, region.EU868, 869_525_000, noon.Add(2*time.Second), 2*time.Second)
	if g.Crowded(chance(noon.Add(time.Minute), 5, "a")) == 0 {
		t.Error("not crowded after the broken promise")
	}
	if g.Crowded(chance(noon.Add(time.Minute), 5, "b")) > 0 {
		t.Error("crowded at another gateway")
	}
	if g.Crowded(chance(noon.Add(6*time.Minute), 5, "a")) > 0 {
		t.Error("crowded for ever")
	}
}

// TestAKeptPromiseIsBookedOnce: what has been reported does not count as under way any more.
func TestAKeptPromiseIsBookedOnce(t *testing.T) {
	var g airtime.Governor
	sent := 0
	for at := noon; g.Crowded(chance(at, 5, "a")) == 0 && at.Before(noon.Add(time.Hour)); at = at.Add(3 * time.Second) {
		g.Reserve(chance(at, 5, "a"))
		g.Spend([]string{"a"}, region.EU868, 868_100_000, at.Add(time.Second), 90*time.Millisecond)
		sent++
	}
	if sent != 400 { // 36 s of 90 ms
		t.Errorf("%d answers in an hour, want 400", sent)
	}
}

// TestWaitingIsWorthWhatRX2Costs: at SF12 both windows cost the same, so there is nothing to wait for.
func TestWaitingIsWorthWhatRX2Costs(t *testing.T) {
	var g airtime.Governor
	g.Spend([]string{"a"}, region.EU868, 868_100_000, noon, 36*time.Second)
	before := time.Duration(-1)
	for dr := range uint8(6) {
		got := g.Crowded(chance(noon.Add(time.Minute), dr, "a"))
		if got <= before {
			t.Errorf("DR%d is worth waiting %s, DR%d %s", dr, got, dr-1, before)
		}
		before = got
	}
	if before < time.Hour || before > 5*time.Hour {
		t.Errorf("DR5 is worth waiting %s", before)
	}
	if got := g.Crowded(chance(noon.Add(time.Minute), 0, "a")); got != 0 {
		t.Errorf("DR0 is worth waiting %s", got)
	}
}

func TestWhatIsNotKnownIsNotCrowded(t *testing.T) {
	var g airtime.Governor
	g.Spend([]string{"a"}, region.EU868, 868_100_000, noon, 36*time.Second)
	g.Spend([]string{"a"}, region.EU868, 100, noon, time.Second) // in no sub-band
	for name, c := range map[string]airtime.Chance{
		"no gateway":         chance(noon, 5),
		"frequency outside":  {At: noon, Gateways: []string{"a"}, Band: region.EU868, Frequency: 100, DataRate: 5},
		"no duty cycle":      {At: noon, Gateways: []string{"a"}, Band: region.US915, Frequency: 902_300_000, DataRate: 0},
		"no such data rate":  chance(noon, 15, "a"),
		"RX1 is not defined": {At: noon, Gateways: []string{"a"}, Band: region.CN470, Frequency: 470_300_000, DataRate: 5},
	} {
		if g.Crowded(c) > 0 {
			t.Errorf("%s: crowded", name)
		}
	}
}
