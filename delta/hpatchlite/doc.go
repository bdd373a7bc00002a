// Package hpatchlite writes and reads HPatchLite patches, version 1 (delta.md,
// section 2): the format with the smallest patches among those that a device with a
// few hundred bytes of RAM can apply.
//
//	+----+---------+-------+---------+---------------+---------+-----------------+
//	| hI | compr.  | kind, | newSize | payload size, | extra,  | payload: plain, |
//	|    | 0 or 1  | sizes |         | uncompressed  | in place| or tinyuz       |
//	+----+---------+-------+---------+---------------+---------+-----------------+
//	                                                                 |
//	     .-----------------------------------------------------------'
//	     v
//	+------------+  for each cover:
//	| coverCount |  +--------+-----+-----+----------+----------------------+
//	+------------+  | length | tag | gap | literal  | difference, if not 0 |
//	                +--------+-----+-----+----------+----------------------+
//	                          distance in    gap bytes     length bytes
//	                          the old image
//
// A plain patch makes the new image beside the old one. An in-place patch (version 2)
// overwrites the old image from its beginning: the device holds back the last extra
// bytes of output in RAM, and no cover reads an old byte that is gone.
//
// Create searches for a small patch, Encode serialises covers that the caller has,
// Decode and Apply are strict: they trust no number in the patch, and the memory they
// take is bounded by Limits. ApplyInPlace does what the device does in its flash.
//
// The format has neither signature nor digest: see package envelope. It is also not
// possible to resume an in-place patch after a loss of power, unless the device keeps a
// journal of its own.
package hpatchlite
