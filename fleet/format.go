package fleet

import (
	"bytes"
	"fmt"
)

// ImageFormat is what the bytes of a file look like.
type ImageFormat uint8

// Formats. Devices run plain binaries and what their bootloader takes; the others are what a
// build leaves beside one, and uploading them instead is a common mistake.
const (
	UnknownImage  ImageFormat = iota // nobody has looked: there are no bytes yet
	BinaryImage                      // whatever is not certain to be one of the others
	ELFImage                         // what a linker writes, with symbols and section headers
	IntelHexImage                    // text for programmers: about 2.8 characters per byte
	SRecordImage                     // the same of Motorola
	UF2Image                         // blocks of 512 bytes for USB mass storage, commonly with 256 bytes of data each
	MCUbootImage                     // with the header of MCUboot, which boots it as it is
	ZipImage                         // an archive, such as an update package for a phone
)

var imageFormatNames = []string{"", "bin", "elf", "hex", "srec", "uf2", "mcuboot", "zip"}

// ParseImageFormat reads "bin", "elf", "hex", "srec", "uf2", "mcuboot", "zip" or "".
func ParseImageFormat(s string) (ImageFormat, error) {
	return parseEnum[ImageFormat]("image format", imageFormatNames, s)
}

// String returns what ParseImageFormat reads.
func (f ImageFormat) String() string { return enumText(imageFormatNames, f) }

// MarshalText returns what ParseImageFormat reads, or ErrText.
func (f ImageFormat) MarshalText() ([]byte, error) {
	return marshalEnum("image format", imageFormatNames, f)
}

// UnmarshalText reads what ParseImageFormat reads.
func (f *ImageFormat) UnmarshalText(b []byte) (err error) {
	*f, err = ParseImageFormat(string(b))
	return err
}

// About returns the format for a sentence, such as "an ELF file".
func (f ImageFormat) About() string {
	switch f {
	case ELFImage:
		return "an ELF file"
	case IntelHexImage:
		return "an Intel HEX file"
	case SRecordImage:
		return "a Motorola S-record file"
	case UF2Image:
		return "a UF2 file"
	case MCUbootImage:
		return "an MCUboot image"
	case ZipImage:
		return "a ZIP archive"
	}
	return "a binary image"
}

// Installable reports whether a device could run the bytes as they are. The forms of linkers
// and programmers have to be made into a binary first.
func (f ImageFormat) Installable() bool {
	return f != ELFImage && f != IntelHexImage && f != SRecordImage && f != UF2Image
}

// FormatPrefix is how many bytes of a file DetectFormat looks at, at most.
const FormatPrefix = 600

// DetectFormat looks at the first FormatPrefix bytes of b. Whatever is not certain is a binary image.
func DetectFormat(b []byte) ImageFormat {
	b = b[:min(len(b), FormatPrefix)]
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	switch {
	case bytes.HasPrefix(b, []byte("\x7fELF")):
		return ELFImage
	case bytes.HasPrefix(b, []byte("UF2\n\x57\x51\x5d\x9e")): // its two magic numbers, little endian
		return UF2Image
	case bytes.HasPrefix(b, []byte("\x3d\xb8\xf3\x96")): // 0x96f3b83d, little endian
		return MCUbootImage
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return ZipImage
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

// Warning is something about an object that is allowed and probably a mistake.
type Warning struct {
	Code string `json:"code"` // stable, such as "file.not_installable"
	What string `json:"what"`
	Why  string `json:"why"`
	Hint string `json:"hint"` // what to do
}

// Warning codes.
const (
	WarnNotInstallable = "file.not_installable" // a FOTA campaign with it is refused
	WarnArchive        = "file.archive"
)

// Warnings returns what is probably wrong with the content of f; none for a file without one.
func (f File) Warnings() []Warning {
	switch {
	case !f.Format.Installable():
		w := Warning{WarnNotInstallable, fmt.Sprintf("the content is %s", f.Format.About()),
			"devices run the bytes as they arrive, and this is a form for programmers and debuggers that wraps them",
			"make a binary of it, such as with: objcopy -O binary image.elf image.bin (-I ihex or -I srec for HEX and S-records), and upload that as a new file"}
		if f.Type != BinaryFile {
			w.What += ", and a FOTA campaign with it does not start"
		}
		return []Warning{w}
	case f.Format == ZipImage && f.Type != BinaryFile:
		return []Warning{{WarnArchive, "the content is a ZIP archive", "few bootloaders unpack one; update packages for phones and gateways often are such archives around the image",
			"upload the image that is inside, unless the device is known to take the archive"}}
	}
	return nil
}
