package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/starling-fuota/starling/internal/store"
)

func contents(t *testing.T, open Open) {
	ctx, place := context.Background(), t.TempDir()
	s := open(t, place)
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{0, 1, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1_000_003} {
		data := make([]byte, size)
		_, _ = random.Read(data)
		sum := sha256.Sum256(data)
		expected := store.Content{SHA256: hex.EncodeToString(sum[:]), Size: int64(size)}
		for range 2 { // the second time it is there already
			got, err := s.PutContent(ctx, iotest.HalfReader(bytes.NewReader(data)))
			must(t, err)
			same(t, "content", got, expected)
		}
		back := readContent(t, open(t, place), expected.SHA256)
		if !bytes.Equal(back, data) {
			t.Errorf("%d bytes come back as %d others", size, len(back))
		}
	}
	_, err := s.OpenContent(ctx, "no such content")
	want(t, err, store.ErrNotFound)
}

func readContent(t *testing.T, s store.Store, sum string) []byte {
	t.Helper()
	r, err := s.OpenContent(context.Background(), sum)
	must(t, err)
	data, err := io.ReadAll(r)
	must(t, err)
	must(t, r.Close())
	return data
}

func brokenUpload(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	data := bytes.Repeat([]byte("fragment"), 100_000)
	sum := sha256.Sum256(data)
	broken := errors.New("connection lost")
	_, err := s.PutContent(context.Background(), io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)))
	want(t, err, broken)

	ctx, cancel := context.WithCancel(context.Background())
	_, err = s.PutContent(ctx, io.MultiReader(bytes.NewReader(data), readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, io.EOF
	})))
	want(t, err, context.Canceled)

	_, err = s.OpenContent(context.Background(), hex.EncodeToString(sum[:]))
	want(t, err, store.ErrNotFound)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
