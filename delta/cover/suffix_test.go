package cover

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSuffixesAreInOrder(t *testing.T) {
	texts := [][]byte{nil, {7}, {1, 1}, []byte("mississippi"), []byte("abracadabra"), make([]byte, 1000), bytes.Repeat([]byte("ab"), 300)}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		text := make([]byte, r.IntN(400))
		for i := range text {
			text[i] = byte(r.IntN(1 + int(seed)%7))
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		want := make([]int32, len(text))
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortFunc(want, func(a, b int32) int { return bytes.Compare(text[a:], text[b:]) })
		if got := suffixArray(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestLongestIsTheLongestMatch(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		draw := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(r.IntN(3))
			}
			return b
		}
		old, pattern := draw(r.IntN(200)), draw(20)
		const limit = 12
		want := 0
		for p := range old {
			want = max(want, equalBytes(old[p:], pattern[:limit]))
		}
		if want < 2 {
			want = 0
		}
		pos, got := NewIndex(old).longest(pattern, limit)
		if got != want || equalBytes(old[pos:], pattern[:limit]) != got {
			t.Errorf("seed %d: %d bytes at %d, want %d", seed, got, pos, want)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	for _, size := range []int{1 << 16, 1 << 20} {
		old := make([]byte, size)
		r := rand.New(rand.NewPCG(1, 1))
		for i := range old {
			old[i] = byte(r.Uint32() & r.Uint32())
		}
		for name, text := range map[string][]byte{"random": old, "zero": make([]byte, size)} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					NewIndex(text)
				}
			})
		}
	}
}
