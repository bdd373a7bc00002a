package fec_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/starling-fuota/starling/fec"
	"github.com/starling-fuota/starling/lorawan"
)

func TestRowsEqualTheSlowGenerator(t *testing.T) {
	counts := []int{1, 2, 3, 4, 5, 7, 8, 10, 16, 26, 31, 32, 33, 63, 64, 65, 127, 128, 129, 384, 1000, 1024, 4096, 8192, 16382, 16383}
	for _, v := range versions {
		var row fec.Row
		for _, m := range counts {
			for _, k := range []int{1, 2, 3, 26, 1000, 8191, 16382, fec.MaxFragments} {
				row = fec.ParityRow(v, k, m, row)
				want := slowRow(v, k, m)
				for i := range m {
					if row.Has(i) != (want.Bit(i) == 1) {
						t.Fatalf("%v row k=%d m=%d differs in column %d", v, k, m, i)
					}
				}
				if v == lorawan.V2 && row.Weight() != m/2 {
					t.Errorf("v2 row k=%d m=%d has weight %d, want %d", k, m, row.Weight(), m/2)
				}
				if row.Weight() > m/2 || len(row) != (m+63)/64 {
					t.Errorf("row k=%d m=%d: weight %d, %d words", k, m, row.Weight(), len(row))
				}
			}
		}
	}
}

func TestParityRowPanicsOnWhatNoSessionHas(t *testing.T) {
	for _, c := range []struct {
		v    lorawan.Version
		k, m int
	}{{0, 1, 10}, {3, 1, 10}, {1, 0, 10}, {1, fec.MaxFragments + 1, 10}, {1, 1, 0}, {1, 1, fec.MaxFragments + 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("version %d k=%d m=%d: no panic", uint8(c.v), c.k, c.m)
				}
			}()
			fec.ParityRow(c.v, c.k, c.m, nil)
		}()
	}
}

func TestFragmentsEqualTheSlowEncoder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	for _, v := range versions {
		for _, m := range []int{1, 2, 3, 4, 5, 8, 16, 17, 64, 100} {
			size := 1 + rng.IntN(40)
			pad := rng.IntN(size)
			block := randomBlock(rng, m*size-pad)
			e, err := fec.NewEncoder(v, block, size)
			if err != nil {
				t.Fatal(err)
			}
			if e.NbFrag() != m || e.Padding() != pad {
				t.Fatalf("NbFrag %d Padding %d, want %d %d", e.NbFrag(), e.Padding(), m, pad)
			}
			for n := 1; n <= 2*m+3; n++ {
				got, err := e.Fragment(n, nil)
				if err != nil || !bytes.Equal(got, slowFragment(v, block, m, size, n)) {
					t.Fatalf("%v M=%d size %d N=%d: %x, %v", v, m, size, n, got, err)
				}
			}
		}
	}
}

func TestFragmentAppendsAndLeavesTheBlockAlone(t *testing.T) {
	block := []byte("a block that is cut into fragments")
	keep := bytes.Clone(block)
	e, _ := fec.NewEncoder(lorawan.V2, block, 4)
	for _, n := range []int{1, e.NbFrag(), e.NbFrag() + 1, fec.MaxFragments} {
		got, err := e.Fragment(n, []byte("head"))
		if err != nil || len(got) != 8 || string(got[:4]) != "head" {
			t.Errorf("N=%d: %q, %v", n, got, err)
		}
		clear(got)
	}
	if !bytes.Equal(block, keep) {
		t.Error("the block was changed")
	}
	if frag, _ := e.Fragment(e.NbFrag(), nil); string(frag) != "ts\x00\x00" {
		t.Errorf("last fragment %q, want zero padding", frag)
	}
}

func TestFragmentNumberOutsideFourteenBitsIsRefused(t *testing.T) {
	e, _ := fec.NewEncoder(lorawan.V1, []byte("block"), 2)
	for _, n := range []int{-1, 0, fec.MaxFragments + 1} {
		if got, err := e.Fragment(n, []byte("x")); !errors.Is(err, fec.ErrIndex) || string(got) != "x" {
			t.Errorf("N=%d: %q, %v", n, got, err)
		}
	}
}

func TestBlockThatCannotBeCutIsRefused(t *testing.T) {
	for _, c := range []struct {
		name     string
		v        lorawan.Version
		len      int
		fragSize int
		want     error
		says     string
	}{
		{"empty", 1, 0, 50, fec.ErrBlock, "empty"},
		{"fragment of nothing", 1, 100, 0, fec.ErrBlock, "needs 1 to 255"},
		{"fragment beyond a byte", 1, 100, 256, fec.ErrBlock, "FragSize 256"},
		{"one fragment too many", 1, fec.MaxFragments*50 + 1, 50, fec.ErrBlock, "FragSize 51 would fit"},
		{"no size fits", 1, fec.MaxFragments*255 + 1, 255, fec.ErrBlock, "no FragSize fits"},
		{"version 0", 0, 100, 50, fec.ErrVersion, "version 0"},
		{"version 3", 3, 100, 50, fec.ErrVersion, "version 3"},
		{"largest count", 1, fec.MaxFragments * 50, 50, nil, ""},
		{"largest block", 2, fec.MaxFragments * 255, 255, nil, ""},
	} {
		_, err := fec.NewEncoder(c.v, make([]byte, c.len), c.fragSize)
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v saying %q", c.name, err, c.want, c.says)
		}
	}
}

func TestFragmentAllocatesNothingButItsResult(t *testing.T) {
	e, _ := fec.NewEncoder(lorawan.V2, stream("alloc", 100_000), 100)
	frag := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(10, func() { frag, _ = e.Fragment(1500, frag[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEncoderIsSafeForConcurrentUse(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 0))
	block := randomBlock(rng, 5000)
	e, _ := fec.NewEncoder(lorawan.V1, block, 50)
	want, _ := e.Fragment(150, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if got, err := e.Fragment(150, nil); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%x, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}
