// Package delta makes and applies patches that turn the firmware image a device has into
// the one that it should have. A patch is a few per cent of the image, which is the largest
// saving that an update over LoRaWAN can have.
//
//	old, new ──> Create ──┬─ hpatchlite            ┐
//	                      ├─ hpatchlite-inplace    │  each is applied again and compared
//	                      ├─ hpatchlite-relocated  ├──> the smallest ──> Sign ──> to the device
//	                      ├─ detools               │
//	                      └─ detools-inplace       ┘
//
//	old, envelope ──> Open: signature, base ──> Apply ──> target digest ──> new
//
// The formats are those of decoders that exist for small devices and are not ours; see
// the packages hpatchlite, detools and relocated. Package cover finds what two images have
// in common, package envelope signs. Here they come together: which formats and
// compressors are tried, with what memory, and which patch is kept.
//
// Everything is deterministic: the same images and options give the same bytes, so a whole
// fleet gets one file. What comes from outside is not trusted: patches are bounded by Limits
// before memory is taken.
//
// The package reads no files, knows no devices and keeps no keys. It takes images as they
// lie in flash: ELF and Intel HEX files are not images, and callers refuse them.
package delta
