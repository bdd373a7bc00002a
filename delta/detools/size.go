package detools

import (
	"fmt"
	"io"
)

// maxSize bounds all numbers of a patch: devices hold them in 32 bits with a sign.
const maxSize = 1<<31 - 1

// appendSize appends n as patches write all their numbers:
//
//	| more:1 | negative:1 | low six bits:6 |   | more:1 | next seven bits:7 | ...
//
// The magnitude must not exceed maxSize; that of images is checked before.
func appendSize(dst []byte, n int) []byte {
	sign := byte(0)
	if n < 0 {
		n, sign = -n, 1<<6
	}
	b := sign | byte(n&0x3f)
	for n >>= 6; n > 0; n >>= 7 {
		dst = append(dst, b|1<<7)
		b = byte(n & 0x7f)
	}
	return append(dst, b)
}

// readSize reads what appendSize wrote: at most five bytes, 31 bits and a sign. Other encoders may write
// more bytes than they need; zeros in them are ignored.
func readSize(r io.ByteReader) (int, error) {
	b, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	negative := b&(1<<6) != 0
	n := int64(b & 0x3f)
	for shift := 6; b >= 1<<7; shift += 7 {
		if b, err = r.ReadByte(); err != nil {
			return 0, err
		}
		if n |= int64(b&0x7f) << shift; n > maxSize || shift > 27 {
			return 0, fmt.Errorf("a number of more than 31 bits: %w", ErrFormat)
		}
	}
	if negative {
		n = -n
	}
	return int(n), nil
}
