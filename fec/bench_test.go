package fec_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

const benchFragSize = 200

var benchCounts = []int{100, 1000, 5000}

// BenchmarkEncode makes one coded fragment; MB/s is of coded bytes sent.
func BenchmarkEncode(b *testing.B) {
	for _, v := range versions {
		for _, m := range benchCounts {
			b.Run(fmt.Sprintf("v%d/M=%d", v, m), func(b *testing.B) {
				e, err := fec.NewEncoder(v, stream("bench", m*benchFragSize), benchFragSize)
				if err != nil {
					b.Fatal(err)
				}
				frag := make([]byte, 0, benchFragSize)
				b.SetBytes(benchFragSize)
				b.ReportAllocs()
				k := 0
				for b.Loop() {
					k = k%(m/2) + 1
					frag, _ = e.Fragment(m+k, frag[:0])
				}
			})
		}
	}
}

// BenchmarkEncodeBlock is the target of the design: the coded fragments of 1 MB in 4096
// fragments with 50 % redundancy, in less than 2 s.
func BenchmarkEncodeBlock(b *testing.B) {
	const m, size = 4096, 244
	for _, v := range versions {
		b.Run(fmt.Sprintf("v%d", v), func(b *testing.B) {
			block := stream("bench", m*size)
			frag := make([]byte, 0, size)
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				e, err := fec.NewEncoder(v, block, size)
				if err != nil {
					b.Fatal(err)
				}
				for k := range m / 2 {
					frag, _ = e.Fragment(m+k+1, frag[:0])
				}
			}
		})
	}
}

// lossy lists the fragments of m that arrive at 10 % loss until a device is done.
func lossy(v lorawan.Version, m int) []int {
	rng := rand.New(rand.NewPCG(6, 0))
	d, _ := fec.NewRankDecoder(v, m, fec.Limits{})
	var out []int
	for n := 1; !d.Done(); n++ {
		if rng.Float64() >= 0.1 {
			out = append(out, n)
			d.Add(n)
		}
	}
	return out
}

// BenchmarkDecode receives a whole block at 10 % loss; MB/s is of the block.
func BenchmarkDecode(b *testing.B) {
	for _, v := range versions {
		for _, m := range benchCounts {
			b.Run(fmt.Sprintf("v%d/M=%d", v, m), func(b *testing.B) {
				e, err := fec.NewEncoder(v, stream("bench", m*benchFragSize), benchFragSize)
				if err != nil {
					b.Fatal(err)
				}
				arrival := lossy(v, m)
				frags := make([][]byte, len(arrival))
				for i, n := range arrival {
					frags[i], _ = e.Fragment(n, nil)
				}
				b.SetBytes(int64(m * benchFragSize))
				b.ReportAllocs()
				for b.Loop() {
					d, _ := fec.NewDecoder(v, m, benchFragSize, fec.Limits{})
					for i, n := range arrival {
						d.Add(n, frags[i])
					}
					if !d.Done() {
						b.Fatal("not done")
					}
				}
			})
		}
	}
}

// BenchmarkRanks is one simulated device at 10 % loss, its rows shared with the fleet.
func BenchmarkRanks(b *testing.B) {
	for _, m := range benchCounts {
		b.Run(fmt.Sprintf("M=%d", m), func(b *testing.B) {
			arrival := lossy(lorawan.V1, m)
			rows := make([]fec.Row, len(arrival))
			for i, n := range arrival {
				if n > m {
					rows[i] = fec.ParityRow(lorawan.V1, n-m, m, nil)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				d, _ := fec.NewRankDecoder(lorawan.V1, m, fec.Limits{})
				for i, n := range arrival {
					d.AddRow(n, rows[i])
				}
			}
		})
	}
}

func BenchmarkWeakCount(b *testing.B) {
	for _, m := range []int{1000, 4096, fec.MaxFragments} {
		b.Run(fmt.Sprintf("M=%d", m), func(b *testing.B) {
			for b.Loop() {
				fec.WeakCount(lorawan.V1, m)
			}
		})
	}
}
