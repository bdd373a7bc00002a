package store

import (
	"errors"
	"fmt"
)

// Errors that callers test with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrStale    = errors.New("changed meanwhile: read it again and repeat the change")
	ErrConflict = errors.New("conflicts with what is stored")
	ErrFenced   = errors.New("the campaign has another owner now: throw the state away")
	ErrAlone    = errors.New("another process runs campaigns of this database")
	ErrQuota    = errors.New("is more than its quota")
	ErrQuery    = errors.New("cannot be asked like this")
)

// Conflict is the ErrConflict of a value that must be unique.
type Conflict struct {
	Kind  string // of object, such as "multicast group"
	Field string // in its JSON form, such as "mc_addr"; several are joined with ", "
}

// Error says which value is taken.
func (c *Conflict) Error() string {
	return fmt.Sprintf("there is already a %s with this %s", c.Kind, c.Field)
}

// Is makes errors.Is(err, ErrConflict) true.
func (c *Conflict) Is(target error) bool { return target == ErrConflict }
