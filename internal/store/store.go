package store

import (
	"context"
	"io"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/lorawan"
)

// Store is all that Starling keeps. It is safe for concurrent use.
type Store interface {
	Objects
	Contents
	Runs
	Leases
	Inbox
	Audits
	Histories
	Usages
	Claims
	Airs
	Secrets

	// Tx runs f in one transaction and commits if it returns nil. Inside f only the
	// Objects that it is given may be used: the Store itself may wait for f to end.
	// f may run again from the start, so it must have no effect elsewhere.
	Tx(ctx context.Context, f func(Objects) error) error

	// Ping reports whether the store answers.
	Ping(ctx context.Context) error

	// Close waits for running calls and releases everything.
	Close() error
}

// Objects are the collections: the fleet's objects, people, and the work on them. Outside of Tx
// each call is a transaction of its own.
type Objects interface {
	Devices() Collection[fleet.Device, lorawan.EUI64]
	DeviceSets() Collection[fleet.DeviceSet, string]
	Groups() Collection[fleet.MulticastGroup, lorawan.EUI64]
	Regions() Collection[fleet.Region, string]
	Files() Collection[fleet.File, string]
	Profiles() Collection[fleet.DeviceProfile, string]
	SmartDeltaKeys() Collection[fleet.SmartDeltaKey, string]
	Campaigns() Collection[fleet.Campaign, string]

	Subscribers() Collection[fleet.Subscriber, string]
	Users() Collection[identity.User, string]
	Tokens() Collection[identity.Token, string]
	Jobs() Collection[Job, string]
	Reports() Collection[Report, string]

	// Within returns the collections as one subscriber sees them: only its own objects are found,
	// and what is created is its own. Without Within all are seen, and what is created belongs
	// to the subscriber that the object names, or to fleet.DefaultSubscriber.
	Within(subscriberID string) Objects

	// Record appends to the audit log. Who changes something records it in the same transaction.
	Record(ctx context.Context, entries ...AuditEntry) error

	// RunningWith returns the identifiers of the RUNNING campaigns that a device takes part in.
	RunningWith(ctx context.Context, dev lorawan.EUI64) ([]string, error)
}

// Collection keeps one kind of object under its identifier. Nothing is ever deleted.
type Collection[T any, K comparable] interface {
	// Create stores a new object and sets its Revision to 1. It returns a Conflict
	// if the identifier, or another value that must be unique, is taken.
	Create(ctx context.Context, obj *T) error

	// CreateAll is Create of many objects, in order and in one transaction. If one cannot be stored it returns
	// which, beside the error, and none is; inside of Tx the transaction must be given up then.
	CreateAll(ctx context.Context, objs []*T) (refused int, err error)

	// Find returns one object, archived or not, or ErrNotFound.
	Find(ctx context.Context, key K) (T, error)

	// FindAll returns the objects of the keys that exist, archived or not, ordered
	// by identifier. Missing ones are left out: compare lengths to notice.
	FindAll(ctx context.Context, keys []K) ([]T, error)

	// List returns a page of objects ordered by identifier. It returns ErrQuery for
	// a filter that this kind does not have.
	List(ctx context.Context, q Query) (Page[T], error)

	// Count returns how many objects List would go through; After and Limit are ignored.
	Count(ctx context.Context, q Query) (int, error)

	// Update replaces an object whose stored Revision is that of obj, and raises
	// obj.Revision. It returns ErrNotFound, ErrStale, or a Conflict.
	Update(ctx context.Context, obj *T) error

	// Archive takes an object out of the lists at the given time, whatever its revision. Archiving
	// twice is no error. Update with Archived unset brings it back.
	Archive(ctx context.Context, key K, at time.Time) error
}

// Contents keeps the bytes of files under their SHA-256. Equal contents are kept once.
type Contents interface {
	// PutContent stores all of r. The content becomes visible whole or not at all; an
	// error of r is returned as it is.
	PutContent(ctx context.Context, r io.Reader) (Content, error)

	// OpenContent returns the bytes of one content, or ErrNotFound. The reader
	// lives no longer than ctx and must be closed.
	OpenContent(ctx context.Context, sha256 string) (io.ReadCloser, error)
}

// Content identifies stored bytes.
type Content struct {
	SHA256 string // 64 lower-case hexadecimal digits
	Size   int64  // bytes
}
