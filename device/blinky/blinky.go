// Package blinky makes a small firmware image that is real: a Cortex-M0+ program that
// blinks an LED at a pace read from a sine table. The demo sends it, and a device maker
// without an image at hand can try a campaign with it.
//
//	0x000  vector table   initial stack, reset handler, 14 system and 32 device vectors
//	0x0C0  header         "BLNK", version, image size, CRC-32 of all that follows the header
//	0x0D0  program        Thumb instructions, then the literals they load
//	0x110  sine table     one period, 16 bits a sample
//	...    build notes    text
//
// Any change of the version changes the program's timing, the header and the notes, as a
// new release would; the rest stays, so that two versions make a fair delta.
//
// It does not run a compiler: the instructions are written down by hand, with what they
// do beside them (ARMv6-M Architecture Reference Manual, chapter A6).
package blinky

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

const (
	flashBase  = 0x08000000 // where the vector table points into
	stackTop   = 0x20002000 // 8 KB of RAM
	gpioSet    = 0x50000018 // GPIOx_BSRR of an STM32L0
	vectors    = 48
	headerAt   = vectors * 4
	headerLen  = 16
	programAt  = headerAt + headerLen
	programLen = 64
	tableAt    = programAt + programLen
	samples    = 2048
)

// Magic begins the header.
const Magic = "BLNK"

// Image returns the image of a version, first byte X of X.Y.Z.P, as DevVersionAns
// reports it. The same version always gives the same bytes.
func Image(version uint32) []byte {
	le := binary.LittleEndian
	b := make([]byte, tableAt, tableAt+2*samples+512)
	le.PutUint32(b, stackTop)
	for v := 1; v < vectors; v++ {
		at := uint32(flashBase + programAt + programLen - 2) // "b ." for what never happens
		if v == 1 {
			at = flashBase + programAt
		}
		le.PutUint32(b[4*v:], at|1) // the lowest bit says Thumb
	}
	for i, op := range program() {
		le.PutUint16(b[programAt+2*i:], op)
	}
	le.PutUint32(b[programAt+40:], gpioSet)
	le.PutUint32(b[programAt+44:], flashBase+tableAt)
	le.PutUint32(b[programAt+48:], 2000+100*(version&0xff)) // loops a blink lasts
	for i := range samples {
		b = le.AppendUint16(b, uint16(32768+math.Round(32767*math.Sin(2*math.Pi*float64(i)/samples))))
	}
	dotted := fmt.Sprintf("%d.%d.%d.%d", byte(version), byte(version>>8), byte(version>>16), byte(version>>24))
	for i := range 8 {
		b = append(b, fmt.Sprintf("blinky %s: channel %d fades over %d samples\x00", dotted, i, samples>>i)...)
	}
	for len(b)%4 != 0 {
		b = append(b, 0xff) // erased flash
	}
	copy(b[headerAt:], Magic)
	le.PutUint32(b[headerAt+4:], version)
	le.PutUint32(b[headerAt+8:], uint32(len(b)))
	le.PutUint32(b[headerAt+12:], crc32.ChecksumIEEE(b[programAt:]))
	return b
}

// program returns the Thumb instructions of the reset handler.
func program() []uint16 {
	return []uint16{
		0x4809, // ldr  r0, [pc, #36]   GPIO set/reset register
		0x490a, // ldr  r1, [pc, #40]   sine table
		0x2200, // movs r2, #0          sample
		0x2501, // movs r5, #1
		0x056d, // lsls r5, r5, #21     reset bit of pin 5
		// next:
		0x0053, // lsls r3, r2, #1
		0x5acb, // ldrh r3, [r1, r3]    brightness
		0x2420, // movs r4, #32         set bit of pin 5
		0x6004, // str  r4, [r0]        on
		0x4c07, // ldr  r4, [pc, #28]   loops a blink lasts
		// on:
		0x3b01, // subs r3, #1
		0xd1fd, // bne  on
		0x6005, // str  r5, [r0]        off
		// off:
		0x3c01, // subs r4, #1
		0xd1fd, // bne  off
		0x3201, // adds r2, #1
		0x0552, // lsls r2, r2, #21     keep 11 bits: 2048 samples
		0x0d52, // lsrs r2, r2, #21
		0xe7f1, // b    next
		0xbf00, // nop                  aligns the literals
		0, 0, 0, 0, 0, 0,
		0xbf00, 0xbf00, 0xbf00, 0xbf00, 0xbf00,
		0xe7fe, // b    .               every other vector
	}
}
