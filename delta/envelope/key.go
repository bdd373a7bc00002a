package envelope

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/pem"
	"fmt"
	"strings"
)

// PublicKeySize is the length of a public key as devices hold it: X and Y.
const PublicKeySize = 64

// uncompressed marks a point that is given by X and Y (SEC 1).
const uncompressed = 4

// spkiP256 is the DER of every SubjectPublicKeyInfo of a P-256 key up to the point
// (RFC 5480): id-ecPublicKey, secp256r1, a bit string of 65 bytes. There is nothing in
// it to parse, so it is compared.
var spkiP256 = []byte{
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
	0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
}

// pemType is the label of a SubjectPublicKeyInfo (RFC 7468).
const pemType = "PUBLIC KEY"

// PublicKey returns X and Y, 32 bytes each, most significant byte first, or ErrKey.
func PublicKey(pub *ecdsa.PublicKey) ([PublicKeySize]byte, error) {
	if pub == nil || pub.Curve != elliptic.P256() {
		return [PublicKeySize]byte{}, fmt.Errorf("public key: %w", ErrKey)
	}
	point, err := pub.Bytes()
	if err != nil {
		return [PublicKeySize]byte{}, fmt.Errorf("public key: %w: %w", ErrKey, err)
	}
	return [PublicKeySize]byte(point[1:]), nil
}

// PublicKeyPEM returns the key as SubjectPublicKeyInfo in PEM, which OpenSSL and mbed TLS
// read, or ErrKey.
func PublicKeyPEM(pub *ecdsa.PublicKey) ([]byte, error) {
	raw, err := PublicKey(pub)
	if err != nil {
		return nil, err
	}
	der := append(append(bytes.Clone(spkiP256), uncompressed), raw[:]...)
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// PublicKeyC returns a C99 definition of the 64 bytes of PublicKey under the given name,
// for firmware that verifies with a library that takes raw points. It returns ErrKey, or
// ErrRange for a name that is no C identifier.
func PublicKeyC(name string, pub *ecdsa.PublicKey) (string, error) {
	if !identifier(name) {
		return "", fmt.Errorf("name %q is no C identifier: %w", name, ErrRange)
	}
	raw, err := PublicKey(pub)
	if err != nil {
		return "", err
	}
	var s strings.Builder
	fmt.Fprintf(&s, "/* ECDSA P-256 public key: X, then Y, most significant byte first. */\nconst unsigned char %s[%d] = {\n", name, PublicKeySize)
	for i := 0; i < PublicKeySize; i += 8 {
		s.WriteString("   ")
		for _, b := range raw[i : i+8] {
			fmt.Fprintf(&s, " 0x%02x,", b)
		}
		s.WriteByte('\n')
	}
	s.WriteString("};\n")
	return s.String(), nil
}

// identifier reports whether name is a C identifier that the language leaves to programs.
func identifier(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != "" && name[0] != '_'
}

// ParsePublicKey reads a public key in any of the forms above but C: 64 bytes X and Y, 65
// with 04 in front, SubjectPublicKeyInfo as DER or as PEM. It returns ErrKey for anything
// else, and for a point that is not on the curve.
func ParsePublicKey(b []byte) (*ecdsa.PublicKey, error) {
	if block, rest := pem.Decode(b); block != nil {
		if block.Type != pemType || len(bytes.TrimSpace(rest)) > 0 {
			return nil, fmt.Errorf("public key: PEM of a %s, want one %s: %w", block.Type, pemType, ErrKey)
		}
		b = block.Bytes
	}
	point, _ := bytes.CutPrefix(b, spkiP256)
	if len(point) == PublicKeySize {
		point = append([]byte{uncompressed}, point...)
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("public key of %d bytes: %w: %w", len(b), ErrKey, err)
	}
	return pub, nil
}
