package relocated_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/starling-fuota/starling/delta/cover"
	"github.com/starling-fuota/starling/delta/deltatest"
	"github.com/starling-fuota/starling/delta/relocated"
)

// wrongBytes returns how many bytes of target are not what covers of view say.
func wrongBytes(view, target []byte, covers []cover.Cover) int {
	n := len(target)
	for _, c := range covers {
		for i := range c.Length {
			if view[c.Old+i] == target[c.New+i] {
				n--
			}
		}
	}
	return n
}

// roughly is a size that needs no encoder.
func roughly(target []byte) func([]byte, []cover.Cover) (int, error) {
	return func(view []byte, covers []cover.Cover) (int, error) {
		return 6*len(covers) + 2*wrongBytes(view, target, covers), nil
	}
}

func TestOneInsertionIsOneSegment(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	f := deltatest.NewProgram(r, 200)
	old := f.Link()
	f.Insert(r, 90, 3, 6) // 12 bytes
	target := f.Link()
	covers := cover.Find(old, target, cover.Params{})
	m, err := relocated.Derive(old, target, covers, f.Base, 24)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.F) != 1 || m.F[0].Delta != 12 || len(m.R) != 0 {
		t.Errorf("%+v, want one segment of 12", m)
	}
	view, err := relocated.Apply(old, m)
	if err != nil {
		t.Fatal(err)
	}
	before, after := wrongBytes(old, target, covers), wrongBytes(view, target, cover.Find(view, target, cover.Params{}))
	if before < 300 || after > 12 {
		t.Errorf("%d bytes wrong, with the map %d; 12 are new", before, after)
	}
}

func TestVariablesThatMoveAreASegmentOfRAM(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	f := deltatest.NewProgram(r, 200)
	old := f.Link()
	f.Variables[50] += 8
	target := f.Link()
	m, err := relocated.Derive(old, target, cover.Find(old, target, cover.Params{}), f.Base, 24)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.F) != 0 || len(m.R) != 1 || m.R[0].Delta != 8 || m.RAMBase != f.RAM {
		t.Errorf("%+v, want one segment of 8 in RAM", m)
	}
	view, err := relocated.Apply(old, m)
	if err != nil || !bytes.Equal(view, target) {
		t.Errorf("the view is not the target (%v)", err)
	}
}

func TestNothingMovedIsNoMap(t *testing.T) {
	old := deltatest.NewProgram(rand.New(rand.NewPCG(1, 1)), 50).Link()
	target := bytes.Clone(old)
	target[100]++
	c, err := relocated.Choose(old, target, relocated.Options{Flash: 0x08004000, Size: roughly(target)})
	if err != nil || !c.Map.IsZero() || !bytes.Equal(c.View, old) {
		t.Errorf("%+v, %v", c.Map, err)
	}
}

func TestChooseIsNeverWorseThanNoMapAndIsDeterministic(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 20 {
		f := deltatest.NewProgram(r, 20+r.IntN(60))
		old := f.Link()
		for range r.IntN(6) {
			f.Insert(r, r.IntN(f.Functions()), r.IntN(8), 1+r.IntN(20))
			f.Variables[r.IntN(len(f.Variables))] += 4 * r.Uint32N(3)
		}
		target := f.Link()
		o := relocated.Options{Flash: f.Base, Size: roughly(target), Rounds: 1 + r.IntN(5)}
		if r.IntN(3) == 0 {
			o.Flash = 4 * r.Uint32N(1<<20) // a wrong guess costs bytes, nothing else
		}
		c, err := relocated.Choose(old, target, o)
		if err != nil {
			t.Fatal(err)
		}
		none, err := roughly(target)(old, cover.Find(old, target, cover.Params{}))
		if err != nil {
			t.Fatal(err)
		}
		if c.Size > none {
			t.Errorf("%d bytes with a map, %d without", c.Size, none)
		}
		if view, err := relocated.Apply(old, c.Map); err != nil || !bytes.Equal(view, c.View) {
			t.Errorf("the view is not that of the map (%v)", err)
		}
		again, err := relocated.Choose(old, target, o)
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("another result the second time (%v)", err)
		}
	}
}

func TestATableOfWhichEveryEntryMovedByItselfEnds(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	var old, target []byte
	for i := range uint32(1 << 15) {
		old = binary.LittleEndian.AppendUint32(old, 0x08000000+4*i)
		target = binary.LittleEndian.AppendUint32(target, 0x08000000+4*i+r.Uint32N(1<<16))
	}
	for _, toll := range []int{0, 24} {
		m, err := relocated.Derive(old, target, []cover.Cover{{Length: len(old)}}, 0x08000000, toll)
		if err != nil || len(m.F) > 4096 {
			t.Errorf("toll %d: %d segments, %v", toll, len(m.F), err)
		}
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	old := make([]byte, 8)
	if _, err := relocated.Derive(old, old, []cover.Cover{{Old: 4, Length: 8}}, 0, 24); !errors.Is(err, cover.ErrCovers) {
		t.Errorf("covers: %v", err)
	}
	if _, err := relocated.Derive(old, old, nil, 2, 24); !errors.Is(err, relocated.ErrRange) {
		t.Errorf("address: %v", err)
	}
	full := errors.New("disk full")
	r := rand.New(rand.NewPCG(27, 28))
	program := deltatest.NewProgram(r, 200)
	linked := program.Link()
	program.Insert(r, 90, 3, 6)
	next := program.Link()
	for calls := range 2 {
		_, err := relocated.Choose(linked, next, relocated.Options{Flash: program.Base, Size: func([]byte, []cover.Cover) (int, error) {
			if calls--; calls < 0 {
				return 0, full
			}
			return 1, nil
		}})
		if !errors.Is(err, full) {
			t.Errorf("size: %v", err)
		}
	}
}

func TestAnImageSaysWhereItIsLinked(t *testing.T) {
	f := deltatest.NewProgram(rand.New(rand.NewPCG(13, 14)), 200)
	for _, base := range []uint32{0, 0x08000000, 0x08020000, 0x00080000, 0x10000100} {
		f.Base = base
		if got, ok := relocated.FlashBase(f.Link()); !ok || got != base {
			t.Errorf("%#x, %v, want %#x", got, ok, base)
		}
	}
	noise := make([]byte, 40000)
	r := rand.New(rand.NewPCG(15, 16))
	for i := range noise {
		noise[i] = byte(r.UintN(256))
	}
	for _, b := range [][]byte{nil, make([]byte, 3), make([]byte, 10000), noise, bytes.Repeat([]byte("text"), 1000)} {
		if got, ok := relocated.FlashBase(b); ok {
			t.Errorf("%d bytes that are no code: %#x", len(b), got)
		}
	}
}
