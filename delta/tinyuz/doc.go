// Package tinyuz writes and reads the tinyuz bit stream (delta.md, section 3), which
// HPatchLite patches are compressed with: a byte-oriented LZ77 whose decoder takes
// about 640 bytes of flash and a dictionary of any size the device can spare.
//
//	+-----------+------+-----+-----+------+-----+------+-----+
//	|dictionary | type |plain|plain| type |plain| type | ... |
//	|  size     | byte |byte |byte | byte |byte | byte |     |
//	+-----------+------+-----+-----+------+-----+------+-----+
//	              |                  `- taken when the decoder runs out of bits
//	              `- eight bits, the least significant first:
//
//	1                                     literal: one plain byte
//	0 U(len) 1                            match at the distance of the last match
//	0 U(len) 0 plain [U(distance)]        match at another distance
//	0 U(1)   0 00 U(m-15) m plain bytes   literal line
//	0 U(2)   0 00                         clip end: the reservoir is emptied
//	0 U(3)   0 00                         stream end
//
// The bit after U is there only if a literal came since the last match.
//
// Encode finds the shortest way through the data among a bounded number of arrivals
// at each position, which differ in the last distance: see parse.go. Decode and Reader
// take nothing on trust; the memory they use is bounded by Limits.
//
// The package knows nothing of patches, and it does not emit clip ends: the reference
// encoder cuts its work with them, which costs bytes and gains nothing in the decoder.
package tinyuz
