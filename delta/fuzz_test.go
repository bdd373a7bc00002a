package delta_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"testing"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/envelope"
)

// fuzzLimits are those of a small device.
var fuzzLimits = delta.Limits{Image: 1 << 16, Window: 1 << 15, Extra: 1 << 15}

// fuzzMemory is what a device with these limits may need, with copies and a share for errors.
const fuzzMemory = 2 << 20

func FuzzApply(f *testing.F) {
	old, target := release(14, 800)
	for _, format := range delta.Formats() {
		p, err := delta.Create(old, target, delta.Options{Format: format, Segment: 256})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Bytes)
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		base := bytes.Clone(old)
		var made []byte
		var info delta.Info
		var err error
		if taken := deltatest.Allocated(func() { made, info, err = delta.Apply(old, patch, fuzzLimits) }); taken > fuzzMemory+8*len(patch) {
			t.Fatalf("%d bytes of memory taken", taken)
		}
		if !bytes.Equal(old, base) {
			t.Fatal("the old image was changed")
		}
		if err == nil && (len(made) != info.To || len(made) > fuzzLimits.Image || info.Window > fuzzLimits.Window || info.Extra > fuzzLimits.Extra) {
			t.Fatalf("%d bytes, %+v", len(made), info)
		}
		if err != nil && (made != nil || !errors.Is(err, delta.ErrApply) && !errors.Is(err, delta.ErrFormat) && !errors.Is(err, delta.ErrTooLarge)) {
			t.Fatalf("%d bytes, %v", len(made), err)
		}
	})
}

// FuzzInspect: what the first bytes say is what Apply goes by.
func FuzzInspect(f *testing.F) {
	old, target := release(14, 300)
	for _, format := range delta.Formats() {
		p, err := delta.Create(old, target, delta.Options{Format: format, Segment: 256})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Bytes)
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		var info delta.Info
		var err error
		if taken := deltatest.Allocated(func() { info, err = delta.Inspect(patch) }); taken > 8*len(patch)+1<<18 {
			t.Fatalf("%d bytes of memory taken", taken)
		}
		if err != nil {
			if !errors.Is(err, delta.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if info.Format.Codec() == envelope.Full || info.To < 0 || info.From < 0 || info.RAM() < 0 || info.MapSize > len(patch) || info.Compressor == "" {
			t.Fatalf("%+v", info)
		}
		if _, applied, err := delta.Apply(old, patch, fuzzLimits); err == nil && (applied.Format != info.Format || applied.To != info.To) {
			t.Fatalf("%+v, applied %+v", info, applied)
		}
	})
}

// FuzzOpen signs what the fuzzer made, which a device cannot tell from what the server made: it opens to
// the target of the header, or to nothing.
func FuzzOpen(f *testing.F) {
	key := testKey(f, 1)
	old, target := release(15, 400)
	for _, format := range delta.Formats() {
		p, err := delta.Create(old, target, delta.Options{Format: format, Segment: 256})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Bytes, uint8(p.Codec), p.WindowLog, uint32(len(target)), true)
		f.Add(p.Bytes, uint8(p.Codec), p.WindowLog, uint32(len(target)), false)
	}
	f.Add(target, uint8(envelope.Full), uint8(0), uint32(len(target)), true)
	f.Fuzz(func(t *testing.T, payload []byte, codec, window uint8, size uint32, signed bool) {
		h := envelope.Header{
			Codec: envelope.Codec(codec), WindowLog: window, BaseSize: uint32(len(old)), TargetSize: size,
			Base: envelope.DigestOf(old), Target: envelope.DigestOf(target),
		}
		if h.Codec == envelope.Full {
			h.BaseSize, h.Base = 0, envelope.Digest{}
		}
		b, err := envelope.Sign(payload, h, key)
		if err != nil {
			return
		}
		if !signed {
			b[len(b)-1] ^= 1
		}
		var made []byte
		taken := deltatest.Allocated(func() {
			made, _, err = delta.Open(b, &key.PublicKey, envelope.Device{}, old, fuzzLimits)
		})
		if taken > fuzzMemory+8*len(payload) {
			t.Fatalf("%d bytes of memory taken", taken)
		}
		if err == nil && (!signed || !bytes.Equal(made, target)) || err != nil && made != nil {
			t.Fatalf("signed %v: %d bytes, %v", signed, len(made), err)
		}
	})
}

// testKey is the key of a number, the same each time.
func testKey(t testing.TB, n byte) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), n))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
