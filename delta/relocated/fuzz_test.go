package relocated_test

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
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
		var m relocated.Map
		var rest []byte
		var err error
		if taken := deltatest.Allocated(func() { m, rest, err = relocated.Parse(b) }); taken > 8*len(b)+1<<14 {
			t.Fatalf("%d bytes of memory taken for %d", taken, len(b))
		}
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

// FuzzView: any part of the view is that part of the whole, from wherever it is read.
func FuzzView(f *testing.F) {
	r := rand.New(rand.NewPCG(29, 30))
	for range 8 {
		b, err := randomMap(r, 600).AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, likeCode(r, 600), int64(r.IntN(600)), uint16(r.IntN(300)))
	}
	f.Fuzz(func(t *testing.T, b, old []byte, at int64, n uint16) {
		m, _, err := relocated.Parse(b)
		if err != nil {
			return
		}
		whole, err := relocated.Apply(old, m)
		if err != nil {
			t.Fatal(err)
		}
		v, err := relocated.NewView(bytes.NewReader(old), int64(len(old)), m)
		if err != nil || v.Size() != int64(len(old)) {
			t.Fatalf("%d bytes, %v", v.Size(), err)
		}
		part := make([]byte, n)
		read, err := v.ReadAt(part, at)
		want := []byte{}
		if at >= 0 && at < int64(len(old)) {
			want = whole[at:min(int64(len(old)), at+int64(n))]
		}
		if read != len(want) || !bytes.Equal(part[:read], want) || (err == nil) != (read == len(part) && at >= 0) {
			t.Fatalf("%d of %d bytes from %d: %v", read, n, at, err)
		}
	})
}

// FuzzClient: the reader in C and this package say the same of any map, any image and any read.
func FuzzClient(f *testing.F) {
	program := client(f)
	r := rand.New(rand.NewPCG(31, 32))
	for range 8 {
		b, err := randomMap(r, 600).AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, likeCode(r, 600), uint32(r.IntN(600)), uint32(r.IntN(300)))
	}
	command := exec.Command(program)
	in, err := command.StdinPipe()
	if err != nil {
		f.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		f.Fatal(err)
	}
	var complaint bytes.Buffer
	command.Stderr = &complaint
	if err := command.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_ = in.Close() // that is the end of the program
		if err := command.Wait(); err != nil {
			f.Errorf("%v\n%s", err, complaint.Bytes())
		}
	})
	f.Fuzz(func(t *testing.T, b, old []byte, at, n uint32) {
		requests := []request{{b, old, [][2]uint32{{0, uint32(len(old))}, {at, n}}}}
		if _, err := in.Write(encode(requests)); err != nil {
			t.Fatalf("%v\n%s", err, complaint.Bytes())
		}
		compare(t, requests, out)
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
