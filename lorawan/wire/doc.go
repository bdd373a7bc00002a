// Package wire is what the codecs of the application-layer packages (TS003 to TS007) have
// in common: how a payload is cut into commands, and the small steps from a field to its
// bits and back.
//
//	payload   | CID body | CID body | CID body |
//	            \_ Codec.NextDownlink, NextUplink: one command, and what follows it
//	            \____ Codec.ParseDownlink, ParseUplink: all of them _____/
//
// A command has no length of its own: only who knows it knows where the next one begins.
// So a Codec asks its package for each command in turn, and the list ends at the first
// one that cannot be read. CID 0x00 is the same in every package and version, and Codec
// reads it itself.
//
// The package knows no command but those two, and writes none: commands append
// themselves. It serves those who write a codec; who only speaks a package needs that
// package alone.
package wire
