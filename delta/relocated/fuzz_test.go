package relocated_test

import (
	"bytes"
	"github.com/starling-fuota/starling/delta/deltatest"
	"math/rand/v2"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/relocated"
)

// FuzzParse: what is a map has that encoding and no other, and can be applied to anything.
func FuzzParse(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 8 {
		b, err := randomMap(r, 4096).AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, likeCode(r, 64))
	}
	f.Fuzz(func(t *testing.T, b, old []byte) {
		m, rest, err := relocated.Parse(b)
		if err != nil {
			return
		}
		again, err := m.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b[:len(b)-len(rest)]) {
			t.Fatalf("%+v: % x, %v", m, again, err)
		}
		whole, err := relocated.Apply(old, m)
		if err != nil || len(whole) != len(old) {
			t.Fatalf("%d bytes of %d, %v", len(whole), len(old), err)
		}
		v, err := relocated.NewView(bytes.NewReader(old), int64(len(old)), m)
		if err != nil {
			t.Fatal(err)
		}
		at := len(b) % (len(old) + 1)
		part := make([]byte, len(old)-at)
		if n, err := v.ReadAt(part, int64(at)); n != len(part) || err != nil || !bytes.Equal(part, whole[at:]) {
			t.Fatalf("from %d: % x, want % x, %v", at, part, whole[at:], err)
		}
	})
}

// FuzzDerive: whatever the images are, there is a map with an encoding, and its view has the size
// of the old image.
func FuzzDerive(f *testing.F) {
	r := rand.New(rand.NewPCG(23, 24))
	for range 4 {
		program := deltatest.NewProgram(r, 12)
		old := program.Link()
		program.Insert(r, 3, 2, 5)
		f.Add(old, program.Link(), program.Base, uint16(24))
	}
	f.Add(likeCode(r, 999), likeCode(r, 1001), uint32(0), uint16(0))
	f.Fuzz(func(t *testing.T, old, target []byte, flash uint32, toll uint16) {
		relocated.FlashBase(old)
		m, err := relocated.Derive(old, target, cover.Find(old, target, cover.Params{}), flash&^3, int(toll))
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if _, rest, err := relocated.Parse(b); err != nil || len(rest) != 0 {
			t.Fatalf("%+v: % x, %v", m, b, err)
		}
		if view, err := relocated.Apply(old, m); err != nil || len(view) != len(old) {
			t.Fatalf("%d bytes of %d, %v", len(view), len(old), err)
		}
	})
}
