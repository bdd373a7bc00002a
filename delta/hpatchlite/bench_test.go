package hpatchlite_test

import (
	"fmt"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/hpatchlite"
)

// firmware returns a pair of size bytes made of the real images, each time in another
// disguise, so that the parts do not match one another.
func firmware(b testing.TB, size int) (old, target []byte) {
	b.Helper()
	for mask := byte(0); len(old) < size || len(target) < size; mask += 37 {
		for _, name := range deltatest.Pairs {
			o, n := deltatest.Pair(b, name)
			for _, v := range o {
				old = append(old, v+mask)
			}
			for _, v := range n {
				target = append(target, v+mask)
			}
		}
	}
	return old[:size], target[:size]
}

// BenchmarkCreate shows that time grows with the size and not with its square, and that
// a megabyte stays below 10 s and 512 MiB.
func BenchmarkCreate(b *testing.B) {
	for _, size := range []int{1 << 16, 1 << 18, 1 << 20} {
		images := hostile(size)
		old, target := firmware(b, size)
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
