// Package envelope signs patches and says what they are for, so that a device
// can refuse a patch before it decodes the first byte of it.
//
// Patch formats carry no authentication and do not know their base: a decoder
// that is fed a patch for another image builds rubbish, and one that is fed a
// forged patch may be led astray. Everything that matters therefore stands in a
// header in front of the patch, and one signature covers both:
//
//	off  size
//	  0     4  magic "FDP1"
//	  4     1  header length in words of 4 bytes: 13, 15 or 17
//	  5     1  codec
//	  6     1  flags: bit 0, digests are MCUboot's (header, image and protected TLVs); others 0
//	  7     1  n: the decoder needs a window of 2^n bytes
//	  8     4  size of the base image
//	 12     4  size of the target image
//	 16     4  size of the payload
//	 20    16  SHA-256 of the base, first half
//	 36    16  SHA-256 of the target, first half
//	 52     4  base version     | 15 words
//	 56     4  target version   | and more
//	 60     8  profile: producer, module and hardware revision, hashed | 17 words
//	 hdr       payload: the patch, or the image itself
//	 end     1  signature algorithm: 1, ECDSA on P-256 over SHA-256
//	 end+1  64  r and s, 32 bytes each, most significant byte first
//
// Numbers are little endian. What is signed is SHA-256 over everything before r,
// the algorithm included. A header that is longer than this version knows is
// refused: what it says might be a condition.
//
// A device checks in this order, and Open does it for it: structure, sizes
// against its slots and its RAM, signature, profile, versions, base; then it
// decodes; then it compares the target. Parse hands out the header only: the
// payload is there after Verify.
//
// Signing is deterministic (RFC 6979): the same patch and key give the same
// bytes, so there is no nonce to get wrong and the fleet gets one file. Bare mode
// (the patch, then r and s over its SHA-256) is for devices that hold the header's
// facts elsewhere, Espressif's header for those that run its delta updates.
//
// The package does not make or decode patches, reads no files and stores no keys.
package envelope
