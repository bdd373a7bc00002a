package lorawan

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
)

// Cipher is an expanded AES-128 key: the one place where Starling touches AES blocks.
// It is safe for concurrent use.
type Cipher struct{ block cipher.Block }

// NewCipher expands k.
func NewCipher(k AES128Key) Cipher {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err) // 16 bytes are always a key
	}
	return Cipher{block}
}

// Format prints "[redacted]" under every verb: the expanded key begins with the key.
func (c Cipher) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// Encrypt runs AES-128 on one block (ECB), as the key derivations of TS005 and TS004 do.
func (c Cipher) Encrypt(in [16]byte) (out [16]byte) {
	c.block.Encrypt(out[:], in[:])
	return out
}

// Decrypt is the inverse of Encrypt. TS005 wraps McKey with it, so that a device needs encryption only.
func (c Cipher) Decrypt(in [16]byte) (out [16]byte) {
	c.block.Decrypt(out[:], in[:])
	return out
}

// CMAC returns the AES-CMAC (RFC 4493) of the concatenation of parts.
func (c Cipher) CMAC(parts ...[]byte) [16]byte {
	// What goes through the interface of the block cipher moves to the heap: together, in one piece.
	var w struct{ k, x, last [16]byte }
	c.block.Encrypt(w.k[:], w.k[:])
	w.k = double(w.k)

	n := 0 // bytes waiting in last
	for _, p := range parts {
		for len(p) > 0 {
			// A full block is only folded in when more follows: the final one is treated apart.
			if n == 16 {
				subtle.XORBytes(w.x[:], w.x[:], w.last[:])
				c.block.Encrypt(w.x[:], w.x[:])
				n = 0
			}
			m := copy(w.last[n:], p)
			n, p = n+m, p[m:]
		}
	}
	if n < 16 {
		w.last[n] = 0x80
		clear(w.last[n+1:])
		w.k = double(w.k)
	}
	subtle.XORBytes(w.last[:], w.last[:], w.k[:])
	subtle.XORBytes(w.x[:], w.x[:], w.last[:])
	c.block.Encrypt(w.x[:], w.x[:])
	return w.x
}

// xorCTR applies the counter mode keystream that begins with the block first to data in place.
func (c Cipher) xorCTR(first [16]byte, data []byte) {
	cipher.NewCTR(c.block, first[:]).XORKeyStream(data, data)
}

// double multiplies by x in GF(2^128), RFC 4493 §2.3.
func double(b [16]byte) (out [16]byte) {
	for i := range 15 {
		out[i] = b[i]<<1 | b[i+1]>>7
	}
	out[15] = b[15]<<1 ^ (b[0]>>7)*0x87
	return out
}
