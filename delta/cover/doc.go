// Package cover finds what a new firmware image has in common with an old one.
// The result, a list of covers, is what every patch format of package delta is
// made of:
//
//	old  ..|#########|......|######|..........|######|....
//	          \                 \              /
//	           \  Cover{Old, New, Length}     /
//	            \                 \          /
//	new     |#########|=======|######|###x##x###|====|
//	                   literal          `--`-- bytes that differ: the patch
//	                                           carries the difference
//
// A cover is approximate: most of its bytes are equal, and the bytes that are not
// (addresses that moved, as a rule) are cheaper as a difference than as a literal.
//
// Find weighs literals, differences and changes of alignment against each other
// with costs in eighths of a bit and takes the cheapest way through the new image
// (delta.md, section 5: Viterbi over alignments). Greedy is the bsdiff-like
// baseline, which wins on a few images: creators try both and keep the smaller.
//
// Time is near-linear in the sizes, whatever the images hold: the number of
// alignments that are followed at a time is bounded, and so is the number of
// places that are looked at for each byte.
//
// The package does not write patches and does not read instructions: to it an
// image is bytes.
package cover
