package lorawan_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/starling-fuota/starling/lorawan"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The four examples of RFC 4493 §4.
const rfc4493Message = "6bc1bee22e409f96e93d7e117393172a" +
	"ae2d8a571e03ac9c9eb76fac45af8e51" +
	"30c81c46a35ce411e5fbc1191a0a52ef" +
	"f69f2445df4f9b17ad2b417be66c3710"

var rfc4493 = []struct {
	length int
	mac    string
}{
	{0, "bb1d6929e95937287fa37d129b756746"},
	{16, "070a16b46b4d4144f79bdd9dd04a287c"},
	{40, "dfa66747de9ae63030ca32611497c827"},
	{64, "51f0bebf7e3b9d92fc49741779363cfe"},
}

func TestCMACFollowsRFC4493(t *testing.T) {
	c := lorawan.NewCipher(lorawan.MustParseAES128Key("2b7e151628aed2a6abf7158809cf4f3c"))
	msg := unhex(t, rfc4493Message)
	for _, e := range rfc4493 {
		if got := c.CMAC(msg[:e.length]); hex.EncodeToString(got[:]) != e.mac {
			t.Errorf("%d bytes: %x, want %s", e.length, got, e.mac)
		}
	}
}

func TestCMACDoesNotDependOnHowTheMessageIsCut(t *testing.T) {
	c := lorawan.NewCipher(lorawan.AES128Key{1})
	msg := unhex(t, rfc4493Message)
	for n := range len(msg) + 1 {
		whole := c.CMAC(msg[:n])
		for cut := range n + 1 {
			if got := c.CMAC(msg[:cut], nil, msg[cut:n]); got != whole {
				t.Fatalf("%d bytes cut at %d: %x, want %x", n, cut, got, whole)
			}
		}
	}
}

func TestDecryptUndoesEncrypt(t *testing.T) {
	// FIPS-197, appendix C.1.
	c := lorawan.NewCipher(lorawan.MustParseAES128Key("000102030405060708090a0b0c0d0e0f"))
	plain := [16]byte(unhex(t, "00112233445566778899aabbccddeeff"))
	enc := c.Encrypt(plain)
	if want := unhex(t, "69c4e0d86a7b0430d8cdb78070b4c55a"); !bytes.Equal(enc[:], want) {
		t.Errorf("encrypted %x, want %x", enc, want)
	}
	if dec := c.Decrypt(enc); dec != plain {
		t.Errorf("decrypted %x, want %x", dec, plain)
	}
}
