package hpatchlite_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/hpatchlite"
)

// reference reads a patch that the reference encoder made for a pair, nil if there is none.
func reference(t testing.TB, pair, file string) []byte {
	t.Helper()
	dir := deltatest.Path(t, pair)
	patch, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, os.ErrNotExist) && pair != deltatest.Pairs[0] {
		return nil // some kinds were made for the first pair only
	}
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

// The patches that the reference encoder made, with the sizes of their headers.
var referencePatches = []struct {
	file    string
	options hpatchlite.Options
}{
	{"hpatchlite-v1-tinyuz-dict2048.hpi", hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 2048, LiteralLine: true}},
	{"hpatchlite-v1-tinyuz-dict256.hpi", hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 256, LiteralLine: true}},
	{"hpatchlite-v1-tinyuz-noliteralline-dict2048.hpi", hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 2048}},
	{"hpatchlite-v1-uncompressed.hpi", hpatchlite.Options{}},
	{"hpatchlite-inplace-tinyuz-dict2048-extra2048.hpi", hpatchlite.Options{Compression: hpatchlite.Tinyuz, Window: 2048, LiteralLine: true, InPlace: true, Extra: 2048}},
}

func TestPatchesOfTheReferenceEncoderDecode(t *testing.T) {
	for _, name := range deltatest.Pairs {
		old, target := deltatest.Pair(t, name)
		for _, ref := range referencePatches {
			patch := reference(t, name, ref.file)
			if patch == nil {
				continue
			}
			info, err := hpatchlite.Inspect(patch)
			if err != nil || info.NewSize != len(target) || info.Compression != ref.options.Compression || info.InPlace != ref.options.InPlace || info.Window > ref.options.Window || info.Extra > ref.options.Extra {
				t.Errorf("%s %s: %+v, %v", name, ref.file, info, err)
			}
			limits := hpatchlite.Limits{Size: len(target), Window: max(1, ref.options.Window), Extra: max(1, ref.options.Extra)}
			got, err := hpatchlite.Decode(old, patch, limits)
			if err != nil || !bytes.Equal(got, target) {
				t.Errorf("%s %s: %d of %d bytes, %v", name, ref.file, len(got), len(target), err)
			}
			var slowly bytes.Buffer
			if err := hpatchlite.Apply(bytes.NewReader(old), int64(len(old)), iotest.HalfReader(bytes.NewReader(patch)), &slowly, limits); err != nil || !bytes.Equal(slowly.Bytes(), target) {
				t.Errorf("%s %s piece by piece: %d of %d bytes, %v", name, ref.file, slowly.Len(), len(target), err)
			}
			memory := make([]byte, max(len(old), len(target)))
			copy(memory, old)
			n, err := hpatchlite.ApplyInPlace(memory, len(old), patch, limits)
			if !info.InPlace {
				if !errors.Is(err, hpatchlite.ErrInPlace) {
					t.Errorf("%s %s in place: %v, want ErrInPlace", name, ref.file, err)
				}
			} else if err != nil || !bytes.Equal(memory[:n], target) {
				t.Errorf("%s %s in place: %d of %d bytes, %v", name, ref.file, n, len(target), err)
			}
		}
	}
}

// What is cut, lengthened or spoilt must not be taken, or at least not do any harm.
func TestSpoiltPatchesOfTheReferenceEncoderAreRefused(t *testing.T) {
	old, target := deltatest.Pair(t, deltatest.Pairs[0])
	limits := hpatchlite.Limits{Size: len(target)}
	for _, ref := range referencePatches {
		patch := reference(t, deltatest.Pairs[0], ref.file)
		for n := 0; n < len(patch); n += 1 + n/40 {
			if _, err := hpatchlite.Decode(old, patch[:n], limits); !errors.Is(err, hpatchlite.ErrShort) {
				t.Errorf("%s, %d of %d bytes: %v, want ErrShort", ref.file, n, len(patch), err)
			}
		}
		if _, err := hpatchlite.Decode(old, append(bytes.Clone(patch), 0), limits); !errors.Is(err, hpatchlite.ErrFormat) {
			t.Errorf("%s and one byte: %v, want ErrFormat", ref.file, err)
		}
		for n := range min(len(patch), 400) {
			spoilt := bytes.Clone(patch)
			spoilt[n] ^= 1 << (n % 8)
			if got, err := hpatchlite.Decode(old, spoilt, limits); err == nil && len(got) > limits.Size {
				t.Errorf("%s, byte %d spoilt: %d bytes of output", ref.file, n, len(got))
			}
		}
		if _, err := hpatchlite.Decode(old[:100], patch, limits); !errors.Is(err, hpatchlite.ErrBase) && !errors.Is(err, hpatchlite.ErrFormat) {
			t.Errorf("%s for another image: %v, want ErrBase", ref.file, err)
		}
		if _, err := hpatchlite.Decode(old, patch, hpatchlite.Limits{Size: len(target) - 1}); !errors.Is(err, hpatchlite.ErrLimit) {
			t.Errorf("%s with too little memory: %v, want ErrLimit", ref.file, err)
		}
		stop := errors.New("flash is full")
		if err := hpatchlite.Apply(bytes.NewReader(old), int64(len(old)), bytes.NewReader(patch), failing{stop}, limits); !errors.Is(err, stop) {
			t.Errorf("%s to a full flash: %v", ref.file, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

var _ io.Writer = failing{}
