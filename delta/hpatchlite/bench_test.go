package hpatchlite_test

import (
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/hpatchlite"
)

// BenchmarkCreate shows that time grows with the size and not with its square.
func BenchmarkCreate(b *testing.B) {
	for _, size := range []int{1 << 16, 1 << 18, 1 << 20} {
		images := deltatest.Hostile(size)
		old, target := deltatest.Firmware(b, size)
		images["firmware"] = [2][]byte{old, target}
		for _, name := range []string{"firmware", "edited", "random", "zero", "erased-zero", "two letters", "period 8", "period 257", "fibonacci"} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := hpatchlite.Create(images[name][0], images[name][1], hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 2048, LiteralLine: true}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
