package service

import (
	"context"
	"fmt"

	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
)

// dataKeys is the part of a store that keeps wrapped data keys.
type dataKeys interface {
	DataKeys(ctx context.Context) ([]secret.DataKey, error)
	RewrapDataKeys(ctx context.Context) (store.Rotation, error)
}

// rotation is Rotation by a key-encryption key and the store whose data keys it wraps.
type rotation struct {
	kek   secret.KEK
	store dataKeys
}

// NewRotation returns the Rotation of a store that was opened with kek. A kek that cannot be
// given another key (the environment, a KMS with a schedule of its own) has its data keys wrapped
// under whatever it calls primary.
func NewRotation(kek secret.KEK, store dataKeys) Rotation { return rotation{kek, store} }

func (r rotation) Status(ctx context.Context) (SecretStatus, error) {
	out := SecretStatus{KEKs: []string{}, Wrapped: map[string]int{}}
	var err error
	if out.Primary, err = r.kek.Primary(ctx); err != nil {
		return out, err
	}
	out.KEKs = append(out.KEKs, out.Primary)
	if ring, ok := r.kek.(secret.Rotator); ok {
		ids, err := ring.IDs(ctx)
		if err != nil {
			return out, err
		}
		for _, id := range ids {
			if id != out.Primary {
				out.KEKs = append(out.KEKs, id)
			}
		}
	}
	keys, err := r.store.DataKeys(ctx)
	for _, k := range keys {
		out.Wrapped[k.KEKID]++
	}
	return out, err
}

// Rotate goes through these states, each of which is durable, and begins where the last
// attempt ended:
//
//	primary wraps something ── Add ──> primary wraps nothing ── rewrap ──> primary wraps all ── Remove
//
// What is replaced is removed at once: the store has waited for the transactions that were about to
// commit a data key under the key that was primary until now.
func (r rotation) Rotate(ctx context.Context, report func(done, total int) error) (SecretStatus, error) {
	before, err := r.Status(ctx)
	if err != nil {
		return before, err
	}
	ring, ok := r.kek.(secret.Rotator)
	// What is wrapped under several is a rotation that was interrupted: it goes on.
	if ok && before.Wrapped[before.Primary] > 0 && len(before.Wrapped) == 1 {
		if _, err := ring.Add(ctx); err != nil {
			return before, fmt.Errorf("new key-encryption key: %w", err)
		}
	}
	total := 0
	for _, n := range before.Wrapped {
		total += n
	}
	if err := report(0, total); err != nil {
		return before, err
	}
	done, err := r.store.RewrapDataKeys(ctx)
	if err != nil {
		return before, err
	}
	if err := report(done.Total, done.Total); err != nil {
		return before, err
	}
	after, err := r.Status(ctx)
	if err != nil || !ok {
		return after, err
	}
	kept := []string{}
	for _, id := range after.KEKs {
		if id == after.Primary || after.Wrapped[id] > 0 {
			kept = append(kept, id)
		} else if err := ring.Remove(ctx, id); err != nil {
			return after, fmt.Errorf("old key-encryption key %s: %w", id, err)
		}
	}
	after.KEKs = kept
	return after, nil
}
