package fec

import "math"

// RedundancyFor returns how many coded fragments to send so that, with probability
// confidence, every one of devices devices can decode a block of m fragments if each
// fragment is lost with probability loss, independently of the others.
//
// A device decodes with the probability that m+j received fragments have full rank, which
// is that of a random binary matrix: it fails with about 2^-j. That holds for counts that
// are not weak (WeakCount). Below m = 200 a single uncoded fragment can be in very few coded
// ones and the slowest devices need some more: 29 instead of 23 for m = 100, 10 % loss,
// 99 %, version 1. Losses in bursts need more too; only asking for status answers those.
//
// loss is 0..1, confidence below 1. The result is at most MaxFragments-m, which is also
// returned if no number suffices, and 0 if loss is 0 or m or devices is below 1.
func RedundancyFor(m int, loss float64, devices int, confidence float64) int {
	most := MaxFragments - m
	if m < 1 || devices < 1 || most < 1 || !(loss > 0) || !(confidence > 0) {
		return 0
	}
	if loss >= 1 || confidence >= 1 {
		return most
	}
	// Devices are independent, so each one must reach the devices-th root.
	want := 1 - math.Pow(confidence, 1/float64(devices)) // tolerated failure of one device
	lo, hi := 0, most
	for lo < hi {
		mid := (lo + hi) / 2
		if decodeFailure(m, mid, loss) <= want {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// decodeFailure returns the probability that one device cannot decode after r coded
// fragments: too few of the m+r arrived, or they are dependent.
func decodeFailure(m, r int, loss float64) float64 {
	n := m + r
	fail := 0.0
	// The number of lost fragments is binomial. Sum over those that matter: with 64 spare
	// fragments dependence does not happen.
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	logN, logLoss, logKeep := lg(n), math.Log(loss), math.Log1p(-loss)
	for lost := max(0, r-64); lost <= n; lost++ {
		p := math.Exp(logN - lg(lost) - lg(n-lost) + float64(lost)*logLoss + float64(n-lost)*logKeep)
		if spare := r - lost; spare >= 0 {
			p *= dependence(min(lost, m), spare)
		}
		fail += p
	}
	return fail
}

// dependence returns the probability that lost+spare random rows over lost columns do not
// have full rank: 1 - prod(1 - 2^-i) for i from spare+1 to spare+lost.
func dependence(lost, spare int) float64 {
	full := 1.0
	for i := spare + 1; i <= spare+lost && i < 64; i++ {
		full *= 1 - math.Ldexp(1, -i)
	}
	return 1 - full
}
