package hpatchlite

import (
	"fmt"
	"slices"
)

// Point is one point of the curve of sizes: what a device that holds back Extra bytes
// has to be sent.
type Point struct {
	Extra int // bytes of RAM that the device has for it
	Need  int // bytes that the patch makes use of, at most Extra
	Size  int // bytes of the patch
}

// kneeShare is the part of the smallest patch that a smaller Extra may cost.
const kneeShare = 50

// Curve returns the size of the in-place patch for each of the budgets, in ascending
// order, and the index of the knee: the smallest budget with which the patch is at most
// 2 % larger than with the largest. An image that grows by n bytes somewhere wants a
// budget of n, and the patch explodes below that.
//
// More room never makes a larger patch: what fits less fits more as well. InPlace and
// Extra of o are not used. No budgets, or negative ones, are ErrRange.
func Curve(old, target []byte, o Options, budgets []int) (points []Point, knee int, err error) {
	if len(budgets) == 0 {
		return nil, 0, fmt.Errorf("no budgets: %w", ErrRange)
	}
	budgets = slices.Compact(slices.Sorted(slices.Values(budgets)))
	o.InPlace = true

	// From the largest down: a budget that is no smaller than what the last patch needs
	// takes that patch.
	points = make([]Point, len(budgets))
	var last Point
	for i := len(budgets) - 1; i >= 0; i-- {
		if i == len(budgets)-1 || budgets[i] < last.Need {
			o.Extra = budgets[i]
			patch, err := Create(old, target, o)
			if err != nil {
				return nil, 0, err
			}
			info, err := Inspect(patch)
			if err != nil {
				return nil, 0, err
			}
			last = Point{Need: info.Extra, Size: len(patch)}
		}
		points[i] = Point{Extra: budgets[i], Need: last.Need, Size: last.Size}
	}
	for i := 1; i < len(points); i++ {
		if points[i-1].Size < points[i].Size {
			points[i].Need, points[i].Size = points[i-1].Need, points[i-1].Size
		}
	}
	least := points[len(points)-1].Size
	for points[knee].Size > least+least/kneeShare {
		knee++
	}
	return points, knee, nil
}
