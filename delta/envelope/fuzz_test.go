package envelope_test

import (
	"bytes"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/envelope"
)

// FuzzVerify signs what the fuzzer makes up, then changes it: whatever was changed, the
// envelope is refused, and what was not changed comes back as it went in.
func FuzzVerify(f *testing.F) {
	f.Add([]byte("patch"), uint8(1), uint8(11), uint32(9), uint32(1), uint32(2), []byte("profile!"), uint32(0), byte(0))
	f.Add([]byte{}, uint8(0), uint8(0), uint32(0), uint32(0), uint32(0), []byte{}, uint32(700), byte(1))
	f.Add([]byte("x"), uint8(0x81), uint8(30), uint32(1), uint32(0), uint32(0), []byte("12345678"), uint32(52), byte(0x80))
	key := rfcKey(f)
	f.Fuzz(func(t *testing.T, payload []byte, codec, window uint8, size, from, to uint32, profile []byte, at uint32, flip byte) {
		h := envelope.Header{
			Codec: envelope.Codec(codec), WindowLog: window, BaseSize: size, TargetSize: uint32(len(payload)),
			Base: envelope.DigestOf(profile), Target: envelope.DigestOf(payload),
			BaseVersion: envelope.Version(from), TargetVersion: envelope.Version(to),
		}
		copy(h.Profile[:], profile)
		b, err := envelope.Sign(payload, h, key)
		if err != nil {
			return
		}
		h.PayloadSize = uint32(len(payload))
		got, patch, err := envelope.Verify(b, &key.PublicKey)
		if err != nil || got != h || !bytes.Equal(patch, payload) {
			t.Fatalf("%+v, %x, %v; want %+v", got, patch, err, h)
		}
		if flip == 0 {
			return
		}
		b[int(at)%len(b)] ^= flip
		if _, patch, err := envelope.Verify(b, &key.PublicKey); err == nil || patch != nil {
			t.Fatalf("byte %d ^ %02x: accepted", int(at)%len(b), flip)
		}
	})
}

// FuzzParse feeds arbitrary bytes: what is accepted has one form, and nothing is accepted
// as signed.
func FuzzParse(f *testing.F) {
	f.Add(sign(f, payload, header()))
	f.Add(sign(f, target, envelope.Header{TargetSize: uint32(len(target))}))
	espressif, err := envelope.AppendEspressif(nil, esp32Image())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(espressif)
	f.Add(esp32Image())
	key := otherKey(f) // none of the seeds is signed with it
	f.Fuzz(func(t *testing.T, b []byte) {
		var u envelope.Unverified
		var err error
		if taken := deltatest.Allocated(func() { u, err = envelope.Parse(b) }); taken > 1<<16 {
			t.Fatalf("%d bytes of memory taken", taken)
		}
		if err == nil {
			h := u.Header()
			again, err := h.AppendBinary(nil)
			if err != nil || !bytes.Equal(again, b[:len(again)]) || len(b) != h.Overhead()+int(h.PayloadSize) {
				t.Fatalf("%+v: % x, %v", h, again, err)
			}
		}
		if _, _, err := envelope.Verify(b, &key.PublicKey); err == nil {
			t.Fatal("accepted without a signature")
		}
		if digest, patch, err := envelope.ParseEspressif(b); err == nil && (len(patch) != len(b)-64 || !bytes.Equal(digest[:], b[4:36])) {
			t.Fatal("Espressif header read wrongly")
		}
		if d, err := envelope.EspressifDigest(b); err == nil && !bytes.Contains(b, d[:]) {
			t.Fatal("a digest that is not there")
		}
	})
}
