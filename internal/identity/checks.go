package identity

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starling-fuota/starling/fleet"
)

// checks collects what is wrong with one object, as package fleet does for its own.
type checks []error

// that records a FieldError unless ok.
func (c *checks) that(ok bool, field, problem, hint string) {
	if !ok {
		*c = append(*c, &fleet.FieldError{Field: field, Problem: problem, Hint: hint})
	}
}

// text checks a line of free text of at most limit characters. Control characters are
// refused: they forge log lines and break tables.
func (c *checks) text(field, s string, limit int) {
	c.that(utf8.ValidString(s), field, "is not UTF-8", "")
	c.that(utf8.RuneCountInString(s) <= limit, field, fmt.Sprintf("is longer than %d characters", limit), "shorten it")
	c.that(!strings.ContainsFunc(s, unicode.IsControl), field, "holds control characters", "remove them")
}

// err joins what was found; nil when nothing was.
func (c checks) err() error { return errors.Join(c...) }
