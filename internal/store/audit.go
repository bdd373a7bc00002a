package store

import (
	"context"
	"encoding/json"
	"time"
)

// Audits is the log of who did what. It is only ever appended to, with Objects.Record: the
// engines themselves refuse to change or to remove an entry.
type Audits interface {
	// Audit returns a page of entries, the newest first.
	Audit(ctx context.Context, q AuditQuery) (Page[AuditEntry], error)
}

// AuditEntry is one thing that somebody did.
type AuditEntry struct {
	Seq          int64 // given by the store; rises with every entry
	At           time.Time
	SubscriberID string // in which it was done; "": in the server itself
	UserID       string // "": the server by itself, or somebody unknown
	Login        string // as it was then
	TokenID      string
	From         string // network address
	RequestID    string
	Action       string          // stable, such as "device.update"
	Kind         string          // of the object, such as "device"; "": none
	ObjectID     string          // "": none
	Changes      json.RawMessage // {"field": {"before": ..., "after": ...}}, keys redacted; nil: none
	Note         string          // for people
}

// AuditQuery selects entries. Empty fields select all.
type AuditQuery struct {
	After        string // Page.Next of the page before
	Limit        int    // 1..MaxLimit; 0: DefaultLimit
	SubscriberID string // only entries of this subscriber; "": of all, and of the server
	UserID       string
	Action       string // the whole one, or a beginning that ends with a dot
	Kind         string
	ObjectID     string
	Since, Until time.Time // at or after, and before; zero: unbounded
}

// PageLimit returns the limit to apply, or ErrQuery.
func (q AuditQuery) PageLimit() (int, error) { return pageLimit(q.Limit) }
