package relocated

import "encoding/binary"

const (
	wordSize = 4
	halfSize = 2

	// before and after are how many bytes on either side of a word say what is a site in it.
	before = 8
	after  = 4
)

// branch reports whether two halfwords are a 32-bit branch of Thumb-2 with the
// immediate of 24 bits: BL (encoding T1) or B.W (encoding T4). They differ in bit 14 of the
// second halfword only.
func branch(h1, h2 uint16) bool { return h1&0xf800 == 0xf000 && h2&0x9000 == 0x9000 }

// displacement returns how far a branch leads: from the instruction plus 4, in bytes, even,
// from -2^24 to 2^24-2.
//
//	h1  1 1 1 1 0 S imm10      h2  1 x J1 1 J2 imm11      I1 = !(J1 ^ S), I2 = !(J2 ^ S)
//	displacement  S I1 I2 imm10 imm11 0
func displacement(h1, h2 uint16) int32 {
	s := uint32(h1 >> 10 & 1)
	i1 := ^(uint32(h2>>13) ^ s) & 1
	i2 := ^(uint32(h2>>11) ^ s) & 1
	u := s<<24 | i1<<23 | i2<<22 | uint32(h1&0x3ff)<<12 | uint32(h2&0x7ff)<<1
	return int32(u<<7) >> 7
}

// displaced returns the branch with another displacement, modulo 2^25.
func displaced(h1, h2 uint16, d int32) (uint16, uint16) {
	u := uint32(d)
	s := u >> 24 & 1
	j1 := ^(u>>23 ^ s) & 1
	j2 := ^(u>>22 ^ s) & 1
	return h1&0xf800 | uint16(s<<10|u>>12&0x3ff), h2&0xd000 | uint16(j1<<13|j2<<11|u>>1&0x7ff)
}

// short is a 16-bit instruction that refers to an address nearby.
type short uint8

const (
	noShort      short = iota
	loadLiteral        // LDR Rt, [PC, #imm8*4]
	branchIf           // B<cond>, imm8*2 signed
	branchAlways       // B, imm11*2 signed
	branchZero         // CBZ and CBNZ, i:imm5*2
)

// shortOf tells a halfword apart.
func shortOf(h uint16) short {
	switch {
	case h&0xf800 == 0x4800:
		return loadLiteral
	case h&0xf000 == 0xd000 && h&0x0e00 != 0x0e00: // those are UDF and SVC
		return branchIf
	case h&0xf800 == 0xe000:
		return branchAlways
	case h&0xf500 == 0xb100:
		return branchZero
	}
	return noShort
}

// reach returns the address that the instruction at site refers to.
func (k short) reach(h uint16, site uint32) uint32 {
	switch k {
	case loadLiteral:
		return (site+4)&^3 + uint32(h&0xff)<<2
	case branchIf:
		return site + 4 + uint32(int32(int8(h)))<<1
	case branchAlways:
		return site + 4 + uint32(int32(h<<5)<<16>>20)&^1
	}
	return site + 4 + uint32(h>>3&0x40|h>>2&0x3e)
}

// aim returns the instruction at site that refers to target, as far as its bits go.
func (k short) aim(h uint16, site, target uint32) uint16 {
	d := target - site - 4
	switch k {
	case loadLiteral:
		return h&0xff00 | uint16((target-(site+4)&^3)>>2&0xff)
	case branchIf:
		return h&0xff00 | uint16(d>>1&0xff)
	case branchAlways:
		return h&0xf800 | uint16(d>>1&0x7ff)
	}
	return h&^0x02f8 | uint16(d&0x40<<3|d&0x3e<<2)
}

// window is a part of an image: whole words, and what lies around them. Outside of the image is
// zero, which is no branch.
type window []byte

// windowOf returns a whole image.
func windowOf(image []byte) window {
	w := make(window, (len(image)+wordSize-1)&^(wordSize-1)+before+after)
	copy(w[before:], image)
	return w
}

func (w window) half(i int) uint16 { return binary.LittleEndian.Uint16(w[i:]) }

func (w window) word(i int) uint32 { return binary.LittleEndian.Uint32(w[i:]) }

// branches reports whether the halfwords at i and after it look like a branch.
func (w window) branches(i int) bool { return branch(w.half(i), w.half(i+2)) }

// arithmetic reports whether the halfword at i begins a shift by a register, an extension, a
// multiplication or a division. Their second halves look like the first ones of branches.
func (w window) arithmetic(i int) bool { return w.half(i)&0xfe00 == 0xfa00 }

// branch reports whether a branch begins at i, which is even. Where two would overlap, it is
// the first.
func (w window) branch(i int) bool {
	switch {
	case !w.branches(i):
		return false
	case w.arithmetic(i - 2):
		// Unless that is the second half of a branch before.
		return w.branches(i-4) && !w.arithmetic(i-6)
	}
	return !w.branches(i-2) || w.arithmetic(i-4)
}

// target returns where the branch at i leads that lies at the offset site.
func (w window) target(i int, site uint32) uint32 {
	return site + 4 + uint32(displacement(w.half(i), w.half(i+halfSize)))
}

// pointer reports whether the word at i, a multiple of 4, has no part in a branch.
func (w window) pointer(i int) bool { return !w.branch(i-2) && !w.branch(i) && !w.branch(i+2) }

// wide is the smallest halfword that begins an instruction of 32 bits.
const wide = 0xe800

// short returns what short instruction is at i: none if it looks like the second half of one
// of 32 bits.
func (w window) short(i int) short {
	if w.half(i-2) >= wide && !w.branches(i-4) {
		return noShort
	}
	return shortOf(w.half(i))
}

// rewrite fills dst with the words of w, which begin at the offset from of an image of size
// bytes, and moves what they refer to. len(w) is before + len(dst) + after.
func (m *Map) rewrite(dst []byte, w window, from, size uint32) {
	for k := 0; k < len(dst); k += wordSize {
		i, site := k+before, from+uint32(k)
		if site+wordSize <= size && w.pointer(i) {
			if v, ok := m.moved(w.word(i), size); ok {
				binary.LittleEndian.PutUint32(dst[k:], v)
				continue
			}
		}
		binary.LittleEndian.PutUint16(dst[k:], m.half(w, i, site, size))
		binary.LittleEndian.PutUint16(dst[k+halfSize:], m.half(w, i+halfSize, site+halfSize, size))
	}
}

// half returns what the halfword at i becomes, which lies at the offset site and is in no pointer.
func (m *Map) half(w window, i int, site, size uint32) uint16 {
	switch {
	case w.branch(i):
		h1, _ := m.branch(w, i, site, size)
		return h1
	case w.branch(i - halfSize):
		_, h2 := m.branch(w, i-halfSize, site-halfSize, size)
		return h2
	}
	h, k := w.half(i), w.short(i)
	if k == noShort {
		return h
	}
	target := k.reach(h, site)
	if target >= size {
		return h
	}
	return k.aim(h, site+uint32(at(m.F, site)), target+uint32(at(m.F, target)))
}

// branch returns what the branch at i becomes.
func (m *Map) branch(w window, i int, site, size uint32) (h1, h2 uint16) {
	h1, h2 = w.half(i), w.half(i+halfSize)
	target := w.target(i, site)
	if target >= size {
		return h1, h2
	}
	return displaced(h1, h2, displacement(h1, h2)+at(m.F, target)-at(m.F, site))
}

// moved returns what a pointer becomes, or false for a word that points nowhere.
func (m *Map) moved(v, size uint32) (uint32, bool) {
	if offset := v - m.FlashBase; offset < size {
		return v + uint32(at(m.F, offset)), true
	}
	if offset := v - m.RAMBase; offset < m.RAMSize {
		return v + uint32(at(m.R, offset)), true
	}
	return 0, false
}
