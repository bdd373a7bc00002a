package fleet

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// DescriptorTemplate says what a kind of device expects in FragSessionSetupReq.Descriptor, of which
// TS004 only says that its use is free. It is comparable with ==; the zero value is "version-le".
//
//	"version-le"  Version of the file, little endian: X of X.Y.Z.P comes first on the wire
//	"version-be"  Version of the file, big endian: P of X.Y.Z.P comes first
//	"size-le"     bytes of the content, little endian
//	"01020304"    these four bytes, in the order of the wire
//
// A file with a Descriptor of its own overrides it.
type DescriptorTemplate struct {
	kind  descriptorKind
	fixed [4]byte // of fixedDescriptor, else zero
}

type descriptorKind uint8

const (
	versionLE descriptorKind = iota
	versionBE
	sizeLE
	fixedDescriptor
)

var descriptorNames = []string{"version-le", "version-be", "size-le"}

// ParseDescriptorTemplate reads "version-le", "version-be", "size-le", 8 hexadecimal digits,
// or "" for "version-le". It returns ErrText for anything else.
func ParseDescriptorTemplate(s string) (DescriptorTemplate, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return DescriptorTemplate{}, nil
	}
	for i, name := range descriptorNames {
		if strings.EqualFold(s, name) {
			return DescriptorTemplate{kind: descriptorKind(i)}, nil
		}
	}
	if b, err := hex.DecodeString(s); err == nil && len(b) == 4 {
		return DescriptorTemplate{fixedDescriptor, [4]byte(b)}, nil
	}
	return DescriptorTemplate{}, fmt.Errorf("descriptor template %q: %w (use one of %s, or 8 hexadecimal digits)", s, ErrText, quoted(descriptorNames))
}

// IsZero reports whether t is "version-le", which is what holds when nothing is said.
func (t DescriptorTemplate) IsZero() bool { return t == DescriptorTemplate{} }

// String returns what ParseDescriptorTemplate reads.
func (t DescriptorTemplate) String() string {
	if t.kind == fixedDescriptor {
		return hex.EncodeToString(t.fixed[:])
	}
	return descriptorNames[t.kind]
}

// MarshalText returns what String returns. It never fails.
func (t DescriptorTemplate) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what ParseDescriptorTemplate reads.
func (t *DescriptorTemplate) UnmarshalText(b []byte) (err error) {
	*t, err = ParseDescriptorTemplate(string(b))
	return err
}

// WireDescriptor returns the four bytes of FragSessionSetupReq.Descriptor, in the order of the
// wire, when f is sent to devices of profile p: the file's own, else what the template makes of it.
func (p DeviceProfile) WireDescriptor(f File) [4]byte {
	if f.Descriptor != [4]byte{} {
		return f.Descriptor
	}
	v := f.Version.Uint32()
	switch p.Descriptor.kind {
	case versionBE:
		return [4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
	case sizeLE:
		v = uint32(f.Size) // a block of TS004 is at most 4 MB
	case fixedDescriptor:
		return p.Descriptor.fixed
	}
	return [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
}
