package relocated

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/starling-fuota/starling/delta/cover"
)

// kind is what a site is.
type kind uint8

const (
	branchSite kind = iota // 32-bit branch: depends on where it and its target have moved
	shortSite              // 16-bit instruction: as well
	flashSite              // pointer into flash: depends on its target
	ramSite                // pointer into RAM: as well
)

// pair is a site of the old image and the bytes of the new image that a cover puts in its
// place.
type pair struct {
	kind   kind
	shift  int32  // by how much the cover moves the site
	site   uint32 // offset in the old image
	target uint32 // offset in the old image, or in RAM
	old    uint32 // the bytes of the site, little endian: two of a shortSite, else four
	new    uint32
}

// local reports whether it matters where the site has moved itself.
func (p *pair) local() bool { return p.kind <= shortSite }

// move returns what the site becomes when it moves by ds, and its target by dt.
func (p *pair) move(ds, dt int32) uint32 {
	h1, h2 := uint16(p.old), uint16(p.old>>16)
	switch p.kind {
	case branchSite:
		h1, h2 = displaced(h1, h2, displacement(h1, h2)+dt-ds)
		return uint32(h1) | uint32(h2)<<16
	case shortSite:
		return uint32(shortOf(h1).aim(h1, p.site+uint32(ds), p.target+uint32(dt)))
	}
	return p.old + uint32(dt)
}

// moved returns by how much the target must have moved if the site did as its cover says,
// or false if no number would do.
func (p *pair) moved() (int32, bool) {
	h1, h2 := uint16(p.old), uint16(p.old>>16)
	n1, n2 := uint16(p.new), uint16(p.new>>16)
	switch p.kind {
	case branchSite:
		if n1&0xf800 != h1&0xf800 || n2&0xd000 != h2&0xd000 {
			return 0, false
		}
		return p.shift + displacement(n1, n2) - displacement(h1, h2), true
	case shortSite:
		k := shortOf(h1)
		if shortOf(n1) != k || k.aim(h1, 0, 0) != k.aim(n1, 0, 0) {
			return 0, false // another instruction, another register
		}
		return int32(k.reach(n1, p.site+uint32(p.shift)) - p.target), true
	}
	return int32(p.new - p.old), true
}

// wrong returns how many bytes differ when the site moves by ds, and its target by dt.
func (p *pair) wrong(ds, dt int32) int {
	x := p.move(ds, dt) ^ p.new
	x |= x >> 4
	x |= x >> 2
	x |= x >> 1
	return bits.OnesCount32(x & 0x01010101)
}

// sitesOf lists the sites of old in ascending order, with nothing in place of them. Of m it uses
// the bases only. It sees the same as rewrite.
func sitesOf(old []byte, m *Map) []pair {
	var sites []pair
	size := uint32(len(old))
	w := windowOf(old)
	end := before + len(old)
	add := func(k kind, i int, target, content uint32) {
		sites = append(sites, pair{kind: k, site: uint32(i - before), target: target, old: content})
	}
	half := func(i int) {
		site := uint32(i - before)
		switch {
		case i+wordSize <= end && w.branch(i):
			if t := w.target(i, site); t < size {
				add(branchSite, i, t, w.word(i))
			}
		case w.branch(i-halfSize) || i+halfSize > end:
		default:
			if k := w.short(i); k != noShort {
				if t := k.reach(w.half(i), site); t < size {
					add(shortSite, i, t, uint32(w.half(i)))
				}
			}
		}
	}
	for i := before; i < end; i += wordSize {
		if i+wordSize <= end && w.pointer(i) {
			if t := w.word(i) - m.FlashBase; t < size {
				add(flashSite, i, t, w.word(i))
				continue
			}
			if t := w.word(i) - m.RAMBase; t < m.RAMSize {
				add(ramSite, i, t, w.word(i))
				continue
			}
		}
		half(i)
		half(i + halfSize)
	}
	return sites
}

// pairsOf lists the sites of old that covers put in the place of something. Of m it uses the
// bases only.
func pairsOf(old, target []byte, covers []cover.Cover, m *Map) []pair {
	sites := sitesOf(old, m)
	var found []pair
	for _, c := range covers {
		from, _ := slices.BinarySearchFunc(sites, c.Old, func(p pair, at int) int { return int(p.site) - at })
		for _, p := range sites[from:] {
			n := int(p.site) - c.Old + c.New
			length := wordSize
			if p.kind == shortSite {
				length = halfSize
			}
			if n+length > c.NewEnd() {
				if int(p.site) >= c.OldEnd() {
					break
				}
				continue
			}
			p.shift = int32(c.New - c.Old)
			if p.new = uint32(binary.LittleEndian.Uint16(target[n:])); length == wordSize {
				p.new = binary.LittleEndian.Uint32(target[n:])
			}
			found = append(found, p)
		}
	}
	return found
}
