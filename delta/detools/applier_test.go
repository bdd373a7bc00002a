package detools_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starling-fuota/starling/delta/detools"
)

var errPower = errors.New("power is lost")

// flash is a memory of pages whose bytes can be written once after they were erased. Power can go during
// any write, erasure or step: then half of it happened, and nothing works until it is back.
type flash struct {
	bytes   []byte
	erased  []bool
	page    int
	step    int
	changes int // writes, erasures and steps so far
	fail    int // the change during which power goes, counted from 1; 0: none
	dead    bool
}

func newFlash(size, page int) *flash {
	return &flash{bytes: make([]byte, size), erased: make([]bool, size), page: page}
}

// change reports whether half of a change happens, or all of it, or nothing.
func (f *flash) change(n int) (int, error) {
	if f.dead {
		return 0, errPower
	}
	if f.changes++; f.changes == f.fail {
		f.dead = true
		return n / 2, errPower
	}
	return n, nil
}

func (f *flash) Read(p []byte, at int) error {
	if f.dead {
		return errPower
	}
	if at < 0 || at+len(p) > len(f.bytes) {
		return fmt.Errorf("read of %d..%d", at, at+len(p))
	}
	copy(p, f.bytes[at:])
	return nil
}

func (f *flash) Write(p []byte, at int) error {
	n, err := f.change(len(p))
	for i := range n {
		if !f.erased[at+i] {
			return fmt.Errorf("byte %d is written and was not erased", at+i)
		}
		f.bytes[at+i], f.erased[at+i] = p[i], false
	}
	return err
}

func (f *flash) Erase(at, n int) error {
	if at%f.page != 0 {
		return fmt.Errorf("erasure at %d, inside a page of %d", at, f.page)
	}
	end := (at + n + f.page - 1) / f.page * f.page
	n, err := f.change(end - at)
	for i := at; i < at+n; i++ {
		f.bytes[i], f.erased[i] = 0xff, true
	}
	return err
}

func (f *flash) Step() (int, error) { return f.step, nil }

func (f *flash) SetStep(n int) error {
	done, err := f.change(2)
	if done == 2 {
		f.step = n
	}
	return err
}

// inPlace makes a patch and the flash of a device that it is for.
func inPlace(t *testing.T, old, target []byte, o detools.Options) ([]byte, *flash) {
	t.Helper()
	o.InPlace = true
	patch, err := detools.Create(old, target, o)
	if err != nil {
		t.Fatal(err)
	}
	mem := newFlash(o.Memory, o.Segment)
	copy(mem.bytes, old)
	return patch, mem
}

func TestAnUpdateSurvivesPowerLossAtEveryChange(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, x := range []struct{ old, new, memory, segment, shift int }{
		{1000, 1100, 2048, 256, 0},
		{1000, 900, 1536, 256, 256},
		{2000, 2048, 2048, 128, 1024}, // half of the old image is lost
		{700, 3000, 4096, 512, 0},
	} {
		old := make([]byte, x.old)
		for i := range old {
			old[i] = byte(rnd.IntN(256))
		}
		target := slices.Concat(old[:x.old/2], []byte("a new function"), old[x.old/3:])
		for len(target) < x.new {
			target = append(target, byte(rnd.IntN(256)))
		}
		target = target[:x.new]
		patch, mem := inPlace(t, old, target, detools.Options{
			Compression: detools.Heatshrink, Window: 8, Memory: x.memory, Segment: x.segment, MinShift: x.shift,
		})
		for cut := 1; ; cut++ {
			m := newFlash(x.memory, x.segment)
			copy(m.bytes, mem.bytes)
			m.fail = cut
			a, err := detools.NewApplier(m, bytes.NewReader(patch), detools.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			err = a.Run()
			if again := a.Run(); !errors.Is(again, err) {
				t.Fatalf("%v, and then %v", err, again)
			}
			whole := err == nil
			if !whole && !errors.Is(err, errPower) {
				t.Fatalf("%+v, cut at change %d: %v", x, cut, err)
			}
			// Power is back, goes again three changes later, and comes back for good.
			for _, more := range []int{3, 0} {
				m.dead, m.fail = false, 0
				if more > 0 {
					m.fail = m.changes + more
				}
				if a, err = detools.NewApplier(m, bytes.NewReader(patch), detools.Limits{}); err != nil {
					t.Fatal(err)
				}
				before, _ := a.Progress()
				if err = a.Run(); more > 0 && errors.Is(err, errPower) {
					continue
				}
				if err != nil {
					t.Fatalf("%+v, cut at change %d, after step %d: %v", x, cut, before, err)
				}
			}
			if done, total := a.Progress(); done != total || m.step != total || a.Info().Steps() != total {
				t.Fatalf("%d of %d steps", done, total)
			}
			if !bytes.Equal(m.bytes[:len(target)], target) {
				t.Fatalf("%+v, cut at change %d: the image is another", x, cut)
			}
			if whole {
				break
			}
		}
	}
}

func TestAnApplierRefusesWhatItCannotGoOnWith(t *testing.T) {
	old := []byte("the old image is short, and the new one is not very different from it")
	target := []byte("the new image is short, and the old one is not very different from it")
	o := detools.Options{Compression: detools.CRLE, Memory: 256, Segment: 32}
	patch, mem := inPlace(t, old, target, o)
	mem.step = 100
	if _, err := detools.NewApplier(mem, bytes.NewReader(patch), detools.Limits{}); !errors.Is(err, detools.ErrBase) {
		t.Errorf("a count that is not of this patch: %v", err)
	}
	mem.step = 0
	sequential, err := detools.Create(old, target, detools.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := detools.NewApplier(mem, bytes.NewReader(sequential), detools.Limits{}); !errors.Is(err, detools.ErrUnsupported) {
		t.Errorf("a sequential patch: %v", err)
	}
	if _, err := detools.NewApplier(mem, bytes.NewReader(nil), detools.Limits{}); !errors.Is(err, detools.ErrTruncated) {
		t.Errorf("no patch: %v", err)
	}
	a, err := detools.NewApplier(mem, bytes.NewReader(patch[:len(patch)-1]), detools.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(); !errors.Is(err, detools.ErrTruncated) {
		t.Errorf("a byte short: %v", err)
	}
	if a, err = detools.NewApplier(mem, bytes.NewReader(patch), detools.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Run(); err != nil || !bytes.Equal(mem.bytes[:len(target)], target) {
		t.Errorf("the whole patch after the short one: %v", err)
	}
}
