package fleet

import (
	"encoding/hex"
	"encoding/json"
	"time"
)

// FileType says what a file is to a device.
type FileType uint8

// File types. The zero value is a binary: delivered, never installed.
const (
	BinaryFile   FileType = iota
	FirmwareFile          // a full image
	DeltaFile             // a patch from BaseVersion to Version
)

var fileTypeNames = []string{"binary", "firmware", "delta"}

// ParseFileType reads "binary", "firmware" or "delta".
func ParseFileType(s string) (FileType, error) {
	return parseEnum[FileType]("file type", fileTypeNames, s)
}

// String returns the name of the type.
func (t FileType) String() string { return enumText(fileTypeNames, t) }

// MarshalText returns the name of the type, or ErrText.
func (t FileType) MarshalText() ([]byte, error) { return marshalEnum("file type", fileTypeNames, t) }

// UnmarshalText reads what ParseFileType reads.
func (t *FileType) UnmarshalText(b []byte) (err error) {
	*t, err = ParseFileType(string(b))
	return err
}

// File is something to send to devices. Its bytes are stored apart, under their
// SHA-256; they never change, a new content is a new file. A firmware file may have
// no bytes at all (Size 0, SHA256 ""): the server can then still check which version a device runs.
type File struct {
	ID                  string        `json:"id"`
	SubscriberID        string        `json:"subscriber_id,omitempty"`
	Name                string        `json:"name"`
	Description         string        `json:"description,omitempty"`
	UploadedAt          time.Time     `json:"uploaded_at,omitzero"`
	Size                int64         `json:"size"`             // bytes, before any encoding
	SHA256              string        `json:"sha256,omitempty"` // 64 lower-case hexadecimal digits
	Format              ImageFormat   `json:"format,omitempty"` // what the bytes look like; set by the server that gets them
	Type                FileType      `json:"type"`
	BaseVersion         Firmware      `json:"base_version,omitzero"` // delta only: what the device must run
	Version             Firmware      `json:"version,omitzero"`      // firmware and delta: what the device runs afterwards
	ProfileID           string        `json:"profile_id,omitempty"`  // DeviceProfile that it is for; required unless binary
	TimeTolerance       time.Duration `json:"-"`                     // "time_tolerance_s"; 0: the profile's
	DefaultUplinkPeriod time.Duration `json:"-"`                     // "default_uplink_period_s"; 0: the profile's
	Library             Library       `json:"library,omitempty"`
	SmartDeltaKeyID     string        `json:"smart_delta_key_id,omitempty"`
	Descriptor          [4]byte       `json:"-"` // "descriptor": 8 hexadecimal digits; zero: as the profile's template says
	Archived            bool          `json:"archived"`
	CreatedAt           time.Time     `json:"created_at,omitzero"`
	UpdatedAt           time.Time     `json:"updated_at,omitzero"`
	Revision            int64         `json:"revision"`
}

// WireDescriptor returns the four bytes of FragSessionSetupReq.Descriptor (TS004) in the order of
// the wire for devices whose profile says nothing: Descriptor when set, else Version in little
// endian, so that X of X.Y.Z.P comes first. DeviceProfile.WireDescriptor knows the others.
func (f File) WireDescriptor() [4]byte { return DeviceProfile{}.WireDescriptor(f) }

// HasContent reports whether the file has bytes to send.
func (f File) HasContent() bool { return f.SHA256 != "" }

// Validate reports everything that is wrong with f, as joined FieldErrors.
func (f File) Validate() error {
	var c checks
	c.name("name", f.Name, true)
	c.text("description", f.Description, MaxDescription)
	c.that(int(f.Type) < len(fileTypeNames), "type", "is unknown", "use one of "+quoted(fileTypeNames))
	c.timing(f.TimeTolerance, f.DefaultUplinkPeriod)
	c.that(int(f.Library) < len(libraryNames), "library", "is unknown", "use one of "+quoted(libraryNames))
	c.that(f.Size >= 0, "size", "is negative", "")
	c.that(f.SHA256 == "" || isSHA256(f.SHA256), "sha256", "is not 64 lower-case hexadecimal digits", "")
	c.that((f.Size > 0) == f.HasContent(), "size", "does not fit the content", "an empty file cannot be sent")
	c.that(int(f.Format) < len(imageFormatNames), "format", "is unknown", "the server finds it out")
	if f.Type != BinaryFile {
		c.that(f.ProfileID != "", "profile_id", "is missing", "firmware is for one device profile: name it")
		c.that(!f.Version.IsZero(), "version", "is missing", "give the version that devices report after the update")
	}
	if f.Type == DeltaFile {
		c.that(!f.BaseVersion.IsZero(), "base_version", "is missing", "give the version that the patch starts from")
		c.that(f.BaseVersion.IsZero() || f.BaseVersion.Uint32() != f.Version.Uint32(), "base_version", "is the same as version", "a delta leads to another version")
	} else {
		c.that(f.BaseVersion.IsZero(), "base_version", "is set", "only a delta has a base version")
	}
	return c.err()
}

func isSHA256(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && hex.EncodeToString(b) == s
}

// Settings are the values that can stand on the profile and on the file.
type Settings struct {
	TimeTolerance       time.Duration
	DefaultUplinkPeriod time.Duration
	Library             Library
	SmartDeltaKeyID     string
}

// With returns the settings that hold when f is sent to devices of profile p: the
// file's value wins, then the profile's, then the default.
func (p DeviceProfile) With(f File) Settings {
	return Settings{
		TimeTolerance:       first(f.TimeTolerance, p.TimeTolerance, DefaultTimeTolerance),
		DefaultUplinkPeriod: first(f.DefaultUplinkPeriod, p.DefaultUplinkPeriod, DefaultUplinkPeriod),
		Library:             first(f.Library, p.Library, OtherLibrary),
		SmartDeltaKeyID:     first(f.SmartDeltaKeyID, p.SmartDeltaKeyID),
	}
}

// first returns the first value that is not zero.
func first[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

// fileJSON is File without its methods, for the JSON form.
type fileJSON File

type fileDoc struct {
	fileJSON
	TimeTolerance       seconds  `json:"time_tolerance_s"`
	DefaultUplinkPeriod seconds  `json:"default_uplink_period_s"`
	Descriptor          hexBytes `json:"descriptor,omitzero"`
}

// hexBytes is the JSON form of a Descriptor, in the order of the wire.
type hexBytes [4]byte

func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

func (h *hexBytes) UnmarshalText(b []byte) error {
	d, err := ParseDescriptor(string(b))
	*h = hexBytes(d)
	return err
}

// ParseDescriptor reads 8 hexadecimal digits, in the order of the wire; "" is zero.
func ParseDescriptor(s string) (d [4]byte, err error) {
	if s == "" {
		return d, nil
	}
	if b, err := hex.DecodeString(s); err == nil && len(b) == 4 {
		return [4]byte(b), nil
	}
	return d, &FieldError{"descriptor", "is not 8 hexadecimal digits", "give the 4 bytes in the order of the wire"}
}

// MarshalJSON writes the durations in seconds and the descriptor in hexadecimal.
func (f File) MarshalJSON() ([]byte, error) {
	return json.Marshal(fileDoc{fileJSON(f), seconds(f.TimeTolerance), seconds(f.DefaultUplinkPeriod), hexBytes(f.Descriptor)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *File) UnmarshalJSON(b []byte) error {
	doc := fileDoc{fileJSON(*f), seconds(f.TimeTolerance), seconds(f.DefaultUplinkPeriod), hexBytes(f.Descriptor)}
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	*f = File(doc.fileJSON)
	f.TimeTolerance, f.DefaultUplinkPeriod = time.Duration(doc.TimeTolerance), time.Duration(doc.DefaultUplinkPeriod)
	f.Descriptor = doc.Descriptor
	return nil
}

// SmartDeltaKey signs delta files. The private key is not part of this object: the
// server keeps it sealed and only the public half is ever shown.
type SmartDeltaKey struct {
	ID           string    `json:"id"`
	SubscriberID string    `json:"subscriber_id,omitempty"`
	Name         string    `json:"name"`
	Description  string    `json:"description,omitempty"`
	PublicKey    []byte    `json:"public_key,omitempty"` // P-256, uncompressed point X, Y: 64 bytes
	PrivateKey   []byte    `json:"-"`                    // PKCS#8, DER
	Archived     bool      `json:"archived"`
	CreatedAt    time.Time `json:"created_at,omitzero"`
	UpdatedAt    time.Time `json:"updated_at,omitzero"`
	Revision     int64     `json:"revision"`
}

// Validate reports everything that is wrong with k, as joined FieldErrors. That the
// private key is a P-256 key is checked where it is read.
func (k SmartDeltaKey) Validate() error {
	var c checks
	c.name("name", k.Name, true)
	c.text("description", k.Description, MaxDescription)
	c.that(len(k.PublicKey) == 64, "public_key", "is not 64 bytes", "it is derived from the private key")
	return c.err()
}
