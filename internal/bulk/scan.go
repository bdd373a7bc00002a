package bulk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// Limits of a file.
const (
	MaxRecord    = 64 << 10 // bytes of one row, line breaks in quotes included
	MaxSetRecord = 8 << 20  // as MaxRecord, of a device set: some 490,000 DevEUIs
	MaxFields    = 256      // fields of one row
	MaxRows      = 1 << 20  // rows of one file
)

const bufferSize = 64 << 10

// record is one row of a table. It lives until the next call of next.
type record struct {
	line    int      // on which it begins
	fields  []string // substrings of one string: clone what is kept
	raw     []byte   // as it stands in the file, without the line end
	eol     string   // "\n", "\r\n" or, at the end of the file, ""
	problem *problem // the quoting is broken or there are too many fields
}

// scanner cuts RFC 4180 text into records. LF is accepted beside CRLF, blank lines are
// passed over. Broken quoting spoils its own record only, as long as the record ends.
type scanner struct {
	in        *bufio.Reader
	delimiter byte
	limit     int // bytes of a record

	line    int // of the line that is read next
	raw     []byte
	text    []byte // the fields of the record, one after the other
	ends    []int  // where in text each field ends
	fields  []string
	state   scanState
	problem *problem
}

type scanState uint8

const (
	fieldStart scanState = iota
	inPlain
	inQuotes
	afterQuote // the quote that may close a field, or be the first of two
)

var (
	bareQuote  = &problem{"holds a quote that does not enclose a whole cell", `enclose the cell in quotes and double the quotes inside: "a ""b"" c"`}
	afterClose = &problem{"has text after a closing quote", `double the quotes inside of a cell: "a ""b"" c"`}
	manyFields = &problem{fmt.Sprintf("has more than %d columns", MaxFields), "check the delimiter, or remove columns"}
	loneReturn = &problem{"holds a carriage return that ends no line", "save the file with Unix or Windows line ends"}
)

// newScanner reads records of at most limit bytes.
func newScanner(in *bufio.Reader, delimiter byte, limit int) *scanner {
	return &scanner{in: in, delimiter: delimiter, limit: limit, line: 1}
}

// next returns the next record that is not blank, io.EOF after the last, a FileError, or
// the error of the reader.
func (s *scanner) next() (record, error) {
	for {
		rec, err := s.record()
		if err != nil || rec.problem != nil || slices.ContainsFunc(rec.fields, func(f string) bool { return f != "" }) {
			return rec, err
		}
	}
}

func (s *scanner) record() (record, error) {
	first := s.line
	s.raw, s.text, s.ends, s.state, s.problem = s.raw[:0], s.text[:0], s.ends[:0], fieldStart, nil
	for {
		from := len(s.raw)
		err := s.readLine(first)
		if err != nil {
			return record{}, err
		}
		line := s.raw[from:]
		ended := len(line) > 0 && line[len(line)-1] == '\n'
		if !ended && s.state == inQuotes && len(line) == 0 {
			return record{}, &FileError{first, "a quote is opened here and never closed", "close it, or double it if it is text"}
		}
		if len(line) == 0 {
			return record{}, io.EOF
		}
		s.line++
		eol := lineEnd(line)
		s.feed(line[:len(line)-len(eol)])
		if s.state != inQuotes {
			s.endField()
			s.raw = s.raw[:len(s.raw)-len(eol)]
			return record{first, s.split(), s.raw, eol, s.problem}, nil
		}
		s.text = append(s.text, eol...) // the line break is in a quoted cell
		if !ended {
			return record{}, &FileError{first, "a quote is opened here and never closed", "close it, or double it if it is text"}
		}
	}
}

func lineEnd(line []byte) string {
	switch {
	case bytes.HasSuffix(line, []byte("\r\n")):
		return "\r\n"
	case bytes.HasSuffix(line, []byte("\n")):
		return "\n"
	}
	return ""
}

// readLine appends one line with its end to raw; nothing at the end of the file.
func (s *scanner) readLine(first int) error {
	from := len(s.raw)
	for {
		part, err := s.in.ReadSlice('\n')
		s.raw = append(s.raw, part...)
		if len(s.raw) > s.limit {
			return &FileError{first, fmt.Sprintf("is longer than %d bytes", s.limit), "a quote may be left open, or the file is no table"}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("row %d: %w", s.line, err)
		}
		break
	}
	line := s.raw[from:]
	if bytes.IndexByte(line, 0) >= 0 {
		return &FileError{s.line, "holds a zero byte: this is UTF-16 or no text", "save the file as CSV in UTF-8"}
	}
	if !utf8.Valid(line) {
		return &FileError{s.line, "is not UTF-8", "save the file as CSV in UTF-8"}
	}
	return nil
}

// feed goes on with the fields of a record through one line, without its end.
func (s *scanner) feed(line []byte) {
	for i := 0; i < len(line); {
		c := line[i]
		switch s.state {
		case fieldStart, inPlain:
			if c == '"' && s.state == fieldStart {
				s.state = inQuotes
				i++
				continue
			}
			n := bytes.IndexByte(line[i:], s.delimiter)
			cell := line[i:]
			if n >= 0 {
				cell = line[i : i+n]
			}
			if bytes.IndexByte(cell, '"') >= 0 {
				s.spoil(bareQuote)
			}
			if bytes.IndexByte(cell, '\r') >= 0 {
				s.spoil(loneReturn)
			}
			s.text = append(s.text, cell...)
			i += len(cell)
			s.state = inPlain
			if n >= 0 {
				s.endField()
				i++
			}
		case inQuotes:
			n := bytes.IndexByte(line[i:], '"')
			if n < 0 {
				s.text = append(s.text, line[i:]...)
				return
			}
			s.text = append(s.text, line[i:i+n]...)
			s.state = afterQuote
			i += n + 1
		case afterQuote:
			switch c {
			case '"':
				s.text = append(s.text, '"')
				s.state = inQuotes
				i++
			case s.delimiter:
				s.endField()
				i++
			default:
				s.spoil(afterClose)
				s.state = inPlain
			}
		}
	}
}

// spoil notes the first problem of the record.
func (s *scanner) spoil(p *problem) {
	if s.problem == nil {
		s.problem = p
	}
}

func (s *scanner) endField() {
	s.state = fieldStart
	if len(s.ends) == MaxFields {
		s.spoil(manyFields)
		return
	}
	s.ends = append(s.ends, len(s.text))
}

// split returns the fields as parts of one string: one allocation for all.
func (s *scanner) split() []string {
	all, from := string(s.text), 0
	s.fields = s.fields[:0]
	for _, end := range s.ends {
		s.fields = append(s.fields, all[from:end])
		from = end
	}
	return s.fields
}

// openText passes over a UTF-8 byte order mark and refuses what certainly is no UTF-8 text.
func openText(in io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(in, bufferSize)
	head, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for _, x := range []struct{ magic, what, hint string }{
		{"\xff\xfe", "is UTF-16", "save the file as CSV in UTF-8"},
		{"\xfe\xff", "is UTF-16", "save the file as CSV in UTF-8"},
		{"PK\x03\x04", "is a spreadsheet or an archive", "save the sheet as CSV in UTF-8"},
		{"\xd0\xcf\x11\xe0", "is a spreadsheet", "save the sheet as CSV in UTF-8"},
		{"\x1f\x8b", "is compressed", "unpack it first"},
	} {
		if bytes.HasPrefix(head, []byte(x.magic)) {
			return nil, &FileError{0, "the file " + x.what, x.hint}
		}
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, err := b.Discard(3)
		return b, err
	}
	return b, nil
}
