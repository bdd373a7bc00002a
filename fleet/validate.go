package fleet

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// FieldError says what is wrong with one field of an object and what to do about it.
type FieldError struct {
	Field   string // the name in the JSON form, such as "mc_addr"
	Problem string // what is wrong, without repeating the value: it may be a key
	Hint    string // what to do, may be empty
}

// Error returns "field: problem (hint)".
func (e *FieldError) Error() string {
	if e.Hint == "" {
		return e.Field + ": " + e.Problem
	}
	return e.Field + ": " + e.Problem + " (" + e.Hint + ")"
}

// FieldErrors returns every FieldError inside err, in the order in which they were
// found, however deep errors.Join or wrapping has put them.
func FieldErrors(err error) []*FieldError {
	var out []*FieldError
	switch e := err.(type) { //nolint:errorlint // it is the unwrapping that is done here
	case nil:
	case *FieldError:
		out = append(out, e)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			out = append(out, FieldErrors(inner)...)
		}
	case interface{ Unwrap() error }:
		out = FieldErrors(e.Unwrap())
	}
	return out
}

// ErrText is returned for text that is not a value of the type.
var ErrText = errors.New("not a known value")

// Limits of free text, in characters. They are generous for people and keep a
// list of a million objects bounded.
const (
	MaxName        = 200
	MaxDescription = 4000
)

// checks collects the FieldErrors of one object.
type checks []error

// that records a FieldError unless ok.
func (c *checks) that(ok bool, field, problem, hint string) {
	if !ok {
		*c = append(*c, &FieldError{field, problem, hint})
	}
}

// name checks free text that identifies an object to people.
func (c *checks) name(field, s string, required bool) {
	c.that(!required || strings.TrimSpace(s) != "", field, "is empty", "give a short text that people will recognise")
	c.text(field, s, MaxName)
}

// text checks free text of at most limit characters. Control characters other than line
// breaks and tabs are refused: they forge log lines and break tables.
func (c *checks) text(field, s string, limit int) {
	c.that(utf8.ValidString(s), field, "is not UTF-8", "")
	c.that(utf8.RuneCountInString(s) <= limit, field, fmt.Sprintf("is longer than %d characters", limit), "shorten it")
	c.that(!strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && (limit <= MaxName || r != '\n' && r != '\t' && r != '\r')
	}), field, "holds control characters", "remove them")
}

// span checks a duration of whole seconds in 0..hi.
func (c *checks) span(field string, d, hi time.Duration) {
	c.that(d >= 0 && d <= hi, field, fmt.Sprintf("is not within 0 to %d seconds", int64(hi.Seconds())), "")
	c.that(d%time.Second == 0, field, "is not a whole number of seconds", "")
}

// err joins what was found; nil when nothing was.
func (c checks) err() error { return errors.Join(c...) }
