package smartdelta

import (
	"bytes"
	"fmt"
)

// journal is flash that says which block is being installed in place, and how far:
//
//	| name of the block, 16 | mark of step 1, 8 | mark of step 2, 8 | ...
//
// A mark is written when its step is done, so that half a mark means the same as a whole one. The
// name is written last of all that comes before the first step, and overwritten with zeros before
// the pages are erased: half a name is none.
type journal struct {
	f    *flash
	at   int
	size int
}

const (
	nameSize = 16 // of a SHA-256: what the signature was checked for cannot be chosen to collide
	markSize = 8  // what flash with error correction programs at a time
)

// journalSize is the room for two steps for each page of a slot, in whole pages.
func journalSize(slot, page int) int {
	return (nameSize + 2*slot/page*markSize + page - 1) / page * page
}

// begin writes down that a block is to be installed.
func (j *journal) begin(name [nameSize]byte) error {
	if err := j.f.erase(j.at, j.size); err != nil {
		return err
	}
	return j.f.write(name[:], j.at)
}

// names reports whether the block of that name is being installed.
func (j *journal) names(name [nameSize]byte) (bool, error) {
	var there [nameSize]byte
	err := j.f.read(there[:], j.at)
	return there == name, err
}

// end writes down that nothing is being installed any more.
func (j *journal) end() error {
	if err := j.f.write(make([]byte, nameSize), j.at); err != nil {
		return err
	}
	return j.f.erase(j.at, j.size)
}

// erasedMark is where no mark is.
var erasedMark = bytes.Repeat([]byte{0xff}, markSize)

// steps returns how many steps are done.
func (j *journal) steps() (int, error) {
	var mark [markSize]byte
	for n := 0; ; n++ {
		if nameSize+(n+1)*markSize > j.size {
			return n, nil
		}
		if err := j.f.read(mark[:], j.at+nameSize+n*markSize); err != nil || bytes.Equal(mark[:], erasedMark) {
			return n, err
		}
	}
}

// mark writes down that step n is done, counted from 1.
func (j *journal) mark(n int) error {
	at := nameSize + (n-1)*markSize
	if n < 1 || at+markSize > j.size {
		return fmt.Errorf("step %d, the journal has %d bytes: %w", n, j.size, ErrFlash)
	}
	return j.f.write(make([]byte, markSize), j.at+at)
}
