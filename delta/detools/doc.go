// Package detools reads and writes the patch format of the detools library, as its C decoder on devices
// and its Python tools know it: sequential patches for devices with two slots, in-place patches for those
// with one; stored, packed with crle, or with heatshrink.
//
//	sequential  | type, compression | to size | stream                              |
//	in-place    | type, compression | memory, segment, shift, from, to size | stream |
//
//	stream, unpacked:
//	  | 0 | n | n differences | m | m bytes | adjustment |  n | ...     until the image is whole
//	    |   `-- added to the     `-- as      `-- moves the
//	    |       old image's       they are       place in the old image
//	    |       next n bytes
//	    `- size of a data-format patch, always 0: devices refuse another
//
// All sizes are signed, little-endian, six bits in the first byte and seven in the next ones.
//
// An in-place patch rebuilds a memory from its first byte on. The device first moves the old image up by
// the shift size, then makes one segment after the other; what a segment needs of the old image must lie
// above it. Each segment has a stream of its own, and one compression runs through all of them.
//
//	before  | old image ..................... |          |
//	moved   |<- shift ->| old image ..................... |
//	        | new 0 | new 1 |.. old image ................ |     segment i may read from
//	        | new 0 | new 1 | new 2 |.. old image ......... |    max(segment*(i+1), shift) on
//
// Both halves take steps that the device counts in flash, so that an update goes on after a reset
// (Applier). Memory that a decoder takes is the window of the compression and a few hundred bytes.
//
// Create looks for the covers that make a patch small in this format; Encode takes them from elsewhere.
// The formats have no checksum and no signature, and the decoders of devices trust them: package
// delta/envelope is what comes around. The package does no I/O of its own.
//
// Not here: data formats (dfpatch), the hdiffpatch type, and the compressions that need the memory of a
// computer (lzma, bz2, zstd, lz4). Inspect names them, decoding refuses them.
package detools
