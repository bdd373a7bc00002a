package delta_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/envelope"
)

// release returns two images: pieces of the old one have moved, changed and grown.
func release(seed uint64, size int) (old, target []byte) {
	r := mathrand.New(mathrand.NewPCG(seed, 1))
	words := make([][]byte, 64)
	for i := range words {
		words[i] = make([]byte, 2+r.IntN(30))
		for k := range words[i] {
			words[i][k] = byte(r.IntN(256))
		}
	}
	for len(old) < size {
		old = append(old, words[r.IntN(len(words))]...)
		old = append(old, byte(r.IntN(256)))
	}
	target = bytes.Clone(old)
	for range 1 + size/2000 {
		at, n := r.IntN(len(target)-64), 1+r.IntN(30)
		switch r.IntN(3) {
		case 0:
			target = slices.Insert(target, at, words[r.IntN(len(words))]...)
		case 1:
			target = slices.Delete(target, at, at+n)
		case 2:
			target[at] += byte(n)
		}
	}
	return old, target
}

func TestPatchesOfEachFormatMakeTheNewImage(t *testing.T) {
	for seed := range uint64(3) {
		old, target := release(seed, 2000)
		for _, format := range append(delta.Formats(), delta.Auto) {
			o := delta.Options{Format: format, LiteralLine: seed == 0, Compression: 4 + 4*int(seed), Segment: 512}
			p, err := delta.Create(old, target, o)
			if err != nil {
				t.Errorf("%s: %v", format, err)
				continue
			}
			if p.From != len(old) || p.To != len(target) || p.Codec != p.Format.Codec() || p.Codec == envelope.Full {
				t.Errorf("%s: %+v", format, p)
			}
			if format != delta.Auto && p.Format != format {
				t.Errorf("asked for %s, got %s", format, p.Format)
			}
			if p.RAM > 2<<o.Compression || int(p.WindowLog) > o.Compression {
				t.Errorf("%s takes %d bytes of RAM and a window of 2^%d, want compression %d", format, p.RAM, p.WindowLog, o.Compression)
			}
			made, info, err := delta.Apply(old, p.Bytes, delta.Limits{})
			if err != nil || !bytes.Equal(made, target) {
				t.Errorf("%s: %d of %d bytes, %v", format, len(made), len(target), err)
			}
			if info.Format != p.Format || info.Compressor != p.Compressor || info.RAM() != p.RAM || info.To != len(target) {
				t.Errorf("%s: patch %+v, read as %+v", format, p, info)
			}
			again, err := delta.Create(old, target, o)
			if err != nil || !bytes.Equal(again.Bytes, p.Bytes) {
				t.Errorf("%s: the same images gave another patch, %v", format, err)
			}
		}
	}
}

func TestRealFirmwareBecomesSmall(t *testing.T) {
	old, target := deltatest.Pair(t, "programmer-0.8.0-0.9.0")
	sizes := map[delta.Format]int{}
	for _, format := range delta.Formats() {
		p, err := delta.Create(old, target, delta.Options{Format: format, LiteralLine: true})
		if err != nil {
			t.Fatal(err)
		}
		sizes[format] = len(p.Bytes)
	}
	// The reference tools' sizes of delta.md, section 1.2.
	for format, most := range map[delta.Format]int{
		delta.HPatchLite: 1298, delta.HPatchLiteInPlace: 1301, delta.HPatchLiteRelocated: 1203, delta.Detools: 1545, delta.DetoolsInPlace: 1668,
	} {
		if sizes[format] > most {
			t.Errorf("%s: %d bytes, the reference has %d", format, sizes[format], most)
		}
	}
}

func TestAutoKeepsTheSmallestOfThoseAllowed(t *testing.T) {
	old, target := release(7, 2000)
	all, err := delta.Create(old, target, delta.Options{Allowed: delta.Formats()})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range delta.Formats() {
		if p, err := delta.Create(old, target, delta.Options{Format: format}); err != nil || len(p.Bytes) < len(all.Bytes) {
			t.Errorf("of all %s has %d bytes, %s %d, %v", all.Format, len(all.Bytes), format, len(p.Bytes), err)
		}
	}
	p, err := delta.Create(old, target, delta.Options{})
	if err != nil || p.Format != delta.HPatchLite && p.Format != delta.Detools {
		t.Errorf("of itself: %s, %v", p.Format, err)
	}
	p, err = delta.Create(old, target, delta.Options{Allowed: []delta.Format{delta.DetoolsInPlace}})
	if err != nil || p.Format != delta.DetoolsInPlace {
		t.Errorf("only one: %s, %v", p.Format, err)
	}
	// A memory without room for the image rules out one format, not the others.
	p, err = delta.Create(old, target, delta.Options{Memory: 512, Segment: 512, Allowed: []delta.Format{delta.DetoolsInPlace, delta.HPatchLite}})
	if err != nil || p.Format != delta.HPatchLite {
		t.Errorf("one without room: %s, %v", p.Format, err)
	}
}

func TestStaticDecodersGetTheirPair(t *testing.T) {
	old, target := release(8, 4000)
	p, err := delta.Create(old, target, delta.Options{Format: delta.Detools, Window: 8, Lookahead: 7, Compressors: []string{delta.Heatshrink}})
	if err != nil {
		t.Fatal(err)
	}
	info, err := delta.Inspect(p.Bytes)
	if err != nil || info.Compressor != delta.Heatshrink || info.Window != 256 || info.Lookahead != 7 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestCompressorsThatADeviceLacksAreNotUsed(t *testing.T) {
	old, target := release(9, 4000)
	for _, c := range []struct {
		format     delta.Format
		compressor string
	}{
		{delta.HPatchLite, delta.None}, {delta.HPatchLite, delta.Tinyuz}, {delta.HPatchLiteInPlace, delta.Tinyuz},
		{delta.HPatchLiteRelocated, delta.None}, {delta.HPatchLiteRelocated, delta.Tinyuz},
		{delta.Detools, delta.None}, {delta.Detools, delta.CRLE}, {delta.Detools, delta.Heatshrink},
		{delta.DetoolsInPlace, delta.None}, {delta.DetoolsInPlace, delta.CRLE}, {delta.DetoolsInPlace, delta.Heatshrink},
	} {
		p, err := delta.Create(old, target, delta.Options{Format: c.format, Compressors: []string{c.compressor}})
		if err != nil || p.Compressor != c.compressor {
			t.Errorf("%s with %s: %s, %v", c.format, c.compressor, p.Compressor, err)
		}
	}
	if _, err := delta.Create(old, target, delta.Options{Format: delta.HPatchLite, Compressors: []string{delta.CRLE}}); !errors.Is(err, delta.ErrOptions) {
		t.Errorf("HPatchLite with crle: %v", err)
	}
	if _, err := delta.Create(old, target, delta.Options{Format: delta.Detools, Compressors: []string{delta.Tinyuz}}); !errors.Is(err, delta.ErrOptions) {
		t.Errorf("detools with tinyuz: %v", err)
	}
}

func TestSmallDictionaryFieldsAreReadAsTheyWereWritten(t *testing.T) {
	old, target := release(10, 4000)
	for field := 1; field <= 4; field++ {
		p, err := delta.Create(old, target, delta.Options{Format: delta.HPatchLite, Compression: 12, DictField: field, Compressors: []string{delta.Tinyuz}})
		if err != nil {
			t.Errorf("%d bytes: %v", field, err)
			continue
		}
		if made, _, err := delta.Apply(old, p.Bytes, delta.Limits{DictField: field}); err != nil || !bytes.Equal(made, target) {
			t.Errorf("%d bytes: %v", field, err)
		}
		if field == 1 && p.RAM > 255 {
			t.Errorf("dictionary of %d bytes in a field of one", p.RAM)
		}
	}
}

func TestImagesWithoutAPatchAreRefused(t *testing.T) {
	old, target := release(11, 1000)
	for name, c := range map[string]struct {
		old, target []byte
		o           delta.Options
		want        error
	}{
		"same":             {old, bytes.Clone(old), delta.Options{}, delta.ErrSame},
		"no old image":     {nil, target, delta.Options{}, delta.ErrEmpty},
		"no new image":     {old, nil, delta.Options{}, delta.ErrEmpty},
		"large":            {make([]byte, delta.MaxImage+1), target, delta.Options{}, delta.ErrTooLarge},
		"unknown format":   {old, target, delta.Options{Format: "bsdiff"}, delta.ErrOptions},
		"auto in auto":     {old, target, delta.Options{Allowed: []delta.Format{delta.Auto}}, delta.ErrOptions},
		"nothing allowed":  {old, target, delta.Options{Allowed: []delta.Format{}}, delta.ErrOptions},
		"compression 3":    {old, target, delta.Options{Compression: 3}, delta.ErrOptions},
		"compression 32":   {old, target, delta.Options{Compression: 32}, delta.ErrOptions},
		"heatshrink 16":    {old, target, delta.Options{Format: delta.Detools, Compression: 16}, delta.ErrOptions},
		"half a pair":      {old, target, delta.Options{Window: 8}, delta.ErrOptions},
		"no such pair":     {old, target, delta.Options{Window: 8, Lookahead: 8}, delta.ErrOptions},
		"compressor":       {old, target, delta.Options{Compressors: []string{"lzma"}}, delta.ErrOptions},
		"dictionary field": {old, target, delta.Options{DictField: 5}, delta.ErrOptions},
		"negative extra":   {old, target, delta.Options{Extra: -1}, delta.ErrOptions},
		"no memory":        {old, target, delta.Options{Format: delta.DetoolsInPlace, Memory: 256, Segment: 256}, delta.ErrOptions},
	} {
		if _, err := delta.Create(c.old, c.target, c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestPatchesThatAreNoneAreRefused(t *testing.T) {
	old, target := release(12, 2000)
	for _, format := range delta.Formats() {
		p, err := delta.Create(old, target, delta.Options{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		for n := range p.Bytes {
			if _, _, err := delta.Apply(old, p.Bytes[:n], delta.Limits{}); !errors.Is(err, delta.ErrApply) && !errors.Is(err, delta.ErrFormat) && !errors.Is(err, delta.ErrTooLarge) {
				t.Errorf("%s, %d of %d bytes: %v", format, n, len(p.Bytes), err)
			}
		}
		if _, _, err := delta.Apply(old[:10], p.Bytes, delta.Limits{}); err == nil && format != delta.HPatchLiteRelocated {
			t.Errorf("%s: applied to another image", format)
		}
		if _, _, err := delta.Apply(old, p.Bytes, delta.Limits{Image: len(target) - 1}); !errors.Is(err, delta.ErrTooLarge) {
			t.Errorf("%s beyond the limit: %v", format, err)
		}
	}
	for _, b := range [][]byte{nil, {0}, []byte("hI"), []byte("FDP1"), {0x7f, 'E', 'L', 'F'}, {0x21, 1}, {0x01, 1, 1}} {
		if _, err := delta.Inspect(b); !errors.Is(err, delta.ErrFormat) {
			t.Errorf("% x: %v", b, err)
		}
	}
}

func TestFormatsHaveTheNamesOfTheirCodecs(t *testing.T) {
	for _, f := range append(delta.Formats(), delta.Auto) {
		got, err := delta.ParseFormat(string(f))
		if err != nil || got != f {
			t.Errorf("%q: %q, %v", f, got, err)
		}
		if f != delta.Auto && f.Codec().String() != string(f) {
			t.Errorf("%q: codec %q", f, f.Codec())
		}
	}
	if _, err := delta.ParseFormat("bsdiff"); !errors.Is(err, delta.ErrFormat) {
		t.Errorf("bsdiff: %v", err)
	}
}

func TestEnvelopesAreOpenedOnceAllIsChecked(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old, target := release(13, 3000)
	p, err := delta.Create(old, target, delta.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := delta.Identity{BaseVersion: 1, TargetVersion: 2, Profile: envelope.ProfileOf("acme", "meter", 1)}
	sealed, err := delta.Sign(p, old, target, id, key)
	if err != nil {
		t.Fatal(err)
	}
	device := envelope.Device{Profile: id.Profile, Version: 1, OnlyNewer: true}
	made, h, err := delta.Open(sealed, &key.PublicKey, device, old, delta.Limits{})
	if err != nil || !bytes.Equal(made, target) || h.TargetVersion != 2 {
		t.Errorf("%d bytes, %+v, %v", len(made), h, err)
	}
	flipped := bytes.Clone(sealed)
	flipped[h.Size()] ^= 1
	lies := p
	lies.Codec = envelope.DetoolsInPlace
	wrongCodec, err := delta.Sign(lies, old, target, id, key)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := bytes.Clone(target)
	elsewhere[0]++
	wrongTarget, err := delta.Sign(p, old, elsewhere, id, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		pub  *ecdsa.PublicKey
		d    envelope.Device
		old  []byte
		want error
	}{
		"other key":     {sealed, &other.PublicKey, device, old, envelope.ErrSignature},
		"other base":    {sealed, &key.PublicKey, device, target, envelope.ErrBase},
		"other version": {sealed, &key.PublicKey, envelope.Device{Version: 2, OnlyNewer: true}, old, envelope.ErrReplay},
		"other device":  {sealed, &key.PublicKey, envelope.Device{Profile: envelope.ProfileOf("acme", "meter", 2)}, old, envelope.ErrProfile},
		"changed":       {flipped, &key.PublicKey, device, old, envelope.ErrSignature},
		"cut":           {sealed[:len(sealed)-1], &key.PublicKey, device, old, envelope.ErrShort},
		"bare":          {p.Bytes, &key.PublicKey, device, old, envelope.ErrMagic},
		"wrong codec":   {wrongCodec, &key.PublicKey, device, old, delta.ErrFormat},
		"wrong target":  {wrongTarget, &key.PublicKey, device, old, envelope.ErrTarget},
	} {
		if _, _, err := delta.Open(c.b, c.pub, c.d, c.old, delta.Limits{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := delta.Sign(p, old[1:], target, id, key); !errors.Is(err, delta.ErrOptions) {
		t.Errorf("signed for images that it was not made of: %v", err)
	}
	id.MCUboot = true
	if _, err := delta.Sign(p, old, target, id, key); !errors.Is(err, envelope.ErrImage) {
		t.Errorf("MCUboot digests of images that are none: %v", err)
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, format := range delta.Formats() {
		b.Run(fmt.Sprint(format), func(b *testing.B) {
			old, target := deltatest.Pair(b, "shell")
			for b.Loop() {
				p, err := delta.Create(old, target, delta.Options{Format: format, LiteralLine: true})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(p.Bytes)), "bytes/patch")
			}
		})
	}
}
