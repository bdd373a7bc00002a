package store

import "fmt"

// Field names a filter of List. Which fields a kind of object has is said beside each.
type Field string

// Filters. All compare for equality with the text form of the value.
const (
	ByName      Field = "name"       // every kind
	ByID        Field = "id"         // every kind but devices and groups
	ByTag       Field = "tag"        // devices, groups
	ByProfile   Field = "profile_id" // devices, files
	ByDeviceSet Field = "device_set" // devices: members of the set with this ID
	ByFirmware  Field = "firmware"   // devices
	ByDevice    Field = "device"     // device sets: those with this DevEUI, 16 hexadecimal digits
	ByBand      Field = "band"       // groups
	ByMcAddr    Field = "mc_addr"    // groups
	ByType      Field = "type"       // files, campaigns
	ByStatus    Field = "status"     // campaigns
	ByProducer  Field = "producer_id"
	ByModule    Field = "module_id" // profiles, as ByProducer

	ByLogin       Field = "login"         // users
	ByRole        Field = "role"          // users
	ByOIDCSubject Field = "oidc_subject"  // users
	BySubscriber  Field = "subscriber_id" // users
	ByDigest      Field = "digest"        // tokens
	ByUser        Field = "user_id"       // tokens
	ByKind        Field = "kind"          // tokens, jobs, reports
	ByState       Field = "state"         // jobs
	ByMonth       Field = "month"         // reports
)

// Limits of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Query selects and pages objects. The zero value is the first page of all that is not archived.
type Query struct {
	After    string           // Page.Next of the page before; "": the first page
	Limit    int              // objects per page, 1..MaxLimit; 0: DefaultLimit
	Archived bool             // archived objects too
	Text     string           // part of the name, tag or identifier, in any case
	Where    map[Field]string // all must hold
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
	Next  string // Query.After of the next page; "": this is the last
}
