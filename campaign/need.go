package campaign

import (
	"math"
	"sort"
)

// How many coded fragments a round sends to the devices that told what they miss.
//
// A fragment too many costs every gateway its air time; one too few is asked for in the next
// round, which takes some minutes. So a round sends as many as the device that needs most will
// need with near certainty, and no more: with probability tooMany or less it would have been
// through with fewer. Unless a further round is dear: then as many as it will need probably.
//
// What a device needs is uncertain in three ways:
//
//	missing rows ──> some extra, because a coded fragment may be no news        (spareRows)
//	             ──> some lost on the way                                       (negative binomial)
//	             ──> with a loss that was seen in one round of M fragments only (shrunken)
//
// The worst of many devices has had bad luck beside a bad link, so the loss that it has seen is
// more than what it will see. How much more is known from the whole lane: what varies between
// devices beyond the luck of M fragments is links.
const (
	tooMany = 0.02 // probability that a round sends more than the worst device needs
	likely  = 0.9  // probability that a dear round is enough for all

	// Coded fragments that a decoder wants beyond the missing rows: mean and variance of a random
	// binary matrix (both are sums over the rows that are left).
	spareRows    = 1.6
	spareRowsVar = 2.7

	mostLoss = 0.9 // beyond that no redundancy helps

	fewLeft = 3 // devices for which another round is dear: it takes as long as for all
)

// shortfall is what a device of a lane has told: the share of the first round that it lost, and the
// rows that it lacks; 0: it is complete.
type shortfall struct {
	loss    float64
	missing int
}

// need returns how many fragments to send next to devices that were sent nbFrag and told so; 0: none lacks any.
func need(told []shortfall, nbFrag int, dear bool) int {
	links := linksOf(told, nbFrag)
	var each []normal
	most := 0.0
	for _, s := range told {
		if s.missing > 0 {
			n := links.needs(s)
			each, most = append(each, n), max(most, n.mean+6*n.deviation)
		}
	}
	if len(each) == 0 {
		return 0
	}
	quantile := math.Log(tooMany)
	if dear {
		quantile = math.Log(likely)
	}
	return 1 + sort.Search(int(most), func(k int) bool {
		enough := 0.0 // logarithm of the probability that 1+k fragments are enough for all
		for _, n := range each {
			enough += math.Log(max(n.below(float64(1+k)+0.5), math.SmallestNonzeroFloat64))
		}
		return enough >= quantile
	})
}

// links is what is known of the links of a lane: the mean of their losses, how much these vary, and in
// how many fragments each was seen.
type links struct{ mean, variance, seen float64 }

func linksOf(told []shortfall, nbFrag int) links {
	l := links{seen: float64(nbFrag)}
	n := float64(len(told))
	var squares, luck float64
	for _, s := range told {
		l.mean += s.loss / n
		squares += s.loss * s.loss / n
		luck += s.loss * (1 - s.loss) / l.seen / n
	}
	l.variance = max(squares-l.mean*l.mean-luck, 0)
	return l
}

// needs returns what a device with a shortfall needs.
func (l links) needs(s shortfall) normal {
	luck := max(s.loss*(1-s.loss), 1/l.seen) / l.seen
	trust := l.variance / (l.variance + luck) // in what the device has seen, beside what all have
	loss := min(l.mean+trust*(s.loss-l.mean), mostLoss)
	heard := 1 - loss
	rows := float64(s.missing) + spareRows
	variance := (rows*loss+spareRowsVar)/(heard*heard) + rows*rows/math.Pow(heard, 4)*trust*luck
	return normal{rows / heard, math.Sqrt(variance)}
}

// normal is a normal distribution.
type normal struct{ mean, deviation float64 }

// below is the probability of at most x.
func (n normal) below(x float64) float64 {
	return math.Erfc((n.mean-x)/n.deviation/math.Sqrt2) / 2
}
