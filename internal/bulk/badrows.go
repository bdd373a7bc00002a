package bulk

import (
	"fmt"
	"io"
)

// badRows writes the rows that failed as they were, byte for byte, with one column more
// that says why. What is written can be corrected and imported: that column is not read.
type badRows struct {
	out       io.Writer // nil: not wanted
	delimiter byte
	header    *record // to write before the first row; nil: none or written
	eol       string  // where the file says nothing
}

func newBadRows(out io.Writer, t *table) *badRows {
	b := &badRows{out: out, delimiter: t.delimiter, eol: "\r\n"}
	if t.format == Friendly {
		b.header = &t.header
		if t.header.eol != "" {
			b.eol = t.header.eol
		}
	}
	return b
}

func (b *badRows) write(raw []byte, eol, why string) error {
	if b.out == nil {
		return nil
	}
	if h := b.header; h != nil {
		b.header = nil
		if err := b.line(h.raw, h.eol, errorColumn); err != nil {
			return err
		}
	}
	return b.line(raw, eol, Defuse(why))
}

func (b *badRows) line(raw []byte, eol, cell string) error {
	if eol == "" {
		eol = b.eol
	}
	b.eol = eol
	line := append(append(make([]byte, 0, len(raw)+len(cell)+8), raw...), b.delimiter)
	line = append(appendCell(line, cell, b.delimiter), eol...)
	if _, err := b.out.Write(line); err != nil {
		return fmt.Errorf("bad rows: %w", err)
	}
	return nil
}
