package fec_test

import (
	"bytes"
	"testing"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

// FuzzDecoder reads a session and a sequence of fragment numbers from the input and holds
// the decoder to its invariants. A number above 0x3FFF is a fragment of the wrong size.
func FuzzDecoder(f *testing.F) {
	f.Add(uint8(1), uint8(20), uint8(0), []byte{0, 1, 0, 2, 0, 21, 0, 22})
	f.Add(uint8(2), uint8(1), uint8(1), []byte{0, 2, 0, 1, 0, 1})
	f.Add(uint8(1), uint8(8), uint8(2), []byte{0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15, 0, 16, 0, 17, 0, 18, 0, 19})
	f.Add(uint8(2), uint8(64), uint8(3), []byte{0, 64, 0, 65, 0, 1, 0xff, 0xff, 0, 0})
	limits := []fec.Limits{
		{},
		{DropsLower: true, MaxLost: 5, FinishesOverLimit: true, Style: fec.StyleLoRaMac},
		{DropsLower: true, MaxLost: 9, Style: fec.StyleLBM},
		{SpoiledByUncoded: true, MaxLostPercent: 20, Style: fec.StyleZephyr},
	}
	f.Fuzz(func(t *testing.T, version, nbFrag, stack uint8, numbers []byte) {
		const size, most = 3, 1000
		numbers = numbers[:min(len(numbers), 2*most)]
		v := lorawan.Version(version)
		lim := limits[int(stack)%len(limits)]
		d, err := fec.NewDecoder(v, int(nbFrag), size, lim)
		if err != nil {
			return
		}
		ranks, err := fec.NewRankDecoder(v, int(nbFrag), lim)
		if err != nil {
			t.Fatal(err)
		}
		block := stream("fuzz", int(nbFrag)*size)
		e, err := fec.NewEncoder(v, block, size)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(numbers) >= 2; numbers = numbers[2:] {
			n := int(numbers[0])<<8 | int(numbers[1])
			frag, err := e.Fragment(n, nil)
			done, addErr := d.Add(n, frag)
			if (err == nil) != (addErr == nil) || done != d.Done() {
				t.Fatalf("N=%d: %v, %v", n, err, addErr)
			}
			if rankDone, err := ranks.Add(n); rankDone != done || (err == nil) != (addErr == nil) {
				t.Fatalf("N=%d: RankDecoder %v, %v", n, rankDone, err)
			}
			if d.Rank()+d.Needed() != int(nbFrag) || d.Rank() != ranks.Rank() || d.Missing() < 0 || d.Missing() > int(nbFrag) ||
				d.Lost() < 0 || d.Lost() > int(nbFrag) || d.Report() != ranks.Report() {
				t.Fatalf("N=%d: rank %d needed %d missing %d lost %d", n, d.Rank(), d.Needed(), d.Missing(), d.Lost())
			}
		}
		if d.Done() && d.Failed() == nil && !bytes.Equal(d.Bytes(), block) {
			t.Fatal("done with a wrong block")
		}
		if d.Failed() == nil && d.Done() != (d.Needed() == 0) {
			t.Fatalf("done %v with %d needed", d.Done(), d.Needed())
		}
	})
}
