// Package crle is conditional run-length encoding, the smallest of the compressions that detools
// devices know: an encoder with the best split of its input, and a strict, bounded decoder.
//
//	record  | 0 | n | n bytes as they are |       scattered
//	record  | 1 | n | byte |                      that byte n times
//
//	n: groups of seven bits, least significant first, bit 7 set when another follows
//
// It costs a device no RAM at all and is the right choice when a patch is nearly all zeros: constants that
// changed, an image that stayed. Nothing is one scattered record of no bytes.
//
// There is no end marker and no checksum: whoever carries the stream knows where it ends.
package crle
