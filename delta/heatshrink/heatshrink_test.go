package heatshrink_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/heatshrink"
)

// unpack reads a whole stream.
func unpack(packed []byte, p heatshrink.Params) ([]byte, error) {
	r, err := heatshrink.NewReader(bytes.NewReader(packed), p)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// allParams lists every pair that there is.
func allParams() []heatshrink.Params {
	var all []heatshrink.Params
	for w := 4; w <= 15; w++ {
		for l := 3; l < w; l++ {
			all = append(all, heatshrink.Params{Window: w, Lookahead: l})
		}
	}
	return all
}

func TestTokensAreBitsOfTheFormat(t *testing.T) {
	for _, x := range []struct {
		name   string
		p      heatshrink.Params
		plain  string
		packed []byte
	}{
		// 1 01100001, seven bits of padding
		{"one literal", heatshrink.Params{Window: 8, Lookahead: 7}, "a", []byte{0xb0, 0x80}},
		// 1 01100001, 1 01100010, 0 00000001 0000101, six bits of padding: distance 2, length 6
		{"overlap", heatshrink.Params{Window: 8, Lookahead: 7}, "abababab", []byte{0xb0, 0xd8, 0x80, 0x21, 0x40}},
		// 0 00000000 1111111: distance 1, length 128, and nothing was written before
		{"zeros before the start", heatshrink.Params{Window: 8, Lookahead: 7}, strings.Repeat("\x00", 128), []byte{0x00, 0x7f}},
		{"nothing", heatshrink.Params{Window: 8, Lookahead: 7}, "", nil},
		// 1 11111111, 0 0000 010: distance 1, length 3
		{"smallest pair", heatshrink.Params{Window: 4, Lookahead: 3}, "\xff\xff\xff\xff", []byte{0xff, 0x81, 0x00}},
	} {
		t.Run(x.name, func(t *testing.T) {
			packed, err := heatshrink.Append(nil, []byte(x.plain), x.p)
			if err != nil || !bytes.Equal(packed, x.packed) {
				t.Errorf("packed % x, %v, want % x", packed, err, x.packed)
			}
			plain, err := unpack(x.packed, x.p)
			if err != nil || string(plain) != x.plain {
				t.Errorf("unpacked %q, %v", plain, err)
			}
		})
	}
}

// inputs are like patches: runs of zeros, few values, repeated pieces, noise.
func inputs(n int) [][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var all [][]byte
	for k := range n {
		var b []byte
		for size := rnd.IntN(300); len(b) < size; {
			switch rnd.IntN(4) {
			case 0:
				b = append(b, make([]byte, rnd.IntN(40))...)
			case 1:
				b = append(b, bytes.Repeat([]byte{byte(rnd.IntN(3))}, rnd.IntN(20))...)
			case 2:
				for range rnd.IntN(10) {
					b = append(b, byte(rnd.IntN(1+k%256)))
				}
			default:
				if len(b) > 0 {
					from := rnd.IntN(len(b))
					b = append(b, b[from:from+rnd.IntN(len(b)-from)]...)
				}
			}
		}
		all = append(all, b)
	}
	return all
}

func TestEveryPairReadsWhatItWrote(t *testing.T) {
	for _, p := range allParams() {
		for i, plain := range inputs(20) {
			packed, err := heatshrink.Append([]byte("kept"), plain, p)
			if err != nil {
				t.Fatal(err)
			}
			bits, err := heatshrink.Bits(plain, p)
			if err != nil || (bits+7)/8 != len(packed)-4 || string(packed[:4]) != "kept" {
				t.Fatalf("%v, input %d: %d bits, %v, in %d bytes", p, i, bits, err, len(packed))
			}
			if got, err := unpack(packed[4:], p); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%v, input %d: % x, %v, want % x", p, i, got, err, plain)
			}
		}
	}
}

// shortest tries every token at every byte.
func shortest(plain []byte, p heatshrink.Params) int {
	src := append(make([]byte, 1<<p.Window), plain...)
	bits := make([]int, len(src)+1)
	for i := len(src) - 1; i >= 1<<p.Window; i-- {
		bits[i] = 9 + bits[i+1]
		for distance := 1; distance <= 1<<p.Window; distance++ {
			for n := 1; n <= 1<<p.Lookahead && i+n <= len(src) && src[i+n-1] == src[i+n-1-distance]; n++ {
				bits[i] = min(bits[i], 1+p.Window+p.Lookahead+bits[i+n])
			}
		}
	}
	return bits[1<<p.Window]
}

func TestNoParseIsShorter(t *testing.T) {
	for _, p := range allParams() {
		for i, plain := range inputs(25) {
			if p.Window > 11 || p.Window > 7 && i%25 != p.Lookahead {
				continue // the walk over all tokens takes its time
			}
			want := shortest(plain, p)
			if got, err := heatshrink.Bits(plain, p); err != nil || got != want {
				t.Errorf("%v, input %d: %d bits, %v, shortest is %d, of % x", p, i, got, err, want, plain)
			}
		}
	}
}

func TestEstimateIsNeverLess(t *testing.T) {
	for _, p := range allParams() {
		for i, plain := range inputs(5) {
			bits, err := heatshrink.Bits(plain, p)
			about, err2 := heatshrink.Estimate(plain, p)
			quick, err3 := heatshrink.QuickMatches(plain, p.Window).Bits(p.Lookahead)
			if err != nil || err2 != nil || err3 != nil || about < bits || quick < bits || 100*max(about, quick) > 105*bits+1600 {
				t.Errorf("%v, input %d: about %d, %d of %d bits, %v, %v, %v", p, i, about, quick, bits, err, err2, err3)
			}
		}
	}
	if _, err := heatshrink.Estimate(nil, heatshrink.Params{}); !errors.Is(err, heatshrink.ErrParams) {
		t.Error(err)
	}
	if _, _, err := heatshrink.QuickMatches(nil, 16).Best(); !errors.Is(err, heatshrink.ErrParams) {
		t.Error(err)
	}
}

func TestBestLookaheadIsTheSmallest(t *testing.T) {
	for _, plain := range inputs(20) {
		for w := 4; w <= 15; w++ {
			lookahead, bits, err := heatshrink.NewMatches(plain, w).Best()
			if err != nil {
				t.Fatal(err)
			}
			for l := 3; l < w; l++ {
				p := heatshrink.Params{Window: w, Lookahead: l}
				n, err := heatshrink.Bits(plain, p)
				if err != nil || n < bits || n == bits && l < lookahead || l == lookahead && n != bits {
					t.Errorf("%v: %d bits, %v; best is said to be %d with %d", p, n, err, lookahead, bits)
				}
			}
		}
	}
}

func TestOtherPairsAreRefused(t *testing.T) {
	for _, p := range []heatshrink.Params{{}, {3, 3}, {4, 2}, {4, 4}, {16, 8}, {-1, 3}, {8, 8}, {15, 15}} {
		_, encode := heatshrink.Append(nil, nil, p)
		_, bits := heatshrink.Bits(nil, p)
		_, decode := heatshrink.NewReader(bytes.NewReader(nil), p)
		_, matches := heatshrink.NewMatches([]byte("aaaa"), p.Window).Append(nil, p.Lookahead)
		for _, err := range []error{encode, bits, decode, matches, p.Check()} {
			if !errors.Is(err, heatshrink.ErrParams) {
				t.Errorf("%v: %v", p, err)
			}
		}
	}
	if _, _, err := heatshrink.NewMatches(nil, 3).Best(); !errors.Is(err, heatshrink.ErrParams) {
		t.Error(err)
	}
}

func TestByteOfAPair(t *testing.T) {
	if b := heatshrink.Default.Byte(); b != 0x44 {
		t.Errorf("w8 l7 is %#x", b)
	}
	for b := range 256 {
		p, err := heatshrink.ParseByte(byte(b))
		if err == nil && p.Byte() != byte(b) {
			t.Errorf("%#x is %v and back %#x", b, p, p.Byte())
		}
		if valid := b>>4 <= 11 && b&15 < b>>4+1; valid != (err == nil) {
			t.Errorf("%#x: %v, %v", b, p, err)
		}
	}
}

func TestBrokenStreamsAreRefused(t *testing.T) {
	for _, x := range []struct {
		name   string
		packed []byte
		plain  string
		want   error
	}{
		{"half a literal", []byte{0xb0}, "", heatshrink.ErrTruncated},
		{"half a back-reference", []byte{0x00}, "", heatshrink.ErrTruncated},
		{"bits in the padding", []byte{0xb0, 0x81}, "a", heatshrink.ErrPadding},
		{"a byte too many", []byte{0xb0, 0x80, 0x00}, "a", heatshrink.ErrTruncated},
		{"ones in the padding", []byte{0xb0, 0xff}, "a", heatshrink.ErrTruncated},
	} {
		plain, err := unpack(x.packed, heatshrink.Default)
		if string(plain) != x.plain || !errors.Is(err, x.want) {
			t.Errorf("%s: %q, %v", x.name, plain, err)
		}
	}
}

// failing is a source that breaks after some bytes.
type failing struct{ left int }

var errSource = errors.New("radio is off")

func (f *failing) ReadByte() (byte, error) {
	if f.left--; f.left < 0 {
		return 0, errSource
	}
	return 0, nil
}

func TestErrorOfTheSourceIsReturned(t *testing.T) {
	for n := range 6 {
		r, err := heatshrink.NewReader(&failing{n}, heatshrink.Default)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.ReadAll(r); !errors.Is(err, errSource) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for i, plain := range inputs(10) {
		p := allParams()[i*7]
		packed, err := heatshrink.Append(nil, plain, p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Byte(), packed)
	}
	f.Fuzz(func(t *testing.T, pair byte, packed []byte) {
		p, err := heatshrink.ParseByte(pair)
		if err != nil || len(packed) > 1<<12 {
			return
		}
		var plain []byte
		taken := deltatest.Allocated(func() { plain, err = unpack(packed, p) })
		if most := 8*len(plain) + 1<<18; taken > most {
			t.Fatalf("%d bytes of memory taken for %d", taken, len(plain))
		}
		if limit := (8*len(packed)/(1+p.Window+p.Lookahead) + len(packed)) << p.Lookahead; len(plain) > limit {
			t.Fatalf("%d bytes from %d", len(plain), len(packed))
		}
		if err != nil || len(plain) > 1<<14 { // long copies make much of few bytes, and a fuzzer does not wait
			return
		}
		again, err := heatshrink.Append(nil, plain, p)
		if err != nil || len(again) > len(packed) {
			t.Fatalf("%d bytes, %v: the stream read had %d", len(again), err, len(packed))
		}
		if got, err := unpack(again, p); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%v after packing again", err)
		}
	})
}

func FuzzEncoder(f *testing.F) {
	for i, plain := range inputs(10) {
		f.Add(allParams()[i*7].Byte(), plain)
	}
	f.Fuzz(func(t *testing.T, pair byte, plain []byte) {
		p, err := heatshrink.ParseByte(pair)
		if err != nil {
			return
		}
		packed, err := heatshrink.Append(nil, plain, p)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(packed, p); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("% x, %v", got, err)
		}
	})
}

// Patches are mostly zeros; the time per byte must not grow with the input.
func BenchmarkAppend(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1 << 16, 1 << 18, 1 << 20} {
		plain := make([]byte, size)
		for i := 0; i < size; i += 1 + rnd.IntN(60) {
			plain[i] = byte(rnd.IntN(256))
		}
		for _, p := range []heatshrink.Params{{8, 7}, {11, 8}, {15, 10}} {
			b.Run(fmt.Sprintf("%v/%dKiB", p, size>>10), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := heatshrink.Append(nil, plain, p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
