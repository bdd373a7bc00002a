// Package smartdelta is what a device does with a block that may be a delta patch: the checks
// before a byte of it is decoded, the decoding from flash to flash, and what keeps an update
// alive when power goes away. It is the Installer of simulated devices, and a reference for
// those who write the same in C.
//
//	block ──> form ─> room ─> signature ─> hardware, versions ─> base ──┐      Prepare: the old
//	             no envelope: a full image is taken as it is            │      image runs
//	                                                                    v
//	two slots:  old slot ──> decoder ──> other slot ──> digest, read back ───> Boot: swap
//	in place:   rehearsal: decoded without writing, digest ──> journal ──────> Boot: step by
//	                                                                           step, digest
//
// With two slots the running image is never written: after a loss of power the patch is applied
// again. In place, every step is undone or repeated from what the journal says:
//
//	detools     the format has steps that can be done twice, the journal counts them
//	HPatchLite  has none. What a page will hold, and the output that waits in RAM, are kept in
//	            scratch flash before the page is erased; without room for it such patches are
//	            refused as not safe
//
// One Installer is for all devices of a kind in one simulation: the same patch on the same image
// is applied once, and all who did share the bytes of the result.
//
// It does not swap slots and does not verify images as boot loaders do: a full image without an
// envelope is their business. It makes no patches. The order of checks is docs/delta.md's.
package smartdelta
