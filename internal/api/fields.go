package api

import (
	"errors"
	"fmt"
	"time"

	"github.com/starling-fuota/starling/fleet"
)

// set copies a value that the client gave.
func set[T any](dst *T, src *T) {
	if src != nil {
		*dst = *src
	}
}

// reader parses the texts of a body and collects what cannot be read.
type reader []error

// err joins what was found.
func (r reader) err() error { return errors.Join(r...) }

// read parses a text that the client gave.
func read[T any](r *reader, field string, dst *T, src *string, parse func(string) (T, error)) {
	if src == nil {
		return
	}
	v, err := parse(*src)
	if err != nil {
		*r = append(*r, unreadable(field))
		return
	}
	*dst = v
}

// readAll parses a list of texts that the client gave; it replaces the list.
func readAll[T any](r *reader, field string, dst *[]T, src *[]string, parse func(string) (T, error)) {
	if src == nil {
		return
	}
	*dst = make([]T, len(*src))
	for i, s := range *src {
		read(r, fmt.Sprintf("%s[%d]", field, i), &(*dst)[i], &s, parse)
	}
}

// unreadable does not repeat the text: it could be a key in the wrong place.
func unreadable(field string) error {
	return &fleet.FieldError{Field: field, Problem: "cannot be read", Hint: "the schema of this field in /openapi.json says what it looks like"}
}

// setSeconds copies a duration that the client gave in seconds.
func setSeconds(dst *time.Duration, src *float64) {
	if src != nil {
		*dst = time.Duration(*src * float64(time.Second))
	}
}

// readTime copies a time that the client gave, in years that every engine keeps.
func readTime(r *reader, field string, dst *time.Time, src *time.Time) {
	switch {
	case src == nil:
	case src.UTC().Year() < firstYear || src.UTC().Year() > lastYear:
		*r = append(*r, &fleet.FieldError{Field: field, Problem: fmt.Sprintf("is not within the years %d to %d", firstYear, lastYear)})
	default:
		*dst = src.UTC().Truncate(time.Microsecond)
	}
}

// Years that times are given in.
const (
	firstYear = 1970
	lastYear  = 2199
)

// seconds shows a duration.
func seconds(d time.Duration) *float64 { return new(d.Seconds()) }

// when shows a time, and leaves out the zero time.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// text shows a value in its text form.
func text(v fmt.Stringer) *string { return new(v.String()) }

// texts shows a list of values in their text form.
func texts[T fmt.Stringer](list []T) *[]string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return &out
}
