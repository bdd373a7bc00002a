package bulk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
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
	if len(k.header) == 0 && opt.Format == Reference {
		return 0, 0, errOnlyFriendly
	}
	if opt.Format == Detect && (len(k.header) == 0 || len(opt.Columns) > 0) {
		opt.Format = Friendly // a mapping of columns says that there are names
	}
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
			if !k.isHeader(named) || k.fits(rec.fields) {
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

// errOnlyFriendly is about kinds that the reference server has no table of.
var errOnlyFriendly = &FileError{0, "there is no reference format of these objects", "use the friendly format"}

// isHeader reports whether the columns that a first row names are enough for a header row.
func (k *kind[R, T, K]) isHeader(named map[int]bool) bool {
	for i, name := range k.header {
		other := i == len(k.header)-1 && k.instead != "" && named[k.column(k.instead)]
		if !named[k.column(name)] && !other {
			return false
		}
	}
	return true
}

// fits reports whether a row has a DevEUI where the reference format has one: an object may
// be called "DevEUI".
func (k *kind[R, T, K]) fits(cells []string) bool {
	if len(k.header) == 0 {
		return false
	}
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
	for _, key := range k.keys {
		if t.where[k.column(key)] != absent {
			continue
		}
		hint := "begin with a row that names the columns"
		if len(k.header) > 0 {
			hint += ", or choose the reference format"
		}
		return &FileError{rec.line, fmt.Sprintf("no column is named %s", key), hint}
	}
	if err := mappedExist(k, rec, mapped); err != nil {
		return err
	}
	t.width = len(rec.fields)
	t.header = record{line: rec.line, raw: bytes.Clone(rec.raw), eol: rec.eol}
	return nil
}

// mappedExist refuses a mapping that leads nowhere: a column that was to be read would be passed over
// in silence.
func mappedExist[R, T any, K comparable](k *kind[R, T, K], header record, mapped map[string]string) error {
	for _, cell := range slices.Sorted(maps.Keys(mapped)) {
		if name := mapped[cell]; name != "" && k.recognise(name) == absent {
			return &FileError{0, "the mapping names a field that these objects do not have", "use one of " + strings.Join(k.names(), ", ")}
		}
		if !slices.ContainsFunc(header.fields, func(have string) bool { return strings.TrimSpace(have) == cell }) {
			return &FileError{header.line, "the mapping names a column that the header row does not have", "write it as it is in the file"}
		}
	}
	return nil
}

// names returns the names of the columns that are read.
func (k *kind[R, T, K]) names() (names []string) {
	for _, c := range k.columns {
		if c.read != nil {
			names = append(names, c.name)
		}
	}
	return names
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
