package delta_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/envelope"
)

// forms are what is wrong with an envelope that nobody has signed.
var forms = []error{
	envelope.ErrMagic, envelope.ErrShort, envelope.ErrSize, envelope.ErrUnknown, envelope.ErrRange, envelope.ErrSignature,
	envelope.ErrCodec, envelope.ErrTooLarge,
}

// contents are what is wrong with a patch.
var contents = []error{delta.ErrApply, delta.ErrFormat, delta.ErrTooLarge}

// refused fails the test unless err is one of those allowed and says more than that, and no image came with it.
func refused(t *testing.T, what string, made []byte, err error, allowed ...error) {
	t.Helper()
	if made != nil {
		t.Errorf("%s: refused with %d bytes of an image", what, len(made))
	}
	for _, want := range allowed {
		if errors.Is(err, want) {
			// Of a signature there is no more to say.
			if reason, _ := strings.CutSuffix(err.Error(), want.Error()); len(reason) < 4 && !errors.Is(want, envelope.ErrSignature) {
				t.Errorf("%s: %q says not what is wrong with it", what, err)
			}
			return
		}
	}
	t.Errorf("%s: %v, want one of %v", what, err, allowed)
}

// sealed is a signed patch of a format, with all that a device knows.
type sealed struct {
	format      delta.Format
	old, target []byte
	patch       delta.Patch
	id          delta.Identity
	bytes       []byte
	device      envelope.Device
}

func seal(t *testing.T, format delta.Format) sealed {
	t.Helper()
	s := sealed{format: format}
	s.old, s.target = release(16, 400)
	var err error
	if s.patch, err = delta.Create(s.old, s.target, delta.Options{Format: format, Segment: 256}); err != nil {
		t.Fatal(err)
	}
	s.id = delta.Identity{BaseVersion: 0x01, TargetVersion: 0x0101, Profile: envelope.ProfileOf("acme", "meter", 1)}
	s.bytes = s.sign(t, s.patch.Bytes)
	s.device = envelope.Device{
		Codecs: []envelope.Codec{s.patch.Codec}, MaxPayload: uint32(len(s.patch.Bytes)), MaxTarget: uint32(len(s.target)), MaxWindowLog: 11,
		Profile: s.id.Profile, Version: s.id.BaseVersion, OnlyNewer: true,
	}
	return s
}

// sign puts other bytes in place of the patch.
func (s sealed) sign(t *testing.T, payload []byte) []byte {
	t.Helper()
	p := s.patch
	p.Bytes = payload
	b, err := delta.Sign(p, s.old, s.target, s.id, testKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s sealed) open(t *testing.T, b []byte, d envelope.Device) ([]byte, error) {
	t.Helper()
	base := bytes.Clone(s.old)
	made, _, err := delta.Open(b, &testKey(t, 1).PublicKey, d, s.old, delta.Limits{})
	if !bytes.Equal(s.old, base) {
		t.Fatalf("%s: the old image was changed", s.format)
	}
	return made, err
}

func TestSignedPatchesAreOpenedOrRefusedWithAReason(t *testing.T) {
	for _, format := range delta.Formats() {
		s := seal(t, format)
		if made, err := s.open(t, s.bytes, s.device); err != nil || !bytes.Equal(made, s.target) {
			t.Fatalf("%s: %d bytes, %v", format, len(made), err)
		}
		for n := range s.bytes {
			made, err := s.open(t, s.bytes[:n], s.device)
			refused(t, fmt.Sprintf("%s, %d of %d bytes", format, n, len(s.bytes)), made, err, forms...)
			for bit := range 8 {
				flipped := bytes.Clone(s.bytes)
				flipped[n] ^= 1 << bit
				made, err := s.open(t, flipped, s.device)
				refused(t, fmt.Sprintf("%s, bit %d of byte %d flipped", format, bit, n), made, err, forms...)
			}
		}
		made, err := s.open(t, append(bytes.Clone(s.bytes), 0), s.device)
		refused(t, fmt.Sprintf("%s, with a byte too much", format), made, err, envelope.ErrSize)
	}
}

// What the owner of the key has signed by mistake is refused as well, or makes what the header says.
func TestDamageBeforeSigningNeverMakesAnotherImage(t *testing.T) {
	for _, format := range delta.Formats() {
		s := seal(t, format)
		wrong := append([]error{envelope.ErrTarget}, contents...)
		device := envelope.Device{Profile: s.id.Profile, Version: s.id.BaseVersion, OnlyNewer: true}
		for n := range s.patch.Bytes {
			if n > 0 { // an envelope around nothing cannot be made
				made, err := s.open(t, s.sign(t, s.patch.Bytes[:n]), device)
				refused(t, fmt.Sprintf("%s, %d of %d bytes", format, n, len(s.patch.Bytes)), made, err, wrong...)
			}
			for bit := range 8 {
				flipped := bytes.Clone(s.patch.Bytes)
				flipped[n] ^= 1 << bit
				made, err := s.open(t, s.sign(t, flipped), device)
				if err == nil && bytes.Equal(made, s.target) {
					continue // not all bits matter: the last one is padding, say
				}
				refused(t, fmt.Sprintf("%s, bit %d of byte %d flipped", format, bit, n), made, err, wrong...)
			}
		}
	}
}

func TestPatchesThatAreNotForADeviceAreRefusedByName(t *testing.T) {
	for _, format := range delta.Formats() {
		s := seal(t, format)
		with := func(change func(*envelope.Device)) envelope.Device {
			d := s.device
			change(&d)
			return d
		}
		otherBase := bytes.Clone(s.old)
		otherBase[7] ^= 1
		for name, c := range map[string]struct {
			key    byte
			old    []byte
			device envelope.Device
			limits delta.Limits
			want   error
			says   string
		}{
			"wrong key":         {2, s.old, s.device, delta.Limits{}, envelope.ErrSignature, "this key"},
			"wrong base":        {1, otherBase, s.device, delta.Limits{}, envelope.ErrBase, "base with digest"},
			"base cut off":      {1, s.old[1:], s.device, delta.Limits{}, envelope.ErrBase, "base of"},
			"no base":           {1, nil, s.device, delta.Limits{}, envelope.ErrBase, "base of 0 bytes"},
			"already applied":   {1, s.target, with(func(d *envelope.Device) { d.Version = s.id.TargetVersion }), delta.Limits{}, envelope.ErrReplay, "1.1.0.0"},
			"older":             {1, s.old, with(func(d *envelope.Device) { d.Version = 0x02 }), delta.Limits{}, envelope.ErrReplay, "2.0.0.0"},
			"other version":     {1, s.old, with(func(d *envelope.Device) { d.Version = 0x0900 }), delta.Limits{}, envelope.ErrBase, "0.9.0.0"},
			"other hardware":    {1, s.old, with(func(d *envelope.Device) { d.Profile = envelope.ProfileOf("acme", "meter", 2) }), delta.Limits{}, envelope.ErrProfile, "profile"},
			"no such decoder":   {1, s.old, with(func(d *envelope.Device) { d.Codecs = []envelope.Codec{envelope.Full} }), delta.Limits{}, envelope.ErrCodec, string(format)},
			"patch too large":   {1, s.old, with(func(d *envelope.Device) { d.MaxPayload-- }), delta.Limits{}, envelope.ErrTooLarge, "payload of"},
			"image too large":   {1, s.old, with(func(d *envelope.Device) { d.MaxTarget-- }), delta.Limits{}, envelope.ErrTooLarge, "target of"},
			"beyond the limits": {1, s.old, s.device, delta.Limits{Image: len(s.target) - 1}, delta.ErrTooLarge, "image of"},
		} {
			made, _, err := delta.Open(s.bytes, &testKey(t, c.key).PublicKey, c.device, c.old, c.limits)
			refused(t, fmt.Sprintf("%s, %s", format, name), made, err, c.want)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %s: %q does not say %q", format, name, err, c.says)
			}
		}
		if s.patch.RAM > 0 {
			made, _, err := delta.Open(s.bytes, &testKey(t, 1).PublicKey, envelope.Device{}, s.old, delta.Limits{Window: 1})
			refused(t, fmt.Sprintf("%s, window beyond the limits", format), made, err, delta.ErrTooLarge)
		}
	}
}

func TestBarePatchesThatAreDamagedAreRefusedOrMakeAnImageOfTheirSize(t *testing.T) {
	for _, format := range delta.Formats() {
		s := seal(t, format)
		for n := range s.patch.Bytes {
			made, _, err := delta.Apply(s.old, s.patch.Bytes[:n], delta.Limits{})
			refused(t, fmt.Sprintf("%s, %d of %d bytes", format, n, len(s.patch.Bytes)), made, err, contents...)
			for bit := range 8 {
				flipped := bytes.Clone(s.patch.Bytes)
				flipped[n] ^= 1 << bit
				made, info, err := delta.Apply(s.old, flipped, delta.Limits{Image: 4096})
				if err == nil && len(made) == info.To {
					continue // nothing in it says which image it makes: that is what envelopes are for
				}
				refused(t, fmt.Sprintf("%s, bit %d of byte %d flipped", format, bit, n), made, err, contents...)
			}
		}
	}
}
