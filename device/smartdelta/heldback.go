package smartdelta

import (
	"bytes"

	"github.com/starling-fuota/starling/delta/hpatchlite"
)

// HPatchLite in place writes its output over the old image, as late as the patch says: extra bytes
// wait in RAM. When power goes, the old bytes that made them are gone as well. So a record is kept for
// each page, in one half of the scratch flash and the other by turns, with the page and what waited then:
//
//	output:   | pages in the slot already | page k | extra bytes that wait |
//	                                      |<-------- record k ------------>|
//	step 2k+1: record k is in scratch      step 2k+2: page k is in the slot
//
// After a reset the patch is decoded from its beginning; output that the last record has, or that is in the
// slot, is thrown away, and whatever was read for it does not matter. From the end of the record on, output
// comes from old bytes that nobody has overwritten: none lies more than extra bytes before it.
//
// heldBack is the writer behind the decoder.
type heldBack struct {
	c     *Config
	f     *flash
	log   *journal
	extra int
	skip  int    // bytes of output that are known already
	page  int    // number of the first page that is not in the slot
	wait  []byte // output from there on
	steps int    // done
}

// recordSize is the flash for a page and the bytes held back, in whole pages.
func (c *Config) recordSize(extra int) int {
	return (c.Page + extra + c.Page - 1) / c.Page * c.Page
}

// applyHeldBack applies a patch of HPatchLite in place, or goes on with it.
func (c *Config) applyHeldBack(f *flash, log *journal, j job) error {
	w := &heldBack{c: c, f: f, log: log, extra: j.info.Extra}
	if err := w.resume(j.info.To); err != nil {
		return err
	}
	old := slot{f, 0, c.Slot} // the rehearsal has shown that the patch stays in the image
	if err := hpatchlite.Apply(old, int64(c.Slot), bytes.NewReader(j.payload), w, c.hpatchlite()); err != nil {
		return patchError(err)
	}
	for len(w.wait) > 0 {
		if err := w.put(); err != nil {
			return err
		}
	}
	return nil
}

// resume finds out what is done, of an image of size bytes.
func (w *heldBack) resume(size int) error {
	var err error
	if w.steps, err = w.log.steps(); err != nil || w.steps == 0 {
		return err
	}
	k := (w.steps - 1) / 2 // the last record
	start := k * w.c.Page
	w.wait = make([]byte, min(w.c.Page+w.extra, size-start))
	if err := w.f.read(w.wait, w.record(k)); err != nil {
		return err
	}
	w.skip, w.page = start+len(w.wait), k
	if w.steps%2 == 1 {
		return w.toSlot()
	}
	w.wait = w.wait[min(w.c.Page, len(w.wait)):]
	w.page++
	return nil
}

// record is where record k is in flash.
func (w *heldBack) record(k int) int { return w.c.Slot + k%2*w.c.recordSize(w.extra) }

// Write takes output of the decoder.
func (w *heldBack) Write(p []byte) (int, error) {
	n := len(p)
	known := min(w.skip, n)
	w.skip -= known
	w.wait = append(w.wait, p[known:]...)
	for len(w.wait) >= w.c.Page+w.extra {
		if err := w.put(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// put takes two steps: the record, and the page.
func (w *heldBack) put() error {
	at, record := w.record(w.page), w.wait[:min(len(w.wait), w.c.Page+w.extra)]
	if err := w.f.erase(at, len(record)); err != nil {
		return err
	}
	if err := w.f.write(record, at); err != nil {
		return err
	}
	if err := w.done(); err != nil {
		return err
	}
	return w.toSlot()
}

// toSlot writes the first page that waits.
func (w *heldBack) toSlot() error {
	page := w.wait[:min(len(w.wait), w.c.Page)]
	at := w.page * w.c.Page
	if err := w.f.erase(at, len(page)); err != nil {
		return err
	}
	if err := w.f.write(page, at); err != nil {
		return err
	}
	w.page++
	w.wait = w.wait[len(page):]
	return w.done()
}

func (w *heldBack) done() error {
	w.steps++
	return w.log.mark(w.steps)
}
