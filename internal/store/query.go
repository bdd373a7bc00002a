package store

import "fmt"

// Limits of a page, and of how finely it is ordered.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
	MaxSort      = 3
)

// Query selects, orders and pages objects. The zero value is the first page of all that is
// not archived, ordered by identifier.
type Query struct {
	After    string           // Page.Next of the page before, asked for with the same filters and order; "": the first page
	Limit    int              // objects per page, 1..MaxLimit; 0: DefaultLimit
	Archived bool             // archived objects too; a filter ByArchived says more than this
	Text     string           // part of the name, tag or identifier, in any case
	Where    map[Field]string // all must hold; FieldsOf says how each is written
	Sort     []Sort           // at most MaxSort, the most important first; the identifier always decides last
}

// Sort is one field to order by. The identifier, which decides between objects that are equal in
// all fields, goes in the direction of the last one, so that Desc turns a whole list around.
type Sort struct {
	Field Field
	Desc  bool // the greatest first
}

// PageLimit returns the limit to apply, or ErrQuery.
func (q Query) PageLimit() (int, error) { return pageLimit(q.Limit) }

func pageLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return DefaultLimit, nil
	case limit < 0 || limit > MaxLimit:
		return 0, fmt.Errorf("limit %d is not within 1 to %d: %w", limit, MaxLimit, ErrQuery)
	}
	return limit, nil
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	Next  string // Query.After of the next page, which nobody needs to understand; "": this is the last
}
