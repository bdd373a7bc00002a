// Package fec is the forward error correction of TS004 fragmented data block
// transport, versions 1.0.0 and 2.0.0: the encoder a server needs, decoders that
// behave as the stacks in the field do, and the arithmetic that says how much
// redundancy a fleet needs and which fragment counts to avoid.
//
//	block   |  1  |  2  |  3  | ... |  M  pad|        M = NbFrag = ceil(len / FragSize)
//	            |     |     |           |
//	            +--x--+--x--+-----------+   XOR of about M/2 fragments, chosen by
//	                     |                  ParityRow(version, k, M)
//	wire N  |  1  |  2  | ... |  M  | M+1 | M+2 | ... 16383
//	         `---- uncoded -------'  `---- coded k = N-M ----'
//	            |     x     |     |     x     |
//	            v           v     v           v
//	decoder  image with holes  +  a triangular system over the holes only
//	                               full rank -> back substitution -> block
//
// The two versions draw the columns of a row differently and nothing on the air
// tells: a decoder of the other version completes with a wrong image. Every
// function therefore takes the version.
//
// A coded fragment is computed from its number alone, so an Encoder holds no more
// than the block, and a campaign that was interrupted continues at any N.
//
// The package does not frame or encrypt fragments, does not check the integrity of
// a block (TS004-2.0.0 has a MIC, see lorawan/fragmentation) and does not schedule:
// it does no I/O and reads no clock.
//
// Sources: TS004-1.0.0 and TS004-2.0.0. The behaviour of real decoders was measured;
// testdata/fec_*.json names the code that was run.
package fec
