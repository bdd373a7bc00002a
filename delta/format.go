package delta

import (
	"fmt"
	"strings"

	"github.com/starling-fuota/starling/delta/envelope"
)

// Format is a kind of patch, by the name that the command line and the API use.
type Format string

// The formats. Auto is for Options: the smallest of those allowed.
const (
	Auto                Format = "auto"
	HPatchLite          Format = "hpatchlite"           // HPatchLite version 1, for devices with two slots
	HPatchLiteInPlace   Format = "hpatchlite-inplace"   // HPatchLite version 2: the new image overwrites the old one
	HPatchLiteRelocated Format = "hpatchlite-relocated" // a map, then HPatchLite version 1 over the relocated view
	Detools             Format = "detools"              // detools, sequential
	DetoolsInPlace      Format = "detools-inplace"      // detools, in-place: steps that survive a loss of power
)

// codecs are the formats in the order of Formats, with what envelopes call them.
var codecs = []struct {
	format Format
	codec  envelope.Codec
}{
	{HPatchLite, envelope.HPatchLite},
	{HPatchLiteInPlace, envelope.HPatchLiteInPlace},
	{HPatchLiteRelocated, envelope.HPatchLiteRelocated},
	{Detools, envelope.Detools},
	{DetoolsInPlace, envelope.DetoolsInPlace},
}

// Formats returns the formats that a patch can have; Auto is not among them. The order is
// that of preference when patches are equally long.
func Formats() []Format {
	formats := make([]Format, len(codecs))
	for i, c := range codecs {
		formats[i] = c.format
	}
	return formats
}

// ParseFormat returns the format of that name, Auto included, or ErrFormat.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); f == Auto || f.Codec() != envelope.Full {
		return f, nil
	}
	names := []string{string(Auto)}
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return "", fmt.Errorf("format %q, want one of %s: %w", name, strings.Join(names, ", "), ErrFormat)
}

// Codec returns what an envelope calls the format; envelope.Full, which is no patch, for
// Auto and for what is none of Formats.
func (f Format) Codec() envelope.Codec {
	for _, c := range codecs {
		if c.format == f {
			return c.codec
		}
	}
	return envelope.Full
}

// Compressors by the names that Patch and Info use.
const (
	None       = "none"
	Tinyuz     = "tinyuz"     // of HPatchLite
	CRLE       = "crle"       // of detools
	Heatshrink = "heatshrink" // of detools
)
