package cover_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
)

// addresses returns a table of n addresses of code, each moved by shift.
func addresses(n, shift int) []byte {
	var b []byte
	for i := range n {
		b = binary.LittleEndian.AppendUint32(b, uint32(0x0800_0000+(i*7919)%0x8000+shift))
	}
	return b
}

// A vector table whose entries all moved has no four equal bytes in a row, and is cheapest as what it is.
func TestATableOfMovedAddressesIsOneCover(t *testing.T) {
	code := deltatest.Random(1, 4000, 256)
	old := slices.Concat(addresses(100, 0), code)
	target := slices.Concat(addresses(100, 0x34), code)
	got := cover.Find(old, target, cover.Params{})
	if len(got) != 1 || got[0].Diagonal() != 0 || got[0].Length < len(old)-4 { // the first bytes may be literal
		t.Errorf("%v", got)
	}
}

// Inside of an image, entries that happen to have the value of their neighbours' do not lure the search away.
func TestEqualEntriesOfATableAreNotWorthAnAlignment(t *testing.T) {
	var before, after []byte
	for i := range 60 { // the addresses of parts of 4 bytes, all of which moved by 4
		before = binary.LittleEndian.AppendUint32(before, uint32(0x0800_0000+4*i))
		after = binary.LittleEndian.AppendUint32(after, uint32(0x0800_0000+4*i+4))
	}
	code := deltatest.Random(1, 4000, 256)
	old := slices.Concat(code, before, code[:1000])
	target := slices.Concat(code, after, code[:1000])
	if got := cover.Find(old, target, cover.Params{}); len(got) != 1 {
		t.Errorf("%d covers: %v", len(got), got)
	}
	if got := cover.Find(old, target, cover.Params{Repeat: 1 << 20}); len(got) == 1 {
		t.Errorf("%d covers, and repeated differences are not cheap", len(got))
	}
}
