package cover_test

import (
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
)

// BenchmarkFinders shows that time grows with the size and not with its square.
func BenchmarkFinders(b *testing.B) {
	for _, size := range []int{1 << 16, 1 << 18, 1 << 20} {
		images := deltatest.Hostile(size)
		for _, name := range []string{"edited", "random", "zero", "erased-zero", "two letters", "period 8", "period 257", "fibonacci"} {
			for find, f := range finders {
				b.Run(fmt.Sprintf("%s/%s/%dKiB", find, name, size>>10), func(b *testing.B) {
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for b.Loop() {
						f(images[name][0], images[name][1], cover.Params{})
					}
				})
			}
		}
	}
}
