package campaign_test

import (
	"math/rand/v2"
	"testing"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

func TestStatusAnswersAreReadAsTheirStackMeansThem(t *testing.T) {
	const m = 100
	for _, tc := range []struct {
		name              string
		style             fleet.StatusStyle
		received, missing int
		high              int
		lossy             bool
		want              int
	}{
		{"as the text of TS004 says", fleet.StatusSpec, 97, 3, 100, false, 3},
		{"complete", fleet.StatusSpec, 100, 0, 100, false, 0},
		{"complete, counting coded ones", fleet.StatusSpec, 110, 0, 120, true, 0},
		{"saturated", fleet.StatusSpec, 0, 255, 300, false, 255},

		{"a perfect reception looks like one missing", fleet.StatusLBM, 100, 1, 100, false, 0},
		{"also after coded ones that it ignored", fleet.StatusLBM, 100, 1, 120, false, 0},
		{"one is missing", fleet.StatusLBM, 99, 1, 100, false, 1},
		{"one is still missing after coded ones", fleet.StatusLBM, 103, 1, 104, false, 1},
		{"and when the numbers look perfect by chance", fleet.StatusLBM, 100, 1, 101, true, 1},
		{"complete after losses", fleet.StatusLBM, 105, 0, 110, true, 0},
		{"several are missing", fleet.StatusLBM, 95, 5, 100, false, 5},

		{"nothing lost", fleet.StatusLoRaMac, 100, 0, 100, false, 0},
		{"the end of the block lost, which the count leaves out", fleet.StatusLoRaMac, 98, 0, 100, false, 2},
		{"lost in the first round", fleet.StatusLoRaMac, 100, 7, 100, false, 7},
		{"recovered: the last number stands still", fleet.StatusLoRaMac, 108, 7, 124, true, 0},
		{"perhaps recovered: not still for long enough", fleet.StatusLoRaMac, 108, 7, 110, true, 16},
		{"not enough rows yet", fleet.StatusLoRaMac, 104, 40, 104, true, 36},
		{"deaf since before it could recover", fleet.StatusLoRaMac, 103, 7, 160, true, 16},

		{"the same stack under version 2", fleet.StatusWL55v2, 108, 7, 124, true, 0},
		{"and not yet", fleet.StatusWL55v2, 100, 7, 100, false, 7},

		{"too few frames", fleet.StatusZephyr, 95, 5, 100, false, 5},
		{"heard all that was sent", fleet.StatusZephyr, 100, 0, 100, false, 0},
		{"as many frames as fragments, perhaps dependent", fleet.StatusZephyr, 100, 0, 115, false, 11},
		{"eleven more", fleet.StatusZephyr, 111, 0, 120, false, 0},
	} {
		ans := fragmentation.FragSessionStatusAns{NbFragReceived: uint16(tc.received), MissingFrag: uint8(tc.missing)}
		if got := campaign.Unresolved(tc.style, ans, m, tc.high, tc.lossy); got != tc.want {
			t.Errorf("%s: %s: received %d, missing %d, sent %d: %d still needed, want %d", tc.style, tc.name, tc.received, tc.missing, tc.high, got, tc.want)
		}
	}
}

// MissingFrag has one byte: of a large block more can be missing, which what was received tells.
func TestASaturatedCountIsReadWithWhatWasReceived(t *testing.T) {
	for _, tc := range []struct{ received, missing, want int }{
		{700, 255, 300}, // a third of a block of 1000 is lost
		{745, 255, 255},
		{900, 255, 255}, // coded ones among them
		{900, 100, 100}, // not saturated: the count is right
	} {
		ans := fragmentation.FragSessionStatusAns{NbFragReceived: uint16(tc.received), MissingFrag: uint8(tc.missing)}
		if got := campaign.Unresolved(fleet.StatusSpec, ans, 1000, 1000, false); got != tc.want {
			t.Errorf("received %d, missing %d of 1000: %d still needed, want %d", tc.received, tc.missing, got, tc.want)
		}
	}
}

// TestStatusAnswersOfDecodersInTheField has decoders of every stack receive an adaptive
// transfer with losses, and asks them as a campaign does. Whoever is believed to be
// complete must be: a lie that is believed ends as "verified" or as a corrupt image. And
// whoever is complete must be believed in the end.
func TestStatusAnswersOfDecodersInTheField(t *testing.T) {
	limits := map[fleet.StatusStyle]fec.Limits{
		fleet.StatusSpec:    {Style: fec.StyleSpec},
		fleet.StatusLBM:     {DropsLower: true, Style: fec.StyleLBM},
		fleet.StatusLoRaMac: {DropsLower: true, FinishesOverLimit: true, Style: fec.StyleLoRaMac},
		fleet.StatusWL55v2:  {DropsLower: true, FinishesOverLimit: true, Style: fec.StyleLoRaMac},
		fleet.StatusZephyr:  {Style: fec.StyleZephyr},
	}
	const transfers = 400
	for style, lim := range limits {
		wrong := 0
		for seed := range uint64(transfers) {
			r := rand.New(rand.NewPCG(seed, uint64(style)))
			nbFrag := 25 + r.IntN(100)
			for fec.WeakCount(lorawan.V1, nbFrag) {
				nbFrag++ // Plan avoids them, too
			}
			loss := 0.3 * r.Float64()
			d, err := fec.NewRankDecoder(lorawan.V1, nbFrag, lim)
			if err != nil {
				t.Fatal(err)
			}
			high, believed, lossy := 0, false, false
			for more := nbFrag; more > 0 && high < 4*nbFrag+400; {
				for range more {
					high++
					if r.Float64() < loss {
						continue
					}
					if _, err := d.Add(high); err != nil {
						t.Fatal(err)
					}
				}
				rep := d.Report()
				ans := fragmentation.FragSessionStatusAns{NbFragReceived: rep.NbFragReceived, MissingFrag: rep.MissingFrag}
				more = campaign.Unresolved(style, ans, nbFrag, high, lossy)
				lossy = lossy || more > 0
				believed = more == 0
			}
			switch {
			case !believed:
				t.Errorf("%s seed %d: complete: %t, and not believed after %d fragments for a block of %d", style, seed, d.Done(), high, nbFrag)
			case !d.Done():
				wrong++
			}
		}
		most := 0
		if style == fleet.StatusZephyr {
			most = transfers / 100 // it does not tell ranks apart, see zephyrSpare
		}
		if wrong > most {
			t.Errorf("%s: %d of %d blocks were believed to be complete and were not", style, wrong, transfers)
		}
	}
}
