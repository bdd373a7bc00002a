package fleet

import "bytes"

// ImageFormat is what the bytes of a file look like.
type ImageFormat uint8

// Formats. Devices run plain binaries; the others are what a build leaves beside one,
// and uploading them instead is a common mistake.
const (
	BinaryImage ImageFormat = iota
	ELFImage
	IntelHexImage
	SRecordImage
)

// String returns a name for messages, such as "an ELF file".
func (f ImageFormat) String() string {
	switch f {
	case ELFImage:
		return "an ELF file"
	case IntelHexImage:
		return "an Intel HEX file"
	case SRecordImage:
		return "a Motorola S-record file"
	}
	return "a binary image"
}

// DetectFormat looks at the first line of b. Whatever is not certain is a binary image.
func DetectFormat(b []byte) ImageFormat {
	line, _, _ := bytes.Cut(b[:min(len(b), 600)], []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	switch {
	case bytes.HasPrefix(b, []byte("\x7fELF")):
		return ELFImage
	case len(line) >= 11 && line[0] == ':' && isHex(line[1:]):
		return IntelHexImage
	case len(line) >= 10 && line[0] == 'S' && line[1] >= '0' && line[1] <= '9' && isHex(line[2:]):
		return SRecordImage
	}
	return BinaryImage
}

func isHex(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'A' || c > 'F') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(b)%2 == 0
}
