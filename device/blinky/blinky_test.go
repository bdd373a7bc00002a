package blinky_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/starling-fuota/starling/device/blinky"
)

func TestImageDescribesItself(t *testing.T) {
	le := binary.LittleEndian
	for _, version := range []uint32{0x00000001, 0x00000002, 0x04030201, 0xffffffff} {
		b := blinky.Image(version)
		h := b[0xc0:]
		if string(h[:4]) != blinky.Magic || le.Uint32(h[4:]) != version || int(le.Uint32(h[8:])) != len(b) {
			t.Errorf("version %08x: header % x of %d bytes", version, h[:16], len(b))
		}
		if got, want := le.Uint32(h[12:]), crc32.ChecksumIEEE(b[0xd0:]); got != want {
			t.Errorf("version %08x: CRC %08x in the header, %08x of the image", version, got, want)
		}
		reset := le.Uint32(b[4:])
		if at := reset&^1 - 0x08000000; reset&1 == 0 || int(at) != 0xd0 {
			t.Errorf("version %08x: reset vector %08x does not lead to the program in Thumb state", version, reset)
		}
	}
}

func TestVersionsDiffer(t *testing.T) {
	a, b := blinky.Image(1), blinky.Image(2)
	if bytes.Equal(a, b) {
		t.Fatal("two versions are the same image")
	}
	if !bytes.Equal(a, blinky.Image(1)) {
		t.Fatal("one version gives two images")
	}
	same := 0
	for i := range a {
		if i < len(b) && a[i] == b[i] {
			same++
		}
	}
	if same < len(a)*9/10 {
		t.Errorf("only %d of %d bytes are common: no fair ground for a delta", same, len(a))
	}
}
