// Package heatshrink is the LZ bit stream of small devices that unpack with a few hundred bytes of
// RAM: an encoder whose output no parse of the same window and lookahead beats, and a strict, bounded
// decoder.
//
// A stream is a sequence of tokens, most significant bit first, until the input ends:
//
//	literal         1 b7 b6 b5 b4 b3 b2 b1 b0                          9 bits
//	back-reference  0 (distance-1, Window bits) (length-1, Lookahead)  1+w+l bits
//
//	window, 2^w bytes                            lookahead, 2^l bytes
//	+---------------------------------------+   +-----------------+
//	| 0 0 0 0 0 0 a b c d a b c d e f g h i |<--| a b c d j k ... |
//	+---------------------------------------+   +-----------------+
//	  zeros before the first byte    `--- distance 1..2^w, length 1..2^l, overlap allowed
//
// The window starts as zeros and may be referred to before anything was written. The last byte is
// filled with zero bits, at most seven, which never complete a token. There is no end marker: whoever
// carries the stream knows where it ends.
//
// A device built for static memory takes one pair of window and lookahead and no other: Params says
// which pair a stream needs, Limit which pairs a decoder takes.
//
// The package has no checksum and no container; package delta/detools has the byte that names the
// pair ahead of the stream.
package heatshrink
