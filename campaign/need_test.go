package campaign_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/starling-fuota/starling/campaign"
)

// decoder is a device that counts rows: a coded fragment that it hears is news but for one in 2^k, with
// k rows missing.
type decoder struct {
	loss    float64
	first   float64 // share of the first round that it lost
	missing int
	whole   int // fragment with which its block was complete
}

func (d *decoder) hear(luck *rand.Rand, n int) {
	if d.missing == 0 || luck.Float64() < d.loss || luck.Float64() < math.Pow(2, -float64(d.missing)) {
		return
	}
	if d.missing--; d.missing == 0 {
		d.whole = n
	}
}

// send sends rounds to a fleet until all are complete, and returns the fragments, how many the
// worst device needed, and the rounds.
func send(luck *rand.Rand, devices []decoder, nbFrag int) (sent, needed, rounds int) {
	for i := range devices {
		d := &devices[i]
		for range nbFrag {
			if luck.Float64() < d.loss {
				d.missing++
			}
		}
		d.first, d.whole = float64(d.missing)/float64(nbFrag), nbFrag
	}
	for sent = nbFrag; ; rounds++ {
		told := make([]campaign.Shortfall, len(devices))
		left := 0
		for i, d := range devices {
			told[i] = campaign.NewShortfall(d.first, d.missing)
			needed = max(needed, d.whole)
			if d.missing > 0 {
				left++
			}
		}
		more := campaign.Need(told, nbFrag, left <= campaign.FewLeft)
		if more == 0 {
			return sent, needed, rounds
		}
		for range more {
			sent++
			for i := range devices {
				devices[i].hear(luck, sent)
			}
		}
	}
}

// Links lose between nothing and 30 %. What is sent may be more than the worst device needs by what
// one round costs at its end, in the mean over some fleets; and there are few rounds.
func TestRoundsSendHardlyMoreThanTheWorstDeviceNeeds(t *testing.T) {
	for _, c := range []struct{ devices, nbFrag int }{{1, 100}, {30, 100}, {300, 168}, {3000, 168}, {1000, 700}} {
		var sent, needed, rounds int
		const fleets = 8
		for seed := range uint64(fleets) {
			luck := rand.New(rand.NewPCG(seed, 7))
			devices := make([]decoder, c.devices)
			for i := range devices {
				u := luck.Float64()
				devices[i].loss = 0.3 * u * u
			}
			s, n, r := send(luck, devices, c.nbFrag)
			sent, needed, rounds = sent+s, needed+n, rounds+r
		}
		over := float64(sent)/float64(needed) - 1
		t.Logf("%d devices, %d fragments: %.1f %% too many, %.1f rounds", c.devices, c.nbFrag, 100*over, float64(rounds)/fleets)
		if over > 0.04 || rounds > 3*fleets {
			t.Errorf("%d devices, %d fragments: %.1f %% too many in %.1f rounds, want 4 %% and 3 rounds at most", c.devices, c.nbFrag, 100*over, float64(rounds)/fleets)
		}
	}
}

func TestNeed(t *testing.T) {
	for _, c := range []struct {
		name     string
		told     []campaign.Shortfall
		nbFrag   int
		dear     bool
		from, to int
	}{
		{"nobody has told", nil, 100, false, 0, 0},
		{"all are complete", []campaign.Shortfall{campaign.NewShortfall(0.1, 0)}, 100, false, 0, 0},
		{"one row is missing", []campaign.Shortfall{campaign.NewShortfall(0.01, 1)}, 100, false, 1, 2},
		{"one row is missing, and another round is dear", []campaign.Shortfall{campaign.NewShortfall(0.01, 1)}, 100, true, 3, 6},
		{"all are lost", []campaign.Shortfall{campaign.NewShortfall(1, 100)}, 100, false, 100, 1100},
	} {
		if got := campaign.Need(c.told, c.nbFrag, c.dear); got < c.from || got > c.to {
			t.Errorf("%s: %d more, want %d to %d", c.name, got, c.from, c.to)
		}
	}
}
