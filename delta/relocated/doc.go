// Package relocated presents the old image to a patch decoder as if everything that
// the new image has moved were in its new place already.
//
// A line of code that is added moves all code behind it, and with it thousands of
// addresses: displacements of branches, pointers to functions and constants, loads
// from literal pools. They are most of a patch. A map of a few segments says what moved
// by how much, and the old image with its addresses corrected differs from the
// new one in little more than that line:
//
//	          map                              patch
//	           |                                 |
//	           v                                 v
//	old --> [ view ] --- read callback ---> [ decoder ] --> new
//	          ^
//	          F   code and constants: 0x4e2a + 12, 0x5000 + 16, ...
//	          R   variables:          0x0340 + 8, ...
//
// The decoder is any that reads the old image through a callback (HPatchLite,
// detools); it does not know of the view. The map is sent ahead of the patch.
//
// # What is changed
//
// A site is recognised by the bytes around it, so any part of the view can be computed by
// itself, from 8 bytes before it to 4 bytes after. F(x) is by how much the byte at offset x
// of the image has moved, R(x) the same for RAM.
//
//	pointer   aligned word in [flash base, + size)        += F(word - flash base)
//	          aligned word in [RAM base, + RAM size)      += R(word - RAM base)
//	branch    BL, B.W (Thumb-2, 24-bit immediate)         displacement += F(target) - F(site)
//	short     B, B<cond>, CBZ, CBNZ, LDR from a pool      refers to target + F(target) from site + F(site)
//
// Branches come first, then pointers, then short instructions. Chance bytes that look like
// a site are changed as well. That costs bytes of the patch, never correctness: the
// patch is made against the same view.
//
// # The map
//
//	version and parts   1 byte    1 in bits 7..4; bit 0: there is an R
//	flash base          1 byte s, varint n: n * 2^s, n odd (or both 0)
//	F                   segments
//	RAM base            as the flash base   | if bit 0
//	RAM size            varint, * 256       |
//	R                   segments            |
//
//	segments: varint count, and if that is not 0
//	  units             1 byte    d in bits 7..4, s in bits 3..0
//	  start             varint, * 2^s: bytes from the start before it     | count times
//	  delta             zigzag varint, * 2^d: added to the delta before   |
//
// A varint has groups of 7 bits, least significant first, bit 7 for "more", and no more
// bytes than it needs; zigzag is 0, -1, 1, -2, ... as 0, 1, 2, 3, ...  All arithmetic is modulo
// 2^32. A map has one encoding; a decoder refuses any other.
//
// # How it is found
//
// Covers pair each site of the old image with its bytes in the new one, and the pair votes for
// what F is at the site and at its target. The best piecewise constant function is found
// exactly, and segments that do not earn what they cost are taken out. The covers of the view are
// better than those of the old image, so Choose repeats this, from maps of few segments to
// maps of many, and keeps what is smallest when coded.
//
// The package does not make patches. Other instruction sets than Thumb gain from pointers only.
package relocated
