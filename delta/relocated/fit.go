package relocated

import (
	"cmp"
	"slices"
)

// vote says that the address has moved by delta, with a weight in bits.
type vote struct {
	address uint32
	delta   int32
	weight  int
}

// fit returns the piecewise constant function that earns the most: the weights of the
// votes that it agrees with, less toll bits for each segment. It is found exactly, in one
// pass over the votes: the best way that ends with some delta is the better of staying
// with it and of changing to it from the best way at all, and only votes for a delta
// can make it worth changing to. The votes are those of gather.
func fit(votes []vote, toll int) []Segment {
	type way struct {
		gain   int
		change int // index into changes of the last change, -1 for none
	}
	type change struct {
		start  uint32
		delta  int32
		before int
	}
	changes := make([]change, 0, len(votes))
	ways := map[int32]way{0: {0, -1}}
	best := way{0, -1}
	for i := 0; i < len(votes); {
		address := votes[i].address
		j := i
		for ; j < len(votes) && votes[j].address == address; j++ {
			v := votes[j]
			w, ok := ways[v.delta]
			if !ok || w.gain < best.gain-toll {
				changes = append(changes, change{address, v.delta, best.change})
				w = way{best.gain - toll, len(changes) - 1}
			}
			w.gain += v.weight
			ways[v.delta] = w
		}
		// The best way is compared after all votes of the address: no way has two of them.
		for ; i < j; i++ {
			if w := ways[votes[i].delta]; w.gain > best.gain {
				best = w
			}
		}
	}
	var segments []Segment
	for k := best.change; k >= 0; k = changes[k].before {
		segments = append(segments, Segment{changes[k].start, changes[k].delta})
	}
	slices.Reverse(segments)
	return tidy(segments)
}

// gather sorts votes by address, and adds up those for the same.
func gather(votes []vote) []vote {
	slices.SortFunc(votes, func(a, b vote) int {
		return cmp.Or(cmp.Compare(a.address, b.address), cmp.Compare(a.delta, b.delta))
	})
	out := votes[:0]
	for _, v := range votes {
		if k := len(out) - 1; k >= 0 && out[k].address == v.address && out[k].delta == v.delta {
			out[k].weight += v.weight
			continue
		}
		out = append(out, v)
	}
	return out
}

// tidy leaves out segments that change nothing and those without addresses. It works in
// place.
func tidy(segments []Segment) []Segment {
	out := segments[:0]
	for _, s := range segments {
		if k := len(out) - 1; k >= 0 && out[k].Start == s.Start {
			out = out[:k]
		}
		if before := len(out) - 1; before < 0 && s.Delta == 0 || before >= 0 && out[before].Delta == s.Delta {
			continue
		}
		out = append(out, s)
	}
	return out
}
