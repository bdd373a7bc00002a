package relocated

import (
	"fmt"
	"sort"
)

// Segment says that addresses from Start on have moved by Delta, up to the start of
// the next segment.
type Segment struct {
	Start uint32 // bytes after the beginning of the image or of RAM
	Delta int32  // bytes
}

// Map says what has moved where between two images. Before the first segment of a list
// nothing has moved. The zero value moves nothing.
type Map struct {
	FlashBase uint32    // address of the first byte of the image; a multiple of 4
	RAMBase   uint32    // address of the first byte of RAM
	RAMSize   uint32    // bytes; a multiple of 256, 0 if there is no R
	F         []Segment // what moved in flash: code and constants
	R         []Segment // what moved in RAM: variables
}

// IsZero reports whether m moves nothing.
func (m Map) IsZero() bool { return len(m.F) == 0 && len(m.R) == 0 }

// at returns by how much the address has moved.
func at(segments []Segment, address uint32) int32 {
	i := sort.Search(len(segments), func(i int) bool { return segments[i].Start > address })
	if i == 0 {
		return 0
	}
	return segments[i-1].Delta
}

// check returns ErrRange if m has no encoding.
func (m Map) check() error {
	if m.FlashBase%wordSize != 0 {
		return fmt.Errorf("flash base %#x is not a multiple of %d: %w", m.FlashBase, wordSize, ErrRange)
	}
	if m.RAMSize%ramUnit != 0 || (m.RAMSize == 0) != (len(m.R) == 0) || m.RAMSize == 0 && m.RAMBase != 0 {
		return fmt.Errorf("RAM of %d bytes with %d segments: %w", m.RAMSize, len(m.R), ErrRange)
	}
	if uint64(m.RAMBase)+uint64(m.RAMSize) > 1<<32 {
		return fmt.Errorf("RAM of %d bytes from %#x: %w", m.RAMSize, m.RAMBase, ErrRange)
	}
	for name, segments := range map[string][]Segment{"F": m.F, "R": m.R} {
		before := Segment{}
		for i, s := range segments {
			if i > 0 && s.Start <= before.Start {
				return fmt.Errorf("%s segment %d starts at %d, the one before at %d: %w", name, i, s.Start, before.Start, ErrRange)
			}
			if s.Delta == before.Delta {
				return fmt.Errorf("%s segment %d changes nothing: %w", name, i, ErrRange)
			}
			before = s
		}
	}
	return nil
}
