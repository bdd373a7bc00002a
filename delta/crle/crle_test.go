package crle_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/delta/crle"
	"github.com/starling-fuota/starling/delta/deltatest"
)

func unpack(packed []byte) ([]byte, error) {
	return io.ReadAll(crle.NewReader(bytes.NewReader(packed)))
}

func TestRecordsAreBytesOfTheFormat(t *testing.T) {
	for _, x := range []struct{ name, plain, packed string }{
		{"nothing", "", "\x00\x00"},
		{"scattered", "abc", "\x00\x03abc"},
		{"repeated", "aaaaaaa", "\x01\x07a"},
		{"four in a row are three bytes", "aaaa", "\x01\x04a"},
		{"a short run is not worth a record", "abbbbc", "\x00\x06abbbbc"},
		{"a long one is", "abbbbbbbc", "\x00\x01a\x01\x07b\x00\x01c"},
		{"counts are little endian", strings.Repeat("a", 300), "\x01\xac\x02a"},
	} {
		if packed := string(crle.Append(nil, []byte(x.plain))); packed != x.packed {
			t.Errorf("%s: % x, want % x", x.name, packed, x.packed)
		}
		if plain, err := unpack([]byte(x.packed)); err != nil || string(plain) != x.plain {
			t.Errorf("%s: %q, %v", x.name, plain, err)
		}
	}
}

// inputs are like patches: runs and noise.
func inputs(n, size int) [][]byte {
	rnd := rand.New(rand.NewPCG(3, 4))
	var all [][]byte
	for range n {
		b := []byte{}
		for most := rnd.IntN(size); len(b) < most; {
			if rnd.IntN(2) == 0 {
				b = append(b, bytes.Repeat([]byte{byte(rnd.IntN(3))}, rnd.IntN(1+rnd.IntN(150)))...)
				continue
			}
			for range rnd.IntN(1 + rnd.IntN(200)) {
				b = append(b, byte(rnd.IntN(256)))
			}
		}
		all = append(all, b)
	}
	return all
}

func countBytes(n int) int {
	size := 1
	for ; n > 127; n >>= 7 {
		size++
	}
	return size
}

// shortest tries every record at every byte.
func shortest(plain []byte) int {
	cost := make([]int, len(plain)+1)
	for i := len(plain) - 1; i >= 0; i-- {
		cost[i] = 1 << 30
		for n := 1; i+n <= len(plain); n++ {
			cost[i] = min(cost[i], 1+countBytes(n)+n+cost[i+n])
		}
		for n := 1; i+n <= len(plain) && plain[i+n-1] == plain[i]; n++ {
			cost[i] = min(cost[i], 2+countBytes(n)+cost[i+n])
		}
	}
	if len(plain) == 0 {
		return 2
	}
	return cost[0]
}

func TestNoSplitIsShorter(t *testing.T) {
	for i, plain := range append(inputs(60, 700), inputs(1, 20_000)...) {
		packed := crle.Append([]byte("kept"), plain)
		if string(packed[:4]) != "kept" || len(packed)-4 != shortest(plain) || crle.Size(plain) != shortest(plain) {
			t.Errorf("input %d: %d bytes, size is said to be %d, shortest is %d, of % x", i, len(packed)-4, crle.Size(plain), shortest(plain), plain)
		}
		if got, err := unpack(packed[4:]); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("input %d: % x, %v, want % x", i, got, err, plain)
		}
	}
}

func TestBrokenStreamsAreRefused(t *testing.T) {
	for _, x := range []struct {
		name, packed string
		want         error
	}{
		{"kind 2", "\x02\x01a", crle.ErrKind},
		{"no count", "\x00", crle.ErrTruncated},
		{"half a count", "\x01\x80", crle.ErrTruncated},
		{"no byte to repeat", "\x01\x05", crle.ErrTruncated},
		{"too few bytes", "\x00\x05abcd", crle.ErrTruncated},
		{"a count of 2^31", "\x01\x80\x80\x80\x80\x08a", crle.ErrCount},
		{"a count of six groups", "\x01\x80\x80\x80\x80\x80\x01a", crle.ErrCount},
		{"a count that is longer than it needs to be", "\x01\x85\x00a", crle.ErrCount},
		{"nothing repeated", "\x01\x00a", crle.ErrCount},
		{"nothing, and more", "\x00\x00\x00\x01a", crle.ErrCount},
		{"more, and nothing", "\x00\x01a\x00\x00", crle.ErrCount},
	} {
		if _, err := unpack([]byte(x.packed)); !errors.Is(err, x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// failing is a source that breaks after some bytes.
type failing struct{ packed string }

var errSource = errors.New("radio is off")

func (f *failing) ReadByte() (byte, error) {
	if f.packed == "" {
		return 0, errSource
	}
	b := f.packed[0]
	f.packed = f.packed[1:]
	return b, nil
}

func TestErrorOfTheSourceIsReturned(t *testing.T) {
	const packed = "\x00\x02ab\x01\x85\x01a\x00\x00"
	for n := range len(packed) + 1 {
		if _, err := io.ReadAll(crle.NewReader(&failing{packed[:n]})); !errors.Is(err, errSource) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, plain := range inputs(10, 400) {
		f.Add(crle.Append(nil, plain))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		const most = 1 << 16
		var plain []byte
		var err error
		taken := deltatest.Allocated(func() {
			plain, err = io.ReadAll(io.LimitReader(crle.NewReader(bytes.NewReader(packed)), most))
		})
		if taken > 8*most {
			t.Fatalf("%d bytes of memory taken", taken)
		}
		if err != nil || len(plain) == most {
			return
		}
		again := crle.Append(nil, plain)
		if got, err := unpack(again); err != nil || !bytes.Equal(got, plain) || len(again) > max(len(packed), 2) {
			t.Fatalf("%d bytes again in %d, %v", len(packed), len(again), err)
		}
	})
}

func FuzzEncoder(f *testing.F) {
	for _, plain := range inputs(10, 400) {
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		packed := crle.Append(nil, plain)
		if got, err := unpack(packed); err != nil || !bytes.Equal(got, plain) || len(packed) != crle.Size(plain) {
			t.Fatalf("% x, %v", got, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1 << 16, 1 << 18, 1 << 20} {
		plain := make([]byte, size)
		for i := 0; i < size; i += 1 + rnd.IntN(60) {
			plain[i] = byte(rnd.IntN(256))
		}
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				crle.Append(nil, plain)
			}
		})
	}
}
