package service

import (
	"errors"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
)

// Errors that callers test with errors.Is. Besides these, use cases return those of
// package store (ErrNotFound, ErrStale, ErrConflict, ErrQuery), and joined
// fleet.FieldErrors when what was given is not valid.
var (
	ErrInUse    = errors.New("is used by a running campaign")
	ErrState    = errors.New("is not possible now")
	ErrAway     = errors.New("is not possible for a moment: try again") // not a matter of what was asked for
	ErrTooLarge = errors.New("is larger than a file may be")
	ErrDigest   = errors.New("does not have the digest that was announced")
	ErrQuota    = store.ErrQuota // the store counts, too: in the transaction of a start
	ErrApproval = errors.New("needs the approval of a second person")
	ErrBlocked  = errors.New("cannot start as it is") // a plan found what stands in the way
)

// invalid returns the error of one field.
func invalid(field, problem, hint string) error {
	return &fleet.FieldError{Field: field, Problem: problem, Hint: hint}
}
