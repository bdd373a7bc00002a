package tinyuz_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/tinyuz"
)

// noise returns bytes of a seed, of the first letters values only.
func noise(seed uint64, n, letters int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(letters))
	}
	return b
}

// inputs are data that stress different parts of the encoder.
func inputs() map[string][]byte {
	sparse := make([]byte, 6000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(sparse); i += 1 + r.IntN(100) {
		sparse[i] = byte(r.IntN(4))
	}
	far := append(noise(1, 3000, 256), make([]byte, 20)...)
	return map[string][]byte{
		"empty":         nil,
		"one byte":      {7},
		"two bytes":     {7, 7},
		"three bytes":   {1, 2, 1},
		"zeros":         make([]byte, 140000),
		"noise":         noise(2, 8000, 256),
		"short noise":   noise(3, 30, 256),
		"two letters":   noise(4, 5000, 2),
		"four letters":  noise(5, 5000, 4),
		"sparse":        sparse,
		"period":        bytes.Repeat([]byte("firmware update over the air, "), 800),
		"far":           append(far, far...),
		"noise, zeros":  append(noise(6, 500, 256), make([]byte, 70000)...),
		"zeros, noise":  append(make([]byte, 70000), noise(7, 500, 256)...),
		"long repeated": append(noise(8, 19000, 256), bytes.Repeat(noise(9, 17, 256), 1000)...),
	}
}

func TestDecodeUndoesEncode(t *testing.T) {
	for name, data := range inputs() {
		for _, o := range []tinyuz.Options{
			{Window: 1, LiteralLine: true},
			{Window: 2, DictField: 1},
			{Window: 200, DictField: 1, LiteralLine: true},
			{Window: 2048, DictField: 2, LiteralLine: true},
			{Window: 2048},
			{Window: 1 << 16, DictField: 3, LiteralLine: true},
			{Window: tinyuz.MaxWindow, LiteralLine: true},
		} {
			for kind, encode := range map[string]func([]byte, tinyuz.Options) ([]byte, error){
				"Encode": tinyuz.Encode, "EncodeFast": tinyuz.EncodeFast, "EncodeQuick": tinyuz.EncodeQuick, "EncodeRough": tinyuz.EncodeRough,
			} {
				stream, err := encode(data, o)
				if err != nil {
					t.Fatalf("%s %s %+v: %v", kind, name, o, err)
				}
				limits := tinyuz.Limits{Window: max(1, min(o.Window, len(data))), Size: max(1, len(data)), DictField: o.DictField}
				got, err := tinyuz.Decode(stream, limits)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s %s %+v: %d of %d bytes, %v", kind, name, o, len(got), len(data), err)
				}
				if most := len(data)*9/8 + 16; len(stream) > most {
					t.Errorf("%s %s %+v: %d bytes, never more than %d", kind, name, o, len(stream), most)
				}
				if again, _ := encode(data, o); !bytes.Equal(again, stream) {
					t.Errorf("%s %s %+v: other bytes when asked again", kind, name, o)
				}
			}
		}
	}
}

// assemble puts a stream together from strings of bits and from plain bytes. "|" empties
// the reservoir.
func assemble(dictionary int, parts ...any) []byte {
	out := []byte{byte(dictionary), byte(dictionary >> 8), byte(dictionary >> 16), byte(dictionary >> 24)}
	slot, used := 0, 8
	for _, part := range parts {
		switch p := part.(type) {
		case string:
			for _, c := range p {
				switch c {
				case '|':
					used = 8
				case '0', '1':
					if used == 8 {
						slot, used = len(out), 0
						out = append(out, 0)
					}
					out[slot] |= byte(c-'0') << used
					used++
				}
			}
		case rune:
			out = append(out, byte(p))
		case int:
			out = append(out, byte(p))
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

// The streams were written down from delta.md, section 3.
func TestStreamsByHand(t *testing.T) {
	far := noise(1, 2688, 256)
	for _, row := range []struct {
		name   string
		data   []byte
		window int
		stream []byte
		ours   bool // the encoder makes the same
	}{
		{"empty", nil, 1, assemble(1, "0 01 10", 0), true},
		{"literal", []byte("A"), 1, assemble(1, "1", 'A', "0 01 10 0", 0), true},
		{"repeat at the first distance", []byte("AAAA"), 4, assemble(4, "1", 'A', "0 10 1", "0 01 10", 0), true},
		{"match", []byte("ABCABC"), 6, assemble(6, "1", 'A', "1", 'B', "1", 'C', "0 10 0", 3, "0 01 10", 0), true},
		{"match after a match", []byte("ABABBB"), 6, assemble(6, "1", 'A', "1", 'B', "0 00 0", 2, "0 00", 1, "0 01 10", 0), false},
		{"literal line", noise(1, 30, 256), 30, assemble(30, "0 10", 0, "011 110", noise(1, 30, 256), "0 01 10 0", 0), true},
		{"clip end", []byte("ABABABBB"), 8, assemble(8, "1", 'A', "1", 'B', "0 00 0", 2, "1", 'A', "0 01 00 0", 0, "|", "1", 'B', "0 00 1", "0 01 10", 0), false},
		{"distance 128", append(noise(1, 128, 256), noise(1, 4, 256)...), 128,
			assemble(128, "0 10", 0, "001 101 111 100", noise(1, 128, 256), "0 01 00 0", 128, "000", "0 01 10", 0), true},
		{"far match", append(far[:2688:2688], far[:3]...), 2691,
			assemble(2691, "0 10", 0, "101 101 001 101 111 100", far, "0 00 0", 128, "001 001 000", "0 01 10", 0), false},
	} {
		got, err := tinyuz.Decode(row.stream, tinyuz.Limits{})
		if err != nil || !bytes.Equal(got, row.data) {
			t.Errorf("%s: %x, %v, want %x", row.name, got, err, row.data)
		}
		if !row.ours {
			continue
		}
		made, err := tinyuz.Encode(row.data, tinyuz.Options{Window: row.window, LiteralLine: true})
		if err != nil || !bytes.Equal(made, row.stream) {
			t.Errorf("%s: encoded as %x, %v, want %x", row.name, made, err, row.stream)
		}
	}
}

func TestAWindowIsNotExceeded(t *testing.T) {
	data := append(noise(1, 500, 256), noise(1, 500, 256)...)
	for _, row := range []struct{ window, least, most int }{{499, 1000, 1020}, {500, 500, 520}} {
		stream, err := tinyuz.Encode(data, tinyuz.Options{Window: row.window, LiteralLine: true})
		if err != nil || len(stream) < row.least || len(stream) > row.most {
			t.Errorf("window %d: %d bytes, %v, want %d to %d", row.window, len(stream), err, row.least, row.most)
		}
	}
}

func TestCostIsWhatEncodeQuickTakes(t *testing.T) {
	for name, data := range inputs() {
		o := tinyuz.Options{Window: 2048, LiteralLine: true}
		stream, err := tinyuz.EncodeQuick(data, o)
		if err != nil {
			t.Fatal(err)
		}
		bits, err := tinyuz.Cost(data, 0, o)
		if err != nil || (bits+7)/8+4 != len(stream) {
			t.Errorf("%s: cost %d bits, %v, the stream has %d bytes", name, bits, err, len(stream))
		}
	}
}

func TestOptionsOutOfRangeAreRefused(t *testing.T) {
	for _, o := range []tinyuz.Options{
		{}, {Window: -1}, {Window: tinyuz.MaxWindow + 1}, {Window: 1, DictField: 5}, {Window: 1, DictField: -1}, {Window: 256, DictField: 1},
	} {
		if _, err := tinyuz.Encode(make([]byte, 1000), o); !errors.Is(err, tinyuz.ErrRange) {
			t.Errorf("%+v: %v, want ErrRange", o, err)
		}
	}
	if _, err := tinyuz.Cost([]byte{1}, 2, tinyuz.Options{Window: 1}); !errors.Is(err, tinyuz.ErrRange) {
		t.Errorf("cost from behind the end: %v, want ErrRange", err)
	}
}

func TestMalformedStreamsAreRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		stream []byte
		want   error
	}{
		{"no dictionary", []byte{1, 0, 0}, tinyuz.ErrShort},
		{"dictionary of nothing", []byte{0, 0, 0, 0, 0x0c, 0}, tinyuz.ErrFormat},
		{"dictionary too large", []byte{0, 0, 0, 0x41, 0x0c, 0}, tinyuz.ErrLimit},
		{"no end", assemble(1, "1", 'A'), tinyuz.ErrShort},
		{"match before any output", assemble(1, "0 00", 1), tinyuz.ErrFormat},
		{"match beyond the output", assemble(9, "1", 'A', "0 00 0", 2), tinyuz.ErrFormat},
		{"control code 0", assemble(1, "0 00", 0), tinyuz.ErrFormat},
		{"control code 4", assemble(1, "0 11 00", 0), tinyuz.ErrFormat},
		{"output beyond the limit", []byte{1, 0, 0, 0, 0b11111111, 1, 2, 3, 4, 5, 6, 7, 8, 0b11111111, 9, 9, 9, 9, 9, 9, 9, 9, 1, 1}, tinyuz.ErrLimit},
		{"endless number", append([]byte{1, 0, 0, 0, 0b11111110}, bytes.Repeat([]byte{0xff}, 40)...), tinyuz.ErrFormat},
		{"more after the end", []byte{1, 0, 0, 0, 0x0c, 0, 0}, tinyuz.ErrFormat},
	} {
		if got, err := tinyuz.Decode(row.stream, tinyuz.Limits{Size: 16}); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, %v, want %v", row.name, got, err, row.want)
		}
	}
}

func TestEveryShorterStreamIsRefused(t *testing.T) {
	stream, err := tinyuz.Encode(inputs()["sparse"], tinyuz.Options{Window: 256, LiteralLine: true})
	if err != nil {
		t.Fatal(err)
	}
	for n := range stream {
		if _, err := tinyuz.Decode(stream[:n], tinyuz.Limits{}); !errors.Is(err, tinyuz.ErrShort) {
			t.Errorf("%d of %d bytes: %v, want ErrShort", n, len(stream), err)
		}
	}
}

func TestAReaderTakesNothingAfterTheEnd(t *testing.T) {
	data := inputs()["sparse"]
	stream, err := tinyuz.Encode(data, tinyuz.Options{Window: 256})
	if err != nil {
		t.Fatal(err)
	}
	source := bytes.NewReader(append(stream, "next"...))
	r, err := tinyuz.NewReader(source, tinyuz.Limits{Window: 256})
	if err != nil {
		t.Fatal(err)
	}
	if r.Window() != 256 {
		t.Errorf("window %d, want 256", r.Window())
	}
	if err := iotest.TestReader(r, data); err != nil {
		t.Error(err)
	}
	if rest, _ := io.ReadAll(source); string(rest) != "next" {
		t.Errorf("%q is left, want next", rest)
	}
	slow, err := tinyuz.NewReader(iotest.OneByteReader(bytes.NewReader(stream)), tinyuz.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(slow); err != nil || !bytes.Equal(got, data) {
		t.Errorf("byte by byte: %d bytes, %v", len(got), err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range [][]byte{nil, {7}, bytes.Repeat([]byte("abc"), 40), noise(1, 50, 256)} {
		stream, err := tinyuz.Encode(data, tinyuz.Options{Window: 64, LiteralLine: true})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		const size, window = 1 << 16, 1 << 12
		var got []byte
		var err error
		taken := deltatest.Allocated(func() { got, err = tinyuz.Decode(stream, tinyuz.Limits{Size: size, Window: window}) })
		if err == nil && len(got) > size {
			t.Fatalf("%d bytes of output, at most %d are allowed", len(got), size)
		}
		if most := 4*size + 4*window + len(stream) + 1<<16; taken > most {
			t.Fatalf("%d bytes of memory taken, want at most %d", taken, most)
		}
	})
}

func FuzzEncode(f *testing.F) {
	for _, data := range [][]byte{nil, {7}, bytes.Repeat([]byte("abc"), 40), noise(1, 50, 256)} {
		f.Add(data, uint16(64), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, window uint16, line bool) {
		o := tinyuz.Options{Window: 1 + int(window), LiteralLine: line}
		stream, err := tinyuz.Encode(data, o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tinyuz.Decode(stream, tinyuz.Limits{Window: o.Window, Size: max(1, len(data))})
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%+v: %d of %d bytes, %v", o, len(got), len(data), err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{1 << 16, 1 << 18, 1 << 20} {
		fibonacci, next := []byte{0}, []byte{0, 1}
		for len(fibonacci) < size {
			fibonacci, next = next, append(bytes.Clone(next), fibonacci...)
		}
		sparse := make([]byte, size)
		for i, v := range noise(1, size/40, 256) {
			sparse[i*40+int(v)%40] = v % 8
		}
		for name, data := range map[string][]byte{
			"zero": make([]byte, size), "noise": noise(1, size, 256), "two letters": noise(1, size, 2),
			"period": bytes.Repeat([]byte("periodic"), size/8), "fibonacci": fibonacci[:size], "sparse": sparse,
		} {
			for _, window := range []int{2048, tinyuz.MaxWindow} {
				b.Run(fmt.Sprintf("%s/%dKiB/window=%d", name, size>>10, window), func(b *testing.B) {
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for b.Loop() {
						if _, err := tinyuz.Encode(data, tinyuz.Options{Window: window, LiteralLine: true}); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
