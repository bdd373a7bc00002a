package detools_test

import (
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/detools"
)

// BenchmarkCreate makes a patch of a release at several sizes; near-linear means that the MB/s
// stay what they are.
func BenchmarkCreate(b *testing.B) {
	for _, size := range []int{1 << 16, 1 << 18, 1 << 20} {
		old, target := deltatest.Release(b, size)
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
