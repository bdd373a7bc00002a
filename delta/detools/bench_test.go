package detools_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/detools"
)

// grown repeats the functions of a real firmware, each copy with other addresses, up to size: as machine
// code goes, and not the same in any two places.
func grown(seed uint64, image []byte, size int) []byte {
	rnd := rand.New(rand.NewPCG(seed, 8))
	b := make([]byte, 0, size+len(image))
	for len(b) < size {
		for at := 0; at+4 <= len(image); at += 4 {
			word := [4]byte(image[at:])
			if rnd.IntN(6) == 0 {
				word[rnd.IntN(4)] = byte(rnd.IntN(256))
			}
			b = append(b, word[:]...)
		}
	}
	return b[:size]
}

// released is an image of the next version: some functions grew, and the addresses of those behind moved.
func released(seed uint64, old []byte) []byte {
	rnd := rand.New(rand.NewPCG(seed, 9))
	var b []byte
	for at, shift := 0, 0; at < len(old); {
		n := min(200+rnd.IntN(3000), len(old)-at)
		for k, c := range old[at : at+n] {
			if k%24 == 2 && rnd.IntN(3) > 0 {
				c += byte(shift)
			}
			b = append(b, c)
		}
		if rnd.IntN(4) == 0 {
			for range 2 * rnd.IntN(30) {
				b = append(b, byte(rnd.IntN(256)))
				shift++
			}
		}
		at += n
	}
	return b[:min(len(b), len(old))]
}

// Time and memory of a release at several sizes; near-linear means that the MB/s stay what they are.
func BenchmarkCreate(b *testing.B) {
	image := deltatest.File(b, "pybv11-1f5d945af-dirty", "old.bin")
	for _, size := range []int{1 << 16, 1 << 18, 1 << 20} {
		old := grown(1, image, size)
		target := released(2, old)
		for _, o := range []detools.Options{
			{Compression: detools.Heatshrink, Window: 8, Lookahead: 7},
			{Compression: detools.Heatshrink, Window: 11},
			{Compression: detools.Heatshrink, Window: 15},
			{Compression: detools.CRLE},
			{Compression: detools.Heatshrink, Window: 11, InPlace: true, Memory: 2 << 20, Segment: 4096},
		} {
			b.Run(fmt.Sprintf("%v/w%d/inplace=%v/%dKiB", o.Compression, o.Window, o.InPlace, size>>10), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					patch, err := detools.Create(old, target, o)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(len(patch)), "patch-bytes")
				}
			})
		}
	}
}
