package bulk

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRefused marks an error of Target that is about one row: the object is in use, a value
// is taken, it changed meanwhile. A Target wraps its error with it; a fleet.FieldError counts
// as refused without it. Any other error ends the import.
var ErrRefused = errors.New("refused")

// ErrFile is the class of every FileError.
var ErrFile = errors.New("not a table that can be imported")

// FileError says why reading a file ended: what follows could not be told apart any more.
type FileError struct {
	Row    int    // line, 1 is the first; 0: the file as a whole
	Reason string // never repeats what the file holds
	Hint   string // what to do, may be empty
}

// Error returns "row 3: reason (hint)".
func (e *FileError) Error() string {
	text := e.Reason
	if e.Row > 0 {
		text = fmt.Sprintf("row %d: %s", e.Row, text)
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Is makes errors.Is(err, ErrFile) true.
func (e *FileError) Is(target error) bool { return target == ErrFile }

// RowError says what is wrong with one cell, or with one row.
type RowError struct {
	Row    int    // line on which the row begins, as a text editor counts; 1 is the first
	Column string // letter as in a spreadsheet, such as "AE"; "": not about a column of the file
	Name   string // of the field, such as "module_id"; "": the row as a whole
	Reason string // never repeats what the cell holds: it may be a key
	Hint   string // what to do, may be empty
}

// Error returns "row 7, column W (lorawan_version): reason (hint)".
func (e RowError) Error() string { return fmt.Sprintf("row %d%s", e.Row, e.place()+e.text()) }

// place returns where in the row the error is, with a comma before it.
func (e RowError) place() string {
	switch {
	case e.Column != "" && e.Name != "":
		return fmt.Sprintf(", column %s (%s): ", e.Column, e.Name)
	case e.Column != "":
		return fmt.Sprintf(", column %s: ", e.Column)
	case e.Name != "":
		return fmt.Sprintf(", %s: ", e.Name)
	}
	return ": "
}

func (e RowError) text() string {
	if e.Hint == "" {
		return e.Reason
	}
	return e.Reason + " (" + e.Hint + ")"
}

// inRow joins what is wrong with one row, without its number: the text beside a bad row.
func inRow(errs []RowError) string {
	parts := make([]string, len(errs))
	for i, e := range errs {
		parts[i] = strings.TrimPrefix(strings.TrimPrefix(e.place(), ": "), ", ") + e.text()
	}
	return strings.Join(parts, "; ")
}

// problem is what is wrong with a cell before it is known where it stands.
type problem struct{ reason, hint string }

// letters returns the name of a column in a spreadsheet: 0 is A, 26 is AA.
func letters(i int) string {
	name := ""
	for i++; i > 0; i = (i - 1) / 26 {
		name = string(rune('A'+(i-1)%26)) + name
	}
	return name
}
