package detools

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Inspect reads the beginning of a patch. It knows all types and compressions by name, also those that
// cannot be applied here.
func Inspect(patch []byte) (Info, error) {
	s := &source{r: bytes.NewReader(patch)}
	i, err := readHeader(s)
	if err != nil {
		return i, s.wrap(err)
	}
	return i, nil
}

// Decode returns the new image that a patch makes of the old one. An in-place patch is applied as if a
// device had done it: only what survives the shift and lies above the segment is read.
//
// It returns ErrFormat, ErrTruncated, ErrUnsupported, ErrBase or ErrLimit, or an error of heatshrink or
// crle, each with the place in the patch.
func Decode(old, patch []byte, limits Limits) ([]byte, error) {
	var made bytes.Buffer
	if _, err := Apply(&made, bytes.NewReader(old), len(old), bytes.NewReader(patch), limits); err != nil {
		return nil, err
	}
	return made.Bytes(), nil
}

// Apply writes the new image while the patch arrives, as a device with two slots does. It needs no more
// memory than the window of the compression and a few hundred bytes. What was written is of no use
// unless the error is nil.
func Apply(w io.Writer, old io.ReaderAt, oldSize int, patch io.Reader, limits Limits) (Info, error) {
	s, err := openStream(patch, limits)
	if err != nil {
		return Info{}, err
	}
	read := func(p []byte, at int) error {
		if n, err := old.ReadAt(p, int64(at)); n < len(p) {
			if errors.Is(err, io.EOF) {
				err = ErrBase
			}
			return fmt.Errorf("byte %d of the old image: %w", at+n, err)
		}
		return nil
	}
	write := func(p []byte, _ int) error {
		_, err := w.Write(p)
		return err
	}
	if s.Type == Sequential {
		if s.ToSize > 0 {
			err = s.build(image{size: s.ToSize, ceil: oldSize, read: read, write: write})
		}
	} else if s.FromSize != oldSize {
		err = fmt.Errorf("old image of %d bytes, the patch is for one of %d: %w", oldSize, s.FromSize, ErrBase)
	} else {
		for at := 0; at < s.ToSize && err == nil; at += s.Segment {
			err = s.build(image{
				size: min(s.Segment, s.ToSize-at), from: s.Floor(at), floor: s.Floor(at), ceil: s.Survives(), read: read, write: write,
			})
		}
	}
	if err == nil {
		err = s.end()
	}
	return s.Info, err
}
