package envelope

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math"
	"math/big"
)

// SignatureSize is the length of r and s.
const SignatureSize = 64

// algorithmP256 is ECDSA on P-256 over SHA-256, the only algorithm so far.
const algorithmP256 = 1

// blockSize is the length of the signature block: the algorithm, then r and s.
const blockSize = 1 + SignatureSize

// Errors about keys and signatures.
var (
	ErrKey       = errors.New("envelope: not a P-256 key")
	ErrSignature = errors.New("envelope: not signed with this key, or changed since")
)

// Overhead returns how many bytes an envelope adds to a payload: 117, 125 or 133.
func (h Header) Overhead() int { return h.Size() + blockSize }

// Sign returns the envelope of payload: h with PayloadSize set, the payload and the
// signature of both. The same arguments give the same bytes. It returns ErrKey, or
// what is wrong with h.
func Sign(payload []byte, h Header, key *ecdsa.PrivateKey) ([]byte, error) {
	if uint64(len(payload)) > math.MaxUint32 {
		return nil, fmt.Errorf("payload of %d bytes: %w", len(payload), ErrSize)
	}
	h.PayloadSize = uint32(len(payload))
	b, err := h.AppendBinary(make([]byte, 0, h.Overhead()+len(payload)))
	if err != nil {
		return nil, err
	}
	b = append(b, payload...)
	b = append(b, algorithmP256)
	return appendSignature(b, key)
}

// SignBare returns the patch followed by r and s over its SHA-256: 64 bytes, no header.
// It returns ErrKey.
func SignBare(patch []byte, key *ecdsa.PrivateKey) ([]byte, error) {
	return appendSignature(append(make([]byte, 0, len(patch)+SignatureSize), patch...), key)
}

// VerifyBare returns the patch that SignBare has signed. It returns ErrShort, ErrKey
// or ErrSignature. It says nothing of base, target or hardware: the device has to
// know them from somewhere else.
func VerifyBare(b []byte, pub *ecdsa.PublicKey) ([]byte, error) {
	if len(b) < SignatureSize {
		return nil, fmt.Errorf("bare patch: %d bytes, at least %d: %w", len(b), SignatureSize, ErrShort)
	}
	patch, signature := b[:len(b)-SignatureSize], b[len(b)-SignatureSize:]
	if err := verify(patch, signature, pub); err != nil {
		return nil, err
	}
	return patch, nil
}

// appendSignature appends r and s over SHA-256(b) to b.
func appendSignature(b []byte, key *ecdsa.PrivateKey) ([]byte, error) {
	if key == nil || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("signing: %w", ErrKey)
	}
	sum := sha256.Sum256(b)
	// Without a source of randomness the standard library signs as RFC 6979 says.
	der, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("signing: %w: %w", ErrKey, err)
	}
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &signature); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	var raw [SignatureSize]byte
	signature.R.FillBytes(raw[:32])
	signature.S.FillBytes(raw[32:])
	return append(b, raw[:]...), nil
}

// verify returns ErrKey or ErrSignature unless signature is r and s over SHA-256(signed).
// As with every ECDSA, s and n-s both pass: what tells patches apart is what is signed.
func verify(signed, signature []byte, pub *ecdsa.PublicKey) error {
	if pub == nil || pub.Curve != elliptic.P256() {
		return fmt.Errorf("verifying: %w", ErrKey)
	}
	sum := sha256.Sum256(signed)
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(pub, sum[:], r, s) {
		return ErrSignature
	}
	return nil
}
