package relocated_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/starling-fuota/starling/delta/relocated"
)

// code assembles halfwords.
func code(halves ...uint16) []byte {
	var b []byte
	for _, h := range halves {
		b = binary.LittleEndian.AppendUint16(b, h)
	}
	return b
}

// pad returns b with zeros up to n bytes.
func pad(b []byte, n int) []byte { return append(b, make([]byte, n-len(b))...) }

func TestSitesFollowWhatMoved(t *testing.T) {
	// From 0x40 on everything has moved by 8, from 0x60 on by 12.
	m := relocated.Map{FlashBase: 0x08000000, F: []relocated.Segment{{Start: 0x40, Delta: 8}, {Start: 0x60, Delta: 12}},
		RAMBase: 0x20000000, RAMSize: 0x100, R: []relocated.Segment{{Start: 0x10, Delta: 4}}}
	const size = 0x80
	for _, c := range []struct {
		name     string
		at       int
		old, new []uint16
	}{
		{"BL forward", 0x10, []uint16{0xf000, 0xf816}, []uint16{0xf000, 0xf81a}},                                  // to 0x40
		{"BL back", 0x50, []uint16{0xf7ff, 0xffd6}, []uint16{0xf7ff, 0xffd2}},                                     // to 0x00
		{"BL within a segment", 0x42, []uint16{0xf000, 0xf802}, []uint16{0xf000, 0xf802}},                         // to 0x4a
		{"BL between segments", 0x42, []uint16{0xf000, 0xf80d}, []uint16{0xf000, 0xf80f}},                         // to 0x60
		{"BL out of the image", 0x50, []uint16{0xf001, 0xf800}, []uint16{0xf001, 0xf800}},                         //
		{"B.W", 0x10, []uint16{0xf000, 0xb816}, []uint16{0xf000, 0xb81a}},                                         //
		{"not a branch: MSR", 0x10, []uint16{0xf380, 0x8816}, []uint16{0xf380, 0x8816}},                           //
		{"pointer", 0x10, []uint16{0x0041, 0x0800}, []uint16{0x0049, 0x0800}},                                     //
		{"pointer across a page", 0x10, []uint16{0x007f, 0x0800}, []uint16{0x008b, 0x0800}},                       //
		{"pointer before", 0x10, []uint16{0x003f, 0x0800}, []uint16{0x003f, 0x0800}},                              //
		{"pointer to the end", 0x10, []uint16{0x0080, 0x0800}, []uint16{0x0080, 0x0800}},                          //
		{"pointer not aligned", 0x12, []uint16{0x0041, 0x0800}, []uint16{0x0041, 0x0800}},                         //
		{"pointer to RAM", 0x10, []uint16{0x0010, 0x2000}, []uint16{0x0014, 0x2000}},                              //
		{"pointer to other RAM", 0x10, []uint16{0x0100, 0x2000}, []uint16{0x0100, 0x2000}},                        //
		{"LDR", 0x3c, []uint16{0x4b02}, []uint16{0x4b04}},                                                         // 0x48
		{"LDR that moves along", 0x44, []uint16{0x4b02}, []uint16{0x4b02}},                                        //
		{"BEQ", 0x3c, []uint16{0xd002}, []uint16{0xd006}},                                                         // 0x44
		{"BNE back", 0x44, []uint16{0xd1fa}, []uint16{0xd1f6}},                                                    // 0x3c
		{"SVC is no branch", 0x3c, []uint16{0xdf02}, []uint16{0xdf02}},                                            //
		{"B", 0x3c, []uint16{0xe002}, []uint16{0xe006}},                                                           //
		{"B back", 0x44, []uint16{0xe7fa}, []uint16{0xe7f6}},                                                      //
		{"CBZ", 0x3c, []uint16{0xb110}, []uint16{0xb130}},                                                         // 0x44
		{"CBNZ", 0x3c, []uint16{0xb911}, []uint16{0xb931}},                                                        //
		{"second half of LDR.W", 0x3a, []uint16{0xf8d3, 0xd002}, []uint16{0xf8d3, 0xd002}},                        //
		{"after the second half of BL", 0x38, []uint16{0xf000, 0xf802, 0xd002}, []uint16{0xf000, 0xf806, 0xd006}}, // 0x40, 0x44
		{"second half of LSL.W", 0x0e, []uint16{0xfa01, 0xf000, 0xf816}, []uint16{0xfa01, 0xf000, 0xf816}},
		{"BL after LSL.W", 0x0c, []uint16{0xfa01, 0xf000, 0xf000, 0xf816}, []uint16{0xfa01, 0xf000, 0xf000, 0xf81a}},
	} {
		old := pad(append(make([]byte, c.at), code(c.old...)...), size)
		want := pad(append(make([]byte, c.at), code(c.new...)...), size)
		got, err := relocated.Apply(old, m)
		if err != nil || !bytes.Equal(got, want) {
			n := c.at + 2*len(c.old)
			t.Errorf("%s: % x became % x, want % x (%v)", c.name, old[c.at:n], got[c.at:n], want[c.at:n], err)
		}
	}
}

func TestALoadFollowsTheAlignmentOfItsPool(t *testing.T) {
	// A function moves by two bytes; its pool is aligned and moves by four, or not at all.
	m := relocated.Map{F: []relocated.Segment{{Start: 0x10, Delta: 2}, {Start: 0x20, Delta: 4}}}
	old := pad(append(make([]byte, 0x10), code(0x4b03, 0x4b03)...), 0x40) // both load 0x20
	got, err := relocated.Apply(old, m)
	if err != nil {
		t.Fatal(err)
	}
	// From 0x12 and 0x14 to 0x24: 0x14 + 4*4, 0x18 + 3*4.
	if want := code(0x4b04, 0x4b03); !bytes.Equal(got[0x10:0x14], want) {
		t.Errorf("% x, want % x", got[0x10:0x14], want)
	}
}

// likeCode is random, with many sites and pieces of sites.
func likeCode(r *rand.Rand, n int) []byte {
	heads := []uint16{0xf000, 0xf7ff, 0xf800, 0xffff, 0xb800, 0xfa00, 0xfb00, 0x4800, 0xd000, 0xe000, 0xb100, 0x0800, 0x2000, 0xe92d, 0}
	var b []byte
	for len(b) < n {
		h := heads[r.IntN(len(heads))]
		b = binary.LittleEndian.AppendUint16(b, h^uint16(r.UintN(1<<r.IntN(12))))
	}
	return b[:n]
}

// nosy notes how far it is read.
type nosy struct {
	io.ReaderAt
	low, high int64
}

func (n *nosy) ReadAt(b []byte, off int64) (int, error) {
	n.low, n.high = min(n.low, off), max(n.high, off+int64(len(b)))
	return n.ReaderAt.ReadAt(b, off)
}

func TestEveryPartOfAViewIsTheSameByItself(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		old := likeCode(r, r.IntN(1500))
		m := randomMap(r, len(old))
		if r.IntN(4) > 0 {
			m.FlashBase = 0x08000000
		}
		whole, err := relocated.Apply(old, m)
		if err != nil || len(whole) != len(old) {
			t.Fatalf("%d bytes of %d, %v", len(whole), len(old), err)
		}
		for range 30 {
			from := r.IntN(len(old) + 1)
			to := from + r.IntN(len(old)-from+1)
			n := &nosy{bytes.NewReader(old), int64(from), int64(to)}
			v, err := relocated.NewView(n, int64(len(old)), m)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, to-from)
			if k, err := v.ReadAt(got, int64(from)); k != len(got) || err != nil {
				t.Fatalf("%d of %d bytes, %v", k, len(got), err)
			}
			if !bytes.Equal(got, whole[from:to]) {
				t.Fatalf("%d..%d: % x, want % x", from, to, got, whole[from:to])
			}
			if n.low < int64(from&^3)-8 || n.low < int64(from)-relocated.Margin || n.high > int64(to+3)&^3+4 {
				t.Fatalf("%d..%d: read %d..%d", from, to, n.low, n.high)
			}
		}
	}
}

func TestAViewEndsWhereTheImageEnds(t *testing.T) {
	v, err := relocated.NewView(bytes.NewReader(make([]byte, 10)), 10, relocated.Map{})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	for _, c := range []struct {
		off  int64
		n    int
		want error
	}{{0, 8, nil}, {2, 8, nil}, {3, 7, io.EOF}, {10, 0, io.EOF}, {1 << 40, 0, io.EOF}, {-1, 0, relocated.ErrRange}} {
		if n, err := v.ReadAt(b, c.off); n != c.n || !errors.Is(err, c.want) {
			t.Errorf("at %d: %d, %v", c.off, n, err)
		}
	}
	if v.Size() != 10 {
		t.Errorf("size %d", v.Size())
	}
	short, err := relocated.NewView(bytes.NewReader(make([]byte, 9)), 10, relocated.Map{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := short.ReadAt(b, 4); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an image that is shorter than its size: %v", err)
	}
	if _, err := relocated.NewView(nil, 1<<31, relocated.Map{}); !errors.Is(err, relocated.ErrRange) {
		t.Errorf("2 GiB: %v", err)
	}
}
