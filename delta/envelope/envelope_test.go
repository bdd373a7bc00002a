package envelope_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/delta/envelope"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rfcKey is the P-256 key of RFC 6979, A.2.5.
func rfcKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), unhex(t, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func otherKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var (
	base    = []byte("the image that devices run")
	target  = []byte("the image that they shall run")
	payload = []byte("a patch from the one to the other")
	profile = envelope.ProfileOf("acme", "m1", 2)
)

const (
	v1   envelope.Version = 0x00000001 // 1.0.0.0
	v1_1 envelope.Version = 0x00000101 // 1.1.0.0
	v2   envelope.Version = 0x00000002 // 2.0.0.0
)

func header() envelope.Header {
	return envelope.Header{
		Codec: envelope.HPatchLite, WindowLog: 11,
		BaseSize: uint32(len(base)), TargetSize: uint32(len(target)),
		Base: envelope.DigestOf(base), Target: envelope.DigestOf(target),
		BaseVersion: v1, TargetVersion: v1_1, Profile: profile,
	}
}

func sign(t testing.TB, payload []byte, h envelope.Header) []byte {
	t.Helper()
	b, err := envelope.Sign(payload, h, rfcKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSignaturesAreThoseOfRFC6979(t *testing.T) {
	for message, want := range map[string]string{
		"sample": "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" + "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
		"test":   "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367" + "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
	} {
		b, err := envelope.SignBare([]byte(message), rfcKey(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b[len(message):]); got != want {
			t.Errorf("%s: signature\n%s, want\n%s", message, got, want)
		}
		patch, err := envelope.VerifyBare(b, &rfcKey(t).PublicKey)
		if err != nil || string(patch) != message {
			t.Errorf("%s: %q, %v", message, patch, err)
		}
	}
	pub, err := envelope.PublicKey(&rfcKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	const want = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" + "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
	if got := hex.EncodeToString(pub[:]); got != want {
		t.Errorf("public key\n%s, want\n%s", got, want)
	}
}

func TestAnEnvelopeIsLaidOutAsDocumented(t *testing.T) {
	h := header()
	b := sign(t, payload, h)
	le := binary.LittleEndian
	if string(b[:4]) != "FDP1" || b[4] != 17 || b[5] != 1 || b[6] != 0 || b[7] != 11 {
		t.Errorf("first words % x", b[:8])
	}
	for at, want := range map[int]int{8: len(base), 12: len(target), 16: len(payload), 52: int(v1), 56: int(v1_1)} {
		if got := le.Uint32(b[at:]); got != uint32(want) {
			t.Errorf("at %d: %d, want %d", at, got, want)
		}
	}
	for at, want := range map[int][]byte{20: h.Base[:], 36: h.Target[:], 60: profile[:], 68: payload, 68 + len(payload): {1}} {
		if got := b[at : at+len(want)]; !bytes.Equal(got, want) {
			t.Errorf("at %d: %x, want %x", at, got, want)
		}
	}
	if got, want := len(b), len(payload)+133; got != want || h.Overhead() != 133 {
		t.Errorf("%d bytes, want %d; overhead %d", got, want, h.Overhead())
	}
	if !bytes.Equal(b, sign(t, payload, h)) {
		t.Error("signed twice, two results")
	}
}

func TestAHeaderIsNoLongerThanWhatItSays(t *testing.T) {
	for want, change := range map[int]func(*envelope.Header){
		117: func(h *envelope.Header) {
			h.BaseVersion, h.TargetVersion, h.Profile = 0, 0, envelope.Profile{}
		},
		125: func(h *envelope.Header) { h.BaseVersion, h.Profile = 0, envelope.Profile{} },
		133: func(h *envelope.Header) { h.BaseVersion, h.TargetVersion = 0, 0 },
	} {
		h := header()
		change(&h)
		b := sign(t, payload, h)
		if len(b) != want+len(payload) {
			t.Errorf("%d bytes around the payload, want %d", len(b)-len(payload), want)
		}
		got, patch, err := envelope.Verify(b, &rfcKey(t).PublicKey)
		h.PayloadSize = uint32(len(payload))
		if err != nil || got != h || !bytes.Equal(patch, payload) {
			t.Errorf("%+v, %q, %v; want %+v", got, patch, err, h)
		}
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	b := sign(t, payload, header())
	bare, err := envelope.SignBare(payload, rfcKey(t))
	if err != nil {
		t.Fatal(err)
	}
	pub := &rfcKey(t).PublicKey
	for i := range 8 * len(b) {
		b[i/8] ^= 1 << (i % 8)
		if _, p, err := envelope.Verify(b, pub); err == nil || p != nil {
			t.Errorf("bit %d of byte %d: accepted", i%8, i/8)
		}
		b[i/8] ^= 1 << (i % 8)
	}
	for i := range 8 * len(bare) {
		bare[i/8] ^= 1 << (i % 8)
		if _, err := envelope.VerifyBare(bare, pub); !errors.Is(err, envelope.ErrSignature) {
			t.Errorf("bare, bit %d of byte %d: %v", i%8, i/8, err)
		}
		bare[i/8] ^= 1 << (i % 8)
	}
	if _, _, err := envelope.Verify(b, pub); err != nil {
		t.Error(err)
	}
}

func TestEveryCutAndEveryExtensionIsRefused(t *testing.T) {
	b := sign(t, payload, header())
	for n := range b {
		_, err := envelope.Parse(b[:n])
		if want := envelope.ErrShort; n >= 4 && !errors.Is(err, want) || n < 4 && !errors.Is(err, envelope.ErrMagic) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := envelope.Parse(append(slices.Clone(b), 0)); !errors.Is(err, envelope.ErrSize) {
		t.Errorf("one byte more: %v", err)
	}
	for n := range envelope.SignatureSize {
		if _, err := envelope.VerifyBare(b[:n], &rfcKey(t).PublicKey); !errors.Is(err, envelope.ErrShort) {
			t.Errorf("bare, %d bytes: %v", n, err)
		}
	}
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    int
		value byte
		want  error
	}{
		{"magic", 3, '2', envelope.ErrMagic},
		{"shorter header", 4, 12, envelope.ErrUnknown},
		{"half of the versions", 4, 14, envelope.ErrUnknown},
		{"half of the profile", 4, 16, envelope.ErrUnknown},
		{"a longer header, which may be a condition", 4, 18, envelope.ErrUnknown},
		{"codec", 5, 5, envelope.ErrUnknown},
		{"a relocated full image", 5, 0x80, envelope.ErrUnknown},
		{"detools in-place over a view", 5, 0x84, envelope.ErrUnknown},
		{"flag", 6, 2, envelope.ErrUnknown},
		{"window", 7, 31, envelope.ErrRange},
		{"a full image with a base", 5, 0, envelope.ErrRange},
		{"signature algorithm", 68 + len(payload), 2, envelope.ErrUnknown},
	} {
		b := sign(t, payload, header())
		b[c.at] = c.value
		if _, err := envelope.Parse(b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	long := sign(t, payload, header())
	copy(long[60:68], make([]byte, 8))
	if _, err := envelope.Parse(long); !errors.Is(err, envelope.ErrRange) {
		t.Errorf("an empty profile that is there: %v", err)
	}
	for _, c := range []struct {
		name string
		h    envelope.Header
		want error
	}{
		{"codec", envelope.Header{Codec: 7}, envelope.ErrUnknown},
		{"window", envelope.Header{Codec: envelope.Detools, WindowLog: 31}, envelope.ErrRange},
		{"a full image of another size", envelope.Header{TargetSize: 3}, envelope.ErrSize},
		{"a full image with a base", envelope.Header{TargetSize: uint32(len(payload)), BaseSize: 1}, envelope.ErrRange},
	} {
		if b, err := envelope.Sign(payload, c.h, rfcKey(t)); !errors.Is(err, c.want) || b != nil {
			t.Errorf("signing %s: %v, want %v", c.name, err, c.want)
		}
	}
}

// meter is a device that may take the patch of header.
func meter() envelope.Device {
	return envelope.Device{
		Codecs: []envelope.Codec{envelope.Full, envelope.HPatchLite}, MaxPayload: 64, MaxTarget: 64, MaxWindowLog: 11,
		Profile: profile, Version: v1, OnlyNewer: true,
	}
}

func TestADeviceRefusesWhatIsNotForIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		want   error
		header func(*envelope.Header)
		device func(*envelope.Device)
		base   []byte
		key    func(testing.TB) *ecdsa.PrivateKey
	}{
		{name: "the right one"},
		{name: "another key", want: envelope.ErrSignature, key: otherKey},
		{name: "no such decoder", want: envelope.ErrCodec, header: func(h *envelope.Header) { h.Codec = envelope.Detools }},
		{name: "a patch beyond its store", want: envelope.ErrTooLarge, device: func(d *envelope.Device) { d.MaxPayload = 8 }},
		{name: "an image beyond its slot", want: envelope.ErrTooLarge, device: func(d *envelope.Device) { d.MaxTarget = 8 }},
		{name: "a window beyond its RAM", want: envelope.ErrTooLarge, device: func(d *envelope.Device) { d.MaxWindowLog = 10 }},
		{name: "oversized comes before the signature", want: envelope.ErrTooLarge, key: otherKey, device: func(d *envelope.Device) { d.MaxTarget = 8 }},
		{name: "other hardware", want: envelope.ErrProfile, header: func(h *envelope.Header) { h.Profile = envelope.ProfileOf("acme", "m1", 3) }},
		{name: "hardware not said", want: envelope.ErrProfile, header: func(h *envelope.Header) { h.Profile = envelope.Profile{} }},
		{name: "the same version again", want: envelope.ErrReplay, device: func(d *envelope.Device) { d.Version = v1_1 }},
		{name: "an older version", want: envelope.ErrReplay, device: func(d *envelope.Device) { d.Version = v2 }},
		{name: "a target without a version", want: envelope.ErrReplay, header: func(h *envelope.Header) { h.TargetVersion = 0 }},
		{name: "downgrades where they are allowed", header: func(h *envelope.Header) { h.BaseVersion = v2 }, device: func(d *envelope.Device) { d.Version, d.OnlyNewer = v2, false }},
		{name: "another base version", want: envelope.ErrBase, header: func(h *envelope.Header) { h.BaseVersion, h.TargetVersion = v1_1, v2 }},
		{name: "another base", want: envelope.ErrBase, base: []byte("the image that devices ran")},
		{name: "a longer base", want: envelope.ErrBase, base: append(slices.Clone(base), 0)},
		{name: "a base that is no MCUboot image", want: envelope.ErrBase, header: func(h *envelope.Header) { h.MCUbootDigests = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, d, key, image := header(), meter(), rfcKey(t), base
			if c.header != nil {
				c.header(&h)
			}
			if c.device != nil {
				c.device(&d)
			}
			if c.key != nil {
				key = c.key(t)
			}
			if c.base != nil {
				image = c.base
			}
			b, err := envelope.Sign(payload, h, key)
			if err != nil {
				t.Fatal(err)
			}
			got, patch, err := envelope.Open(b, &rfcKey(t).PublicKey, d, image)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if c.want != nil && patch != nil {
				t.Error("the payload of a refused envelope is handed out")
			}
			if c.want == nil {
				if !bytes.Equal(patch, payload) {
					t.Errorf("payload %q", patch)
				}
				if err := got.CheckTarget(target); err != nil {
					t.Error(err)
				}
				if err := got.CheckTarget(base); !errors.Is(err, envelope.ErrTarget) {
					t.Errorf("the base as target: %v", err)
				}
			}
		})
	}
}

func TestAFullImageNeedsNoBase(t *testing.T) {
	h := envelope.Header{TargetSize: uint32(len(target)), Target: envelope.DigestOf(target), TargetVersion: v2, Profile: profile}
	got, image, err := envelope.Open(sign(t, target, h), &rfcKey(t).PublicKey, meter(), []byte("anything"))
	if err != nil {
		t.Fatal(err)
	}
	if err := got.CheckTarget(image); err != nil {
		t.Error(err)
	}
}

func TestMCUbootDigestLeavesOutWhatTheBootLoaderLeavesOut(t *testing.T) {
	image := make([]byte, 64)
	le := binary.LittleEndian
	le.PutUint32(image, 0x96f3b83d)
	le.PutUint16(image[8:], 32)  // header
	le.PutUint16(image[10:], 8)  // protected TLVs
	le.PutUint32(image[12:], 16) // image
	want := envelope.DigestOf(image[:56])
	image[56]++
	got, err := envelope.MCUbootDigest(image)
	if err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	h := header()
	h.MCUbootDigests, h.Base, h.BaseSize = true, want, 64
	if err := h.CheckBase(image); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(b []byte){
		"magic":             func(b []byte) { b[0] = 0 },
		"short header":      func(b []byte) { le.PutUint16(b[8:], 31) },
		"image beyond file": func(b []byte) { le.PutUint32(b[12:], 0xffffffff) },
	} {
		bad := slices.Clone(image)
		change(bad)
		if _, err := envelope.MCUbootDigest(bad); !errors.Is(err, envelope.ErrImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := envelope.MCUbootDigest(image[:31]); !errors.Is(err, envelope.ErrImage) {
		t.Errorf("31 bytes: %v", err)
	}
}

func TestVersionsAreOrderedByTheirFirstByteOnTheWire(t *testing.T) {
	for _, c := range []struct {
		v, w envelope.Version
		want bool
	}{{v2, v1_1, true}, {v1_1, v2, false}, {v1_1, v1, true}, {v1, v1, false}, {0x01000001, v1, true}} {
		if got := c.v.Newer(c.w); got != c.want {
			t.Errorf("%s newer than %s: %v", c.v, c.w, got)
		}
	}
	if v1_1.String() != "1.1.0.0" {
		t.Error(v1_1)
	}
}

func TestProfilesThatSpellAlikeAreApart(t *testing.T) {
	if envelope.ProfileOf("ab", "c", 1) == envelope.ProfileOf("a", "bc", 1) {
		t.Error("ab/c/1 is a/bc/1")
	}
	if envelope.ProfileOf("a", "b", 1) == envelope.ProfileOf("a", "b", 2) {
		t.Error("revisions 1 and 2 are the same")
	}
}
