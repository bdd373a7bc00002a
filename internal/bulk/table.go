package bulk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// errorColumn is the name of the column that BadRows adds. It is passed over on import, so
// that a corrected file can be imported as it is.
const errorColumn = "import_error"

// table is a file of which the columns are known.
type table struct {
	*scanner
	format  Format
	meaning []int    // column of the kind for each column of the file, or absent
	where   []int    // column of the file for each column of the kind, or absent
	width   int      // columns that a row must have
	more    bool     // a row may have more columns, which are not read
	unknown []string // columns of the header that are not read
	header  record   // friendly: the header row
}

// openTable finds out format and delimiter, and what the columns mean.
func openTable[R, T any, K comparable](k *kind[R, T, K], in io.Reader, opt Options) (*table, error) {
	text, err := openText(in)
	if err != nil {
		return nil, err
	}
	switch opt.Delimiter {
	case 0, ',', ';', '\t', '|':
	default:
		return nil, &FileError{0, "this delimiter is not supported", "use a comma, a semicolon, a tab or |"}
	}
	format, delimiter, err := detect(k, text, opt)
	if err != nil {
		return nil, err
	}
	t := &table{scanner: newScanner(text, delimiter, k.maxRecord), format: format, where: slices.Repeat([]int{absent}, len(k.columns))}
	if format == Reference {
		t.width, t.more = k.width, true
		t.meaning = slices.Repeat([]int{absent}, k.exportWidth)
		for i, c := range k.columns {
			if t.where[i] = c.reference; c.reference != absent {
				t.meaning[c.reference] = i
			}
		}
		return t, nil
	}
	return t, readHeader(k, t, opt.Columns)
}

// peekSize is how much of a file is looked at to find out its format: a header row.
const peekSize = 16 << 10

// detect chooses the delimiter with which the first row names most columns.
func detect[R, T any, K comparable](k *kind[R, T, K], text *bufio.Reader, opt Options) (Format, byte, error) {
	head, err := text.Peek(peekSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	candidates := []byte{',', ';', '\t'}
	if opt.Delimiter != 0 {
		candidates = []byte{opt.Delimiter}
	}
	format, delimiter, most := Reference, candidates[0], 0
	for _, d := range candidates {
		rec, err := newScanner(bufio.NewReader(bytes.NewReader(head)), d, peekSize).next()
		if err != nil {
			continue // reading the file itself says why
		}
		named := map[int]bool{}
		for _, cell := range rec.fields {
			if i := meaning(k, cell, opt.Columns); i != absent {
				named[i] = true
			}
		}
		if len(named) > most {
			most, delimiter = len(named), d
			format = Friendly
			for _, name := range k.header {
				if !named[k.column(name)] {
					format = Reference
				}
			}
			if k.fits(rec.fields) {
				format = Reference
			}
		}
	}
	if opt.Format != Detect {
		format = opt.Format
	}
	if format == Reference {
		delimiter = candidates[0]
	}
	return format, delimiter, nil
}

// fits reports whether a row has a DevEUI where the reference format has one: an object may
// be called "DevEUI".
func (k *kind[R, T, K]) fits(cells []string) bool {
	c := k.columns[k.column(k.header[len(k.header)-1])]
	var r R
	return c.reference < len(cells) && cells[c.reference] != "" && c.read(cells[c.reference], &r) == nil
}

// meaning returns the column that a header cell stands for, or absent.
func meaning[R, T any, K comparable](k *kind[R, T, K], cell string, mapped map[string]string) int {
	cell = strings.TrimSpace(cell)
	if name, ok := mapped[cell]; ok {
		if name == "" {
			return absent
		}
		return k.recognise(name)
	}
	return k.recognise(cell)
}

func readHeader[R, T any, K comparable](k *kind[R, T, K], t *table, mapped map[string]string) error {
	rec, err := t.next()
	switch {
	case errors.Is(err, io.EOF):
		return &FileError{0, "the file is empty", "begin with a row that names the columns"}
	case err != nil:
		return err
	case rec.problem != nil:
		return &FileError{rec.line, "the header row " + rec.problem.reason, rec.problem.hint}
	}
	for i, cell := range rec.fields {
		m := meaning(k, cell, mapped)
		if m != absent && t.where[m] != absent {
			return &FileError{rec.line, fmt.Sprintf("columns %s and %s are both %s", letters(t.where[m]), letters(i), k.columns[m].name), "remove one of them"}
		}
		t.meaning = append(t.meaning, m)
		if m != absent {
			t.where[m] = i
		} else if plain(cell) != plain(errorColumn) && strings.TrimSpace(cell) != "" {
			t.unknown = append(t.unknown, letters(i)+": "+harmless(cell))
		}
	}
	if key := k.header[0]; t.where[k.column(key)] == absent {
		return &FileError{rec.line, fmt.Sprintf("no column is named %s", key), "begin with a row that names the columns, or choose the reference format"}
	}
	t.width = len(rec.fields)
	t.header = record{line: rec.line, raw: bytes.Clone(rec.raw), eol: rec.eol}
	return nil
}

// harmless returns the name of a column for people. What could be a key is not shown: a
// file without a header row has values there.
func harmless(name string) string {
	name = strings.TrimSpace(name)
	digits := 0
	for _, c := range name {
		if strings.ContainsRune("0123456789abcdefABCDEF", c) {
			digits++
		}
	}
	if digits >= 16 || len(name) > 64 {
		return "(not shown)"
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, name), "")
}
