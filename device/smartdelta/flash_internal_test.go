package smartdelta

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/starling-fuota/starling/delta"
	"github.com/starling-fuota/starling/device"
	"github.com/starling-fuota/starling/device/blinky"
)

func TestFlashMustBeErasedBeforeItIsWritten(t *testing.T) {
	f := newFlash(1024, 256, []byte("old"))
	for name, err := range map[string]error{
		"write over what is there": f.write([]byte{1}, 0),
		"write past the end":       f.write([]byte{1}, 1024),
		"erase inside a page":      f.erase(100, 10),
		"erase past the end":       f.erase(1024, 1),
		"read past the end":        f.read(make([]byte, 2), 1023),
		"read before the start":    f.read(make([]byte, 2), -1),
	} {
		if !errors.Is(err, ErrFlash) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f.changes != 0 {
		t.Errorf("%d changes by what did not happen", f.changes)
	}
	for name, err := range map[string]error{
		"zeros over anything":  f.write(make([]byte, 3), 0),
		"erase what is needed": f.erase(0, 300),
		"write what is erased": f.write([]byte("new"), 0),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALossOfPowerLeavesAChangeHalfDone(t *testing.T) {
	f := newFlash(512, 256, nil)
	f.losses = []int{2, 3}
	if err := f.write([]byte("01234567"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.write([]byte("01234567"), 100); !errors.Is(err, device.ErrPowerLost) {
		t.Fatal(err)
	}
	if err := f.read(make([]byte, 1), 0); !errors.Is(err, device.ErrPowerLost) {
		t.Errorf("read without power: %v", err)
	}
	f.powerUp()
	if got := string(f.b[100:104]); got != "0123" || f.b[104] == '4' || f.b[105] != 0xff {
		t.Errorf("%q % x", got, f.b[104:108])
	}
	if err := f.erase(0, 256); !errors.Is(err, device.ErrPowerLost) || f.b[0] != 0xff || f.lost != 2 {
		t.Errorf("%v, %d losses", err, f.lost)
	}
}

func TestJournalCountsStepsAndForgetsAll(t *testing.T) {
	size := journalSize(1024, 256)
	f := newFlash(size, 256, nil)
	j := &journal{f: f, size: size}
	name := [nameSize]byte{1, 2, 3}
	if err := j.begin(name); err != nil {
		t.Fatal(err)
	}
	for n := range 8 {
		if got, err := j.steps(); got != n || err != nil {
			t.Fatal(got, err)
		}
		if err := j.mark(n + 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{0, 1000} {
		if err := j.mark(n); !errors.Is(err, ErrFlash) {
			t.Errorf("step %d: %v", n, err)
		}
	}
	if there, err := j.names(name); !there || err != nil {
		t.Error(there, err)
	}
	if err := j.end(); err != nil {
		t.Fatal(err)
	}
	if there, err := j.names(name); there || err != nil {
		t.Error(there, err)
	}
	if n, err := j.steps(); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// jobOf returns a device, a patch that it has checked, and the update that it came with.
func jobOf(t *testing.T, old, target []byte, f delta.Format) (Config, job, device.Update) {
	t.Helper()
	p, err := delta.Create(old, target, delta.Options{Format: f, Compression: 8, Extra: 300, Segment: 256, Memory: 6144})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Unsigned: true, Slot: 6144, Page: 256, Scratch: 2048}
	if f == delta.DetoolsInPlace || f == delta.HPatchLiteInPlace {
		c.Layout = InPlace
	}
	if c, err = c.complete(); err != nil {
		t.Fatal(err)
	}
	u := device.Update{Block: p.Bytes, Running: old}
	j, err := c.check(u)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(u.Block)
	j.name = [nameSize]byte(sum[:])
	return c, j, u
}

func TestTheRunningSlotIsNeverWritten(t *testing.T) {
	old, target := blinky.Image(1), blinky.Image(2)
	for _, format := range []delta.Format{delta.HPatchLite, delta.HPatchLiteRelocated, delta.Detools} {
		c, j, _ := jobOf(t, old, target, format)
		for n := 1; ; n++ {
			f := newFlash(2*c.Slot, c.Page, old)
			f.losses = []int{n}
			image, err := c.decode(f, j, len(old))
			if !bytes.Equal(f.b[:len(old)], old) {
				t.Fatalf("%s: the running image changed, power lost at %d", format, n)
			}
			if err == nil {
				if !bytes.Equal(image, target) {
					t.Errorf("%s: another image", format)
				}
				break
			}
			if !errors.Is(err, device.ErrPowerLost) {
				t.Fatal(err)
			}
			f.powerUp()
			if image, err = c.decode(f, j, len(old)); err != nil || !bytes.Equal(image, target) {
				t.Fatalf("%s: once more on the same flash: %v", format, err)
			}
		}
	}
}

// TestWithoutRecordsNeitherImageIsLeft is why HPatchLite in place has records: who begins again after a
// loss of power finds old bytes overwritten.
func TestWithoutRecordsNeitherImageIsLeft(t *testing.T) {
	old, target := blinky.Image(1)[:3000], blinky.Image(2)[:3333]
	c, j, u := jobOf(t, old, target, delta.HPatchLiteInPlace)
	lost, losses := 0, 0
	for n := 1; ; n++ {
		u.PowerLosses = []int{n}
		f, err := c.pending(j, u)
		if errors.Is(err, device.ErrPowerLost) {
			continue // nothing has begun
		}
		if _, err = c.boot(f, j); err == nil {
			break
		}
		f.powerUp()
		if err := c.journal(f).begin(j.name); err != nil { // the records are forgotten
			t.Fatal(err)
		}
		losses++
		image, err := c.boot(f, j)
		if err != nil || !bytes.Equal(image, target) && !bytes.Equal(image, old) {
			lost++
		}
	}
	if lost < losses/2 {
		t.Errorf("%d of %d losses of power would leave neither image: are records of use?", lost, losses)
	}
	t.Logf("%d of %d losses of power would leave neither image", lost, losses)
}
