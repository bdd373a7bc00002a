package envelope_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/delta/envelope"
)

func TestPublicKeysAreThoseOfTheStandardLibrary(t *testing.T) {
	pub := &rfcKey(t).PublicKey
	text, err := envelope.PublicKeyPEM(pub)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || !pub.Equal(parsed) {
		t.Errorf("%v, %v", parsed, err)
	}
	raw, err := envelope.PublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"PEM": text, "DER": block.Bytes, "raw": raw[:], "point": append([]byte{4}, raw[:]...)} {
		if got, err := envelope.ParsePublicKey(b); err != nil || !pub.Equal(got) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	pub := &rfcKey(t).PublicKey
	raw, err := envelope.PublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), bytes.Repeat([]byte{1}, 48))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&p384.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	off := raw
	off[63] ^= 1
	text, err := envelope.PublicKeyPEM(pub)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "short": raw[:63], "long": append(raw[:], 0, 0), "off the curve": off[:], "P-384": der,
		"two keys": slices.Concat(text, text), "another PEM": bytes.ReplaceAll(text, []byte("PUBLIC"), []byte("PRIVATE")),
	} {
		if got, err := envelope.ParsePublicKey(b); !errors.Is(err, envelope.ErrKey) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, key := range map[string]*ecdsa.PrivateKey{"P-384": p384, "none": nil} {
		if _, err := envelope.Sign(payload, header(), key); !errors.Is(err, envelope.ErrKey) {
			t.Errorf("signing with %s: %v", name, err)
		}
	}
	b := sign(t, payload, header())
	for name, key := range map[string]*ecdsa.PublicKey{"P-384": &p384.PublicKey, "none": nil} {
		if _, _, err := envelope.Verify(b, key); !errors.Is(err, envelope.ErrKey) {
			t.Errorf("verifying with %s: %v", name, err)
		}
		if _, err := envelope.PublicKey(key); !errors.Is(err, envelope.ErrKey) {
			t.Errorf("public key %s: %v", name, err)
		}
	}
}

func TestAKeyIsACArray(t *testing.T) {
	pub := &rfcKey(t).PublicKey
	c, err := envelope.PublicKeyC("update_key", pub)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c, "const unsigned char update_key[64] = {\n    0x60, 0xfe, 0xd4,") || strings.Count(c, "0x") != 64 {
		t.Error(c)
	}
	for _, name := range []string{"", "_key", "1key", "update-key", "k[1]; int x", "schlüssel"} {
		if _, err := envelope.PublicKeyC(name, pub); !errors.Is(err, envelope.ErrRange) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

// esp32Image builds an application image of one segment, with digest.
func esp32Image() []byte {
	b := make([]byte, 24, 96)
	b[0], b[1], b[23] = 0xe9, 1, 1
	b = binary.LittleEndian.AppendUint32(b, 0x3f400020)
	b = binary.LittleEndian.AppendUint32(b, 12)
	b = append(b, "segment data"...)
	for len(b)%16 != 15 {
		b = append(b, 0)
	}
	b = append(b, 0x5a)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func TestEspressifHeaderNamesTheImageByItsOwnDigest(t *testing.T) {
	image := esp32Image()
	want := image[len(image)-32:]
	b, err := envelope.AppendEspressif(nil, append(slices.Clone(image), "signature block"...))
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 64 || !bytes.Equal(b[:4], []byte{0x10, 0xde, 0xcd, 0xfc}) || !bytes.Equal(b[4:36], want) || !bytes.Equal(b[36:], make([]byte, 28)) {
		t.Errorf("% x", b)
	}
	digest, patch, err := envelope.ParseEspressif(append(b, "patch"...))
	if err != nil || !bytes.Equal(digest[:], want) || string(patch) != "patch" {
		t.Errorf("%x, %q, %v", digest, patch, err)
	}
	for n := range b {
		if _, _, err := envelope.ParseEspressif(b[:n]); !errors.Is(err, envelope.ErrShort) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	b[63] = 1
	if _, _, err := envelope.ParseEspressif(b); !errors.Is(err, envelope.ErrUnknown) {
		t.Errorf("reserved byte: %v", err)
	}
	b[0] = 0
	if _, _, err := envelope.ParseEspressif(b); !errors.Is(err, envelope.ErrMagic) {
		t.Errorf("magic: %v", err)
	}
}

func TestWhatIsNoESP32ImageIsRefused(t *testing.T) {
	for name, change := range map[string]func(b []byte) []byte{
		"nothing":            func([]byte) []byte { return nil },
		"magic":              func(b []byte) []byte { b[0] = 0; return b },
		"too many segments":  func(b []byte) []byte { b[1] = 17; return b },
		"no digest":          func(b []byte) []byte { b[23] = 0; return b },
		"segment beyond":     func(b []byte) []byte { b[28], b[31] = 0xff, 0xff; return b },
		"second segment cut": func(b []byte) []byte { b[1] = 2; return b[:47] },
		"changed":            func(b []byte) []byte { b[40] ^= 1; return b },
		"digest cut":         func(b []byte) []byte { return b[:len(b)-1] },
	} {
		if _, err := envelope.AppendEspressif(nil, change(esp32Image())); !errors.Is(err, envelope.ErrImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
