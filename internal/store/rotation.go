package store

import (
	"context"

	"github.com/starling-fuota/starling/internal/secret"
)

// Secrets keeps the keys of devices, groups and others sealed: a copy of the database tells
// nothing about them without the key-encryption key that it was opened with.
type Secrets interface {
	// DataKeys returns the keys that secrets are sealed under, of all subscribers. It waits for those that are
	// being made or rewrapped, so that a key-encryption key that none of them names is needed no more.
	DataKeys(ctx context.Context) ([]secret.DataKey, error)

	// RewrapDataKeys wraps every data key under the primary key-encryption key, each in a transaction
	// of its own, and returns how far it came. After an error or a crash it is simply called again.
	RewrapDataKeys(ctx context.Context) (Rotation, error)
}

// Rotation says what RewrapDataKeys has done.
type Rotation struct {
	Total     int // data keys there are
	Rewrapped int // of them now, the others were under the primary before
}
