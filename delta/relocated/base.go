package relocated

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/starling-fuota/starling/delta/cover"
)

const (
	// Where RAM of a Cortex-M begins and how much of it is looked at: a little of what lies
	// below the SRAM region of the architecture, because some parts put half of their RAM there.
	sramBase = 0x1ffe0000
	sramSize = 0x00220000

	// baseUnit is what the address of an image is a multiple of: vector tables lie so.
	baseUnit = 256

	// samples is how many words are asked for the address of an image.
	samples = 1024

	// maxPages is how many parts of 64 KiB the address is looked for in.
	maxPages = 8

	// minAgree is how many words must agree on an address.
	minAgree = 8

	// farMove is further than a variable moves from one image to the next.
	farMove = 1 << 16
)

// FlashBase finds the address that an image was linked for, by its pointers to functions: seen from
// the right address, many of them point to what functions begin with. It returns false if the
// image does not say, as one without code or one for another processor.
func FlashBase(image []byte) (uint32, bool) {
	size := uint32(min(len(image), math.MaxInt32))
	pointers := oddWords(image)
	best, second, base := 0, 0, int64(-1)
	for _, page := range popularPages(pointers) {
		first := max(0, int64(page)<<16-int64(size)) &^ (baseUnit - 1)
		for b := first; b < int64(page+1)<<16; b += baseUnit {
			agree := 0
			for _, v := range pointers {
				if offset := v - 1 - uint32(b); offset < size-1 && begins(binary.LittleEndian.Uint16(image[offset:])) {
					agree++
				}
			}
			switch {
			case b == base: // seen from another page
			case agree > best:
				best, second, base = agree, best, b
			case agree > second:
				second = agree
			}
		}
	}
	if best < minAgree || 2*best <= 3*second {
		return 0, false
	}
	return uint32(base), true
}

// oddWords returns what may be pointers to Thumb functions, each once, in ascending order, and no
// more than samples.
func oddWords(image []byte) []uint32 {
	var words []uint32
	w := windowOf(image)
	for i := before; i+wordSize <= before+len(image); i += wordSize {
		if v := w.word(i); v&1 == 1 && v-sramBase >= sramSize && w.pointer(i) {
			words = append(words, v)
		}
	}
	slices.Sort(words)
	words = slices.Compact(words)
	if len(words) <= samples {
		return words
	}
	for i := range samples {
		words[i] = words[i*len(words)/samples]
	}
	return words[:samples]
}

// popularPages returns the parts of 64 KiB that most of the words point to.
func popularPages(words []uint32) []uint32 {
	count := map[uint32]int{}
	var pages []uint32
	for _, v := range words {
		if count[v>>16]++; count[v>>16] == 1 {
			pages = append(pages, v>>16)
		}
	}
	slices.SortStableFunc(pages, func(a, b uint32) int { return count[b] - count[a] })
	return pages[:min(len(pages), maxPages)]
}

// begins reports whether functions begin like that: PUSH with LR among the registers, PUSH.W, or
// a branch to itself, which is what unused interrupts lead to.
func begins(h uint16) bool { return h&0xff00 == 0xb500 || h == 0xe92d || h == 0xe7fe }

// ramOf finds the part of RAM in which variables have moved. The size is 0 if none has.
func ramOf(old, target []byte, covers []cover.Cover, flash uint32) (base, size uint32) {
	low, high := ^uint32(0), uint32(0)
	for _, p := range pairsOf(old, target, covers, &Map{FlashBase: flash, RAMBase: sramBase, RAMSize: sramSize}) {
		if d := int32(p.new - p.old); p.kind == ramSite && d != 0 && d > -farMove && d < farMove {
			low, high = min(low, p.old), max(high, p.old)
		}
	}
	if low > high {
		return 0, 0
	}
	base = low &^ (farMove - 1) // a round number takes less room
	return base, (high - base + ramUnit) &^ (ramUnit - 1)
}
