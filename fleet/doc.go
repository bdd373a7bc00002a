// Package fleet holds the objects that an operator works with, and their rules:
// which devices exist, how they are grouped, what can be sent to them, and which
// campaign sends it.
//
//	DeviceSet ──> Device ──> DeviceProfile ──> SmartDeltaKey
//	    ^                         ^                 ^
//	Campaign ──> File ────────────┴─────────────────┘
//	    v
//	  Region ──> MulticastGroup
//
// An arrow is a reference by identifier: a DevEUI for devices and multicast
// groups, an opaque ID for everything else. A DeviceSet is a list of devices or a filter of
// them. Every object belongs to one Subscriber, which has quotas and defaults for its own.
// Whether a reference leads anywhere is not known here; that is a rule of the server's
// use cases.
//
// Every object has Validate, which reports all that is wrong with it at once, as
// FieldErrors whose field names are those of the JSON form. JSON is snake_case,
// durations carry their unit in the name ("_s": seconds), and key material has no
// JSON form at all: it neither leaves nor enters through encoding/json.
//
// The package decides nothing about radio and does no I/O. Of time it knows when the windows
// and quiet hours of a campaign open and close (Calendar); time zones come from package time.
//
// Source: the object tables of the reference server, extended where a device's
// stack has to be known (Packages, Ports, Decoder, StatusStyle, ...).
package fleet
