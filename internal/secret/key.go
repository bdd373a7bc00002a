package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"log/slog"
)

const (
	keySize  = 32                 // of a KEK or a data key: AES-256
	overhead = 12 + aes.BlockSize // nonce before, tag behind
	redacted = "[redacted]"
)

// key is an AES-256 key in clear, on its way between a file and a cipher. It never prints itself.
type key [keySize]byte

func newKey(rand io.Reader) (key, error) {
	var k key
	if _, err := io.ReadFull(rand, k[:]); err != nil {
		return key{}, fmt.Errorf("random key: %w", err)
	}
	return k, nil
}

func (k key) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, redacted) }
func (k key) String() string               { return redacted }
func (k key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (k key) LogValue() slog.Value         { return slog.StringValue(redacted) }

// box encrypts under one key: AES-256-GCM, a random nonce before the ciphertext, the tag
// behind it. Boxes are kept behind pointers, where package fmt does not follow.
type box struct{ aead cipher.AEAD }

func newBox(k key) *box {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(fmt.Sprintf("secret: AES-256 refuses a key of %d bytes: %v", len(k), err))
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(fmt.Sprintf("secret: GCM refuses AES: %v", err))
	}
	return &box{aead}
}

func (b *box) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// append appends nonce, ciphertext and tag to dst.
func (b *box) append(dst, plain, aad []byte) []byte { return b.aead.Seal(dst, nil, plain, aad) }

// open returns the plain text, never nil, or false if sealed or aad are not those of append.
func (b *box) open(sealed, aad []byte) ([]byte, bool) {
	if len(sealed) < overhead {
		return nil, false
	}
	plain, err := b.aead.Open(make([]byte, 0, len(sealed)-overhead), nil, sealed, aad)
	return plain, err == nil
}
