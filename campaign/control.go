package campaign

import (
	"fmt"

	"github.com/starling-fuota/starling/lorawan"
)

// Refusal says why an order, or the part of it that concerns one device or group, is not obeyed.
type Refusal struct {
	DevEUI lorawan.EUI64 // zero: not about one device
	Group  lorawan.EUI64 // zero: not about one group
	Code   Reason
	Text   string // why, and what to do instead
}

// Receipt is what has become of an order.
type Receipt struct {
	Reached int       // devices or groups that it changed something for
	Refused []Refusal // the rest, in the order of DevEUI
}

// Err returns a RefusedError if nothing came of the order, else nil.
func (r Receipt) Err() error {
	if r.Reached > 0 || len(r.Refused) == 0 {
		return nil
	}
	return &RefusedError{r.Refused}
}

// RefusedError is an order that nothing could follow from.
type RefusedError struct{ Refused []Refusal } // at least one

// Error names the first reason, and how many there are beside it.
func (e *RefusedError) Error() string {
	r := e.Refused[0]
	who := ""
	switch {
	case !r.DevEUI.IsZero():
		who = "device " + r.DevEUI.String() + ": "
	case !r.Group.IsZero():
		who = "group " + r.Group.String() + ": "
	}
	text := fmt.Sprintf("%s%s (%s)", who, r.Text, r.Code)
	if n := len(e.Refused) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return text
}
